"""`python -m experiments` and `nnjax`: the list of verbs, the way to each, and what a wrong word is answered."""

import subprocess
import sys
from pathlib import Path

import pytest
from commands import ROOT, environment

import nnjax
from experiments import __main__ as command

SCRIPT = "import sys\nfrom experiments.__main__ import main\nif __name__ == '__main__':\n    sys.exit(main())\n"
VERBS = sorted(path.stem for path in (ROOT / "conf").glob("*.yaml"))


def called(monkeypatch, capsys, *words, name="/venv/bin/nnjax"):
    """The exit code, the output and the errors of a command in this process."""
    monkeypatch.setattr(sys, "argv", [name, *words])
    with pytest.raises(SystemExit) as ended:
        command.main()
    return ended.value.code, *capsys.readouterr()


@pytest.mark.parametrize("words", [(), ("--help",), ("-h",), ("help",)])
def test_the_verbs_are_listed(monkeypatch, capsys, words):
    code, said, complained = called(monkeypatch, capsys, *words)
    assert (code, complained) == (0, "")
    assert command.verbs() == VERBS
    indented = [line for line in said.splitlines() if line.startswith("  ")]
    lines = [line.split(maxsplit=1) for line in indented[::2]]
    assert [verb for verb, _ in lines] == VERBS
    assert all(10 < len(text) < 80 and "$" not in text for _, text in lines)
    for verb, example in zip(VERBS, indented[1::2], strict=True):
        start, word = f"{'':<13}nnjax {verb} ", example.split(maxsplit=2)[-1]
        assert example == start + word
        assert len(example) < 100
        assert f"\n    {word}" in (ROOT / "conf/hydra/help" / f"{verb}.yaml").read_text()
    assert said.startswith("nnjax VERB ")
    assert "To begin: nnjax train." in said


def test_without_the_script_the_module_is_named(monkeypatch, capsys):
    _, said, _ = called(monkeypatch, capsys, name="/here/experiments/__main__.py")
    assert said.startswith("python -m experiments VERB ")


@pytest.mark.parametrize(
    ("word", "answer"),
    [
        ("trian", "trian: no such verb; did you mean train? verbs: "),
        ("Evaluate", "Evaluate: no such verb; did you mean evaluate? verbs: "),
        ("__main__", "__main__: no such verb; verbs: "),
        ("", ": no such verb; verbs: "),
        ("model=cnn", "model=cnn: the verb comes first, as in nnjax train model=cnn seed=1; verbs: "),
        ("-m", "-m: the verb comes first, as in nnjax train -m seed=1; verbs: "),
    ],
)
def test_a_word_that_is_no_verb_is_answered_with_the_nearest(monkeypatch, capsys, word, answer):
    assert called(monkeypatch, capsys, word, "seed=1") == (2, "", f"{answer}{', '.join(VERBS)}\n")


def test_the_version_and_the_help_of_a_verb(monkeypatch, capsys):
    assert called(monkeypatch, capsys, "--version") == (0, f"nnjax {nnjax.__version__}\n", "")
    code, said, _ = called(monkeypatch, capsys, "help", "evaluate")
    assert code == 0
    assert said.startswith("Tests a trained network again, from its checkpoint: nnjax evaluate")


def test_completion_is_installed_without_a_verb(monkeypatch, capsys):
    code, said, complained = called(monkeypatch, capsys, "-sc", "install=bash")
    assert (code, complained) == (0, "")
    assert said.endswith("-F _nnjax nnjax python python3\n")


def test_a_verb_gets_the_rest_of_the_line(monkeypatch, capsys):
    code, said, complained = called(monkeypatch, capsys, "train", "--cfg", "job", "seed=7")
    assert (code, complained) == (0, "")
    assert "seed: 7" in said
    code, said, _ = called(monkeypatch, capsys, "train", "--help")
    assert said.startswith("Trains a network and tests it: nnjax train ")
    assert "each after nnjax train:" in said
    assert called(monkeypatch, capsys, "train", "trian=1")[0] == 2


def test_a_wrong_verb_is_one_line_in_a_process_too(tmp_path: Path):
    """As the script that pip installs does it: `nnjax` in a folder of its own."""
    (tmp_path / "nnjax").write_text(SCRIPT)
    words = [sys.executable, "-W", "error", tmp_path / "nnjax", "tarin"]
    env = environment(PYTHONPATH=str(ROOT))
    done = subprocess.run(words, cwd=tmp_path, env=env, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("tarin: no such verb; did you mean train?")
