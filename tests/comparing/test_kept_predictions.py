from dataclasses import replace

import numpy as np
import pytest

from nnjax.comparing import kept_predictions
from nnjax.comparing.kept_predictions import FILE, Predictions, read_predictions, write_predictions
from nnjax.config.errors import DataError

TARGETS = np.array([0, 1, 2, 1], np.uint8)
KEPT = Predictions(
    7,
    "sha256:dada",
    None,
    TARGETS,
    np.array([[0, 1, 2, 2], [1, 1, 1, 1]], np.uint8),
    np.full((2, 4), 0.5, np.float16),
    np.full((2, 4), 0.25, np.float16),
    diverged=(1,),
)


def same(one, other):
    for name in ("targets", "predicted", "confidence", "true_probability", "outputs"):
        before, after = getattr(one, name), getattr(other, name)
        assert (before is None) == (after is None), name
        if before is not None:
            assert before.dtype == after.dtype
            np.testing.assert_array_equal(before, after)
    assert [getattr(one, name) for name in ("step", "data_hash", "test_hash", "diverged")] == [
        getattr(other, name) for name in ("step", "data_hash", "test_hash", "diverged")
    ]


def test_what_is_written_is_read(tmp_path):
    assert write_predictions(tmp_path, KEPT) == tmp_path / FILE
    found = read_predictions(tmp_path)
    same(found, KEPT)
    assert found.right.tolist() == [[True, True, True, False], [False, True, False, True]]
    assert found.num_trials == 2
    assert [path.name for path in tmp_path.iterdir()] == [FILE]


def test_a_regression_keeps_its_outputs(tmp_path):
    outputs = np.arange(6, dtype=np.float32).reshape(1, 3, 2)
    kept = Predictions(0, None, "sha256:feed", outputs[0] + 1, outputs=outputs)
    write_predictions(tmp_path, kept)
    same(read_predictions(tmp_path), kept)
    assert read_predictions(tmp_path).num_trials == 1
    with pytest.raises(ValueError, match="regression"):
        _ = read_predictions(tmp_path).right


def test_a_run_of_an_earlier_version_has_none(tmp_path):
    assert read_predictions(tmp_path) is None
    assert read_predictions(tmp_path / "gone") is None


def test_every_other_byte_is_refused_or_changes_nothing(tmp_path):
    path = write_predictions(tmp_path, KEPT)
    whole = path.read_bytes()
    for place in range(len(whole)):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        found, message = KEPT, f"{FILE}: refused"
        try:
            found = read_predictions(tmp_path)
        except DataError as error:
            message = str(error)
        assert FILE in message
        assert "\n" not in message
        same(found, KEPT)  # where it was read, the byte was one such as a space between two words of the header


@pytest.mark.parametrize("length", [0, 4, 9, 100])
def test_a_file_that_was_cut_off_is_refused(tmp_path, length):
    path = write_predictions(tmp_path, KEPT)
    path.write_bytes(path.read_bytes()[:length])
    with pytest.raises(DataError, match=FILE):
        read_predictions(tmp_path)


def test_a_link_is_not_followed(tmp_path):
    path = write_predictions(tmp_path, KEPT)
    path.rename(tmp_path / "elsewhere")
    path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(DataError, match="symbolic link"):
        read_predictions(tmp_path)


def test_arrays_that_do_not_go_together_are_refused(tmp_path):
    write_predictions(tmp_path, replace(KEPT, targets=TARGETS[:3]))
    with pytest.raises(DataError, match="do not go together"):
        read_predictions(tmp_path)


def test_a_newer_format_is_named_so(tmp_path, monkeypatch):
    monkeypatch.setattr(kept_predictions, "_FORMAT", 2)
    write_predictions(tmp_path, KEPT)
    monkeypatch.undo()
    with pytest.raises(DataError, match="newer nnjax"):
        read_predictions(tmp_path)


def test_probabilities_are_left_out_first_and_then_all(tmp_path, monkeypatch):
    monkeypatch.setattr(kept_predictions, "MOST_BYTES", 20)
    write_predictions(tmp_path, KEPT)
    same(read_predictions(tmp_path), replace(KEPT, confidence=None, true_probability=None))
    monkeypatch.setattr(kept_predictions, "MOST_BYTES", 4)
    assert write_predictions(tmp_path, KEPT) is None
    assert not (tmp_path / FILE).exists()
