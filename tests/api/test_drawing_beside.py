"""The process that draws beside a sweep: all is done in order, whoever ends first, and what goes wrong is said."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from nnjax.api import drawing_beside as beside_module
from nnjax.api.drawing_beside import drawing_beside, handed_over, is_drawing_beside
from nnjax.config.registry import _registered

WAITS = {"wait": 1.0, "long": 5.0}  # seconds


def note(run_dir, *, text, warn):
    """Notes a text and who did it; a call like those of a run."""
    with (run_dir / "noted.txt").open("a") as file:
        file.write(f"{text} {os.getpid()}\n")
    if text == "warn":
        warn("of this")
    if text == "fail":
        raise ValueError("no such thing\nand more")
    if text == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    if text in WAITS:
        time.sleep(WAITS[text])


def noted(folder):
    lines = [line.split() for line in (folder / "noted.txt").read_text().splitlines()]
    return [text for text, _ in lines], {int(process) for _, process in lines}


def noted_so_far(folder):
    file = folder / "noted.txt"
    return file.read_text() if file.exists() else ""


def test_without_such_a_process_nothing_is_taken(tmp_path):
    assert not handed_over(note, tmp_path, text="a")
    assert not is_drawing_beside()
    assert not list(tmp_path.iterdir())


def test_calls_are_made_in_order_in_one_other_process(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    said = []
    with drawing_beside(said.append):
        assert is_drawing_beside()
        for text in ("wait", "b", "c"):
            assert handed_over(note, Path(), text=text)
    texts, processes = noted(tmp_path)
    assert texts == ["wait", "b", "c"]
    assert len(processes) == 1
    assert os.getpid() not in processes
    assert said == []
    assert not is_drawing_beside()


def test_what_goes_wrong_is_said_at_the_end_and_in_the_runs_log(tmp_path):
    said = []
    with drawing_beside(said.append):
        for text in ("warn", "fail", "c"):
            assert handed_over(note, tmp_path, text=text)
    assert noted(tmp_path)[0] == ["warn", "fail", "c"]
    assert said == [f"{tmp_path.name}: of this", f"{tmp_path.name}: note: ValueError: no such thing"]
    logged = (tmp_path / "train.log").read_text().splitlines()
    assert [line.partition("warning: ")[2] for line in logged] == ["of this", "note: ValueError: no such thing"]


def test_what_a_killed_process_leaves_is_done_here(tmp_path, monkeypatch):
    kill = os.kill
    monkeypatch.setattr(os, "kill", lambda process, number: process == os.getpid() or kill(process, number))  # spares this one
    with drawing_beside(print):
        for text in ("a", "die", "c"):
            assert handed_over(note, tmp_path, text=text)
        beside_module._open._process.wait(60)
        assert not handed_over(note, tmp_path, text="d")
        assert not is_drawing_beside()
    texts, processes = noted(tmp_path)
    assert texts == ["a", "die", "die", "c"]
    assert os.getpid() in processes


def test_what_cannot_be_sent_is_left_to_the_caller(tmp_path):
    with drawing_beside(print):
        assert handed_over(note, tmp_path, text="a")
        assert not handed_over(note, tmp_path, text=lambda: None)
        assert not handed_over(note, tmp_path, text="c")  # in order, so not by the other one from now on
    assert noted(tmp_path)[0] == ["a"]


def test_large_arrays_are_not_copied(tmp_path, monkeypatch):
    monkeypatch.setattr(beside_module, "_MOST_BYTES", 80)
    with drawing_beside(print):
        assert handed_over(note, tmp_path, text=np.zeros(10))
        assert not handed_over(note, tmp_path, text=np.zeros(11))
        assert handed_over(note, tmp_path, text="c")


def test_a_folder_that_is_gone_does_not_come_back(tmp_path):
    (tmp_path / "run").mkdir()
    said = []
    with drawing_beside(said.append):
        assert handed_over(note, tmp_path, text="wait")
        assert handed_over(note, tmp_path / "run", text="fail")
        (tmp_path / "run").rmdir()
    assert not (tmp_path / "run").exists()
    assert said == []


def test_a_sweep_that_is_stopped_does_not_wait(tmp_path):
    processes = []

    def stopped():
        with drawing_beside(print):
            assert handed_over(note, tmp_path, text="wait")
            processes.append(beside_module._open._process)
            raise SystemExit(75)

    with pytest.raises(SystemExit):
        stopped()
    assert processes[0].poll() is None
    assert processes[0].wait(60) == 0
    assert noted(tmp_path)[0] == ["wait"]


def test_with_options_that_a_person_added_this_process_draws(tmp_path, monkeypatch):
    monkeypatch.setitem(_registered, ("model", "mine"), SimpleNamespace(group="model"))
    with drawing_beside(print):
        assert not is_drawing_beside()
        assert not handed_over(note, tmp_path, text="a")


PROGRAM = """
import os, sys
from pathlib import Path
from nnjax.api.drawing_beside import drawing_beside, handed_over
from test_drawing_beside import note
with drawing_beside(print):
    for text in ("long", "b", "c"):
        assert handed_over(note, Path(sys.argv[1]), text=text)
    os._exit(130)  # as at Ctrl-C
"""


@pytest.mark.slow
def test_it_ends_after_the_sweep_whatever_ends_that(tmp_path):
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    done = subprocess.run([sys.executable, "-c", PROGRAM, str(tmp_path)], env=environment, stdout=subprocess.PIPE, timeout=60)
    assert done.returncode == 130
    assert "\nc " not in noted_so_far(tmp_path)  # the output was at its end before: nobody holds it open
    until = time.monotonic() + 60
    while "\nc " not in noted_so_far(tmp_path):
        assert time.monotonic() < until, "what was sent is not done"
        time.sleep(0.05)
    texts, (process,) = noted(tmp_path)
    assert texts == ["long", "b", "c"]
    while Path(f"/proc/{process}").exists():
        assert time.monotonic() < until, "it goes on"
        time.sleep(0.05)
