"""Trackers for tests, in the training's process or, by `SeparateTracker("fake", "fake_trackers:Recording", log)`, another."""

import json
import os
import subprocess
import sys
import time

from nnjax.tracking.tracker import TrackedRun


class Recording:
    """Notes each call as a line of JSON in `store/calls.jsonl`, after those of earlier sessions."""

    def __init__(self):
        self._path = None

    def start(self, run: TrackedRun, config):
        run.store.mkdir(parents=True, exist_ok=True)
        self._path = run.store / "calls.jsonl"
        self._note("start", run.name, run.group, run.run_id, run.resume_step, config)
        print("a library greets")
        return f"{run.store} (open it)"

    def log(self, step, metrics):
        self._note("log", step, metrics)

    def figure(self, path):
        self._note("figure", path.name)

    def checkpoint(self, folder, copy):
        self._note("checkpoint", folder.name, copy)

    def finish(self, status, summary):
        self._note("finish", status, summary)

    def _note(self, *call):
        with self._path.open("a") as file:
            file.write(json.dumps(call) + "\n")


class Failing(Recording):
    """Raises at the second call of `log`."""

    def log(self, step, metrics):
        super().log(step, metrics)
        if step > 1:
            raise OSError("No space left on device\nwith a long story")


class Dying(Recording):
    def log(self, step, metrics):
        os._exit(7)


class Hanging(Recording):
    def start(self, run, config):
        place = super().start(run, config)
        time.sleep(600)
        return place


class Serving(Recording):
    """Starts a service, as Weights & Biases does, notes its process, and hangs."""

    def start(self, run, config):
        super().start(run, config)
        service = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
        self._note("service", service.pid)
        service.wait()


class Rude(Recording):
    """Does what a library may do: leaves with `sys.exit`, reads a password, steals the exit."""

    def start(self, run, config):
        assert not sys.stdin.read()
        super().start(run, config)
        sys.exit("not logged in")


def calls_of(store):
    """The calls that a `Recording` noted."""
    return [json.loads(line) for line in (store / "calls.jsonl").read_text().splitlines()]
