from dataclasses import replace

import pytest
from fake_trackers import Failing, Recording, calls_of

from nnjax.tracking.separate_tracker import SeparateTracker
from nnjax.tracking.tracker import TrackedRun
from nnjax.tracking.trackers import Trackers


@pytest.fixture
def run(tmp_path):
    return TrackedRun("run", None, "0123abcd", tmp_path, tmp_path, "nnjax")


def make(run, patience=60.0, **trackers):
    warnings = []
    made = Trackers(trackers, warnings.append, patience)
    made.start(run, {"seed": 0}, {name: run.folder / name for name in trackers})
    return made, warnings


def test_each_tracker_gets_all(run, tmp_path):
    trackers, warnings = make(run, one=Recording(), two=Recording())
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "checkpoints/10.safetensors").touch()
    trackers.log(10, "train", {"loss": [0.5, 1.5]}, 1.0)
    trackers.log(10, "validation", {"loss": 0.25}, 1.0)
    trackers.files([tmp_path / "curves.png"], tmp_path / "checkpoints", copy=False)
    assert trackers.finish("completed", {"steps": 10}) == [f"{name}: {tmp_path / name} (open it)" for name in ("one", "two")]
    assert warnings == []
    assert calls_of(tmp_path / "one") == calls_of(tmp_path / "two")
    assert calls_of(tmp_path / "one") == [
        ["start", "run", None, "0123abcd", None, {"seed": 0}],
        ["log", 10, {"train/loss": 1.0, "train/loss_trial_0": 0.5, "train/loss_trial_1": 1.5, "epoch": 1.0}],
        ["log", 10, {"validation/loss": 0.25}],
        ["figure", "curves.png"],
        ["checkpoint", "checkpoints", False],
        ["finish", "completed", {"steps": 10}],
    ]


def test_a_tracker_that_fails_is_named_once_and_the_others_go_on(run, tmp_path):
    trackers, warnings = make(run, bad=Failing(), good=Recording())
    for step in (1, 2, 3):
        trackers.log(step, "train", {"loss": 0.5}, 0.0)
    trackers.files([], tmp_path / "checkpoints", copy=False)  # no folder: nothing to tell
    trackers.finish("completed", {})
    assert warnings == [
        "bad takes no more of this run: OSError: No space left on device; the training does not need it",
    ]
    assert [call[0] for call in calls_of(tmp_path / "good")] == ["start", "log", "log", "log", "finish"]
    assert [call[0] for call in calls_of(tmp_path / "bad")] == ["start", "log", "log", "finish"]
    assert calls_of(tmp_path / "bad")[-1] == ["finish", "killed", {}]


def test_a_tracker_that_cannot_start_is_named_once(run, tmp_path):
    (tmp_path / "bad").write_text("a file in the folder's place")
    trackers, warnings = make(run, bad=Recording(), good=Recording())
    trackers.log(1, "train", {"loss": 0.5}, 0.0)
    assert [line[:40] for line in warnings] == ["bad takes no more of this run: FileExist"]
    assert trackers.finish("completed", {}) == [f"good: {tmp_path / 'good'} (open it)"]


def test_before_the_start_nothing_reaches_a_tracker(tmp_path):
    never_started = SeparateTracker("fake", "fake_trackers:Recording", tmp_path / "trackers.log")
    trackers = Trackers({"one": Recording(), "other": never_started}, pytest.fail, 60.0, say=pytest.fail)
    trackers.files([tmp_path / "curves.png"], tmp_path, copy=False)
    trackers.leave("preempted", {})
    assert trackers.finish("failed", {}) == []


def separate(run, kind):
    return SeparateTracker("fake", f"fake_trackers:{kind}", run.folder / "trackers.log")


def test_one_that_hangs_is_given_up_and_the_others_are_whole(run, tmp_path):
    trackers, warnings = make(run, 3.0, hanging=separate(run, "Hanging"), good=Recording())
    trackers.log(1, "train", {"loss": 0.5}, 0.0)
    assert trackers.finish("completed", {}) == [f"good: {tmp_path / 'good'} (open it)"]
    (warning,) = warnings
    assert "it did not finish within 3 s (report.tracking.timeout)" in warning
    assert warning.endswith("see trackers.log")


def test_a_signal_before_the_first_numbers_drops_what_was_begun(run):
    fake = separate(run, "Recording")
    trackers, _ = make(run, fake=fake)
    trackers.leave("preempted", {})
    assert fake._process.poll() is not None


@pytest.mark.parametrize("changes", [{"resume_step": 4}, {"folder": "elsewhere"}], ids=["resumed", "shared store"])
def test_a_run_that_stays_is_closed_before_its_first_numbers(run, tmp_path, changes):
    """Else MLflow would show it as running for ever."""
    if "folder" in changes:
        changes = {"folder": tmp_path / "elsewhere"}
    fake = separate(run, "Recording")
    trackers = Trackers({"fake": fake}, pytest.fail, 60.0)
    trackers.start(replace(run, **changes), {"seed": 0}, {"fake": tmp_path / "fake"})
    trackers.leave("preempted", {})
    assert fake.wait(60.0)
    assert calls_of(tmp_path / "fake")[-1] == ["finish", "preempted", {}]


def test_a_signal_after_the_training_hands_the_rest_over(run, tmp_path):
    fake = separate(run, "Recording")
    trackers, _ = make(run, fake=fake)
    trackers.log(1, "train", {"loss": 0.5}, 0.0)
    trackers.leave("preempted", {"reason": "SIGTERM"})
    assert fake.wait(60.0)
    assert calls_of(tmp_path / "fake")[-1] == ["finish", "preempted", {"reason": "SIGTERM"}]
