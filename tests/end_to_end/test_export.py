"""`experiments.export`: one file from a run, and what is refused."""

import json
import shutil

import pytest
from commands import run

import nnjax
from nnjax.serving.model_file import ModelFile, read_model

TINY = ("model=fnn", "model.hidden=[8]", "data.limit_train=80", "data.limit_test=30", "training.global_batch_size=24")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("export")
    words = ("training.duration=2epochs", "parallel.devices=1", "report.figures=false", f"hydra.run.dir={folder / 'run'}")
    run("train", *TINY, *words)
    return folder


def export(folder, *words, check=0):
    out = folder / "out"
    shutil.rmtree(out, ignore_errors=True)
    return run("export", f"run={folder / 'run'}", f"hydra.run.dir={out}", *words, check=check)


@pytest.mark.slow
def test_a_file_in_the_command_s_own_folder(folder):
    said = export(folder).stdout
    path = folder / "out" / "run.nnjax"
    model = ModelFile(path)
    summary = json.loads((folder / "run" / "summary.json").read_text())
    assert model.facts.metrics == pytest.approx(summary["test"])
    assert model.facts.labels == tuple("0123456789")
    assert model.facts.provenance["run"] == "run"
    for text in ("10 classes: 0, 1, 2", "for cpu, cuda, rocm, tpu", f"python -m nnjax.serving {path} photo.png"):
        assert text in said
    written = json.loads((folder / "out" / "export.json").read_text())
    assert (written["file"], written["bytes"], written["weights"]) == (str(path), path.stat().st_size, 64 * 8 + 8 + 8 * 10 + 10)


def test_another_place_and_platform(folder):
    path = folder / "own name.nnjax"
    for _ in range(2):  # an exported model is replaced
        export(folder, f"to='{path}'", "platforms=[cpu]", "checkpoint=last")
    result = nnjax.load_run(folder / "run")
    inputs = result.dataset.test.inputs[:3]
    found = read_model(path, isolated=False).outputs_of(inputs)
    assert found == pytest.approx(result.model.outputs_of(inputs), abs=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("word", "code", "message"),
    [
        ("to=none/model.nnjax", 2, "none/model.nnjax: there is no folder none"),
        ("platforms=[]", 2, "platforms=[]: must be at least one of cpu, cuda, rocm, tpu"),
        ("platforms=[cpu,cpu]", 2, "must be at least one of cpu, cuda, rocm, tpu, each once"),
        ("platforms=[cuda]", 2, ": must hold cpu, too"),
        ("platforms=[cpus]", 2, "platforms.0=cpus: must be one of cpu, cuda, rocm, tpu; did you mean cpu?"),
        ("checkpoint=7777", 3, "7777"),
        ("format=tflite", 2, "format=tflite: is not there: the way from JAX leads through all of TensorFlow"),
    ],
)
def test_a_mistake_is_one_line(folder, word, code, message):
    said = export(folder, word, check=code).stderr
    assert message in said.splitlines()[0]


def test_no_other_file_is_replaced(folder):
    (folder / "photo.png").write_bytes(b"photo")
    said = export(folder, f"to={folder / 'photo.png'}", check=2).stderr
    assert "is there already, and is no exported model; choose another name" in said
    assert (folder / "photo.png").read_bytes() == b"photo"
    assert "is a folder; write " in export(folder, f"to={folder}", check=2).stderr
