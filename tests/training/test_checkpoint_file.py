"""The file of a checkpoint: what comes back, that no damage passes, and that a kill leaves no torn one.

`NNJAX_DAMAGE_TRIALS` sets how many random damages are tried (500 for the figures in docs/faults.md), and `NNJAX_KILL_TRIALS`
how many writers are killed.
"""

import os
import random
import signal
import subprocess
import sys
import time

import ml_dtypes
import numpy as np
import pytest

from nnjax.config.errors import DataError
from nnjax.training.checkpoint_file import DamagedError, Notes, is_renamed, read_checkpoint, read_notes, write_checkpoint
from nnjax.training.checkpoint_folder import list_checkpoints, verify_checkpoints
from nnjax.training.training_progress import Sums, TrainingProgress

ARRAYS = {
    ".step": np.asarray(7, np.int32),
    ".params['dense']['kernel']": np.arange(12, dtype=np.float32).reshape(3, 4).T,  # in another order of memory
    ".params['dense']['half']": np.ones(5, ml_dtypes.bfloat16) / 3,
    ".opt_state[0].none": np.zeros((0, 3), np.float32),
    ".model_state['mask']": np.array([True, False]),
    ".key": np.array([1, 2**32 - 1], np.uint32),
}
PROGRESS = TrainingProgress(
    step=7, sums=Sums([0.1, np.nan], [1.0, 2.0], [3.0, 4.0]), validation_loss=1 / 3, best_loss=0.1, best_step=3, diverged={1: 5}
)
RECORDS = b'{"step": 7, "split": "train", "loss": 0.5}\n' * 20


def write(folder, step=7, run_id="a1", value=0.0, **notes):
    folder.mkdir(exist_ok=True)
    arrays = ARRAYS | {".params['x']": np.full(40, value, np.float32)}
    progress = TrainingProgress.from_json({**PROGRESS.to_json(), "step": step})
    return write_checkpoint(folder, arrays, Notes(progress, run_id, "sha256:ab", **notes), RECORDS)


def test_everything_comes_back_to_the_bit(tmp_path):
    path = write(tmp_path, number=4)
    saved = read_checkpoint(path)
    for name, array in ARRAYS.items():
        assert (saved.arrays[name].dtype, saved.arrays[name].shape) == (array.dtype, array.shape)
        assert np.ascontiguousarray(saved.arrays[name]).tobytes() == np.ascontiguousarray(array).tobytes()
    assert saved.records == RECORDS
    assert (saved.notes.run_id, saved.notes.data_hash, saved.notes.number) == ("a1", "sha256:ab", 4)
    assert str(saved.notes.progress) == str(PROGRESS)  # as text, since NaN is not equal to itself
    assert str(read_notes(path)) == str(saved.notes)
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


def test_other_programs_read_it(tmp_path):
    from safetensors.numpy import load_file

    path = write(tmp_path)
    np.testing.assert_array_equal(load_file(path)[".params['dense']['kernel']"], ARRAYS[".params['dense']['kernel']"])


def damages(random_, folder, data, other_step, other_run):
    """Every kind of damage: each is a function of a checkpoint's path."""

    def flip(path):
        found, bit = bytearray(data), random_.randrange(8 * len(data))
        found[bit // 8] ^= 1 << bit % 8
        path.write_bytes(found)

    def flip_in_the_header(path):
        found, place = bytearray(data), random_.randrange(int.from_bytes(data[:8], "little") + 8)
        found[place] ^= 1 << random_.randrange(8)
        path.write_bytes(found)

    def flip_in_the_name(path):
        name = bytearray(path.name.encode())
        while True:
            changed, place = bytearray(name), random_.randrange(len(name))
            changed[place] ^= 1 << random_.randrange(7)
            if changed[place] not in b"/\0" and changed != name and changed not in (b".", b".."):
                path.rename(folder / os.fsdecode(bytes(changed)))
                return

    def truncate(path):
        path.write_bytes(data[: random_.randrange(len(data))])

    def zeros(path):
        start = random_.randrange(len(data))
        stop = random_.randrange(start, len(data)) + 1
        found = data[:start] + bytes(stop - start) + data[stop:]
        path.write_bytes(found if found != data else b"")

    def append(path):
        path.write_bytes(data + random_.randbytes(random_.randrange(1, 50)))

    def swap_two_parts(path):
        size = random_.randrange(1, 60)
        one, two = sorted(random_.sample(range(0, len(data) - size, size), 2))
        found = bytearray(data)
        found[one : one + size], found[two : two + size] = data[two : two + size], data[one : one + size]
        path.write_bytes(found if found != data else b"")

    def content_of_another_step(path):
        path.write_bytes(other_step.read_bytes())

    def another_step_under_its_own_checksum(path):
        path.rename(folder / f"8-{path.name.partition('-')[2]}")

    def another_run(path):
        path.unlink()
        (folder / other_run.name).write_bytes(other_run.read_bytes())

    return [
        flip,
        flip_in_the_header,
        flip_in_the_name,
        truncate,
        zeros,
        append,
        swap_two_parts,
        content_of_another_step,
        another_step_under_its_own_checksum,
        another_run,
    ]


def test_no_random_damage_passes(tmp_path):
    """Neither reading nor the check of the run accepts a single one; each is noticed as the fault of a file."""
    from nnjax.training.checkpoint_folder import check_run

    trials, random_ = int(os.environ.get("NNJAX_DAMAGE_TRIALS", 120)), random.Random(0)
    path = write(tmp_path / "run")
    data, other_step = path.read_bytes(), write(tmp_path / "more", step=9, value=1.0)
    other_run = write(tmp_path / "other", run_id="b2", value=2.0)
    passed, tried = [], {}
    for _ in range(trials):
        damage = random_.choice(damages(random_, path.parent, data, other_step, other_run))
        tried[damage.__name__] = tried.get(damage.__name__, 0) + 1
        damage(path)
        listing = list_checkpoints(path.parent)
        noticed = len(listing.faults)
        for entry in listing.entries:
            try:
                saved = read_checkpoint(entry.path)
                check_run(saved.path, saved.notes, "a1")
                passed.append(damage.__name__)
            except DamagedError:
                noticed += 1
        assert noticed == 1, damage.__name__
        for file in path.parent.iterdir():
            file.unlink()
        path.write_bytes(data)
    print(f"{trials} damages, {len(passed)} passed: {tried}")  # with -s
    assert not passed
    assert len(tried) == 10
    assert read_checkpoint(path).records == RECORDS


def test_no_truncation_passes_at_any_boundary(tmp_path):
    path = write(tmp_path)
    data = path.read_bytes()
    header = int.from_bytes(data[:8], "little") + 8
    boundaries = {0, 1, 7, 8, 9, header - 1, header, header + 1, len(data) - 1} | set(range(header, len(data), 16))
    for length in boundaries:
        path.write_bytes(data[:length])
        with pytest.raises(DamagedError, match="cannot be read"):
            read_checkpoint(path)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"format": "x"}, "metadata is no checkpoint's"),
        ({"progress": {"step": 7, "unknown": 1}}, "metadata is no checkpoint's"),
        ({"progress": []}, "metadata is no checkpoint's"),
        ({"progress": None}, "metadata is no checkpoint's"),
        ({"format": 99}, "written by nnjax 9.9, and this version is too old"),
    ],
)
def test_a_forged_file_with_the_right_checksum_is_a_line(tmp_path, change, reason):
    import hashlib
    import json

    from safetensors.numpy import save

    values = {
        "format": 1,
        "progress": PROGRESS.to_json(),
        "run_id": "a",
        "data_hash": None,
        "number": 1,
        "nnjax": "9.9",
    } | change
    data = save({".step": np.zeros(1, np.float32)}, {"nnjax": json.dumps(values)})
    path = tmp_path / f"7-{hashlib.sha256(data).hexdigest()[:16]}.safetensors"
    path.write_bytes(data)
    with pytest.raises(DataError, match=reason):
        read_checkpoint(path)
    assert len(list_checkpoints(tmp_path).faults) == 1


def test_metrics_that_unfold_without_end_are_refused(tmp_path, monkeypatch):
    from nnjax.training import checkpoint_file

    path = write(tmp_path)
    monkeypatch.setattr(checkpoint_file, "_MOST_RECORDS", 100)
    with pytest.raises(DamagedError, match="longer than 100 bytes"):
        read_checkpoint(path)


def test_a_file_under_a_changed_name_is_noticed_and_foreign_ones_are_not(tmp_path):
    path = write(tmp_path)
    for name in ("notes.txt", ".DS_Store", ".writing-77", "damaged-3-x"):
        (tmp_path / name).write_bytes(b"x" * 100)
    assert not list_checkpoints(tmp_path).faults
    path.rename(tmp_path / "7-copy.safetensors")
    assert is_renamed(tmp_path / "7-copy.safetensors")
    (fault,) = list_checkpoints(tmp_path).faults
    assert "changed name" in fault.reason


def test_a_writer_that_fails_leaves_nothing(tmp_path, monkeypatch):
    def full(handle):
        raise OSError(28, "No space left on device")

    whole = write(tmp_path, step=3)
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        write(tmp_path)
    assert list(tmp_path.iterdir()) == [whole]


def test_a_link_in_the_place_of_the_temporary_file_is_not_followed(tmp_path):
    outside = tmp_path / "outside"
    outside.write_text("mine")
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / f".writing-{os.getpid()}").symlink_to(outside)
    write(tmp_path / "run")
    assert outside.read_text() == "mine"


def test_a_pipe_is_not_waited_for(tmp_path):
    path = write(tmp_path)
    path.unlink()
    os.mkfifo(path)
    os.mkfifo(tmp_path / "7-copy.safetensors")
    (fault,) = list_checkpoints(tmp_path).faults
    assert "no regular file" in fault.reason
    with pytest.raises(DamagedError, match="no regular file"):
        read_checkpoint(path)


def test_verification_names_each_file(tmp_path):
    (tmp_path / ".hydra").mkdir()
    (tmp_path / ".hydra/run.json").write_text('{"id": "a1"}')
    folder = tmp_path / "checkpoints"
    intact, damaged = write(folder, step=3), write(folder, step=5)
    write(folder, step=8, run_id="b2")
    damaged.write_bytes(damaged.read_bytes()[:-3])
    checked = verify_checkpoints(tmp_path)
    assert [(file.step, file.ok) for file in checked] == [(3, True), (5, False), (8, False)]
    assert checked[0].path == intact
    assert "of run b2" in checked[2].reason
    intact.unlink()
    assert "missing" in verify_checkpoints(tmp_path)[0].reason  # step 3 was the best


WRITER = """
import itertools, sys
from pathlib import Path
import numpy as np
from nnjax.training.checkpoint_file import Notes, write_checkpoint
from nnjax.training.checkpoint_folder import delete, in_order, kept, list_checkpoints
from nnjax.training.training_progress import TrainingProgress
folder = Path(sys.argv[1])
for step in itertools.count(1):
    write_checkpoint(folder, {".x": np.full(300_000, step, np.float32)}, Notes(TrainingProgress(step=step)), b"")
    entries = list_checkpoints(folder).entries
    for entry in entries[:-2]:
        delete(entry.path)
    print(step, flush=True)
"""


@pytest.mark.slow
def test_a_kill_at_any_instant_leaves_no_torn_checkpoint(tmp_path):
    trials, random_ = int(os.environ.get("NNJAX_KILL_TRIALS", 8)), random.Random(0)
    for trial in range(trials):
        folder = tmp_path / str(trial)
        folder.mkdir()
        command = [sys.executable, "-c", WRITER, str(folder)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            said = [process.stdout.readline()]
            time.sleep(random_.uniform(0, 0.2))
            process.send_signal(signal.SIGKILL)
            said += process.stdout.readlines()
        listing = list_checkpoints(folder)
        assert not listing.faults
        for entry in listing.entries:
            assert (read_checkpoint(entry.path).arrays[".x"] == entry.step).all()
        assert listing.entries[-1].step >= int([line for line in said if line.endswith("\n")][-1])
    print(f"{trials} kills")
