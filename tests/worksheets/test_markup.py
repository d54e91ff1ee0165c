"""Formulas: indices below, powers above, nothing lost, and no markup of a name."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nnjax.worksheets.markup import pieces, to_html, to_words


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("w_a1 x1 + w_a0", "w<sub>a1</sub> x<sub>1</sub> + w<sub>a0</sub>"),
        ("∂E/∂y_a × f′(z_a)", "∂E/∂y<sub>a</sub> × f′(z<sub>a</sub>)"),
        ("η × ∂E/∂w_b1", "η × ∂E/∂w<sub>b1</sub>"),
        ("1 / (1 + e^−z_a)", "1 / (1 + e<sup>−z<sub>a</sub></sup>)"),
        ("1 / (1 + e^−0.76)", "1 / (1 + e<sup>−0.76</sup>)"),
        ("e^(−½ × (−0.3)²) / √(2 × π)", "e<sup>(−½ × (−0.3)²)</sup> / √(2 × π)"),
        ("1 − y_a²", "1 − y<sub>a</sub>²"),
        ("1 if z_b > 0", "1 if z<sub>b</sub> &gt; 0"),
        ("max(0, 0.76)", "max(0, 0.76)"),
        ("2.3e-05 × (−1e-07)", "2.3e-05 × (−1e-07)"),
        ("E_1", "E<sub>1</sub>"),
        ("Δw_a3", "Δw<sub>a3</sub>"),
    ],
)
def test_formulas(text, html):
    assert to_html(text) == html


@given(st.text("abexyzwδ∂Δ_^−()12.,½²′×/ <&$\\{}", max_size=40))
def test_nothing_is_lost_and_no_markup_gets_through(text):
    joined = "".join(piece.text for piece in pieces(text))
    assert re.sub(r"[_^]", "", joined) == re.sub(r"[_^]", "", text)
    plain = re.sub(r"</?su[bp]>", "", to_html(text))
    assert "<" not in plain
    assert to_html(text).count("<sup>") == to_html(text).count("</sup>")


def test_words_for_a_pdf_break_between_terms_alone():
    assert to_words("w_a1 x1 + 0.6") == [
        r"$\mathregular{w_{a1}}$",
        r"$\mathregular{x_{1}}$",
        "+",
        "0.6",
    ]
    assert to_words("e^(−½ × z_a²)") == [r"$\mathregular{e^{(−½\ ×\ z_{a}²)}}$"]
