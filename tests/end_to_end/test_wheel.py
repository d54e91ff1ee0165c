"""The wheel: what is in it, and that it works where there is no checkout, in a folder that has a conf/ of its own."""

import subprocess
import sys
import zipfile
from importlib.util import find_spec
from pathlib import Path

import pytest
from commands import ROOT, environment, start, summary_of

PIP = [sys.executable, "-m", "pip", "--disable-pip-version-check"]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The wheel, built by the hatchling that is installed; where the dev extra is not, pip fetches one."""
    folder = tmp_path_factory.mktemp("dist")
    how = ["--no-build-isolation"] if find_spec("hatchling") else []
    subprocess.run([*PIP, "wheel", "--quiet", "--no-deps", *how, "--wheel-dir", folder, ROOT], check=True)
    (wheel,) = folder.glob("nnjax-*.whl")
    return wheel


@pytest.fixture(scope="module")
def python(wheel, tmp_path_factory):
    """An interpreter that has the wheel; what the project depends on comes from the environment that tests run in.

    That environment's own nnjax is a checkout, linked by a .pth file, which counts only in the environment that it lies in.
    """
    venv = tmp_path_factory.mktemp("installed") / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", venv], check=True)
    python = venv / "bin" / "python"
    subprocess.run([*PIP, "--python", python, "install", "--quiet", "--no-deps", "--no-index", wheel], check=True)
    words = [python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"]
    packages = subprocess.run(words, check=True, capture_output=True, text=True).stdout.strip()
    ours = [path for path in sys.path if Path(path).name in ("site-packages", "dist-packages")]
    (Path(packages) / "dependencies.pth").write_text("\n".join(ours))
    return python


@pytest.fixture
def elsewhere(tmp_path):
    """A folder of another project that has folders of the same names."""
    (tmp_path / "conf" / "optimizer").mkdir(parents=True)
    (tmp_path / "conf" / "train.yaml").write_text("another: project\n")
    (tmp_path / "conf" / "optimizer" / "adam.yaml").write_text("learning_rate: 7\n")
    (tmp_path / "outputs" / "notes").mkdir(parents=True)
    (tmp_path / "experiments").mkdir()
    (tmp_path / "pyproject.toml").write_text("[project]\nname = 'another'\n")
    return tmp_path


def files_below(folder):
    paths = (path for path in (ROOT / folder).rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    return {path.relative_to(ROOT).as_posix() for path in paths}


def test_the_wheel_holds_the_packages_and_conf_and_nothing_else(wheel):
    with zipfile.ZipFile(wheel) as archive:
        held = {name for name in archive.namelist() if not name.split("/")[0].endswith(".dist-info")}
    assert held == files_below("nnjax") | files_below("experiments") | {f"nnjax/{name}" for name in files_below("conf")}
    assert {
        "nnjax/conf/train.yaml",
        "nnjax/reporting/live_page/page.html",
        "nnjax/reporting/live_page/page.css",
        "nnjax/reporting/live_page/start.js",
        "nnjax/reporting/report_page.html",
        "nnjax/serving/page/page.html",
        "nnjax/data/airline_passengers.csv",
    } <= held


def test_the_wheel_brings_a_command_and_says_that_it_is_typed(wheel):
    with zipfile.ZipFile(wheel) as archive:
        (entry_points,) = (name for name in archive.namelist() if name.endswith("/entry_points.txt"))
        assert "[console_scripts]\nnnjax = experiments.__main__:main" in archive.read(entry_points).decode()
        assert "nnjax/py.typed" in archive.namelist()


@pytest.mark.slow
def test_the_installed_commands_work_anywhere(python, elsewhere):
    def do(verb, *arguments, check=0):
        return start(verb, *arguments, check=check, cwd=elsewhere, python=python, PYTHONPATH="")

    words = [python, "-c", "import experiments, nnjax; print(nnjax.__file__, experiments.__file__)"]
    env = environment(PYTHONPATH="")
    found = subprocess.run(words, cwd=elsewhere, env=env, check=True, capture_output=True, text=True).stdout.split()
    assert all(path.startswith(str(python.parents[1])) for path in found), found

    # Configs come from the wheel, not from the folder's own conf/, and results go into the folder's own outputs/.
    assert "optimizer" in do("train", "--help").stdout
    words = [python.parent / "nnjax", "train", "--explain", "seed"]
    by_script = subprocess.run(words, cwd=elsewhere, env=environment(PYTHONPATH=""), check=True, capture_output=True, text=True)
    assert by_script.stdout == do("train", "--explain", "seed").stdout
    assert "archives=" in do("prepare", "--help").stdout
    explained = do("train", "--explain", "optimizer.learning_rate").stdout
    assert "nnjax/conf/optimizer/adam.yaml:" in "".join(explained.split())
    assert str(python.parents[1]) in "".join(explained.split())  # where it can be opened
    assert "0.001" in explained
    assert "did you mean optimizer=adam?" in do("train", "optimzer=adam", check=2).stderr
    assert do("prepare", "data=mnist", "archives=conf", "data.directory=data", check=3).stderr.startswith("archives=conf: ")
    do("train", "data=airline", "model=rnn", "training=series", "loss=mse", "debug=fast", "report.figures=false")
    (trained,) = (elsewhere / "outputs" / "train").glob("*/*")
    summary = summary_of(trained)
    assert summary["status"] == "completed"
    assert summary["git"] is None
    assert do("evaluate", f"run={trained.relative_to(elsewhere)}").stdout.count("summary.json") == 2
    do("trace", "hydra.run.dir=traced")
    assert "<html" in (elsewhere / "traced" / "trace.html").read_text()
    assert sorted(path.name for path in (elsewhere / "outputs").iterdir()) == ["evaluate", "notes", "prepare", "train"]
    there = {path.name for path in elsewhere.iterdir()}
    assert there == {"conf", "data", "experiments", "outputs", "pyproject.toml", "traced"}
