"""What is moved to the trash, what stays, and what is deleted."""

import errno
import os
import time

import pytest
from made_runs import write_run
from test_record import locked_elsewhere

from nnjax.config.errors import ConfigError, StorageError
from nnjax.records import removal
from nnjax.records.removal import Removal, empty_trash, move_to_trash, plan_removal, refusal, size_of, trashes


@pytest.fixture
def outputs(tmp_path, monkeypatch):
    monkeypatch.setattr(removal, "project_root", lambda: tmp_path)
    write_run(tmp_path / "outputs/train/2026-11-23/a")
    write_run(tmp_path / "outputs/sweeps/2026-11-23/s/0_b")
    return tmp_path / "outputs"


def files(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_a_run_keeps_its_path_in_the_trash(outputs):
    run = outputs / "train/2026-11-23/a"
    before = files(run)
    [planned] = plan_removal([run], "runs")
    assert planned == Removal(run, run, size_of(run))
    assert planned.size > 1000
    assert move_to_trash(planned, "now") == outputs / "trash/now/train/2026-11-23/a"
    assert files(outputs / "trash/now/train/2026-11-23/a") == before
    assert not (outputs / "train").exists()  # the empty folder of the day, and the one above
    assert (outputs / "sweeps").exists()


def test_checkpoints_alone(outputs):
    runs = [outputs / "train/2026-11-23/a", outputs / "sweeps/2026-11-23/s/0_b"]
    for planned in plan_removal(runs, "checkpoints"):
        move_to_trash(planned, "now")
    assert plan_removal(runs, "checkpoints") == []
    assert [(run / "summary.json").exists() for run in runs] == [True, True]
    assert (outputs / "trash/now/sweeps/2026-11-23/s/0_b/checkpoints").is_dir()


def test_what_is_in_the_trash_already_is_not_replaced(outputs):
    for _ in range(2):
        [planned] = plan_removal([outputs / "train/2026-11-23/a"], "runs")
        move_to_trash(planned, "now")
        write_run(outputs / "train/2026-11-23/a")
    assert sorted(path.name for path in (outputs / "trash/now/train/2026-11-23").iterdir()) == ["a", "a_2"]


def test_a_run_that_is_running_stays(outputs):
    run = outputs / "train/2026-11-23/a"
    [free] = plan_removal([run], "runs")
    with locked_elsewhere(run):
        assert refusal(run) == "is running"
        assert plan_removal([run], "runs")[0].refusal == "is running"
        with pytest.raises(ConfigError, match="is in use by another process"):
            move_to_trash(free, "now")  # it began after it was listed
    assert (run / "summary.json").exists()
    assert not (outputs / "trash").exists()


@pytest.mark.parametrize("name", ["metrics.jsonl", "train.log", "checkpoints"])
def test_a_run_that_may_be_running_on_another_machine_stays(outputs, name):
    run = outputs / "train/2026-11-23/a"
    [free] = plan_removal([run], "runs")
    os.utime(run / name)
    assert refusal(run).endswith("s ago, without a result; it may be running on another machine")
    with pytest.raises(ConfigError, match="it may be running on another machine"):
        move_to_trash(free, "now")
    os.utime(run / "summary.json")  # the result is there: it has ended
    assert refusal(run) == ""
    (run / "summary.json").unlink()
    assert refusal(run) != ""
    old = time.time() - 3600
    os.utime(run / name, (old, old))
    assert refusal(run) == ""


def test_a_run_elsewhere_has_its_trash_beside_it(outputs, tmp_path):
    run = write_run(tmp_path / "mine/run")
    [planned] = plan_removal([run], "runs")
    assert move_to_trash(planned, "now") == tmp_path / "mine/trash/now/run"
    job = write_run(tmp_path / "mine/sweep/0_a")
    (tmp_path / "mine/sweep/multirun.yaml").touch()
    [planned] = plan_removal([job], "runs")
    assert move_to_trash(planned, "now") == tmp_path / "mine/trash/now/sweep/0_a"
    assert trashes([tmp_path / "mine"]) == [tmp_path / "mine/trash"]


def test_a_link_is_not_followed(outputs, tmp_path):
    (outputs / "link").symlink_to(outputs / "train/2026-11-23/a")
    assert plan_removal([outputs / "link"], "runs") == []
    run = outputs / "train/2026-11-23/a"
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious/file").write_text("x")
    (run / "link").symlink_to(tmp_path / "precious")
    [planned] = plan_removal([run], "runs")
    move_to_trash(planned, "now")
    (outputs / "trash/beside").symlink_to(tmp_path / "precious")
    empty_trash(outputs / "trash")
    assert not (outputs / "trash").exists()
    assert (tmp_path / "precious/file").read_text() == "x"


@pytest.mark.parametrize("is_link", [False, True])
def test_a_folder_that_only_has_the_trashs_name_is_not_used(outputs, tmp_path, is_link):
    mine = tmp_path / "mine" if is_link else outputs / "trash"
    mine.mkdir()
    (mine / "file").write_text("x")
    if is_link:
        (outputs / "trash").symlink_to(mine)
    run = outputs / "train/2026-11-23/a"
    [planned] = plan_removal([run], "runs")
    with pytest.raises(ConfigError, match=r"trash: was not made by experiments\.runs, .*; rename it"):
        move_to_trash(planned, "now")
    assert (run / "summary.json").exists()
    assert files(mine) == ["file"]


def test_an_attempt_that_ended_before_the_mark_is_gone_on_with(outputs):
    (outputs / "trash").mkdir()
    [planned] = plan_removal([outputs / "train/2026-11-23/a"], "runs")
    assert move_to_trash(planned, "now").is_dir()
    assert trashes([outputs]) == [outputs / "trash"]


def test_a_run_on_another_disk_than_the_trash_stays_whole(outputs, monkeypatch):
    def rename(path, to):
        raise OSError(errno.EXDEV, "Invalid cross-device link", str(path))

    monkeypatch.setattr(type(outputs), "rename", rename)
    run = outputs / "train/2026-11-23/a"
    before, [planned] = files(run), plan_removal([run], "runs")
    with pytest.raises(ConfigError, match="a: cannot be moved to the trash: Invalid cross-device link"):
        move_to_trash(planned, "now")
    assert files(run) == before


def test_only_a_trash_of_this_modules_making_is_deleted(outputs, tmp_path):
    (outputs / "trash").mkdir()
    (outputs / "trash/mine").write_text("x")
    assert trashes([outputs]) == []
    with pytest.raises(StorageError, match=r"was not made by experiments\.runs"):
        empty_trash(outputs / "trash")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / removal.MARK).touch()
    (tmp_path / "linked").symlink_to(tmp_path / "other")
    with pytest.raises(StorageError, match="stays"):
        empty_trash(tmp_path / "linked")
    assert (outputs / "trash/mine").read_text() == "x"
