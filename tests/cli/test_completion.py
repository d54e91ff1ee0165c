"""Completion by Tab: what it offers for each part of a command line, and that bash shows it."""

import shutil
import subprocess
import sys
from importlib import import_module

import pytest

from nnjax.cli import command
from nnjax.cli.completion import SHELLS, candidates, script
from nnjax.cli.compose import conf_dir, project_root
from nnjax.config.compare_options import CompareConfig
from nnjax.config.errors import ConfigError
from nnjax.config.schema import PrepareConfig, TrainConfig

VERBS = sorted(path.stem for path in conf_dir().glob("*.yaml"))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("train model=c", ["model=cnn"]),
        ("train mod", ["model.", "model="]),
        ("train experiment=mnist_c", ["experiment=mnist_cnn"]),
        ("train optimizer.lea", ["optimizer.learning_rate="]),
        ("train optimizer.learning_rate=", ["optimizer.learning_rate=0.001"]),
        ("train training.test=", ["training.test=last", "training.test=best"]),
        ("train report.figures=", ["report.figures=true", "report.figures=false"]),
        ("train model=fnn model.hid", ["model.hidden="]),
        ("train model.hid", []),  # the default's model is a cnn
        ("train -m activation=relu,ta", ["activation=relu,tanh"]),
        ("train --plugin mine.py -m seed=1,2 see", ["seed="]),
        ("train model=nothing step", ["step_size="]),
        ("train ++optimizer=adamw", ["++optimizer=adamw"]),
        ("train --he", ["--help"]),
        ("train run=", []),
        ("train parallel.peer_timeout.x", []),
    ],
)
def test_a_word_is_completed(line: str, offered: list[str]) -> None:
    assert candidates("train", TrainConfig, line) == offered


def test_a_verb_offers_what_it_takes_and_no_more() -> None:
    names = candidates("train", TrainConfig, "train ")
    assert {"model=", "model.", "seed=", "resume=", "experiment="} <= set(names)
    assert not {"link=", "device=", "search=", "hydra."} & set(names)
    assert candidates("prepare", PrepareConfig, "prepare ") == ["archives=", "data.", "data="]
    assert candidates("compare", CompareConfig, "compare outputs/a outputs/b format=la") == ["format=latex"]


@pytest.mark.slow
@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_answers(verb: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Also those that read their words before Hydra does."""
    found = []

    def run(name: str, schema: type, *_: object, **__: object) -> None:
        found.append((name, schema, sys.argv[1:]))

    monkeypatch.setattr(command, "run", run)
    monkeypatch.setattr(sys, "argv", [verb, "-sc", "query=bash"])
    import_module(f"experiments.{verb}").main()
    ((name, schema, words),) = found
    assert (name, words) == (verb, ["-sc", "query=bash"])
    assert candidates(verb, schema, f"{verb} ")


@pytest.mark.parametrize("shell", SHELLS)
def test_the_scripts_name_all_verbs(shell: str) -> None:
    text = script(f"install={shell}")
    assert "@" not in text.replace("[@]", "")
    assert f" experiments.{VERBS[0]} experiments.{VERBS[1]} " in text
    assert "_nnjax" in script(f"uninstall={shell}")
    if shutil.which(shell):
        subprocess.run([shell, "-n"], input=text, text=True, check=True)


@pytest.mark.parametrize("request_", ["", "install=tcsh", "remove=bash"])
def test_another_request_is_refused(request_: str) -> None:
    with pytest.raises(ConfigError, match=r"^-sc.*: must be install=SHELL or uninstall=SHELL, for one of bash, zsh, fish$"):
        script(request_)


def in_bash(*lines: str) -> list[str]:
    """What bash has as replies at the end of each command line, after the script was evaluated."""
    asked = "".join(
        f"COMP_LINE={line!r}; COMP_POINT=${{#COMP_LINE}}; _nnjax; printf '%s\\n' \"${{COMPREPLY[*]}}\"\n" for line in lines
    )
    program = f'eval "$({sys.executable} -m experiments.train -sc install=bash)"\n{asked}'
    words = ["bash", "--norc", "-c", program]
    return subprocess.run(words, cwd=project_root(), check=True, capture_output=True, text=True).stdout.splitlines()


@pytest.mark.slow
def test_bash_completes_each_form_of_a_command() -> None:
    python = sys.executable
    assert in_bash(
        "nnjax tra",
        f"{python} -m experiments.tra",
        f"{python} -m experiments tra",
        f"{python} -m experiments.train model=c",
        f"{python} -m experiments compare format=la",
        f"{python} -m experiments.train optimizer.lea",
        f"{python} -m pytest tes",
        f"{python} program.py mod",
        "nnjax unknown mod",
    ) == [
        "trace traffic train",
        "experiments.trace experiments.traffic experiments.train",
        "trace traffic train",
        "cnn",  # since = ends a word of readline
        "latex",
        "optimizer.learning_rate=",
        "",
        "",
        "",
    ]


@pytest.mark.slow
def test_bash_forgets_it() -> None:
    program = (
        f"complete -W mine python\n"
        f'eval "$({sys.executable} -m experiments -sc install=bash)"\ncomplete -p python nnjax\n'
        f'eval "$({sys.executable} -m experiments.runs -sc uninstall=bash)"\ncomplete -p\n'
    )
    words = ["bash", "--norc", "-c", program]
    printed = subprocess.run(words, cwd=project_root(), check=True, capture_output=True, text=True).stdout
    installed = "complete -o bashdefault -o default -F _nnjax"
    assert printed.splitlines() == [f"{installed} python", f"{installed} nnjax", "complete -W 'mine' python"]
