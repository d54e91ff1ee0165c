"""Records of a training that is evaluated at each step: fewer of them change nothing else."""

import signal
from dataclasses import replace

import jax
import numpy as np
import pytest

from nnjax.api.memory_checkpoints import MemoryCheckpoints
from nnjax.checks.sparse import recorded_steps, sparse_steps
from nnjax.cli.compose import compose_train
from nnjax.config.errors import DivergedError
from nnjax.data.load import load
from nnjax.parallel.preemption import StopSignal
from nnjax.training import runner
from nnjax.training.checkpoints import Checkpoints
from nnjax.training.clock import Clock
from nnjax.training.experiment import set_up
from nnjax.training.loop import fit
from nnjax.training.recording import records_note
from nnjax.training.training_progress import TrainingProgress

LONG = ["experiment=textbook", "training.duration=700steps", "optimizer.learning_rate=-0.01"]
ALL = "report.records=all"


class Seen:
    """Keeps what a training is recorded with; raises a signal where a compiled call ends at or after a step."""

    def __init__(self, signal_at=None):
        self.records, self.weights_at, self.signal_at = {}, {}, signal_at

    def trained(self, step, metrics, examples_per_second):
        if self.signal_at is not None and step >= self.signal_at:
            self.signal_at = None
            signal.raise_signal(signal.SIGTERM)

    def evaluated(self, step, train, validation):
        assert step not in self.records
        self.records[step] = dict(train)

    def weights(self, step, values):
        self.weights_at[step] = dict(values)


def run(*overrides, seen=None, store=None, resume=False):
    config = compose_train([*LONG, *overrides])
    experiment, state = set_up(config, load(config.data), jax.devices()[:1])
    store, progress, seen = store or MemoryCheckpoints(), TrainingProgress(), seen or Seen()
    if resume:
        state, progress = store.restore(state, "last")
    with StopSignal() as stop:
        result = fit(experiment, state, progress, checkpoints=store, callback=seen, stop=stop, clock=Clock())
    store.wait()
    return experiment, jax.device_get(result.state.params), result, seen


def assert_same_training(one, other):
    jax.tree.map(np.testing.assert_array_equal, one[1], other[1])
    assert replace(one[2].progress, seconds={}) == replace(other[2].progress, seconds={})
    assert (one[2].status, one[2].reason) == (other[2].status, other[2].reason)


def assert_part_of(sparse, whole):
    assert len(sparse) < len(whole)
    assert sparse == {step: whole[step] for step in sparse}


def test_the_steps_are_the_first_hundred_then_ever_fewer():
    steps = sparse_steps(10_000)
    assert steps[:101] == (*range(1, 101), 102)
    gaps = np.diff(steps[:-1])
    assert (np.diff(gaps) >= 0).all()
    assert (gaps <= np.maximum(1, np.array(steps[:-2]) / 50)).all()
    assert steps[-1] == 10_000
    assert len(steps) < 350
    assert set(sparse_steps(1_000_000)) >= set(steps[:-1])  # whatever the length
    assert [len(sparse_steps(total)) for total in (0, 1, 100, 101)] == [0, 1, 100, 101]
    assert list(recorded_steps("all", 3)) == [1, 2, 3]


# the last two are evaluated by the loop itself, one call a step
@pytest.mark.slow
@pytest.mark.parametrize(
    "overrides",
    [
        [],
        ["training.stop.loss_below=0.00039"],
        ["training.vary.learning_rate=[-0.02,-0.01,-0.005]"],
        ["training.seeds=2", "model=neurons", "model.layers=[{size: 3}, {size: 1}]", "activation=tanh"],
        ["training.stop.patience=1", "training.duration=130steps"],
        ["debug=strict", "debug.max_steps=120"],
    ],
    ids=lambda overrides: " ".join(overrides) or "plain",
)
def test_the_training_is_the_same_with_fewer_records(overrides):
    sparse, whole = run(*overrides), run(ALL, *overrides)
    assert_same_training(sparse, whole)
    records, steps = sparse[3].records, whole[2].progress.step
    assert list(whole[3].records) == list(range(1, steps + 1))
    assert list(records) == sorted({*(step for step in sparse_steps(steps)[:-1]), steps})
    assert_part_of(records, whole[3].records)
    assert {step: whole[3].weights_at[step] for step in sparse[3].weights_at} == sparse[3].weights_at
    if whole[3].weights_at:
        assert list(sparse[3].weights_at) == [0, *records]


def test_a_stop_rule_ends_it_at_a_step_without_a_place_in_the_list():
    *_, result, seen = run("training.stop.loss_below=0.00039")
    assert result.status == "stopped_early"
    end = result.progress.step
    assert end > 100
    assert end not in sparse_steps(10**6)
    assert seen.records[end]["loss"] <= 0.00039 < min(record["loss"] for step, record in seen.records.items() if step < end)


def test_impatience_stops_at_the_same_step():
    rising = ["optimizer.learning_rate=0.0001", "training.stop.patience=110"]
    sparse, whole = run(*rising), run(ALL, *rising)
    assert_same_training(sparse, whole)
    assert sparse[2].progress.step == 111
    assert 111 in sparse[3].records


@pytest.mark.slow
@pytest.mark.parametrize("signal_at", [103, 250, 698])
def test_a_run_that_is_preempted_between_two_records_resumes_as_if_it_had_not_been(tmp_path, monkeypatch, signal_at):
    monkeypatch.setattr(runner, "_FIRST_CALL_RECORDS", 1)
    monkeypatch.setattr(runner, "_SECONDS_PER_CALL", 0)  # a step a call
    whole = run()
    store = Checkpoints(tmp_path, 2)
    first = run(seen=Seen(signal_at), store=store)
    assert first[2].status == "preempted"
    assert signal_at <= first[2].progress.step < 700
    second = run(store=store, resume=True)
    assert_same_training(second, whole)
    assert {**first[3].records, **second[3].records} == whole[3].records
    assert not set(first[3].records) & set(second[3].records)
    assert {**first[3].weights_at, **second[3].weights_at} == whole[3].weights_at


@pytest.mark.slow
def test_another_stop_rule_at_a_resume_ends_it_with_a_record(tmp_path, monkeypatch):
    monkeypatch.setattr(runner, "_FIRST_CALL_RECORDS", 1)
    monkeypatch.setattr(runner, "_SECONDS_PER_CALL", 0)
    store = Checkpoints(tmp_path, 2)
    first = run(seen=Seen(250), store=store)
    step = first[2].progress.step
    assert step not in sparse_steps(700)
    *_, result, seen = run("training.stop.loss_below=1", store=store, resume=True)
    assert (result.status, result.progress.step) == ("stopped_early", step)
    assert seen.records == {step: run(ALL)[3].records[step]}


def test_the_last_finite_loss_before_a_divergence_is_recorded():
    # Uphill, without an activation, the product of both weights grows beyond all bounds.
    grown = [
        "activation=identity",
        "model.output_activation=identity",
        "optimizer.learning_rate=0.01",
        "training.duration=3000steps",
    ]
    seen, whole = Seen(), Seen()
    for one, more in ((seen, []), (whole, [ALL])):
        with pytest.raises(DivergedError):
            run(*grown, *more, seen=one)
    assert len(whole.records) > 100
    assert max(seen.records) == max(whole.records) not in sparse_steps(10**6)
    assert_part_of(seen.records, whole.records)
    assert seen.weights_at[max(seen.records)] == whole.weights_at[max(whole.records)]


@pytest.mark.slow
def test_one_line_says_so():
    experiment, _, _, seen = run()
    assert records_note(experiment, 700).startswith(f"Records: {len(seen.records)} of 700 steps: ")
    assert "report.records=all" in records_note(experiment, 700)
    assert records_note(experiment, 100) == ""
    assert records_note(run(ALL)[0], 700) == ""
    validated = [
        "model=fnn",
        "data=synthetic",
        "data.validation=0.2",
        "training.evaluate_every=1step",
        "training.duration=200steps",
    ]
    config = compose_train(validated)
    experiment, _ = set_up(config, load(config.data), jax.devices()[:1])
    assert records_note(experiment, 200) == ""  # an evaluation that measures has its record
