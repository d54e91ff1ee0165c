"""An exported file in an environment of its own, which has jax, numpy and pillow alone, with what jax needs."""

import json
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import numpy as np
import pytest
from commands import ROOT, environment, run
from PIL import Image

import nnjax

pytestmark = pytest.mark.slow

PIP = [sys.executable, "-m", "pip", "--disable-pip-version-check"]
PACKAGES = ("jax", "jaxlib", "numpy", "pillow", "ml_dtypes", "opt_einsum", "scipy")


@pytest.fixture(scope="module")
def python(tmp_path_factory):
    """An interpreter with the wheel and links to the packages: as pip would install them, without a network."""
    folder = tmp_path_factory.mktemp("alone")
    subprocess.run([*PIP, "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--wheel-dir", folder, ROOT], check=True)
    (wheel,) = folder.glob("nnjax-*.whl")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder / "venv"], check=True)
    python = folder / "venv" / "bin" / "python"
    subprocess.run([*PIP, "--python", python, "install", "--quiet", "--no-deps", "--no-index", wheel], check=True)
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    packages = folder / "venv" / "lib" / version / "site-packages"
    for name in PACKAGES:
        distribution = metadata.distribution(name)
        for top in {file.parts[0] for file in distribution.files or () if file.parts[0] not in ("..", "__pycache__")}:
            (packages / top).symlink_to(Path(str(distribution.locate_file(top))))
    return python


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A run with two trials, its file, and pictures of digits."""
    folder = tmp_path_factory.mktemp("trained")
    words = ("model=cnn", "model.blocks=[{features:8,batch_norm:true}]", "model.dense=[16]", "training.duration=2epochs")
    run("train", *words, "training.seeds=2", "report.figures=false", f"hydra.run.dir={folder / 'run'}")
    said = run("export", f"run={folder / 'run'}", f"to={folder / 'digits.nnjax'}", f"hydra.run.dir={folder / 'export'}").stdout
    assert f"python -m nnjax.serving {folder / 'digits.nnjax'} photo.png" in said
    result = nnjax.load_run(folder / "run")
    for place, digit in enumerate(result.dataset.test.inputs[:5]):
        enlarged = Image.fromarray((255 / 16 * digit[..., 0]).astype(np.uint8)).resize((80, 80), Image.Resampling.BICUBIC)
        enlarged.save(folder / f"digit_{place}.png")
    return folder, result


def test_the_answers_are_the_run_s(python, trained):
    folder, result = trained
    pictures = sorted(folder.glob("digit_*.png"))
    words = [python, "-I", "-m", "nnjax.serving", "digits.nnjax", *pictures, "--json", "--top", "10"]
    done = subprocess.run(words, cwd=folder, env=environment(), capture_output=True, text=True, check=True)
    assert done.stderr == ""
    for line, answer in zip(done.stdout.splitlines(), result.answers(pictures), strict=True):
        shares = {each["label"]: each["probability"] for each in json.loads(line)["top"]}
        found = [shares[label] for label in result.model.facts.labels]
        np.testing.assert_allclose(found, answer.probabilities, atol=1e-6)


def test_nothing_else_is_there(python):
    program = """from importlib.metadata import distributions
print(*sorted(each.name.lower() for each in distributions()))"""
    done = subprocess.run([python, "-I", "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == sorted({"nnjax", *PACKAGES})


def test_the_server_s_packages_are_asked_for(python, trained):
    words = [python, "-I", "-m", "nnjax.serving", "digits.nnjax", "--http", ":0"]
    done = subprocess.run(words, cwd=trained[0], env=environment(), capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith("--http: needs ")
    assert done.stderr.endswith("pip install 'nnjax[serve]'\n")
