"""Resumes of real, tiny runs: what was damaged is repaired or refused, and the result is that of a run that nothing stopped."""

import json
import shutil
from collections import Counter

import pytest
from orbax_writer import save_arrays_as_orbax
from small_runs import SERIES

import nnjax
from nnjax.config.run_identity import RUN_FILE
from nnjax.reporting.metrics import read_metrics
from nnjax.reporting.run_summary import read_summary
from nnjax.training.checkpoint_file import read_checkpoint
from nnjax.training.checkpoint_folder import list_checkpoints

OPTIONS = (
    "data.validation=0.2",
    "training.duration=3epochs",
    "training.checkpoint_every=1epochs",
    "training.keep=3",
    "training.test=best",
    "schedule=constant",
    "report.figures=false",
)


@pytest.fixture(scope="module")
def finished(tiny, tmp_path_factory):
    """A finished run, to be copied."""
    folder = tmp_path_factory.mktemp("runs") / "finished"
    nnjax.fit(tiny(*OPTIONS), folder)
    return folder


@pytest.fixture
def run(finished, tmp_path):
    shutil.copytree(finished, tmp_path / "run")
    return tmp_path / "run"


@pytest.fixture(scope="module")
def longer(tiny, tmp_path_factory):
    """The same run, trained to its fifth epoch at once."""
    folder = tmp_path_factory.mktemp("runs") / "longer"
    nnjax.fit(tiny(*OPTIONS, "training.duration=5epochs"), folder)
    return folder


def resume(folder, *overrides):
    return nnjax.fit(nnjax.compose(f"resume='{folder}'", "training.duration=5epochs", *overrides), folder)


def records(folder):
    """The lines without their times; the tests of a session that ended before count once."""
    lines = [{key: value for key, value in record.items() if key != "seconds"} for record in read_metrics(folder)]
    return Counter(json.dumps(line) for line in lines if line["split"] != "test")


def log(folder):
    return (folder / "train.log").read_text()


def newest(folder):
    return list_checkpoints(folder / "checkpoints").entries[-1].path


def assert_same_end(folder, other):
    (ours, theirs) = (read_checkpoint(newest(run)) for run in (folder, other))
    assert {name: array.tobytes() for name, array in ours.arrays.items()} == {
        name: array.tobytes() for name, array in theirs.arrays.items()
    }
    assert records(folder) == records(other)
    for key in ("test", "tested_step", "data_hash"):
        assert read_summary(folder)[key] == read_summary(other)[key]


@pytest.mark.slow
def test_a_longer_run_tests_the_best_of_all_sessions(run, longer):
    resume(run)
    assert_same_end(run, longer)
    assert [record["step"] for record in read_metrics(run) if record["split"] == "test"]


def test_each_checkpoint_names_its_run_and_its_data(run):
    notes = [entry.notes for entry in list_checkpoints(run / "checkpoints").entries]
    assert {note.run_id for note in notes} == {json.loads((run / RUN_FILE).read_text())["id"]}
    assert {note.data_hash for note in notes} == {read_summary(run)["data_hash"]}


def test_a_damaged_checkpoint_is_refused_for_reading_and_passed_over_by_a_resume(run, longer):
    path = newest(run)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 4
    path.write_bytes(data)
    with pytest.raises(nnjax.DataError, match=f"{path.name}: cannot be read: it is damaged"):
        nnjax.load_run(run, "last")
    resume(run)
    assert "resuming from the one before" in log(run)
    assert (run / "checkpoints" / f"damaged-{path.name}").exists()
    assert_same_end(run, longer)


@pytest.mark.slow
def test_a_lost_best_checkpoint_is_said_and_noted(tiny, tmp_path):
    options = ("training.keep=1", "training.stop.patience=1", "optimizer.learning_rate=0.3", "training.duration=30epochs")
    nnjax.fit(tiny(*OPTIONS, *options), tmp_path)
    best, last = list_checkpoints(tmp_path / "checkpoints").entries
    best.path.unlink()
    with pytest.raises(nnjax.DataError, match=f"the best checkpoint of step {best.step}, with validation loss"):
        nnjax.load_run(tmp_path, "best")
    nnjax.fit(nnjax.compose(f"resume='{tmp_path}'", "training.stop.patience=2"), tmp_path)  # else the run is complete
    assert f"the best checkpoint so far (step {best.step}, validation loss" in log(tmp_path)
    lost = read_summary(tmp_path)["best_lost"]
    assert (lost["step"], lost["best_left"]) == (best.step, last.step)


@pytest.mark.slow
@pytest.mark.parametrize("damage", ["gone", "torn", "gap"])
def test_metrics_are_repaired(run, longer, damage):
    path = run / "metrics.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    if damage == "gone":
        path.unlink()
    else:
        path.write_bytes(b"".join(lines[:2] + lines[3:]) if damage == "gap" else b"".join(lines[:3])[:-8])
    resume(run)
    said = {"gone": "the file was missing: its 6 records", "gap": "1 of 6 records", "torn": "4 of 6 records"}[damage]
    assert f"metrics.jsonl: {said}" in log(run)
    assert_same_end(run, longer)


def everything(folder):
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def csv(folder, last=18):
    folder.mkdir(exist_ok=True)
    rows = [f"20{10 + year}-{month:02d},{10 + year + month}" for year in range(3) for month in range(1, 13)]
    (folder / "numbers.csv").write_text("\n".join(["month,value", *rows[:-1], f"2012-12,{last}", ""]))
    return folder / "numbers.csv"


@pytest.mark.slow
def test_other_data_is_refused_and_another_place_is_not(tmp_path):
    run, moved = tmp_path / "run", csv(tmp_path / "moved")
    nnjax.fit(nnjax.compose(*SERIES, "data.validation=0.2", f"data.file={csv(tmp_path / 'first')}"), run)
    checkpoints = everything(run / "checkpoints")
    other = csv(tmp_path / "other", last=99)
    with pytest.raises(
        nnjax.DataError, match=r"^data\.file=\S+: holds other data \(\w{12}…\) than the run was trained on \(\w{12}…\)"
    ):
        nnjax.fit(nnjax.compose(f"resume='{run}'", "training.duration=3epochs", f"data.file={other}"), run)
    assert everything(run / "checkpoints") == checkpoints
    assert (
        nnjax.fit(nnjax.compose(f"resume='{run}'", "training.duration=3epochs", f"data.file={moved}"), run).status
        == "completed"
    )
    csv(tmp_path / "moved", last=99)
    with pytest.raises(nnjax.DataError, match=r"^data\.file=\S+: holds other data"):
        nnjax.load_run(run)


def test_a_lost_name_is_taken_from_the_checkpoints(run, longer):
    name = json.loads((run / RUN_FILE).read_text())["id"]
    (run / RUN_FILE).unlink()
    assert nnjax.load_run(run).status == "completed"
    resume(run)
    assert json.loads((run / RUN_FILE).read_text())["id"] == name
    assert ".hydra/run.json was missing or damaged" in log(run)
    assert_same_end(run, longer)


def test_the_checkpoint_of_another_run_is_refused(run, tiny, tmp_path):
    nnjax.fit(tiny(*OPTIONS, "seed=5"), tmp_path / "other")
    theirs = newest(tmp_path / "other")
    newest(run).unlink()
    shutil.copy(theirs, run / "checkpoints")
    for which in ("last", "tested"):
        with pytest.raises(nnjax.DataError, match="it is of run"):
            nnjax.load_run(run, which)


@pytest.mark.slow
def test_a_run_of_version_0_2_is_read_and_resumed(run, longer):
    for entry in list_checkpoints(run / "checkpoints").entries:
        saved = read_checkpoint(entry.path)
        entry.path.unlink()
        save_arrays_as_orbax(run / "checkpoints" / str(entry.step), saved.arrays, saved.notes.progress)
    (run / RUN_FILE).unlink()
    assert nnjax.load_run(run).metrics == nnjax.load_run(run, "best").metrics
    path = run / "metrics.jsonl"
    whole = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(whole[:2]))
    resume(run)
    assert "the checkpoint is of nnjax 0.2 or before: it carries no checksum" in log(run)
    assert "metrics.jsonl: the records after step 2 up to step 6 are missing" in log(run)
    assert read_summary(run)["test"] == read_summary(longer)["test"]
    assert len(records(longer) - records(run)) == 4
    assert newest(run).suffix == ".safetensors"
    assert (run / RUN_FILE).exists()
