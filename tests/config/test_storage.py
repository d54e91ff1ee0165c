"""What is said when a run's files cannot be written."""

import errno

import pytest

from nnjax.config.errors import StorageError, UserError
from nnjax.config.storage import check_free, check_in_place, size_text, writing


def test_a_full_disk_is_one_line_with_the_space(tmp_path):
    path = tmp_path / "metrics.jsonl"
    with (
        pytest.raises(
            StorageError, match=r"metrics.jsonl: cannot be written: No space left .*; 3.2 MB are needed; .* are free"
        ) as found,
        writing(path, 3_200_000),
    ):
        raise OSError(errno.ENOSPC, "No space left on device", str(path))
    assert issubclass(StorageError, UserError)
    assert found.value.exit_code == 1
    assert len(str(found.value).splitlines()) == 1


def test_other_errors_pass():
    with pytest.raises(ValueError, match="other"), writing("x"):
        raise ValueError("other")


def test_a_file_that_is_there_is_in_place(tmp_path):
    with (tmp_path / "file").open("w") as file:
        check_in_place(tmp_path / "file", file)


def test_a_removed_and_a_replaced_file_are_noticed(tmp_path):
    path = tmp_path / "run/file"
    path.parent.mkdir()
    with path.open("w") as file:
        path.rename(tmp_path / "kept")
        with pytest.raises(StorageError, match=r"file: is gone while the run writes to it: No such file"):
            check_in_place(path, file)
        path.write_text("another")
        with pytest.raises(StorageError, match=r"is another file than the one that this run writes"):
            check_in_place(path, file)


def test_too_little_space_is_refused(tmp_path):
    check_free(tmp_path, 1, "it")
    with pytest.raises(StorageError, match=r"are free, and the first checkpoint needs 1.0 EB; free some space"):
        check_free(tmp_path, 10**18, "the first checkpoint")
    check_free(tmp_path / "no such folder", 10**18, "it")  # where nothing is known, nothing is refused


@pytest.mark.parametrize(
    ("size", "text"), [(0, "0 bytes"), (999, "999 bytes"), (1000, "1.0 kB"), (3_210_000, "3.2 MB"), (5 * 10**9, "5.0 GB")]
)
def test_sizes(size, text):
    assert size_text(size) == text
