"""Which form of a command a process was started with, and whether it was started for that alone."""

import sys

import pytest

from nnjax.config.invocation import is_own, is_script, verb_command


@pytest.mark.parametrize(
    ("name", "command"),
    [
        ("/venv/bin/nnjax", "nnjax train"),
        ("nnjax.exe", "nnjax train"),
        ("/home/nnjax/experiments/train.py", "python -m experiments.train"),
        ("/home/ada/nnjax-2", "python -m experiments.train"),
        ("-m", "python -m experiments.train"),
        ("", "python -m experiments.train"),
    ],
)
def test_a_command_is_shown_in_the_form_of_this_process(monkeypatch: pytest.MonkeyPatch, name: str, command: str) -> None:
    monkeypatch.setattr(sys, "argv", [name, "model=cnn"])
    assert verb_command("train") == command
    assert is_script() == command.startswith("nnjax")


def test_a_process_without_arguments_is_no_script(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", [])
    assert not is_script()


@pytest.mark.parametrize(
    ("words", "own"),
    [
        (["-m", "experiments.train"], True),
        (["-m", "experiments.train", "model=cnn"], True),
        (["-m", "experiments", "train", "model=cnn"], True),
        (["/venv/bin/nnjax", "train", "model=cnn"], True),
        (["/venv/bin/nnjax", "trace"], False),
        (["/venv/bin/nnjax"], False),
        (["-m", "experiments.trace"], False),
        (["-m", "experiments", "trace", "train"], False),
        (["-m", "cProfile", "-m", "experiments.train"], False),
        (["-W", "error", "-m", "experiments.train"], False),
        (["-m", "pytest", "train"], False),
        (["train.py"], False),
        ([], False),
    ],
)
def test_a_process_is_a_verbs_own(monkeypatch: pytest.MonkeyPatch, words: list[str], own: bool) -> None:
    monkeypatch.setattr(sys, "orig_argv", ["python", *words])
    assert is_own("experiments.train") == own
