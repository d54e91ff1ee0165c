import io
import math
import sys

import pytest
from PIL import Image
from tensorboardX.proto.event_pb2 import Event, SessionLog
from tensorboardX.proto.plugin_hparams_pb2 import HParamsPluginData
from tensorboardX.record_writer import masked_crc32c

from nnjax.tracking.tensorboard import TensorBoard
from nnjax.tracking.tracker import TrackedRun


@pytest.fixture
def run(tmp_path):
    return TrackedRun("run", None, "0123abcd", tmp_path, tmp_path / "tensorboard", "nnjax")


def events_of(path):
    """The events of a file, as TensorBoard reads them: it stops where a checksum is wrong."""
    data = path.read_bytes()
    while data:  # records: length (8 bytes), checksum (4), the event, checksum (4)
        length = int.from_bytes(data[:8], "little")
        event, checksum = data[12 : 12 + length], data[12 + length : 16 + length]
        assert int.from_bytes(data[8:12], "little") == masked_crc32c(data[:8])
        assert int.from_bytes(checksum, "little") == masked_crc32c(event)
        data = data[16 + length :]
        yield Event.FromString(event)


def values_of(run):
    """All values in the order of the files' names, with their steps."""
    files = sorted(run.store.iterdir())
    return [(event.step, value) for path in files for event in events_of(path) for value in event.summary.value]


def texts_of(run):
    return {
        value.tag.removesuffix("/text_summary"): value.tensor.string_val[0].decode()
        for _, value in values_of(run)
        if value.tensor.string_val
    }


def scalars_of(run):
    return [(step, value.tag, value.simple_value) for step, value in values_of(run) if value.HasField("simple_value")]


def test_tensorboard_events_hold_the_same_numbers(run):
    tracker = TensorBoard()
    tracker.start(run, {})
    for step in (10, 20):
        for split in ("train", "validation"):
            tracker.log(step, {f"{split}/loss": 0.5})
    tracker.log(20, {"train/loss_trial_0": math.nan})
    expected = [(step, f"{split}/loss", 0.5) for step in (10, 20) for split in ("train", "validation")]
    assert scalars_of(run)[:-1] == expected  # before the end, too: they are written as they come
    assert math.isnan(scalars_of(run)[-1][2])
    tracker.finish("completed", {})
    assert scalars_of(run)[:-1] == expected


def test_config_figure_checkpoint_and_summary(run, tmp_path):
    Image.new("RGB", (30, 20), "red").save(tmp_path / "curves.png")
    tracker = TensorBoard()
    place = tracker.start(run, {"model.name": "cnn", "seed": 3, "training.stop": None, "debug.strict": False, "a": "b|c"})
    tracker.log(40, {"test/loss": 0.5, "test/loss_trial_0": 0.5})
    tracker.figure(tmp_path / "curves.png")
    tracker.checkpoint(tmp_path / "checkpoints", True)
    tracker.finish("completed", {"test.loss": 0.5, "reason": None})
    assert place == f"tensorboard --logdir {run.store}"
    texts = texts_of(run)
    assert "| model.name | cnn |\n| seed | 3 |" in texts["config"]
    assert "| a | b\\|c |" in texts["config"]
    assert texts["checkpoint"] == str(tmp_path / "checkpoints")
    assert "| status | completed |\n| test.loss | 0.5 |\n| reason |  |" in texts["summary"]
    ((step, shown),) = [(step, value) for step, value in values_of(run) if value.HasField("image")]
    assert (step, shown.tag, shown.image.width, shown.image.height) == (40, "figures/curves", 30, 20)
    assert Image.open(io.BytesIO(shown.image.encoded_image_string)).getpixel((0, 0)) == (255, 0, 0)
    parts = {
        value.tag: HParamsPluginData.FromString(value.metadata.plugin_data.content)
        for _, value in values_of(run)
        if value.tag.startswith("_hparams_")
    }
    settings = parts["_hparams_/session_start_info"].session_start_info.hparams
    assert (settings["model.name"].string_value, settings["seed"].number_value) == ("cnn", 3.0)
    assert [info.name.tag for info in parts["_hparams_/experiment"].experiment.metric_infos] == ["test/loss"]
    assert "_hparams_/session_end_info" in parts


def test_a_run_that_failed_has_no_successful_end(run):
    tracker = TensorBoard()
    tracker.start(run, {})
    tracker.finish("diverged", {"error": "the loss is NaN"})
    assert "| status | diverged |" in texts_of(run)["summary"]
    assert "_hparams_/session_end_info" not in [value.tag for _, value in values_of(run)]


def test_a_resumed_run_drops_the_events_after_the_step_that_it_resumes_from(run):
    for resume_step in (None, 20):
        tracker = TensorBoard()
        tracker.start(TrackedRun("run", None, "0123abcd", run.folder, run.store, "nnjax", resume_step), {})
        tracker.log(30, {"train/loss": 0.5})
        tracker.finish("completed", {})
    first, second = sorted(run.store.iterdir())
    starts = [
        [event.step for event in events_of(path) if event.session_log.status == SessionLog.START] for path in (first, second)
    ]
    assert starts == [[], [21]]
    assert all(next(events_of(path)).file_version == "brain.Event:2" for path in (first, second))


def test_tensorboard_that_is_missing(run, monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorboardX", None)
    with pytest.raises(ModuleNotFoundError, match="tensorboardX"):
        TensorBoard().start(run, {})


def test_a_full_disk_raises_at_once(run):
    tracker = TensorBoard()
    tracker.start(run, {})
    tracker._file.close()
    with open("/dev/full", "wb", buffering=0) as tracker._file:  # noqa: PTH123
        with pytest.raises(OSError, match="No space left"):
            tracker.log(10, {"train/loss": 0.5})
        with pytest.raises(OSError, match="No space left"):
            tracker.finish("killed", {})
        assert tracker._file is None
