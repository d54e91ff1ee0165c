"""A loss of one's own takes two places: a dataclass of options, and its entry in `LOSSES`. Then it trains and is traced."""

from dataclasses import dataclass, replace
from typing import Literal

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nnjax.checks.experiment_checks import check_config
from nnjax.cli.compose import compose_config, compose_train
from nnjax.config.schema import TraceConfig
from nnjax.config.training_options import LossOptions
from nnjax.data.load import load
from nnjax.parallel.preemption import StopSignal
from nnjax.textbook.trace import trace
from nnjax.training.checkpoints import Checkpoints
from nnjax.training.clock import Clock
from nnjax.training.experiment import set_up
from nnjax.training.loop import fit
from nnjax.training.losses import LOSSES, LossDefinition, LossWords, example_loss
from nnjax.training.training_progress import TrainingProgress

# --- place 1: the options ---


@dataclass(frozen=True)
class Quartic(LossOptions):
    """scale · Σ (y − ŷ)⁴."""

    name: Literal["quartic"]
    scale: float


# --- place 2: the entry ---

QUARTIC = LossDefinition(
    lambda options, outputs, targets: options.scale * ((targets - outputs) ** 4).sum(axis=-1),
    lambda options, outputs, targets: 4 * options.scale * (outputs - targets) ** 3,
    LossWords("({t} − {(y)})⁴", "s × [{terms}]", "s × {terms}", "−4 × s × ({t} − {(y)})³", "−4 × s × ({t} − {(y)})³"),
)
LOSS = Quartic("quartic", 0.25)


@pytest.fixture(autouse=True)
def registered(monkeypatch):
    monkeypatch.setitem(LOSSES, "quartic", QUARTIC)


class Silent:
    def trained(self, *args):
        pass

    evaluated = weights = trained


def test_it_trains(tmp_path):
    config = replace(
        compose_train(["model=two_neuron", "training.duration=3steps", "training.evaluate_every=1step"]), loss=LOSS
    )
    check_config(config)
    experiment, state = set_up(config, load(config.data), jax.devices()[:1])
    before = experiment.evaluate(experiment.placement.put(state), experiment.dataset.test)
    checkpoints = Checkpoints(tmp_path / "checkpoints", 1)
    result = fit(
        experiment, state, TrainingProgress(), checkpoints=checkpoints, callback=Silent(), stop=StopSignal(), clock=Clock()
    )
    checkpoints.wait()
    after = experiment.evaluate(result.state, experiment.dataset.test)
    assert before.loss == pytest.approx(0.25 * ((np.asarray(experiment.dataset.test.targets) - before.outputs) ** 4).mean())
    assert 0 < after.loss < before.loss


def test_it_is_traced_with_its_formulas_and_checked_by_hand():
    config = replace(compose_config("trace", ["iterations=1"], TraceConfig), loss=LOSS)
    check_config(config)
    found = trace(config, load(config.data), jax.devices()[:1])
    written = {row["quantity"]: row["formula"] for row in found["rows"]}
    assert written["loss"] == "s × (t_b − y_b)⁴"
    assert written["d_loss"] == "−4 × s × (t_b − y_b)³"
    assert [check["agrees"] for check in found["checks"]] == [True, True, True]


def test_one_without_formulas_is_traced_by_its_numbers(monkeypatch):
    monkeypatch.setitem(LOSSES, "quartic", LossDefinition(QUARTIC.function))
    config = replace(compose_config("trace", ["iterations=1"], TraceConfig), loss=LOSS)
    found = trace(config, load(config.data), jax.devices()[:1])
    written = {row["quantity"]: row["formula"] for row in found["rows"]}
    assert (written["loss"], written["d_loss"]) == ("quartic(t, y)", "∂quartic(t, y)/∂y_b")
    assert [check["agrees"] for check in found["checks"]] == [True, True, True]


def test_a_wrong_gradient_by_hand_is_seen(monkeypatch):
    monkeypatch.setitem(LOSSES, "quartic", replace(QUARTIC, gradient=lambda options, outputs, targets: outputs - targets))
    config = replace(compose_config("trace", ["iterations=1"], TraceConfig), loss=LOSS)
    found = trace(config, load(config.data), jax.devices()[:1])
    assert [check["agrees"] for check in found["checks"]] == [False, True, True]


def test_its_numbers_may_be_traced():
    outputs, targets = jnp.array([[0.5]]), jnp.array([[1.0]])
    losses = jax.jit(lambda scale: example_loss(replace(LOSS, scale=scale), outputs, targets))
    np.testing.assert_allclose(losses(jnp.float32(2.0)), [2 * 0.5**4])
    assert losses._cache_size() == 1
    losses(jnp.float32(3.0))
    assert losses._cache_size() == 1


def test_label_smoothing_may_be_traced():
    loss = compose_train(["loss.label_smoothing=0.1"]).loss
    outputs, labels = jnp.array([[0.5, -1.0], [2.0, 0.0]]), jnp.array([1, 0])
    traced = jax.jit(lambda s: example_loss(replace(loss, label_smoothing=s), outputs, labels))(jnp.float32(0.1))
    np.testing.assert_allclose(traced, example_loss(loss, outputs, labels), rtol=1e-6)


def test_one_for_classes_is_refused_for_values(monkeypatch):
    monkeypatch.setattr(Quartic, "needs_classes", True)
    named = r"or name the classes: data\.classes=\[cat,dog\] data\.targets=\[dog\]"
    with pytest.raises(Exception, match=rf"^loss=quartic: needs classes; .* choose loss=mse or loss=half_mse, {named}$"):
        check_config(replace(compose_train(["model=two_neuron"]), loss=LOSS))


def test_one_that_applies_softmax_wants_logits(monkeypatch):
    monkeypatch.setattr(Quartic, "from_logits", True)
    with pytest.raises(Exception, match=r"must be identity with loss=quartic, which applies softmax itself$"):
        check_config(replace(compose_train(["model=fnn", "model.output_activation=tanh", "loss=mse"]), loss=LOSS))
