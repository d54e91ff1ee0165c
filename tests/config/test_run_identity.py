import pytest

from nnjax.config.checkpoint_names import steps_saved
from nnjax.config.run_identity import RUN_FILE, begin_identity, read_run_id, write_run_id


def test_each_run_has_a_name_of_its_own(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        begin_identity(tmp_path / name)
    one, other = read_run_id(tmp_path / "a"), read_run_id(tmp_path / "b")
    assert one != other
    assert len(one) == 16
    write_run_id(tmp_path / "a", other)
    assert read_run_id(tmp_path / "a") == other
    assert [path.name for path in (tmp_path / "a/.hydra").iterdir()] == ["run.json"]


@pytest.mark.parametrize("text", [b"", b"{", b"[]", b'{"id": 3}', b'{"id": ""}', b"\xff", b"[" * 5000, b"null"])
def test_a_damaged_one_is_none(tmp_path, text):
    assert read_run_id(tmp_path) is None
    (tmp_path / ".hydra").mkdir()
    (tmp_path / RUN_FILE).write_bytes(text)
    assert read_run_id(tmp_path) is None


def test_steps_are_read_from_names_of_both_forms(tmp_path):
    assert steps_saved(tmp_path / "none") == []
    names = [
        "7-0123456789abcdef.safetensors",
        "12",
        "7",
        "damaged-9",
        "13.orbax-checkpoint-tmp",
        ".writing-3",
        "012",
        "٣",
        "9" * 200,
    ]
    for name in names:
        (tmp_path / name).mkdir()
    assert steps_saved(tmp_path) == [7, 12]
