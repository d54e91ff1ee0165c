"""Paths that the system refuses, in one line each, with the key and the exit code."""

import errno
import os
import tempfile
from pathlib import Path

import pytest

from nnjax.cli.compose import compose_train
from nnjax.cli.runs import claim, find_run, locked, occupy, write_config
from nnjax.config.diagnostics import NO_ORIGINS
from nnjax.config.errors import ConfigError, DataError, UserError
from nnjax.config.paths import absence, check_name, check_writable, expanded, is_dir, is_file, outside_fault, reaching, why


@pytest.fixture
def places(tmp_path: Path) -> dict[str, Path]:
    (tmp_path / "file").touch()
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "dangling").symlink_to("gone")
    return {
        "long": tmp_path / ("a" * 300),
        "whole": tmp_path / "/".join(["abcdefgh"] * 600),
        "loop": tmp_path / "loop/run",
        "dangling": tmp_path / "dangling",
        "file": tmp_path / "file",
        "below": tmp_path / "file/run",
        "nul": tmp_path / "a\0b",
        "bytes": tmp_path / "caf\udce9",
    }


NAMES = ["long", "whole", "loop", "dangling", "file", "below", "nul", "bytes"]
REASONS = {
    "long": "name too long",
    "whole": "name too long",
    "loop": "(symbolic links|is a link to no folder)",
    "dangling": "is a link to no folder",
    "file": "is a file, not a folder",
    "below": "(Not a directory|is a file, not a folder)",
    "nul": "NUL",
    "bytes": "checkpoints cannot be written there",
}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("begin", [occupy, claim])
def test_a_folder_that_cannot_be_made_is_a_line(places: dict[str, Path], name: str, begin) -> None:
    if begin is claim and name in ("dangling", "file"):
        assert claim(places[name], "k").name == f"{name}_2"  # a name that is taken
        return
    with pytest.raises(ConfigError, match=rf"^hydra\.sweep\.dir=.*{REASONS[name]}") as caught:
        begin(places[name], "hydra.sweep.dir")
    assert "\n" not in str(caught.value)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("key", ["run", "resume", "rerun"])
def test_a_run_that_cannot_be_looked_at_is_a_line(places: dict[str, Path], name: str, key: str) -> None:
    with pytest.raises(ConfigError, match=rf"^{key}=.*(no such folder|is a file, not a folder|cannot be found)"):
        find_run(str(places[name]), key, NO_ORIGINS)


def test_a_home_that_nobody_has_is_a_line() -> None:
    with pytest.raises(DataError, match=r"^data\.file=~nobody_here/x: cannot be found: Could not determine home directory"):
        expanded("~nobody_here/x", "data.file", DataError)


def refuse(number: int):
    def refused(*args, **kwargs):
        raise OSError(number, os.strerror(number))

    return refused


@pytest.mark.parametrize("number", [errno.EROFS, errno.EACCES, errno.ENOSPC, errno.EDQUOT])
def test_a_folder_that_cannot_be_written_to_is_a_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    # root may write wherever permissions forbid it: the system's answer is made up
    config = compose_train()
    attempts = {
        (tempfile, "TemporaryFile"): (lambda: check_writable(tmp_path, "resume"), rf"resume={tmp_path}: cannot be written to"),
        (os, "open"): (lambda: locked(tmp_path).__enter__(), rf"{tmp_path}: cannot be written to"),
        (Path, "open"): (lambda: write_config(config, tmp_path), rf"{tmp_path}/config.yaml: cannot be written"),
    }
    for (owner, name), (attempt, said) in attempts.items():
        with monkeypatch.context() as patch:
            patch.setattr(owner, name, refuse(number))
            try:
                attempt()
            except ConfigError as error:
                message = str(error)
        assert message == f"{said}: {os.strerror(number)}"


def test_what_is_no_fault_of_a_path_stays_an_error_of_the_program(tmp_path: Path) -> None:
    for error in (ValueError("odd"), RuntimeError("odd"), KeyError("odd")):
        with pytest.raises(type(error)), reaching("k", tmp_path):
            raise error
        assert why(error) is None
        assert outside_fault(error, tmp_path) is None
    with pytest.raises(UserError, match=r"^mine$"), reaching("k", tmp_path):
        raise DataError("mine")


def test_a_full_disk_in_the_midst_of_work_is_told_without_a_traceback(tmp_path: Path) -> None:
    full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    assert outside_fault(full, tmp_path) == f"{tmp_path}: No space left on device"
    named = OSError(errno.EACCES, os.strerror(errno.EACCES), str(tmp_path / "x"))
    assert outside_fault(named, tmp_path) == f"{tmp_path / 'x'}: Permission denied"
    assert outside_fault(FileNotFoundError(errno.ENOENT, "gone"), tmp_path) is None  # more likely a mistake of ours


def test_looking_never_raises(places: dict[str, Path]) -> None:
    for name in NAMES:
        assert is_file(places[name]) == (name == "file")
        assert not is_dir(places[name])
        assert absence(places[name])
    assert absence(places["dangling"]) == "no such folder, but a link to one"


@pytest.mark.parametrize("path", ["a" * 255, "é" * 127, "/".join(["b" * 200] * 20)])
def test_names_up_to_the_limit_are_taken(path: str) -> None:
    check_name(path, "k")
    with pytest.raises(ConfigError, match="File name too long"):
        check_name(path + "é" * 100, "k")
