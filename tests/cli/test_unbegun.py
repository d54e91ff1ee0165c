"""What is removed of a run that a signal ended before it began, and what is not."""

import subprocess
import sys

import pytest

from nnjax.cli.unbegun import remove_unbegun, removed_if_unbegun
from nnjax.config import leaving


def begun(folder, *names):
    (folder / ".hydra").mkdir(parents=True)
    for name in (".hydra/config.yaml", "config.yaml", ".lock", "train.log", *names):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text("x")
    return folder


def test_a_new_folder_goes(tmp_path):
    folder = begun(tmp_path / "run")
    (folder / "metrics.jsonl").write_text('{"step": 0, "split": "weights"}\n')
    (folder / "checkpoints").mkdir()
    assert remove_unbegun(folder)
    assert not folder.exists()


@pytest.mark.parametrize("name", ["summary.json", "checkpoints/3", "figures/a.png", "evaluation.json", "a file of a person"])
def test_a_folder_with_anything_of_value_stays_whole(tmp_path, name):
    folder = begun(tmp_path / "run", name)
    assert not remove_unbegun(folder)
    assert (folder / name).exists()
    assert (folder / "config.yaml").exists()


def test_records_of_steps_are_of_value(tmp_path):
    folder = begun(tmp_path / "run")
    (folder / "metrics.jsonl").write_text('{"step": 0, "split": "weights"}\n{"step": 20, "split": "train"}\n')
    assert not remove_unbegun(folder)


def test_the_folder_of_a_process_of_a_search_stays_once_it_has_ended_a_trial(tmp_path):
    folder = begun(tmp_path / "workers/one")
    (folder / "search.log").write_text("Downloading\ntrial   4  error 0.1\n")
    assert not remove_unbegun(folder)
    (folder / "search.log").write_text("Downloading\n")
    assert remove_unbegun(folder)


def test_what_was_there_before_stays(tmp_path):
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "notes.txt").write_text("mine")
    (folder / "train.log").write_text("mine, too")
    with removed_if_unbegun(folder, named=True):
        (folder / "config.yaml").write_text("x")
        message, code = leaving._process.actions[-1][0]("SIGTERM")
    assert code == 75
    assert message.endswith("was emptied")
    assert sorted(path.name for path in folder.iterdir()) == ["notes.txt", "train.log"]


def test_what_trackers_have_begun_goes_too(tmp_path):
    for name in ("tensorboard", "wandb/offline-run-1", "mlflow/artifacts", "trackio"):
        (tmp_path / "run" / name).mkdir(parents=True)
    (tmp_path / "run/trackers.log").write_text("a library greets")
    assert remove_unbegun(tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_links_are_not_followed(tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "kept").write_text("x")
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "tensorboard").symlink_to(outside)
    remove_unbegun(folder)
    assert (outside / "kept").exists()


def test_an_answer_that_decides_counts_before_those_of_newer_functions(monkeypatch):
    ended = []
    monkeypatch.setattr(leaving, "_process", leaving._Process())
    monkeypatch.setattr(leaving, "end", lambda code, message="": ended.append((code, message)))
    monkeypatch.setattr(leaving, "_end_later", lambda name: None)
    with (
        leaving.on_leaving(lambda name: ("the folder", 75)),
        leaving.on_leaving(lambda name: ("the sweep ends", 75), decides=True),
        leaving.on_leaving(lambda name: ("the job is done", 0)),
    ):
        leaving.leave("SIGTERM")
    assert ended == [(75, "the sweep ends")]


def test_the_folder_of_a_process_that_came_first_is_left_alone(tmp_path):
    with removed_if_unbegun(tmp_path / "run", named=True):
        code = (
            "import sys, pathlib, time\nfrom nnjax.cli.runs import locked\n"
            "with locked(pathlib.Path(sys.argv[1])):\n    print('locked', flush=True)\n    time.sleep(60)\n"
        )
        begun(tmp_path / "run")
        with subprocess.Popen([sys.executable, "-c", code, str(tmp_path / "run")], stdout=subprocess.PIPE) as other:
            assert other.stdout.readline() == b"locked\n"
            message, exit_code = leaving._process.actions[-1][0]("SIGTERM")
            assert (message, exit_code) == ("SIGTERM: stopped before anything was made", 75)
            assert (tmp_path / "run/config.yaml").is_file()
            other.kill()
        leaving._process.actions[-1][0]("SIGTERM")
        assert not (tmp_path / "run/config.yaml").exists()
