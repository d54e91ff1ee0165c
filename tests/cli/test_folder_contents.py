"""Run folders that somebody else made: nothing in them leads out of them."""

import os
import re
from pathlib import Path

import pytest

from nnjax.cli.compose import project_root
from nnjax.cli.folder_contents import FILES, FOLDERS, check_contents
from nnjax.cli.runs import RESUMABLE, find_run, locked, occupy
from nnjax.config.diagnostics import NO_ORIGINS
from nnjax.config.errors import ConfigError


@pytest.fixture
def run(tmp_path: Path) -> Path:
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "config.yaml").write_text("seed: 0\n")
    for name in FOLDERS:
        (folder / name).mkdir()
    for name in (
        *sorted(FILES - {"config.yaml"}),
        "rank-3.log",
        ".hydra/sessions.json",
        "checkpoints/3-0.safetensors",
        "figures/a.png",
    ):
        (folder / name).write_text("run")
    return folder


def test_a_run_and_whatever_else_lies_beside_it_is_fine(run: Path) -> None:
    (run / "notes").symlink_to("/")
    os.mkfifo(run / "pipe")
    check_contents(run)
    check_contents(run / "none")


def test_the_page_about_folders_names_each() -> None:
    page = (project_root() / "docs/runs.md").read_text()
    assert [name for name in FILES if f"`{name}`" not in page] == []
    assert [name for name in FOLDERS if f"`{name}/`" not in page] == []
    assert [key for key in RESUMABLE if f"`{key}`" not in page] == []


def test_a_link_to_a_run_is_fine(run: Path) -> None:
    (run.parent / "link").symlink_to(run)
    assert find_run(str(run.parent / "link"), "resume", NO_ORIGINS) == run


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", [*sorted(FILES), "rank-3.log", *sorted(FOLDERS), ".hydra/sessions.json", "figures/a.png", "checkpoints/9"]
)
@pytest.mark.parametrize("kind", ["link", "broken link", "pipe", "other"])
def test_what_leads_elsewhere_is_refused_in_a_line(run: Path, name: str, kind: str) -> None:
    path, outside = run / name, run.parent / "outside"
    if path.is_dir():
        path.rename(run.parent / "moved")
    else:
        path.unlink(missing_ok=True)
    is_folder = name in FOLDERS
    match kind:
        case "link":
            outside.mkdir() if is_folder else outside.write_text("mine")
            path.symlink_to(outside)
        case "broken link":
            path.symlink_to(outside)
        case "pipe":
            os.mkfifo(path)
        case "other" if is_folder:
            path.write_text("no folder")
        case "other" if "/" in name:
            return  # a folder is allowed there
        case "other":
            path.mkdir()
    for written in (True, False):
        with pytest.raises(ConfigError) as refused:
            check_contents(run, written=written)
        assert re.match(rf"\S*{re.escape(name)}: is a ", str(refused.value))
        assert "\n" not in str(refused.value)
    if name != "config.yaml" or kind != "other":
        for key in ("resume", "run", "rerun"):
            with pytest.raises(ConfigError, match=rf"{re.escape(name)}: is a "):
                find_run(str(run), key, NO_ORIGINS)
    if kind == "link" and not is_folder:
        assert outside.read_text() == "mine"


def test_a_second_name_elsewhere_is_refused_where_it_would_be_written_through(run: Path) -> None:
    os.link(run / "train.log", run.parent / "mine")
    check_contents(run, written=False)  # reading a backup of hard links changes nothing
    with pytest.raises(ConfigError, match=r"train\.log: has another name elsewhere \(a hard link\)"):
        check_contents(run)


def test_a_folder_named_for_a_new_run_is_checked_too(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("mine")
    (tmp_path / "new").mkdir()
    (tmp_path / "new/train.log").symlink_to(tmp_path / "mine")
    with pytest.raises(ConfigError, match=r"train\.log: is a symbolic link"):
        occupy(tmp_path / "new", "hydra.run.dir")


@pytest.mark.parametrize("kind", ["link", "pipe"])
def test_a_lock_is_no_way_out(tmp_path: Path, kind: str) -> None:
    (tmp_path / "mine").write_text("mine")
    (tmp_path / ".lock").symlink_to(tmp_path / "mine") if kind == "link" else os.mkfifo(tmp_path / ".lock")
    if kind == "link":
        with pytest.raises(ConfigError, match="cannot be written to"), locked(tmp_path):
            pass
    else:
        with locked(tmp_path):  # does not wait for the pipe's other end
            pass
    assert (tmp_path / "mine").read_text() == "mine"


def test_a_lock_leaves_no_trace_on_a_folder_that_has_one(tmp_path: Path) -> None:
    with locked(tmp_path):
        pass
    os.utime(tmp_path / ".lock", (1, 1))
    with locked(tmp_path):
        pass
    assert (tmp_path / ".lock").stat().st_mtime == 1


def test_a_folder_with_checkpoints_of_an_earlier_run_is_refused(tmp_path):
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "checkpoints/51-0123456789abcdef.safetensors").touch()
    with pytest.raises(ConfigError, match=r"holds checkpoints of an earlier run, without its config; take another folder"):
        occupy(tmp_path, "hydra.run.dir")
