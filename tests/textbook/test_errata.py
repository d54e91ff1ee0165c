"""docs/errata.md: runs its arithmetic, and compares its numbers with the trace and the chapter's numbers with the slips."""

import doctest
import re
import textwrap
from functools import cache
from pathlib import Path

import jax
import pytest

from nnjax.cli.compose import compose_config
from nnjax.config.schema import TraceConfig
from nnjax.data.load import load
from nnjax.textbook.trace import trace

ERRATA = (Path(__file__).parents[2] / "docs" / "errata.md").read_text(encoding="utf-8")


@cache
def values():
    """The default trace's values by iteration and symbol."""
    config = compose_config("trace", [], TraceConfig)
    rows = trace(config, load(config.data), jax.devices()[:1])["rows"]
    return {(row["iteration"], row["symbol"]): row["value"] for row in rows}


def test_the_arithmetic_comes_out_as_written():
    examples = "\n".join(re.findall(r"^ *```python\n(.*?)^ *```", ERRATA, re.MULTILINE | re.DOTALL))
    found = doctest.DocTestParser().get_examples(textwrap.dedent(examples))
    assert len(found) >= 10
    for example in found:
        assert eval(example.source) == eval(example.want), example.source  # Python prints 1.51037e-04 as 0.000151037


@pytest.mark.parametrize(
    ("iteration", "symbol", "written"),
    [
        (1, "w_b1", "0.489376"),
        (2, "y_a", "0.8169184"),
        (2, "y_b", "1.0173802589"),
        (2, "E", "0.000151037"),
        (1, "w_b0", "0.6176"),
        (1, "w_a0", "0.64704"),
        (1, "w_a1", "0.109408"),
        (1, "w_a2", "0.204704"),
        (1, "w_a3", "0.318816"),
    ],
)
def test_what_should_be_is_what_the_trace_computes(iteration, symbol, written):
    assert written in ERRATA
    digits = len(written.split(".")[1])
    assert round(values()[iteration, symbol], digits) == float(written)


def test_the_chapters_numbers_follow_from_the_slips():
    new = {name: values()[1, f"w_a{name}"] for name in (0, 1, 2, 3)}
    swapped = new[1] * 0.4 + new[2] * 0.1 + new[3] * 0.2 + new[0]
    assert swapped == pytest.approx(0.7750368, abs=1e-12)
    assert f"{swapped:.4f}" == "0.7750"
    printed_b = 0.491142 * 0.7750 + values()[1, "w_b0"]
    assert f"{printed_b:.4f}" == "0.9982"
    assert int(1e4 * (1 - printed_b)) == 17  # 0.0017…, not squared, cut after four decimals
    assert (1 - printed_b) ** 2 / 2 < 2e-6
    # nearest to 0.491142: the second iteration's wrong y_a as w_b1's input
    assert round(0.4 + 0.6 * 0.196 * 0.7750, 5) == round(0.491142, 5) == 0.49114
    for printed in ("0.491142", "0.7750", "0.9982", "0.0017"):
        assert printed in ERRATA


def test_the_true_step_overshoots():
    assert values()[1, "y_b"] < 1 < values()[2, "y_b"]
    assert values()[2, "E"] < values()[1, "E"] / 100
    assert values()[2, "δ_b"] > 0 > values()[1, "δ_b"]
