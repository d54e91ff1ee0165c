"""Files that another process or person wrote: whatever they are, reading them is quick and ends in a value or one line."""

import json
import os
import socket
from pathlib import Path

import pytest

from nnjax.config.stored_files import StoredFileError, one_line, parse_json, read_bytes, read_json, read_text, write_text


def make(path: Path, kind: str) -> None:
    """Makes something that is no plain file, or nothing that a reader takes."""
    match kind:
        case "link":
            (path.parent / "target").write_text("{}")
            path.symlink_to(path.parent / "target")
        case "broken link":
            path.symlink_to(path.parent / "nothing")
        case "pipe":
            os.mkfifo(path)
        case "socket":
            here = Path.cwd()
            os.chdir(path.parent)  # the name of a socket is short
            with socket.socket(socket.AF_UNIX) as end:
                end.bind(path.name)
            os.chdir(here)
        case "folder":
            path.mkdir()
        case "large":
            with path.open("wb") as file:
                file.truncate(500 << 20)  # takes no room on the disk


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("link", "is a symbolic link, and must be a file"),
        ("broken link", "is a symbolic link, and must be a file"),
        ("pipe", "is a named pipe, and must be a file"),
        ("socket", "is a socket, and must be a file"),
        ("folder", "is a folder, and must be a file"),
        ("large", "is larger than 1,048,576 bytes"),
    ],
)
def test_only_a_plain_small_file_is_read(tmp_path: Path, kind: str, reason: str) -> None:
    path = tmp_path / "file.json"
    make(path, kind)
    with pytest.raises(StoredFileError) as refused:
        read_json(path)
    assert str(refused.value).endswith(f"file.json: {reason}")
    path.unlink() if kind != "folder" else path.rmdir()
    with pytest.raises(FileNotFoundError):
        read_json(path)


def test_a_device_is_not_read() -> None:
    with pytest.raises(StoredFileError, match=r"is a device, and must be a file"):
        read_bytes(Path("/dev/zero"))


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"\xff\xfe", "cannot be read: byte 0 is no UTF-8"),
        (b"{}\0", "cannot be read: it holds NUL bytes"),
        (b"", "is damaged: Expecting value"),
        (b"{torn", "is damaged: Expecting property name"),
        (b"[" * 3000 + b"]" * 3000, "is damaged: brackets are nested deeper than 64 levels"),
        (b'{"a":' * 100_000, "is damaged: "),
        (b"[" * 70 + b"]" * 70, "is damaged: brackets are nested deeper than 64 levels"),
        (b"9" * 10_000, "is damaged: Exceeds the limit"),
        (b'{"a": 1, "a": 2}', "is damaged: a key stands twice"),
    ],
)
def test_no_json_is_refused_in_a_line(tmp_path: Path, content: bytes, reason: str) -> None:
    (tmp_path / "file.json").write_bytes(content)
    with pytest.raises(StoredFileError) as refused:
        read_json(tmp_path / "file.json")
    assert f"file.json: {reason}" in str(refused.value)
    assert "\n" not in str(refused.value)


def test_what_was_written_is_read(tmp_path: Path) -> None:
    values = {"a": [1, 2.5, None, {"b": "é"}]}
    write_text(tmp_path / "file.json", "old")
    write_text(tmp_path / "file.json", json.dumps(values, ensure_ascii=False))
    assert read_json(tmp_path / "file.json") == values
    assert parse_json("[" * 64 + "]" * 64)
    assert [path.name for path in tmp_path.iterdir()] == ["file.json"]


def test_a_failed_write_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_text(tmp_path / "file", "old")

    def full(number: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        write_text(tmp_path / "file", "new")
    assert read_text(tmp_path / "file") == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_write_replaces_a_link_and_not_its_target(tmp_path: Path) -> None:
    (tmp_path / "target").write_text("mine")
    (tmp_path / "file").symlink_to(tmp_path / "target")
    write_text(tmp_path / "file", "new")
    assert ((tmp_path / "target").read_text(), read_text(tmp_path / "file")) == ("mine", "new")


def test_a_reason_is_a_short_line() -> None:
    assert one_line("a\n  b\x1b[2J") == "a b?[2J"
    assert len(one_line("x" * 9999)) == 151
