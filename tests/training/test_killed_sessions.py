"""Property: however a run is cut into sessions by kills, signals and longer durations, it ends as if nothing had been.

The loop, the checkpoints and the metrics file are the real ones; the network is a counter, so that a run takes milliseconds.
"""

import json
import os
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from unittest import mock

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nnjax.config.schema import StopRules
from nnjax.parallel.preemption import StopSignal
from nnjax.reporting.metrics import MetricWriter, read_metrics
from nnjax.training import loop
from nnjax.training.checkpoints import Checkpoints
from nnjax.training.clock import Clock
from nnjax.training.state import TrainState
from nnjax.training.training_progress import TrainingProgress


class KilledError(Exception):
    """The process is gone: nothing is written any more."""


@dataclass
class Session:
    """One process's life: the end of its training, and what ends it before."""

    duration: int
    kill_at: int | None = None  # a step
    kill_at_save: int | None = None  # of the checkpoints that it begins to save, the one that it does not finish
    signal_at: int | None = None
    damage: str | None = None  # of metrics.jsonl, afterwards
    dead: bool = field(default=False, init=False)


@dataclass(frozen=True)
class Run:
    """What all sessions share."""

    losses: tuple[float, ...]
    evaluate_every: int
    checkpoint_every: int | None
    keep: int
    patience: int | None


def state_at(step):
    return TrainState(np.int32(step), {"w": np.full(3, step, np.float32)}, {}, {"m": np.float32(step) / 3})


def killed_store(session, *args, **kwargs):
    class Store(Checkpoints):
        saves = 0

        def save(self, state, progress):
            if session.dead:
                raise KilledError
            self.saves += 1
            if self.saves == session.kill_at_save:
                session.dead = True
                raise KilledError
            super().save(state, progress)

        def wait(self):
            super().wait()

    return Store(*args, **kwargs)


def train(folder, run, session):
    """One session as `run_training` has it: restore, repair the metrics, train; returns the progress at its end."""
    state, progress, resumed = state_at(0), TrainingProgress(), {}
    if (folder / "started").exists():
        restored = Checkpoints(folder / "checkpoints", run_id="r").restore_newest(state, pytest.fail)
        resumed = {"resume_step": 0, "copy": b""}
        if restored is not None:
            state, progress = restored.state, restored.progress
            assert (state.step, state.params["w"][0]) == (progress.step, progress.step)
            resumed = {"resume_step": progress.step, "copy": restored.saved.records}
    (folder / "started").touch()
    stop = StopSignal()

    class Recorder:
        spans = records_weights = False

        def __init__(self, experiment, params, callback, clock):
            pass

        def first_weights(self, params):
            pass

        def after_call(self, progress, call):
            ones = np.ones(call)
            return progress.after_steps(ones, ones, ones)

        def evaluate(self, progress, state, *more):
            loss = run.losses[progress.step % len(run.losses)]
            for split, value in (("train", float(progress.sums.count)), ("validation", loss)):
                metrics.write(step=progress.step, epoch=1, split=split, metrics={"loss": value}, seconds=0)
            return progress.after_evaluation({"loss": loss}, on_validation=True)

        def finish(self, progress, state):
            pass

    class Runner:
        def __init__(self, experiment, state, **more):
            self.state = state

        def calls(self, first_step, until):
            for step in range(first_step + 1, until + 1):
                if session.kill_at == step:
                    session.dead = True
                    raise KilledError
                if session.signal_at == step:
                    stop.requested = "SIGTERM"
                self.state = state_at(step)
                yield 1
                if stop.requested:
                    return

    steps = SimpleNamespace(
        total=session.duration, evaluate_every=run.evaluate_every, checkpoint_every=run.checkpoint_every, per_epoch=1
    )
    rules = StopRules(None, None, run.patience, None)
    experiment = SimpleNamespace(
        plan=SimpleNamespace(steps=steps),
        placement=SimpleNamespace(whole_trials=True),
        layout=SimpleNamespace(put=lambda tree: tree, get=lambda tree: tree),
        config=SimpleNamespace(training=SimpleNamespace(stop=rules)),
    )
    with (
        MetricWriter(folder, **resumed) as metrics,
        mock.patch.object(loop, "Recorder", Recorder),
        mock.patch.object(loop, "ChunkRunner", Runner),
    ):
        store = killed_store(session, folder / "checkpoints", run.keep, run_id="r", records=metrics.until)
        try:
            result = loop.fit(
                experiment, state, progress, checkpoints=store, callback=None, stop=stop, clock=Clock(progress.seconds)
            )
        except KilledError:
            store.wait()  # the thread's file may be complete or not; a kill in the middle of it is another test's
            return None
    return result


def damage_metrics(path, kind):
    lines = path.read_bytes().splitlines(keepends=True) if path.exists() else []
    if kind == "gone":
        path.unlink(missing_ok=True)
    elif kind == "torn" and lines:
        path.write_bytes(b"".join(lines)[:-7])
    elif kind == "gap" and lines:
        path.write_bytes(b"".join(lines[: len(lines) // 2] + lines[len(lines) // 2 + 1 :]))
    elif kind == "altered" and lines:
        path.write_bytes(b"".join(lines).replace(b"5", b"6"))


def outcome(folder):
    """What counts: the last and the best checkpoint, and all records."""
    checkpoints = Checkpoints(folder / "checkpoints", run_id="r")
    (_, last), (_, best) = checkpoints.restore(state_at(0), "last"), checkpoints.restore(state_at(0), "best")
    last, best = ({**progress.to_json(), "seconds": None} for progress in (last, best))
    return json.dumps([last, best]), (folder / "metrics.jsonl").read_bytes(), checkpoints.steps


moments = st.none() | st.integers(1, 40)
kinds = st.sampled_from([None, None, "gone", "torn", "gap", "altered"])
losses = st.lists(st.sampled_from([0.1, 0.2, 0.25, 0.3, 0.5]), min_size=5, max_size=41).map(tuple)
runs = st.builds(
    Run,
    losses=losses,
    evaluate_every=st.integers(1, 6),
    checkpoint_every=st.none() | st.integers(1, 12),
    keep=st.integers(1, 3),
    patience=st.none() | st.integers(1, 4),
)
cuts = st.lists(
    st.tuples(moments, st.none() | st.integers(1, 6), moments, kinds).map(
        lambda found: {"kill_at": found[0], "kill_at_save": found[1], "signal_at": found[2], "damage": found[3]}
    ),
    max_size=4,
)
durations = st.lists(st.integers(1, 40), min_size=1, max_size=3, unique=True).map(sorted)


@pytest.mark.slow
@settings(max_examples=int(os.environ.get("NNJAX_SESSION_TRIALS", 60)))
@given(run=runs, durations=durations, cut=st.lists(cuts, min_size=3, max_size=3))
def test_sessions_end_as_one(run, durations, cut):
    """Each duration is trained whole, and again cut by kills and signals; both leave the same."""
    with tempfile.TemporaryDirectory() as name, mock.patch("os.fsync"):
        whole, parts = Path(name, "whole"), Path(name, "parts")
        whole.mkdir()
        parts.mkdir()
        for duration, cuts_ in zip(durations, cut, strict=False):
            expected = train(whole, run, Session(duration))
            for number, found in enumerate(cuts_):
                session = Session(duration, **found)
                result = train(parts, run, session)
                if result is None or (result.status == "preempted" and number % 2):
                    damage_metrics(parts / "metrics.jsonl", session.damage)
            result = train(parts, run, Session(duration))
            assert (result.status, result.reason) == (expected.status, expected.reason)
            (progress, records, steps), (ours, our_records, our_steps) = outcome(whole), outcome(parts)
            assert ours == progress
            assert our_records == records
            assert our_steps[-1] == steps[-1]
            measured = {record["step"]: record["loss"] for record in read_metrics(parts) if record["split"] == "validation"}
            assert json.loads(ours)[1]["step"] == min(measured, key=lambda step: (measured[step], step))
            assert len(our_steps) <= run.keep + 1
