import json

import jax.numpy as jnp
import numpy as np
import pytest

from nnjax.config.errors import DataError
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
    made.close()


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
    later.close()


def test_a_torn_checkpoint_is_not_taken_for_one(checkpoints, tmp_path):
    save(checkpoints, [0.5])
    torn = tmp_path / "checkpoints" / "7.orbax-checkpoint-tmp"
    torn.mkdir()
    (torn / "state").write_text("half")
    later = Checkpoints(tmp_path / "checkpoints")
    assert later.steps == [1]
    later.close()


def test_going_on_passes_over_a_damaged_one(checkpoints, tmp_path):
    save(checkpoints, [0.5, 0.4])
    (newest,) = (tmp_path / "checkpoints").glob("2-*")
    newest.write_bytes(newest.read_bytes()[:-1] + b"?")
    warnings = []
    later = Checkpoints(tmp_path / "checkpoints")
    restored = later.restore_newest(state(0), warnings.append)
    later.close()
    assert restored is not None
    assert restored[1].step == 1
    assert "cannot be read" in warnings[0]
    assert [path.name for path in (tmp_path / "checkpoints").glob("damaged-2-*")]
    again = Checkpoints(tmp_path / "checkpoints", keep=2)
    again.save(state(2), TrainingProgress(step=2))
    again.wait()
    assert again.restore(state(0), 2)[1].step == 2
    again.close()


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
