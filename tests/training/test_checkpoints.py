import errno
import json
import os
import shutil
from dataclasses import replace

import jax.numpy as jnp
import numpy as np
import pytest
from orbax_writer import save_as_orbax

from nnjax.config.errors import DataError, StorageError
from nnjax.training.checkpoints import Checkpoints
from nnjax.training.state import TrainState
from nnjax.training.training_progress import Sums, TrainingProgress


def state(value, width=3):
    leaf = np.full((2, width), value, np.float32)
    return TrainState(np.int32(value), {"dense": {"kernel": leaf}}, {}, (jnp.zeros(()), {"dense": {"kernel": leaf}}))


@pytest.fixture
def checkpoints(tmp_path):
    made = Checkpoints(tmp_path / "checkpoints", keep=2)
    yield made
    made.wait()


def save(checkpoints, losses):
    for step, loss in enumerate(losses, start=1):
        checkpoints.save(
            state(step), TrainingProgress(step=step, validation_loss=loss, sums=Sums(1.5, 2, 3), seconds={"train": 4.0})
        )
    checkpoints.wait()


def test_what_is_saved_comes_back(checkpoints):
    save(checkpoints, [0.5])
    restored, progress = checkpoints.restore(state(0), "last")
    np.testing.assert_array_equal(restored.params["dense"]["kernel"], state(1).params["dense"]["kernel"])
    assert restored.step == 1
    assert restored.step.dtype == np.int32
    assert progress == TrainingProgress(step=1, validation_loss=0.5, sums=Sums(1.5, 2.0, 3.0), seconds={"train": 4.0})


def test_progress_of_a_version_before_0_2_has_trials():
    losses = {"validation": {"loss": [0.5, 0.7]}}
    now = TrainingProgress(step=4, trials=losses, diverged={1: 3}, sums=Sums([1.0, 2.0], [0.0, 1.0], [4.0, 4.0]))
    before = {"copies" if key == "trials" else key: value for key, value in now.to_json().items()}
    assert "trials" not in before
    assert TrainingProgress.from_json(json.loads(json.dumps(before))) == now


def test_the_newest_and_the_best_stay(checkpoints):
    save(checkpoints, [0.5, 0.1, 0.4, 0.3, 0.2])
    assert checkpoints.steps == [2, 4, 5]
    assert checkpoints.restore(state(0), "best")[1].step == 2
    assert checkpoints.restore(state(0), "last")[1].step == 5
    assert checkpoints.restore(state(0), 4)[1].step == 4


def test_there_is_no_best_without_validation(checkpoints):
    save(checkpoints, [None, None, None])
    assert checkpoints.steps == [2, 3]
    with pytest.raises(DataError, match="no validation split"):
        checkpoints.restore(state(0), "best")


def test_a_later_process_reads_them(checkpoints, tmp_path):
    save(checkpoints, [0.5, 0.4])
    later = Checkpoints(tmp_path / "checkpoints")
    assert later.restore(state(0), "best")[1].step == 2
    later.wait()


def test_a_torn_checkpoint_is_not_taken_for_one(checkpoints, tmp_path):
    save(checkpoints, [0.5])
    torn = tmp_path / "checkpoints" / "7.orbax-checkpoint-tmp"
    torn.mkdir()
    (torn / "state").write_text("half")
    later = Checkpoints(tmp_path / "checkpoints")
    assert later.steps == [1]
    later.wait()


def test_going_on_passes_over_a_damaged_one(checkpoints, tmp_path):
    save(checkpoints, [0.5, 0.4])
    (newest,) = (tmp_path / "checkpoints").glob("2-*")
    newest.write_bytes(newest.read_bytes()[:-1] + b"?")
    warnings = []
    later = Checkpoints(tmp_path / "checkpoints")
    restored = later.restore_newest(state(0), warnings.append)
    later.wait()
    assert restored is not None
    assert restored[1].step == 1
    assert "cannot be read" in warnings[0]
    assert [path.name for path in (tmp_path / "checkpoints").glob("damaged-2-*")]
    again = Checkpoints(tmp_path / "checkpoints", keep=2)
    again.save(state(2), TrainingProgress(step=2))
    again.wait()
    assert again.restore(state(0), 2)[1].step == 2
    again.wait()


def test_there_may_be_nothing_to_go_on_from(checkpoints):
    assert checkpoints.restore_newest(state(0), pytest.fail) is None


def test_errors_name_the_folder(checkpoints, tmp_path):
    with pytest.raises(DataError, match="no complete checkpoint"):
        checkpoints.restore(state(0), "last")
    assert not (tmp_path / "checkpoints").exists()
    save(checkpoints, [0.5])
    with pytest.raises(DataError, match=r"no checkpoint of step 9; there are \[1\]"):
        checkpoints.restore(state(0), 9)
    with pytest.raises(DataError, match="another network or optimizer"):
        checkpoints.restore(state(0, width=4), "last")


def paths(folder):
    return sorted(path.name for path in (folder / "checkpoints").iterdir())


def damage(folder, step):
    (path,) = (folder / "checkpoints").glob(f"{step}-*")
    path.write_bytes(path.read_bytes()[:-1] + b"?")
    return path


def best_so_far(losses):
    """Progress after each evaluation of these validation losses."""
    progress = TrainingProgress()
    for step, loss in enumerate(losses, start=1):
        progress = replace(progress, step=step).after_evaluation({"loss": loss}, on_validation=True)
        yield progress


def save_all(checkpoints, progresses):
    for progress in progresses:
        checkpoints.save(state(progress.step), progress)
    checkpoints.wait()


@pytest.mark.parametrize("keep", [1, 2, 3])
def test_the_best_of_an_earlier_session_stays(tmp_path, keep):
    progresses = list(best_so_far([0.5, 0.1, 0.4, 0.3, 0.1, 0.2]))
    for one in progresses:  # a process for each
        save_all(Checkpoints(tmp_path / "checkpoints", keep), [one])
    last = Checkpoints(tmp_path / "checkpoints")
    assert last.restore(state(0), "best")[1].step == 2  # the earlier of two
    assert last.steps == sorted({2, *range(7 - keep, 7)})


def test_a_step_saved_before_its_evaluation_is_saved_again_after_it(checkpoints, tmp_path):
    before = TrainingProgress(step=4, sums=Sums(1.0, 1.0, 8.0))
    save_all(checkpoints, [before])
    save_all(checkpoints, [replace(before, seconds={"train": 1.0})])  # the same moment
    (first,) = paths(tmp_path)
    after = before.after_evaluation({"loss": 0.5}, on_validation=True)
    save_all(checkpoints, [after])
    (second,) = paths(tmp_path)
    assert first != second
    assert checkpoints.restore(state(0), "best")[1] == after


def test_of_two_files_of_one_step_the_later_counts(checkpoints, tmp_path, monkeypatch):
    before = TrainingProgress(step=4, sums=Sums(1.0, 1.0, 8.0))
    after = before.after_evaluation({"loss": 0.5}, on_validation=True)
    monkeypatch.setattr("nnjax.training.checkpoints.delete", lambda path: None)  # as if killed before it
    save_all(checkpoints, [before, after])
    assert len(paths(tmp_path)) == 2
    assert Checkpoints(tmp_path / "checkpoints").restore(state(0), 4)[1] == after
    assert Checkpoints(tmp_path / "checkpoints").restore_newest(state(0), pytest.fail).progress == after


def test_reading_changes_nothing_and_refuses_what_damage_leaves_open(checkpoints, tmp_path):
    save_all(checkpoints, best_so_far([0.5, 0.1, 0.4]))
    reader = Checkpoints(tmp_path / "checkpoints")
    damaged = damage(tmp_path, 3)
    names = paths(tmp_path)
    for which in ("last", 3):
        with pytest.raises(DataError, match=rf"{damaged.name}: cannot be read: it is damaged; its checksum is"):
            reader.restore(state(0), which)
    assert reader.restore(state(0), "best")[1].step == 2
    damaged.rename(damaged.with_name("3-lost.safetensors"))  # may be any step's, were the header not readable
    with pytest.raises(DataError, match="changed name\n  it may be the last one; those of the steps 2 can be had"):
        Checkpoints(tmp_path / "checkpoints").restore(state(0), "last")
    assert len(paths(tmp_path)) == len(names)


def test_a_best_one_that_is_gone_is_missed(checkpoints, tmp_path):
    save_all(checkpoints, best_so_far([0.5, 0.1, 0.4]))
    (best,) = (tmp_path / "checkpoints").glob("2-*")
    best.unlink()
    with pytest.raises(
        DataError, match=r"the best checkpoint of step 2, with validation loss 0\.1, is missing\n.* 3 can be had"
    ):
        Checkpoints(tmp_path / "checkpoints").restore(state(0), "best")


def test_a_resume_says_that_the_best_one_is_lost_and_goes_on_with_those_left(tmp_path):
    save_all(Checkpoints(tmp_path / "checkpoints", keep=2), best_so_far([0.5, 0.1, 0.4, 0.3]))
    damaged, warnings = damage(tmp_path, 2), []
    resumed = Checkpoints(tmp_path / "checkpoints").restore_newest(state(0), warnings.append)
    assert (resumed.progress.step, resumed.progress.best_loss, resumed.progress.best_step) == (4, 0.1, None)
    assert resumed.lost == {"step": 2, "validation_loss": 0.1, "best_left": 4}
    assert "it is set aside" in warnings[0]
    assert warnings[1].startswith("the best checkpoint so far (step 2, validation loss 0.1) is lost: ")
    assert f"damaged-{damaged.name}" in paths(tmp_path)
    later = Checkpoints(tmp_path / "checkpoints", keep=1)
    progress = replace(resumed.progress, step=5).after_evaluation({"loss": 0.2}, on_validation=True)
    save_all(later, [progress])
    assert later.restore(state(0), "best")[1].step == 5  # of those left; no error, since it has been said
    assert later.restore_newest(state(0), pytest.fail).lost is None


def test_a_refused_resume_changes_nothing(checkpoints, tmp_path):
    def refuse(saved):
        raise DataError("other data")

    save_all(checkpoints, best_so_far([0.5, 0.4]))
    damage(tmp_path, 2)
    names = paths(tmp_path)
    with pytest.raises(DataError, match="other data"):
        Checkpoints(tmp_path / "checkpoints").restore_newest(state(0), pytest.fail, accept=refuse)
    assert paths(tmp_path) == names


def test_nothing_is_set_aside_if_nothing_can_be_read(checkpoints, tmp_path):
    save_all(checkpoints, best_so_far([0.5, 0.4]))
    for step in (1, 2):
        damage(tmp_path, step)
    names = paths(tmp_path)
    with pytest.raises(DataError, match=r"2-\w+\.safetensors: cannot be read.*\n.*1-\w+\.safetensors: cannot be read"):
        Checkpoints(tmp_path / "checkpoints").restore_newest(state(0), pytest.fail)
    assert paths(tmp_path) == names


def test_two_runs_of_one_config_do_not_mix(tmp_path):
    for run_id in ("a", "b"):
        run = Checkpoints(tmp_path / run_id / "checkpoints", keep=2, run_id=run_id)
        (tmp_path / run_id).mkdir()
        save_all(run, best_so_far([0.5, 0.4]))
    (mine,) = (tmp_path / "a/checkpoints").glob("2-*")
    (theirs,) = (tmp_path / "b/checkpoints").glob("2-*")
    mine.unlink()
    foreign = mine.with_name(theirs.name)
    foreign.write_bytes(theirs.read_bytes())
    reader = Checkpoints(tmp_path / "a/checkpoints", run_id="a")
    with pytest.raises(DataError, match="it is of run b, and this one is a"):
        reader.restore(state(0), "last")
    with pytest.raises(DataError, match=r"holds checkpoints of several runs \(a, b\)"):
        Checkpoints(tmp_path / "a/checkpoints").restore(state(0), "last")  # the run's own name is lost
    warnings = []
    assert reader.restore_newest(state(0), warnings.append).progress.step == 1
    assert "it is of run b" in warnings[0]
    with pytest.raises(DataError, match=r"none of these checkpoints is of this run, c: .*\n.*run\.json was changed"):
        Checkpoints(tmp_path / "b/checkpoints", run_id="c").restore_newest(state(0), pytest.fail)


@pytest.mark.parametrize("error", [errno.ENOSPC, errno.EROFS, errno.EIO])
def test_a_disk_that_refuses_is_a_line_and_the_last_checkpoint_stays(checkpoints, tmp_path, monkeypatch, error):
    def refuse(handle):
        raise OSError(error, os.strerror(error))

    save_all(checkpoints, best_so_far([0.5]))
    names = paths(tmp_path)
    monkeypatch.setattr(os, "fsync", refuse)
    checkpoints.save(state(2), TrainingProgress(step=2))
    with pytest.raises(StorageError) as caught:
        checkpoints.wait()
    line = str(caught.value)
    assert line.startswith(
        f"{tmp_path / 'checkpoints'}: cannot be written: {os.strerror(error)}; the checkpoint of step 2 takes "
    )
    assert line.endswith(" are free; the last one, of step 1, is intact")
    assert "\n" not in line
    assert caught.value.exit_code == 1
    assert paths(tmp_path) == names
    checkpoints.wait()  # it is said once
    monkeypatch.undo()
    assert checkpoints.restore(state(0), "last")[1].step == 1


def test_a_folder_that_vanishes_is_noticed_at_the_next_checkpoint(checkpoints, tmp_path):
    save_all(checkpoints, best_so_far([0.5]))
    shutil.rmtree(tmp_path / "checkpoints")
    checkpoints.save(state(2), TrainingProgress(step=2))
    with pytest.raises(StorageError, match=r"checkpoints: cannot be written: No such file or directory; .*; there is none yet"):
        checkpoints.save(state(3), TrainingProgress(step=3))
    assert not (tmp_path / "checkpoints").exists()
    with pytest.raises(StorageError, match="No such file or directory"):
        Checkpoints(tmp_path / "run" / "checkpoints", keep=1).save(state(1), TrainingProgress(step=1))


def test_checkpoints_are_not_written_through_a_link(tmp_path):
    (tmp_path / "outside").mkdir()
    (tmp_path / "checkpoints").symlink_to(tmp_path / "outside")
    with pytest.raises(StorageError, match="is a link"):
        Checkpoints(tmp_path / "checkpoints", keep=1).save(state(1), TrainingProgress(step=1))
    assert not list((tmp_path / "outside").iterdir())


def test_what_a_killed_writer_left_is_removed(tmp_path):
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "checkpoints/.writing-123").write_bytes(b"half")
    save_all(Checkpoints(tmp_path / "checkpoints", keep=1), best_so_far([0.5]))
    assert [name.partition("-")[0] for name in paths(tmp_path)] == ["1"]


def test_records_up_to_the_step_are_saved_with_it(tmp_path):
    made = Checkpoints(tmp_path / "checkpoints", keep=2, records=lambda step: b"line\n" * step)
    save_all(made, best_so_far([0.5, 0.4]))
    assert made.read(state(0), 2).saved.records == b"line\n" * 2


# --- checkpoints of versions up to 0.2 ---


def test_old_checkpoints_are_read_continued_and_replaced(tmp_path):
    progresses = list(best_so_far([0.5, 0.1, 0.4]))
    for progress in progresses:
        save_as_orbax(tmp_path / "checkpoints" / str(progress.step), state(progress.step), progress)
    reader = Checkpoints(tmp_path / "checkpoints", run_id="new")
    restored, progress = reader.restore(state(0), "last")
    assert (int(restored.step), progress.step, reader.steps) == (3, 3, [1, 2, 3])
    np.testing.assert_array_equal(restored.params["dense"]["kernel"], state(3).params["dense"]["kernel"])
    assert reader.restore(state(0), "best")[1].step == 2
    resumed = reader.restore_newest(state(0), pytest.fail)
    assert (resumed.progress.best_step, resumed.saved.records) == (2, None)
    writer = Checkpoints(tmp_path / "checkpoints", keep=1, run_id="new")
    save_all(writer, [replace(resumed.progress, step=4).after_evaluation({"loss": 0.2}, on_validation=True)])
    assert writer.steps == [2, 4]
    assert writer.restore(state(0), "best")[1].step == 2
    save_all(writer, [replace(resumed.progress, step=5).after_evaluation({"loss": 0.05}, on_validation=True)])
    assert [name.partition("-")[0] for name in paths(tmp_path)] == ["5"]  # a folder goes with everything in it


def test_an_old_best_one_that_orbax_deleted_is_missed(tmp_path):
    *_, progress = best_so_far([0.5, 0.1, 0.4])
    save_as_orbax(tmp_path / "checkpoints/3", state(3), progress)
    reader, warnings = Checkpoints(tmp_path / "checkpoints"), []
    with pytest.raises(DataError, match=r"the best checkpoint, with validation loss 0\.1, is missing"):
        reader.restore(state(0), "best")
    assert reader.restore_newest(state(0), warnings.append).lost == {"step": None, "validation_loss": 0.1, "best_left": 3}
    assert "validation loss 0.1) is lost" in warnings[0]


def test_a_damaged_old_one_is_set_aside(tmp_path):
    for progress in best_so_far([0.5, 0.4]):
        save_as_orbax(tmp_path / "checkpoints" / str(progress.step), state(progress.step), progress)
    (tmp_path / "checkpoints/2/progress/metadata").write_text("{")
    warnings = []
    assert Checkpoints(tmp_path / "checkpoints").restore_newest(state(0), warnings.append).progress.step == 1
    assert "its progress is damaged" in warnings[0]
    assert "damaged-2" in paths(tmp_path)


def test_an_old_one_does_not_get_into_a_run_of_today(checkpoints, tmp_path):
    save_all(checkpoints, best_so_far([0.5, 0.4]))
    save_as_orbax(tmp_path / "checkpoints/3", state(3), TrainingProgress(step=3))
    with pytest.raises(DataError, match=r"it is of version 0\.2 or before, and this run was continued by a later one"):
        Checkpoints(tmp_path / "checkpoints").restore(state(0), "last")


def test_the_checkpoints_of_another_run_are_left_alone(tmp_path):
    folder = tmp_path / "checkpoints"
    other = Checkpoints(folder, keep=2, run_id="other")
    save_all(other, [TrainingProgress(step=30), TrainingProgress(step=40)])
    foreign = sorted(path.name for path in folder.iterdir())
    own = Checkpoints(folder, keep=1, run_id="own")
    save_all(own, [TrainingProgress(step=1), TrainingProgress(step=2)])
    left = sorted(path.name for path in folder.iterdir())
    assert [name for name in left if name in foreign] == foreign
    assert [name.partition("-")[0] for name in left if name not in foreign] == ["2"]


@pytest.mark.parametrize(
    "changed",
    [
        {"validation_loss": "x"},
        {"validation_loss": [1]},
        {"best_loss": "z"},
        {"best_step": "x"},
        {"step": None},
        {"step": True},
        {"seconds": {"train": "long"}},
        {"sums": {"loss": "x", "correct": 0.0, "count": 0.0}},
        {"trials": {"train": {"loss": [None]}}},
    ],
)
def test_progress_of_other_types_is_refused(changed):
    with pytest.raises((ValueError, TypeError)):
        TrainingProgress.from_json({**TrainingProgress(step=3).to_json(), **changed})
