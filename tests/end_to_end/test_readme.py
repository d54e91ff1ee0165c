"""The commands of the README and of the pages about commands, options and results, and the diffs of CONTRIBUTING.md, work
as they are printed, in a checkout of their own.
"""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from archives import prepare_made
from commands import ROOT, code_blocks, environment, run, start
from PIL import Image, ImageDraw

from nnjax.cli import command, compose, hydra_runner

PAGES = (
    "commands",
    "options",
    "plugins",
    "python",
    "data",
    "benchmarks",
    "trials",
    "predicting",
    "devices",
    "serving",
    "faults",
)
README = "\n".join((ROOT / name).read_text() for name in ("README.md", *(f"docs/{page}.md" for page in PAGES)))
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text()
LINES = [line.split("  #")[0].strip() for block in code_blocks(README, "bash") for line in block.splitlines()]
COMMANDS = list(dict.fromkeys(line for line in LINES if line))
(PLUGIN,) = [block for block in code_blocks(README, "python") if "@nnjax.register_model" in block]
(FROM_PYTHON,) = [block for block in code_blocks(README, "python") if "nnjax.compose" in block]
# .ci/run calls make train and make test; the rest of these fetch from a network, or build the environment that tests run in.
ELSEWHERE = ("make ", "pip install", "git clone", "cd ", "source ", "python -m experiments.prepare", "python benchmarks/")


def parameters():
    for line in COMMANDS:
        if not line.startswith(ELSEWHERE):
            is_slow = " -m " in line.removeprefix("python -m") or "airbench" in line or "verify resume" in line
            yield pytest.param(line, marks=pytest.mark.slow if is_slow else ())


def draw_digit(path):
    """A one, dark on light."""
    picture = Image.new("L", (300, 300), 220)
    ImageDraw.Draw(picture).line([(150, 60), (148, 240)], fill=30, width=26)
    picture.save(path)


@pytest.fixture(scope="module")
def checkout(tmp_path_factory):
    """A copy of the project with small official datasets at hand, so that outputs/ of the real one stays as it is."""
    folder = tmp_path_factory.mktemp("checkout")
    for name in ("nnjax", "experiments", "conf"):
        shutil.copytree(ROOT / name, folder / name)
    shutil.copy(ROOT / "pyproject.toml", folder)
    (folder / "my_models.py").write_text(PLUGIN)
    draw_digit(folder / "photo.png")
    for name, num_train in (("mnist", 300), ("cifar10", 500), ("cifar100", 300)):  # 500: a batch of the narrow airbench
        prepare_made(name, folder, num_train=num_train, num_test=100)
    return folder


def test_a_plugin_is_one_short_file():
    assert len(PLUGIN.splitlines()) <= 30


@pytest.mark.slow
def test_the_lines_from_python(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    exec(compile(FROM_PYTHON, "docs/python.md", "exec"), {})
    shown = capsys.readouterr().out.splitlines()
    assert len(shown) == 3
    assert shown[2].endswith("(256, 10)")
    assert not list(tmp_path.iterdir())


def test_the_two_commands_are_shown():
    assert {"make train", "make test"} <= set(COMMANDS)


def test_the_targets_that_are_named_exist():
    targets = {shlex.split(line)[1] for line in COMMANDS if line.startswith("make ")}
    listed = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert all(f"make {target} " in listed for target in targets), listed


@pytest.fixture
def inside(checkout, monkeypatch):
    """The checkout is the project whose conf/ the commands read, and whose outputs/ they write to."""
    for module in (command, compose, hydra_runner):
        monkeypatch.setattr(module, "conf_dir", lambda: checkout / "conf")
    return checkout


def two_seeds(word):
    """The first two seeds of a sweep's, as more of them show nothing else: 20 jobs of mnist_99 take a quarter of an hour."""
    word = re.sub(r"^seed=range\((\d+),\d+\)", lambda match: f"seed=range({match[1]},{int(match[1]) + 2})", word)
    return re.sub(r"^(seed=\d+,\d+),[\d,]+$", r"\1", word)


def test_of_a_sweeps_seeds_two_are_enough():
    words = ("seed=range(100,120)", "seed=0,1,2,3,4", "seed=0,1", "seed=3", "seeds=8", "activation=relu,tanh,elu")
    assert [two_seeds(word) for word in words] == ["seed=range(100,102)", "seed=0,1", "seed=0,1", *words[3:]]


@pytest.mark.slow
@pytest.mark.parametrize("line", list(parameters()))
def test_command(line, inside):
    python, module, verb, *arguments = shlex.split(line)
    assert (python, module, verb.split(".")[0]) == ("python", "-m", "experiments"), f"what is {line!r}, and who tests it?"
    if verb == "experiments":
        subprocess.run([sys.executable, "-m", "experiments"], cwd=inside, env=environment(), check=True, capture_output=True)
        return
    arguments = [two_seeds(word) for word in arguments]
    if any(re.match("experiment=(mnist|cifar)", word) for word in arguments):
        arguments.append("debug.max_steps=4")  # they are made for minutes of training
    series = verb == "experiments.forecast"
    arguments = [str(a_sweep(inside)) if word == "outputs/sweeps/DATE/TIME" else word for word in arguments]
    arguments = [f"{word.split('=')[0]}={a_run(inside, series=series)}" if "=outputs/" in word else word for word in arguments]
    run(verb.removeprefix("experiments."), *arguments, cwd=inside, TFDS_DATA_DIR=str(inside / "tfds"))


@pytest.mark.slow
def test_training_and_evaluation_are_processes(checkout):
    (train,) = [line for line in COMMANDS if "experiments.train" in line and "debug=fast" in line]
    (evaluate,) = [line for line in COMMANDS if "experiments.evaluate" in line]
    words = shlex.split(train)[3:]
    start("train", *words, "hydra.run.dir=outputs/process", cwd=checkout)
    # the checkout's own package: it has no commit to name
    assert json.loads((checkout / "outputs/process/summary.json").read_text())["git"] is None
    words = [f"run={checkout / 'outputs/process'}" if "=outputs/" in word else word for word in shlex.split(evaluate)[3:]]
    printed = start("evaluate", *words, "hydra.run.dir=outputs/evaluated", cwd=checkout).stdout
    assert "test" in printed
    assert (checkout / "outputs/evaluated/evaluation.json").exists()


@pytest.mark.slow
def test_a_command_as_it_stands_there_is_a_process(checkout):
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    words = shlex.split(next(line for line in COMMANDS if "experiments.train" in line))
    subprocess.run([*words, "--help"], cwd=checkout, env=environment(PATH=path), check=True, capture_output=True)


def apply(diff, folder):
    """Applies a diff of CONTRIBUTING.md: lines with + take the place of the lines with − before them, or make a new file."""
    for section in diff.split("--- ")[1:]:
        name, *lines = section.splitlines()
        path = folder / name
        if not path.exists():
            path.write_text("".join(f"{line[1:]}\n" for line in lines))
            continue
        text = path.read_text()
        hunks = re.findall(r"((?:^\+.*\n)*)((?:^-.*\n)+)((?:^\+.*\n?)+)", "\n".join(lines) + "\n", re.MULTILINE)
        assert "".join("".join(hunk) for hunk in hunks).splitlines() == lines, name
        for before, old, new in (map(strip_marks, hunk) for hunk in hunks):
            assert text.count(old) == 1, f"{name} has not (once) {old!r}"
            text = text.replace(old, before + new)
        path.write_text(text)


def strip_marks(lines):
    return "".join(f"{line[1:]}\n" for line in lines.splitlines())


@pytest.mark.slow
@pytest.mark.parametrize(
    ("number", "line"),
    [
        (0, "experiments.train model=linear debug=fast"),
        (1, "experiments.train data=kmnist --cfg job"),
        (2, "experiments.train activation=mish debug=fast"),
    ],
)
def test_an_option_is_added_as_the_diff_says(number, line, checkout, tmp_path):
    shutil.copytree(checkout, tmp_path / "copy", ignore=shutil.ignore_patterns("outputs", "archives", "tfds"))
    apply(code_blocks(CONTRIBUTING, "diff")[number], tmp_path / "copy")
    words = [sys.executable, "-m", *line.split()]
    result = subprocess.run(words, cwd=tmp_path / "copy", env=environment(), capture_output=True, text=True, timeout=1200)
    assert result.returncode == 0, result.stdout + result.stderr
    program = "from nnjax.data.builders import builder_class, official_archives; print(official_archives('kmnist'))"
    if number == 1:
        subprocess.run([sys.executable, "-c", program], cwd=tmp_path / "copy", env=environment(), check=True)


def a_sweep(checkout):
    """The folder of a finished sweep, for the commands that speak of one."""
    folder = checkout / "outputs" / "a_sweep"
    if not folder.exists():
        run("train", "-m", "debug=fast", "model=fnn", "seed=0,1", f"hydra.sweep.dir={folder}", cwd=checkout)
    return folder


def a_run(checkout, *, series=False):
    """The folder of a finished run, for the commands that speak of an earlier one: on the digits, or of a series."""
    data, overrides = ("airline", ["experiment=airline_rnn"]) if series else ("digits", [])
    folder, name = checkout / "outputs" / "train", f"*/*_{data}*"
    if not any(folder.glob(name)):
        run("train", "debug=fast", *overrides, cwd=checkout)
    runs = sorted(folder.glob(name))
    return runs[0]
