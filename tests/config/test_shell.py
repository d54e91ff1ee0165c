"""Paths are printed so that a shell takes them back."""

import subprocess
import sys
from pathlib import Path

import pytest

from nnjax.config.diagnostics import show
from nnjax.config.paths import shown_path
from nnjax.config.shell import shell_text, shell_word

ODD = ["caf\udce9", "a\nb", "it's\\\udcff9", "tab\there", "\x1b[31mred", "\u202etxt", "no\u00a0break"]


@pytest.mark.parametrize("name", ODD)
def test_what_cannot_be_shown_is_escaped_and_comes_back(name: str) -> None:
    shown_value = [] if {*"\n\t\u00a0"} & {*name} else [show(name)]  # which tells white space as one space
    for shown in (shell_text(name), shell_word(name), shown_path(Path(name)), *shown_value):
        assert shown.isascii()
        assert shown.isprintable()
        back = subprocess.run(["bash", "-c", f"printf %s {shown}"], capture_output=True, check=True).stdout
        assert back.decode("utf-8", "surrogateescape") == name


@pytest.mark.parametrize("name", ["plain", "a b", "café", "日本", "x=1,2"])
def test_what_can_be_shown_stays(name: str) -> None:
    assert shell_text(name) == name


def test_a_word_for_the_shell_is_quoted() -> None:
    assert shell_word("resume=/a b/$x") == "'resume=/a b/$x'"


def test_what_the_terminal_lacks_is_escaped() -> None:
    program = "from nnjax.config.shell import shell_text; print(shell_text('café'))"
    environment = {"PYTHONIOENCODING": "ascii", "PYTHONPATH": str(Path(__file__).parents[2])}
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout == "$'caf\\xc3\\xa9'\n"
