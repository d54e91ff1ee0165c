"""The loop: the order of its events, and that a stop and a resume give the same result as no stop."""

import shutil
import signal

import jax
import numpy as np
import pytest

from nnjax.cli.compose import compose_train
from nnjax.config.errors import DivergedError
from nnjax.data.load import load
from nnjax.parallel.preemption import StopSignal
from nnjax.training import loop, runner
from nnjax.training import runner as runner_module
from nnjax.training.checkpoints import Checkpoints
from nnjax.training.clock import Clock
from nnjax.training.experiment import set_up
from nnjax.training.loop import fit
from nnjax.training.training_progress import TrainingProgress
from nnjax.training.weights import named_weights

BASE = [
    "model=fnn",
    "model.hidden=[8]",
    "model.dropout=0.2",
    "data=synthetic",
    "data.num_train=80",
    "data.validation=0.2",
    "data.augment.crop=1",
    "training.global_batch_size=8",  # 8 steps an epoch
    "training.eval_batch_size=8",
    "training.duration=3epochs",
    "training.checkpoint_every=null",
    "training.keep=10",
]


class Recorder:
    """Remembers what the loop tells, and raises a signal when a step is reached."""

    def __init__(self, signal_at=None):
        self.evaluations, self.trained_steps, self.recorded = [], [], {}
        self.signal_at = signal_at

    def trained(self, step, metrics, examples_per_second):
        self.trained_steps.append(step)
        if self.signal_at is not None and step >= self.signal_at:
            signal.raise_signal(signal.SIGTERM)
            self.signal_at = None

    def evaluated(self, step, train, validation):
        self.evaluations.append((step, dict(train), validation and dict(validation)))

    def weights(self, step, values):
        self.recorded[step] = dict(values)


def run(folder, *overrides, recorder=None, resume=False):
    config = compose_train([*BASE, *overrides])
    experiment, state = set_up(config, load(config.data), jax.devices()[:2])
    checkpoints = Checkpoints(folder, config.training.keep)
    progress = TrainingProgress()
    if resume:
        state, progress = checkpoints.restore(state, "last")
    recorder = recorder or Recorder()
    with StopSignal() as stop:
        result = fit(
            experiment, state, progress, checkpoints=checkpoints, callback=recorder, stop=stop, clock=Clock(progress.seconds)
        )
    steps = checkpoints.steps
    checkpoints.wait()
    return experiment.placement.fetch(result.state), result, recorder.evaluations, steps


def best_step(folder):
    config = compose_train(BASE)
    _, state = set_up(config, load(config.data), jax.devices()[:1])
    checkpoints = Checkpoints(folder)
    _, progress = checkpoints.restore(state, "best")
    checkpoints.wait()
    return progress.step


def assert_equal_trees(one, other):
    jax.tree.map(np.testing.assert_array_equal, one, other)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A run from beginning to end: its folder, its recorder, and the result of `run`."""
    folder, recorder = tmp_path_factory.mktemp("finished"), Recorder()
    return folder, recorder, run(folder, recorder=recorder)


@pytest.fixture
def resumed_run(finished, tmp_path):
    """Resumes a copy of the finished run."""
    shutil.copytree(finished[0], tmp_path, dirs_exist_ok=True)
    return lambda *overrides: run(tmp_path, *overrides, resume=True)


@pytest.mark.slow
def test_evaluates_every_epoch_and_keeps_the_best(finished):
    _, _, (_, result, evaluations, steps) = finished
    assert result.status == "completed"
    assert [step for step, _, _ in evaluations] == [8, 16, 24]
    losses = [validation["loss"] for _, _, validation in evaluations]
    assert steps == sorted({8 * (1 + int(np.argmin(losses))), 24})  # those that were the best only for a time are not written
    assert result.progress.best_loss == min(losses)


class Failing(Recorder):
    """A device that fails after some steps."""

    def __init__(self, last_step):
        super().__init__()
        self.last_step = last_step

    def trained(self, step, metrics, examples_per_second):
        if step > self.last_step:
            raise RuntimeError("no device")


@pytest.mark.slow
def test_the_best_before_a_failure_is_kept(tmp_path):
    recorder = Failing(16)
    with pytest.raises(RuntimeError, match="no device"):
        run(tmp_path, recorder=recorder)
    losses = [validation["loss"] for _, _, validation in recorder.evaluations]
    assert len(losses) == 2
    assert best_step(tmp_path) == 8 * (1 + int(np.argmin(losses)))


@pytest.mark.slow
def test_after_a_kill_the_best_is_found_again(tmp_path, monkeypatch):
    monkeypatch.setattr(runner, "_FIRST_CALL_FLOPS", 0)  # so that it can end between two checkpoints
    overrides = ["training.evaluate_every=2steps", "training.checkpoint_every=8steps"]
    whole, whole_result, _, _ = run(tmp_path / "whole", *overrides)
    recorder = Failing(13)
    with monkeypatch.context() as kill:
        # A process that is killed begins to write nothing any more.
        kill.setattr(loop._Saver, "finish", lambda self: self._checkpoints.wait())
        with pytest.raises(RuntimeError, match="no device"):
            run(tmp_path / "parts", *overrides, recorder=recorder)
    losses = {step: validation["loss"] for step, _, validation in recorder.evaluations}
    assert min(losses, key=losses.get) > 8 == Checkpoints(tmp_path / "parts").steps[-1]  # the best was in memory only
    state, result, _, _ = run(tmp_path / "parts", *overrides, resume=True)
    assert_equal_trees(state, whole)
    assert result.progress.best_loss == whole_result.progress.best_loss
    assert best_step(tmp_path / "parts") == best_step(tmp_path / "whole")


@pytest.fixture(scope="module")
def unstopped(tmp_path_factory):
    """As `finished`, with calls so short that a signal finds a gap between them."""
    folder = tmp_path_factory.mktemp("unstopped")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(runner, "_FIRST_CALL_FLOPS", 0)
        return folder, run(folder)


@pytest.mark.slow
@pytest.mark.parametrize("signal_at", [1, 8, 13])
def test_a_run_that_was_stopped_goes_on_as_if_it_had_not(unstopped, tmp_path, monkeypatch, signal_at):
    monkeypatch.setattr(runner, "_FIRST_CALL_FLOPS", 0)
    folder, (whole, whole_result, whole_evaluations, _) = unstopped
    _, stopped, first, steps = run(tmp_path / "parts", recorder=Recorder(signal_at))
    assert stopped.status == "preempted"
    assert stopped.reason == "SIGTERM"
    assert steps[-1] == stopped.progress.step < 24
    state, result, second, _ = run(tmp_path / "parts", resume=True)
    assert result.status == "completed"
    assert_equal_trees(state, whole)
    assert first + second == whole_evaluations
    assert result.progress.best_loss == whole_result.progress.best_loss
    best = 8 * (1 + int(np.argmin([validation["loss"] for _, _, validation in whole_evaluations])))
    assert best_step(tmp_path / "parts") == best_step(folder) == best


@pytest.mark.slow
def test_host_and_device_placement_train_on_the_same_numbers(tmp_path):
    device, _, device_evaluations, _ = run(tmp_path / "device", "data.placement=device")
    host, _, host_evaluations, _ = run(tmp_path / "host", "data.placement=host")
    assert_equal_trees(device, host)
    assert device_evaluations == host_evaluations


def test_a_completed_run_has_nothing_left_to_do(finished, resumed_run):
    _, _, (first, _, _, _) = finished
    again, result, evaluations, _ = resumed_run()
    assert result.status == "completed"
    assert evaluations == []
    assert_equal_trees(first, again)


def test_more_epochs_go_on_from_the_end(resumed_run):
    _, result, evaluations, _ = resumed_run("training.duration=5epochs")
    assert result.progress.step == 40
    assert [step for step, _, _ in evaluations] == [32, 40]


LOOKAHEAD = "optimizer.lookahead={sync_period: 5, slow_step_size: 0.3, power: 2}"
GROUPS = 'optimizer.parameter_groups=[{parameters: "*.bias", until: 50%}]'


@pytest.mark.parametrize("then", [(), ("schedule.restarts=[2epochs]",)], ids=["hold", "restart"])
@pytest.mark.parametrize(
    "schedule", ["cosine", *(pytest.param(name, marks=pytest.mark.slow) for name in ("warmup_cosine", "onecycle", "step"))]
)
def test_a_longer_run_with_its_old_plan_is_what_it_is_without_an_end_between(tmp_path, schedule, then):
    """Learning rates, lookahead's share and its end, percents of parameter groups: all are as they were."""
    common = (f"schedule={schedule}", LOOKAHEAD, GROUPS)
    longer = ("training.planned=2epochs", "training.duration=4epochs", *then)
    run(tmp_path / "parts", *common, "training.duration=2epochs")
    parts, _, _, _ = run(tmp_path / "parts", *common, *longer, resume=True)
    whole, _, _, _ = run(tmp_path / "whole", *common, *longer)
    assert_equal_trees(parts, whole)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ("training.stop.loss_below=100", "loss fell"),
        ("training.stop.accuracy_above=0.01", "accuracy rose"),
        ("training.stop.max_seconds=1e-6", "seconds"),
    ],
)
def test_stop_rules(tmp_path, rule, said):
    _, result, evaluations, steps = run(tmp_path, rule)
    assert result.status == "stopped_early"
    assert said in result.reason
    assert result.progress.step < 24
    assert steps[-1] == result.progress.step
    assert len(evaluations) == 1


@pytest.mark.slow
def test_patience_counts_evaluations_without_a_lower_loss(tmp_path):
    rules = ("training.stop.patience=2", "training.duration=50epochs", "optimizer.learning_rate=0.1")
    _, result, evaluations, _ = run(tmp_path, *rules)
    losses = [validation["loss"] for _, _, validation in evaluations]
    assert result.status == "stopped_early"
    assert int(np.argmin(losses)) == len(losses) - 3


@pytest.mark.slow
def test_a_rule_on_training_loss_without_validation(tmp_path):
    _, result, evaluations, _ = run(tmp_path, "data.validation=0", "training.stop.loss_below=100")
    assert result.status == "stopped_early"
    assert evaluations[0][2] is None


@pytest.mark.slow
def test_divergence_names_the_step_and_keeps_what_was_saved(tmp_path):
    with pytest.raises(DivergedError, match=r"training loss became (nan|inf) at step \d+ .*learning rate of \S+e\+\d+"):
        run(tmp_path, "optimizer=sgd", "optimizer.learning_rate=1e30", "loss=mse")


def test_overfitting_one_batch_drives_its_loss_to_zero(tmp_path):
    _, _, evaluations, _ = run(
        tmp_path, "debug=overfit", "model.dropout=0", "training.duration=100epochs", "optimizer.learning_rate=0.03"
    )
    assert evaluations[-1][1]["loss"] < 0.05


def test_a_long_evaluation_cadence_still_measures_the_end(tmp_path):
    _, _, evaluations, steps = run(tmp_path, "training.evaluate_every=1000steps", "training.checkpoint_every=5steps")
    assert [step for step, _, _ in evaluations] == [24]
    assert steps == [5, 10, 15, 20, 24]


@pytest.mark.slow
def test_strict_names_the_layer_where_a_number_stops_being_finite(tmp_path):
    overrides = [
        "debug=strict",
        "optimizer=sgd",
        "optimizer.learning_rate=1e30",
        "model.normalization=batch",
        "data.augment.flip=random",
    ]
    with pytest.raises(DivergedError, match=r"the (output of layer|gradient of) \w+.* is not finite in step \d+"):
        run(tmp_path, *overrides)


@pytest.mark.slow
def test_bfloat16_follows_float32_and_keeps_parameters_in_float32(tmp_path):
    overrides = ["model.normalization=batch", "optimizer.learning_rate=0.02"]
    _, _, full, _ = run(tmp_path / "float32", *overrides)
    state, _, half, _ = run(tmp_path / "bfloat16", *overrides, "training.precision=bfloat16")
    assert {leaf.dtype for leaf in jax.tree.leaves((state.params, state.model_state))} == {np.dtype(np.float32)}
    for (_, exact, _), (_, rounded, _) in zip(full, half, strict=True):
        assert rounded["loss"] == pytest.approx(exact["loss"], rel=0.03)
        assert rounded["loss"] != exact["loss"]


def test_a_stop_rule_that_held_still_holds_when_the_run_goes_on(tmp_path):
    run(tmp_path, "training.stop.accuracy_above=0.01")
    _, result, evaluations, _ = run(tmp_path, "training.stop.accuracy_above=0.01", resume=True)
    assert result.status == "stopped_early"
    assert evaluations == []


BY_STEP = ["data.validation=0", "training.evaluate_every=1step", "model.dropout=0", "optimizer=sgd", "loss=mse"]


@pytest.mark.slow
@pytest.mark.parametrize("rule", [[], ["training.stop.loss_below=0.075"], ["training.checkpoint_every=5steps"]])
def test_one_call_over_all_steps_records_what_a_call_for_each_does(tmp_path, rule):
    # Patience is counted on the host, so it takes a call for each step; 99 of them are never over.
    calls, slow = Recorder(), Recorder()
    state, result, evaluations, steps = run(tmp_path / "one", *BY_STEP, *rule, recorder=calls)
    other, expected, one_by_one, other_steps = run(
        tmp_path / "many", *BY_STEP, *rule, "training.stop.patience=99", recorder=slow
    )
    assert len(calls.trained_steps) <= 6 < len(slow.trained_steps)
    assert (result.status, result.reason, result.progress.step) == (expected.status, expected.reason, expected.progress.step)
    assert steps == other_steps
    assert [step for step, _, _ in evaluations] == [step for step, _, _ in one_by_one]
    for (_, ours, _), (_, theirs, _) in zip(evaluations, one_by_one, strict=True):
        assert ours["loss"] == pytest.approx(theirs["loss"], rel=1e-5)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-7), state.params, other.params)


@pytest.mark.slow
def test_the_rule_on_the_loss_ends_the_call_at_its_step(tmp_path):
    _, _, every, _ = run(tmp_path / "all", *BY_STEP)
    losses = [train["loss"] for _, train, _ in every]
    bound = sorted(losses)[len(losses) // 2]
    recorder = Recorder()
    _, result, _, _ = run(tmp_path / "some", *BY_STEP, f"training.stop.loss_below={bound + 1e-7}", recorder=recorder)
    assert result.progress.step == 1 + next(step for step, loss in enumerate(losses) if loss <= bound)
    assert len(recorder.trained_steps) == 1


@pytest.mark.slow
@pytest.mark.parametrize("steps_per_call", [1, 2, 3, 4])
def test_the_length_of_a_call_does_not_move_the_stop(tmp_path, monkeypatch, steps_per_call):
    """A machine's speed decides how many steps a call has: the stop may fall on any of them, the last included."""
    monkeypatch.setattr(runner_module, "_FIRST_CALL_RECORDS", steps_per_call)
    monkeypatch.setattr(runner_module, "_SECONDS_PER_CALL", 0.0)
    _, _, every, _ = run(tmp_path / "all", *BY_STEP)
    losses = [train["loss"] for _, train, _ in every]
    for step in range(2, 6):
        bound = min(losses[:step])
        _, result, _, _ = run(tmp_path / f"until_{step}", *BY_STEP, f"training.stop.loss_below={bound!r}")
        assert result.progress.step == 1 + losses.index(bound)


@pytest.mark.slow
def test_the_loop_decides_and_not_the_device_whose_loss_is_rounded(tmp_path):
    """Just above the bound the device ends its call, to be safe, and training continues."""
    _, _, every, _ = run(tmp_path / "all", *BY_STEP)
    losses = [train["loss"] for _, train, _ in every]
    near = next(step for step, loss in enumerate(losses) if min(losses) < loss < min(losses[:step], default=np.inf))
    bound, recorder = losses[near] * (1 - 5e-7), Recorder()
    _, result, evaluations, _ = run(tmp_path / "some", *BY_STEP, f"training.stop.loss_below={bound!r}", recorder=recorder)
    assert result.status == "stopped_early"
    assert result.progress.step == 1 + next(step for step, loss in enumerate(losses) if loss <= bound) > 1 + near
    assert recorder.trained_steps[0] == 1 + near
    assert [train["loss"] for _, train, _ in evaluations] == losses[: result.progress.step]


@pytest.mark.slow
def test_a_small_network_has_its_weights_recorded_at_every_step(tmp_path):
    recorder = Recorder()
    overrides = ["data.input_shape=[2]", "data.task=regression", "data.outputs=1", "data.augment.crop=0", "model.hidden=[2]"]
    state, _, _, _ = run(tmp_path, *BY_STEP, *overrides, recorder=recorder)
    assert list(recorder.recorded) == list(range(31))
    assert recorder.recorded[30] == named_weights(state.params)
    assert recorder.recorded[0] != recorder.recorded[1]


def test_a_large_network_has_not(finished):
    _, recorder, _ = finished
    assert recorder.recorded == {}


def test_divergence_in_a_long_call_tells_of_the_steps_before(tmp_path):
    recorder = Recorder()
    with pytest.raises(DivergedError, match=r"training loss became (nan|inf)") as caught:
        run(tmp_path, *BY_STEP, "optimizer.learning_rate=100", recorder=recorder)
    assert f"at step {len(recorder.evaluations) + 1} " in str(caught.value)
    assert all(np.isfinite(train["loss"]) for _, train, _ in recorder.evaluations)


@pytest.mark.slow
def test_the_repetition_of_a_step_that_diverged_is_no_training_time(tmp_path):
    """Otherwise it would use up `training.stop.max_seconds` of the trials that are sound."""
    config = compose_train([*BASE, "training.seeds=2", "training.vary.learning_rate=[0.01,1e25]"])
    experiment, state = set_up(config, load(config.data), jax.devices()[:2])
    checkpoints, clock, phases = Checkpoints(tmp_path, 1), Clock(), set()

    class Keeper:
        def hold(self, step, state):
            pass

        def keep(self, runner, step, trial=0):
            phases.add(clock._open[-1])

    with StopSignal() as stop:
        fit(
            experiment,
            state,
            TrainingProgress(),
            checkpoints=checkpoints,
            callback=Recorder(),
            stop=stop,
            clock=clock,
            keeper=Keeper(),
        )
    assert phases == {"replay"}
