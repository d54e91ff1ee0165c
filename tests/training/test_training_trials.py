"""Trial i of a run is the run with its seed and its learning rate alone, wherever and however it is computed."""

import jax
import numpy as np
import pytest

from nnjax.cli.compose import compose_train
from nnjax.config.errors import DivergedError
from nnjax.data.load import load
from nnjax.parallel.preemption import StopSignal
from nnjax.training import experiment as experiment_module
from nnjax.training import runner
from nnjax.training.checkpoints import Checkpoints
from nnjax.training.clock import Clock
from nnjax.training.experiment import set_up
from nnjax.training.forecast import make_forecasts
from nnjax.training.loop import fit
from nnjax.training.training_progress import Sums, TrainingProgress, mean_over_trials

IMAGES = [
    "data=synthetic",
    "data.input_shape=[8,8,3]",
    "data.num_train=72",
    "data.num_test=11",
    "data.validation=0.1",
    "data.augment={flip: random, crop: 2, cutout: 3}",
    "training.global_batch_size=16",
    "training.eval_batch_size=16",
    "training.duration=6steps",
    "training.evaluate_every=3steps",
    "optimizer=sgd",
    "optimizer.momentum=0.9",
    "seed=3",
]
FNN = ["model=fnn", "model.hidden=[16,16]", "model.normalization=batch", "model.dropout=0.2", *IMAGES]
CNN = [
    "model=cnn",
    "activation=silu",  # no kinks, as in test_parity
    "model.blocks=[{features: 4, pooling: average, batch_norm: true}]",
    "model.dense=[8]",
    "model.dropout=0.2",
    *IMAGES,
]
VARIED = ["training.seeds=2", "training.vary.learning_rate=[0.02,0.1]"]


class Recorder:
    def __init__(self, stop=None, stop_at=None):
        self.evaluations, self.weight_steps, self.stop, self.stop_at = [], [], stop, stop_at

    def trained(self, step, metrics, examples_per_second):
        if self.stop_at is not None and step >= self.stop_at:
            self.stop.requested = "SIGTERM"

    def weights(self, step, values):
        self.weight_steps.append(step)

    def evaluated(self, step, train, validation):
        self.evaluations.append((step, train, validation))


class Trained:
    """A finished training: its state on the host, the recorded metrics, the test result."""

    def __init__(self, overrides, num_devices, folder, *, resume=False, stop_at=None):
        self.config = compose_train(overrides)
        self.experiment, state = set_up(self.config, load(self.config.data), jax.devices()[:num_devices])
        checkpoints, progress, stop = Checkpoints(folder, keep=1), TrainingProgress(), StopSignal()
        self.recorder = Recorder(stop, stop_at)
        if resume:
            state, progress = checkpoints.restore(state, "last")
        try:
            self.result = fit(
                self.experiment,
                jax.device_get(state),
                progress,
                checkpoints=checkpoints,
                callback=self.recorder,
                stop=stop,
                clock=Clock(),
            )
        finally:
            checkpoints.wait()
        self.state = self.experiment.placement.get(self.result.state)
        self.test = self.experiment.evaluate(self.result.state, self.experiment.dataset.test)


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    """The runs of one network each, by overrides, seed and learning rate."""
    done = {}

    def alone(overrides, trial):
        key = (*overrides, trial)
        if key not in done:
            own = [*overrides, f"seed={trial.seed}", f"optimizer.learning_rate={trial.learning_rate}"]
            done[key] = Trained(own, 1, tmp_path_factory.mktemp("alone"))
        return done[key]

    return alone


def assert_trials_equal(many, alone, overrides, **tolerance):
    tolerance = {"rtol": 1e-5, "atol": 1e-5, **tolerance}
    assert many.result.progress.step == 6
    trials = many.experiment.plan.trials
    for index in (0, len(trials) - 1):
        one = alone(overrides, trials[index])
        own = jax.tree.map(lambda x: x[index], many.state)  # noqa: B023
        jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, **tolerance), own, one.state)
        np.testing.assert_allclose(many.test.losses[index], one.test.losses, **tolerance)
        assert many.test.count == one.test.count == 11
        assert many.test.accuracy[index] == one.test.accuracy
        for (step, *ours), (step_alone, *theirs) in zip(many.recorder.evaluations, one.recorder.evaluations, strict=True):
            assert step == step_alone
            for metrics, metrics_alone in zip(ours, theirs, strict=True):
                for name, value in metrics_alone.items():
                    np.testing.assert_allclose(metrics[name][index], value, **tolerance)


# 4 trials: on one device, two on each, with two spare ones, batches split
@pytest.mark.parametrize(
    ("placement", "num_devices", "sharding"),
    [
        ("device", 2, "pmap"),
        ("host", 8, "shard_map"),
        *[
            pytest.param(placement, num_devices, sharding, marks=pytest.mark.slow)
            for placement, num_devices in (("device", 1), ("host", 2), ("device", 3), ("device", 8))
            for sharding in ("pmap", "shard_map")
        ],
    ],
)
def test_each_trial_is_the_run_alone(placement, num_devices, sharding, alone, tmp_path):
    overrides = [*FNN, *VARIED, f"parallel={sharding}", f"data.placement={placement}"]
    assert_trials_equal(Trained(overrides, num_devices, tmp_path), alone, FNN)


@pytest.mark.slow
@pytest.mark.parametrize(("num_devices", "sharding"), [(2, "pmap"), (8, "shard_map")])
def test_each_trial_of_a_convolutional_network_is_the_run_alone(num_devices, sharding, alone, tmp_path):
    overrides = [*CNN, "training.seeds=2", f"parallel={sharding}"]
    assert_trials_equal(Trained(overrides, num_devices, tmp_path), alone, CNN)


@pytest.mark.slow
@pytest.mark.parametrize("flops", [0, 1e6, 1e12])
def test_trials_at_once_groups_of_them_and_one_after_another_are_the_same(flops, alone, tmp_path, monkeypatch):
    monkeypatch.setattr(experiment_module, "_FLOPS_AT_ONCE", flops)
    assert_trials_equal(Trained([*FNN, *VARIED], 1, tmp_path), alone, FNN)


@pytest.mark.slow
def test_trials_that_were_stopped_go_on_elsewhere_as_if_they_had_not_been(alone, tmp_path, monkeypatch):
    monkeypatch.setattr(runner, "_FIRST_CALL_FLOPS", 0)  # so that calls are short, and a signal finds a gap between them
    stopped = Trained([*FNN, *VARIED], 2, tmp_path, stop_at=1)
    assert stopped.result.status == "preempted"
    assert 0 < stopped.result.progress.step < 6
    rest = Trained([*FNN, *VARIED], 8, tmp_path, resume=True)
    rest.recorder.evaluations = stopped.recorder.evaluations + rest.recorder.evaluations
    assert_trials_equal(rest, alone, FNN)


BY_STEP = ["model=neurons", "training.duration=6steps", "training.stop.loss_below=null", "seed=3", "optimizer=sgd"]


@pytest.mark.slow
def test_trials_that_record_each_step_do_so_in_one_call(alone, tmp_path):
    many = Trained([*BY_STEP, "training.seeds=5"], 2, tmp_path)
    assert [step for step, *_ in many.recorder.evaluations] == [1, 2, 3, 4, 5, 6]
    assert many.recorder.weight_steps == []
    for index in (0, 4):
        one = alone(BY_STEP, many.experiment.plan.trials[index])
        for (_, ours, _), (_, theirs, _) in zip(many.recorder.evaluations, one.recorder.evaluations, strict=True):
            assert ours["loss"][index] == pytest.approx(theirs["loss"], rel=1e-5)
    assert len(set(many.test.loss)) == 5


@pytest.mark.slow
def test_a_trial_that_diverges_leaves_the_others_alone(alone, tmp_path):
    many = Trained([*BY_STEP, "training.vary.learning_rate=[0.02,1e30]"], 2, tmp_path)
    assert many.result.status == "completed"
    assert list(many.result.progress.diverged) == [1]
    one = alone(BY_STEP, many.experiment.plan.trials[0])
    assert many.test.loss[0] == pytest.approx(one.test.loss, rel=1e-5)
    assert not np.isfinite(many.test.loss[1])
    assert many.test.first_finite() == 0
    assert many.result.progress.monitored["loss"] == pytest.approx(one.result.progress.monitored["loss"], rel=1e-5)


def test_a_run_of_which_no_trial_is_left_has_diverged(tmp_path):
    with pytest.raises(DivergedError, match=r"of every trial became nan at step \d"):
        Trained([*BY_STEP, "optimizer.learning_rate=1e30", "training.seeds=3"], 2, tmp_path)


def test_the_error_of_trials_with_learning_rates_of_their_own_names_none_of_them(tmp_path):
    with pytest.raises(DivergedError, match=r"of every trial became nan at step \d") as error:
        Trained([*BY_STEP, "training.vary.learning_rate=[1e30,2e30]"], 2, tmp_path)
    assert "with a learning rate" not in str(error.value)


def test_a_trial_without_a_finite_loss_has_no_accuracy_either():
    sums = Sums().plus(np.array([[1.0, 3.0], [1.0, np.nan]]), np.ones((2, 2)), np.full((2, 2), 4.0))
    means = sums.means(classification=True)
    assert means["loss"][0] == 0.5
    assert means["accuracy"][0] == 0.25
    assert np.isnan([means["loss"][1], means["accuracy"][1]]).all()
    assert mean_over_trials(means) == {"loss": 0.5, "accuracy": 0.25}


@pytest.mark.slow
def test_every_trial_forecasts(tmp_path):
    overrides = ["model=rnn", "model.hidden=[4]", "data=airline", "training.duration=3steps"]
    forecasts = {}
    for seeds in ("training.seeds=2", "seed=1"):
        trained = Trained([*overrides, seeds], 1, tmp_path / seeds)
        forecasts[seeds] = make_forecasts(trained.experiment, trained.result.state, trained.experiment.dataset.series)
    first, second = forecasts["training.seeds=2"]
    np.testing.assert_allclose(second.methods["network"], forecasts["seed=1"][0].methods["network"], rtol=1e-5)
    assert first.errors["network"] != second.errors["network"]
