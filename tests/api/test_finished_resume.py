"""What a resume leaves alone: a run that has no step left to do, and any run whose resume is refused, byte for byte."""

import hashlib
import json
import shutil
from dataclasses import replace

import pytest
from small_runs import SERIES

import nnjax
from nnjax.cli.finished_runs import check_summary, finished
from nnjax.cli.sessions import read_sessions
from nnjax.config import stored_files
from nnjax.reporting.run_summary import read_summary

OPTIONS = ("data.validation=0.2", "report.figures=false", "schedule=constant")


def tree(folder):
    """Every file and folder with its time and content."""
    found = {}
    for path in sorted([folder, *folder.rglob("*")]):
        state = path.lstat()
        content = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else None
        found[str(path)] = (state.st_mtime_ns, state.st_size, state.st_mode, content)
    return found


def resume(folder, *overrides):
    return nnjax.fit(nnjax.compose(f"resume='{folder}'", *overrides), folder)


@pytest.fixture(scope="module")
def runs(tiny, tmp_path_factory):
    """A run that is completed, and one that a stop rule ended."""
    folder = tmp_path_factory.mktemp("runs")
    nnjax.fit(tiny(*OPTIONS), folder / "completed")
    stopped = ("training.duration=30epochs", "training.stop.patience=1", "optimizer.learning_rate=0.3")
    nnjax.fit(tiny(*OPTIONS, *stopped), folder / "stopped_early")
    return folder


@pytest.fixture
def completed(runs, tmp_path):
    return shutil.copytree(runs / "completed", tmp_path / "completed")


@pytest.fixture
def stopped(runs, tmp_path):
    return shutil.copytree(runs / "stopped_early", tmp_path / "stopped")


@pytest.mark.slow
@pytest.mark.parametrize("name", ["completed", "stopped_early"])
@pytest.mark.parametrize(
    "overrides",
    [
        (),
        ("report.figures=true", "parallel=shard_map", "parallel.devices=2", "data.placement=host"),
        ("training.keep=9", "training.evaluate_every=3steps", "training.checkpoint_every=null"),
    ],
)
def test_a_finished_run_stays_as_it_is_and_is_returned(runs, name, overrides, capsys):
    folder = runs / name
    before = tree(folder)
    result = nnjax.fit(nnjax.compose(f"resume='{folder}'", *overrides), folder, progress=True)
    assert tree(folder) == before
    said = capsys.readouterr().out
    assert f"{folder}: complete" in said
    assert f"{read_summary(folder)['steps']} steps, test loss" in said
    assert ("its figures are missing" in said) == ("report.figures=true" in overrides)
    assert (result.status, result.metrics["test"]) == (name, read_summary(folder)["test"])


@pytest.mark.slow
def test_a_stop_rule_that_still_holds_leaves_nothing_to_do(stopped):
    before = tree(stopped)
    for overrides in (
        ("training.stop.max_seconds=9999",),  # another rule besides: the progress decides, once it is read
        ("training.duration=40epochs",),
        ("training.stop.loss_below=5",),
    ):
        assert resume(stopped, *overrides).status == "stopped_early"
        assert tree(stopped) == before, overrides


@pytest.mark.slow
def test_more_steps_and_looser_rules_resume(completed, stopped):
    assert resume(completed, "training.duration=3epochs").summary["steps"] == 6
    steps = read_summary(stopped)["steps"]
    assert resume(stopped, "training.stop.patience=3").summary["steps"] > steps
    # a resume that was killed after its records were written is no finished one
    assert read_sessions(stopped)[-1].from_step == steps


def test_a_killed_extension_is_not_taken_for_a_finished_run(completed, stopped):
    for folder, override in ((completed, "training.duration=3epochs"), (stopped, "training.stop.patience=3")):
        config = nnjax.compose(f"resume='{folder}'", override)
        assert finished(config, folder) is None
        summary = (folder / "summary.json").read_bytes()
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("nnjax.training.loop.ChunkRunner", interrupted)  # after the records, before a step
            with pytest.raises(KeyboardInterrupt):
                nnjax.fit(config, folder)
        (folder / "summary.json").write_bytes(summary)  # which a kill does not write anew
        assert finished(nnjax.compose(f"resume='{folder}'"), folder) is None


def interrupted(*arguments, **keywords):
    raise KeyboardInterrupt


def csv(path, rows=36, last=18):
    months = [f"20{10 + year}-{month:02d},{10 + year + month}" for year in range(3) for month in range(1, 13)]
    path.write_text("\n".join(["month,value", *months[: rows - 1], f"2012-12,{last}", ""]))
    return path


@pytest.fixture(scope="module")
def series(tmp_path_factory):
    folder = tmp_path_factory.mktemp("series")
    nnjax.fit(nnjax.compose(*SERIES, f"data.file={csv(folder / 'first.csv')}"), folder / "run")
    csv(folder / "other.csv", last=99)
    csv(folder / "short.csv", rows=5)
    (folder / "text.csv").write_text("nothing\nof use\n")
    return folder


@pytest.mark.slow
@pytest.mark.parametrize(
    "overrides",
    [
        ("data.file=missing.csv",),
        ("data.file=short.csv",),
        ("data.file=text.csv",),
        ("data.file=other.csv",),
        ("parallel.devices=64", "parallel.platform=cpu"),
        ("training.duration=1steps",),
        ("seed=5",),
    ],
)
@pytest.mark.parametrize("kind", ["record", "command"])
def test_a_refused_resume_changes_nothing(series, overrides, kind, monkeypatch, capsys):
    monkeypatch.chdir(series)
    before = tree(series / "run")
    overrides = ("training.duration=4epochs", *overrides)
    if kind == "command":
        from experiments import train

        monkeypatch.setattr("sys.argv", ["train", "resume=run", *overrides])
        with pytest.raises(SystemExit) as end:
            train.main()
        assert end.value.code in (2, 3)
        assert "Traceback" not in capsys.readouterr().err
    else:
        with pytest.raises(nnjax.UserError):
            resume(series / "run", *overrides)
    assert tree(series / "run") == before


def test_a_resume_without_an_intact_checkpoint_changes_nothing(completed):
    for path in (completed / "checkpoints").iterdir():
        path.write_bytes(path.read_bytes()[:-1])
    before = tree(completed)
    with pytest.raises(nnjax.DataError):
        resume(completed, "training.duration=3epochs")
    assert tree(completed) == before


@pytest.mark.slow
@pytest.mark.parametrize("write", range(5))
def test_a_kill_between_any_two_writes_leaves_a_run_that_resumes(tiny, runs, tmp_path, write):
    new, again = tmp_path / "new", shutil.copytree(runs / "completed", tmp_path / "again")
    with pytest.MonkeyPatch.context() as patch:
        killed = interrupt_at(patch, write)
        for config, folder in ((tiny(*OPTIONS), new), (nnjax.compose(f"resume='{again}'", "training.duration=3epochs"), again)):
            killed.clear()
            try:
                nnjax.fit(config, folder)
            except KeyboardInterrupt:
                assert len(killed) == write + 1
    assert resume(again, "training.duration=3epochs").summary["steps"] == 6
    config = replace(tiny(*OPTIONS), resume="auto")
    assert nnjax.fit(config, new).summary["test"] == read_summary(runs / "completed")["test"]
    assert [session.from_step for session in read_sessions(again)] == [0, 4]


def interrupt_at(patch, number):
    """Interrupts the record that is written after `number` others; returns the list of those that were begun."""
    begun = []
    write_text = stored_files.write_text

    def write(path, text):
        begun.append(path)
        if len(begun) > number:
            raise KeyboardInterrupt
        write_text(path, text)

    for module in ("nnjax.cli.runs", "nnjax.cli.sessions", "nnjax.cli.plugins", "nnjax.config.run_identity"):
        patch.setattr(f"{module}.write_text", write)
    return begun


@pytest.mark.slow
@pytest.mark.parametrize(
    "text",
    [
        "[]",
        "3",
        "{",
        '{"status": []}',
        '{"status": "completed", "steps": "4"}',
        '{"status": "completed", "steps": 1e400}',
        '{"status": "completed", "tested_step": -1}',
        '{"status": "completed", "test": [1]}',
        '{"status": "completed", "test": {"loss": "x"}}',
        '{"status": "completed", "trials": {"a": 1}}',
        '{"status": "completed", "copies": [1]}',
        '{"status": "completed", "seconds": 1}',
        '{"status": "completed", "epochs": [2], "steps": 4, "test": {"loss": 1}}',
        '{"status": "stopped_early", "epochs": 0, "steps": 4, "test": {"loss": 1}, "reason": {"a": "\\u001b[2J"}}',
        "[" * 9999,
    ],
)
def test_a_damaged_summary_is_refused_or_passed_over(completed, text):
    (completed / "summary.json").write_text(text)
    line = finished(nnjax.compose(f"resume='{completed}'"), completed)
    assert line is None or line.isprintable()
    try:
        check_summary(json.loads(text))
    except (ValueError, RecursionError):
        with pytest.raises(nnjax.DataError) as refused:
            nnjax.load_run(completed)
        assert "summary.json: is damaged: " in str(refused.value)
        assert "\n" not in str(refused.value)
