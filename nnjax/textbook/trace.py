"""A training's first iterations in numbers and words: the content of `trace.json`.

    found = trace(config, load(config.data), devices)
    found["iterations"][0]["loss"]           # 0.019208
    found["settings"]["recorded"]            # 2; of many iterations fewer, as report.records has it
    found["rows"][0]["formula"]              # "w_a1 × x1"

Uses training's network, loss, differentiation and optimizer, in float64 instead of float32.
"""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import jax
import numpy as np
import optax
from flax import nnx
from numpy.typing import NDArray

from nnjax.checks.plan import make_plan
from nnjax.checks.sparse import recorded_steps
from nnjax.config.neuron_names import neuron_names
from nnjax.config.options import Neurons, TwoNeuron
from nnjax.config.schema import TraceConfig
from nnjax.config.training_options import Textbook
from nnjax.data.dataset import Dataset
from nnjax.models.network import Network
from nnjax.textbook.checks import finite_differences, hand_formula, kinked_layers, optimizer_update
from nnjax.textbook.dead_neurons import DeadNeurons
from nnjax.textbook.examples import trace_inputs, trace_targets
from nnjax.textbook.exchange import exchange
from nnjax.textbook.notation import number, tidy
from nnjax.textbook.passes import (
    Numbers,
    Weights,
    batch_losses,
    layer_activations,
    passes,
    traced_network,
    weights_of,
)
from nnjax.textbook.rows import Step, TracedLayer, step_rows
from nnjax.textbook.skipping import Skipping
from nnjax.training.losses import definition_of
from nnjax.training.optimizers import make_optimizer
from nnjax.training.state import Pytree, SplitNetwork

_ADDS = "new weight = weight + learning rate × gradient; the loss falls with a learning rate below 0"
_SUBTRACTS = "new weight = weight − learning rate × gradient; the loss falls with a learning rate above 0"


def trace(config: TraceConfig, dataset: Dataset, devices: Sequence[jax.Device]) -> dict[str, Any]:
    """Runs `config.iterations` steps and records each operation of those that `report.records` asks for.

    Examples come in dataset order, neither shuffled nor augmented: iteration i takes the i-th batch, and after the last batch
    the first again. If the loss, a gradient or a weight is no longer finite, the trace ends and `stopped` gives the reason.

    Args:
        config: must pass `nnjax.checks.trace_checks`: a fully connected network and plain gradient descent.
        dataset: the data of `config.data`.
        devices: with more than one, `exchange` also computes the first step over all of them.

    Returns:
        Plain numbers, lists and text, ready for JSON.
    """
    with jax.enable_x64(True), np.errstate(over="ignore", invalid="ignore"):
        return _trace(config, dataset, devices)


def _trace(config: TraceConfig, dataset: Dataset, devices: Sequence[jax.Device]) -> dict[str, Any]:
    relative = make_plan(config, dataset.spec).relative_rate
    optimizer = make_optimizer(config.optimizer, relative)
    network, params, model_state = traced_network(config, dataset.spec)
    layers = _layers(config, network, params, model_state)
    names, kinked = [layer.name for layer in layers], kinked_layers(layers)
    found: dict[str, Any] = {
        "title": f"{config.model.name} on {config.data.name}",
        "settings": _settings(config),
        "classes": list(dataset.class_names) or None,
        "network": _network(layers, params),
        "examples": [],
        "iterations": [],
        "final": None,
        "rows": [],
        "checks": [],
        "exchange": None,
        "stopped": None,
    }
    if len(devices) > 1:
        found["exchange"] = exchange(config, network, params, model_state, *_batch(config, dataset, 0), devices)

    watch = DeadNeurons(layers, network, config, dataset)
    dead = watch.names(params, model_state)
    update = jax.jit(optimizer.update)
    after = None
    numbers = recorded_steps(config.report.records, config.iterations)
    steps = Skipping(config, dataset, network, model_state, optimizer).before(numbers, params, optimizer.init(params))
    following = next(steps, None)
    while following is not None:
        index, params, opt_state = following
        if found["iterations"] and index > found["iterations"][-1]["number"]:  # iterations were skipped
            dead = watch.names(params, model_state)
        inputs, targets = _batch(config, dataset, index)
        values = passes(config.loss, network, params, model_state, inputs, targets)
        updates, opt_state = update(values.gradients, opt_state, params)
        new_params = optax.apply_updates(params, updates)
        if not _finite((values.losses, values.gradients, new_params)):
            found["stopped"] = f"iteration {index + 1}: the loss, a gradient or a weight is not a finite number any more"
            break
        step = Step(
            number=index + 1,
            learning_rate=config.optimizer.learning_rate * float(relative(index)),
            adds=isinstance(config.optimizer, Textbook),
            inputs=inputs.reshape(len(inputs), -1),
            targets=_target_values(config, targets, dataset.spec.num_outputs),
            weights=weights_of(names, params, model_state),
            passes=values,
            gradients=weights_of(names, values.gradients, {}),
            new_weights=weights_of(names, new_params, model_state),
            probabilities=_probabilities(config, values.layers[-1].y),
        )
        losses, outputs = batch_losses(config.loss, network, new_params, model_state, inputs, targets)
        after = float(losses.mean())
        dead_after = watch.names(new_params, model_state)
        found["examples"].append({"inputs": _tidy(step.inputs), "targets": _tidy(step.targets)})
        found["iterations"].append(
            {
                "number": step.number,
                "learning_rate": tidy(step.learning_rate),
                "loss": tidy(values.losses.mean()),
                "loss_after": tidy(after),
                **_weights(step.weights),
                "dead": dead,
                "remarks": [
                    *watch.remarks(step.number, dead, dead_after),
                    *_remarks(config, layers[-1], step, np.asarray(outputs), after),
                ],
            }
        )
        found["rows"] += step_rows(layers, config.loss, step)
        found["checks"] += [
            hand_formula(layers, config.loss, step),
            finite_differences(step, config.loss, network, params, model_state, inputs, targets, kinked),
            optimizer_update(step),
        ]
        params, dead = new_params, dead_after
        try:
            following = steps.send((params, opt_state))
        except StopIteration:
            break
    final_weights = _weights(weights_of(names, params, model_state))
    found["final"] = {"loss": None if after is None else tidy(after), **final_weights, "dead": dead}
    return found


def _layers(config: TraceConfig, network: SplitNetwork, params: Pytree, model_state: Pytree) -> list[TracedLayer]:
    merged: Network = nnx.merge(network.eval_graph, params, model_state, copy=True)
    activations = layer_activations(merged)
    weights = weights_of(activations, params, model_state)
    names = neuron_names([layer.kernel.shape[1] for layer in weights])
    inputs = [f"x{place}" for place in range(1, len(weights[0].kernel) + 1)]
    layers = []
    for (name, activation), layer, neurons in zip(activations.items(), weights, names, strict=True):
        layers.append(TracedLayer(name, activation, tuple(neurons), tuple(inputs), layer.bias is not None))
        inputs = [f"y_{neuron}" for neuron in neurons]
    return layers


def _batch(config: TraceConfig, dataset: Dataset, index: int) -> tuple[Numbers, NDArray[Any]]:
    """An iteration's inputs [b, ...] float64, normalised, and targets [b] class numbers or [b, k] float64."""
    size = config.training.global_batch_size
    places = np.arange(index * size, (index + 1) * size) % len(dataset.train)
    return trace_inputs(config, dataset, places), trace_targets(config, dataset, places)


def _target_values(config: TraceConfig, targets: NDArray[Any], outputs: int) -> Numbers:
    """Targets [b, k] for the outputs or their probabilities: one-hot and smoothed for classes."""
    if targets.ndim > 1:
        return targets
    values: Numbers = np.eye(outputs)[targets]
    return np.asarray(definition_of(config.loss).targets(config.loss, values))


def _probabilities(config: TraceConfig, outputs: Numbers) -> Numbers | None:
    return np.asarray(jax.nn.softmax(outputs)) if config.loss.from_logits else None


def _settings(config: TraceConfig) -> dict[str, Any]:
    adds = isinstance(config.optimizer, Textbook)
    return {
        "model": config.model.name,
        "data": config.data.name,
        "loss": config.loss.name,
        "loss_options": _options(config.loss),
        "optimizer": config.optimizer.name,
        "adds": adds,
        "learning_rate_rule": _ADDS if adds else _SUBTRACTS,
        "batch_size": config.training.global_batch_size,
        "iterations": config.iterations,
        "recorded": len(recorded_steps(config.report.records, config.iterations)),
        "learn_biases": config.model.learn_biases if isinstance(config.model, TwoNeuron | Neurons) else True,
        "precision": "float64",
    }


def _options(option: Any) -> dict[str, Any]:
    """An option's numbers besides its name: the slope of leaky_relu, the smoothing of cross_entropy."""
    return {name: value for name, value in asdict(option).items() if name != "name"}


def _network(layers: Sequence[TracedLayer], params: Pytree) -> dict[str, Any]:
    return {
        "inputs": list(layers[0].inputs),
        "layers": [
            {
                "name": layer.name,
                "activation": layer.activation.name,
                "activation_options": _options(layer.activation),
                "neurons": list(layer.neurons),
                "has_bias": layer.has_bias,
                "learns_bias": "bias" in params[layer.name],
            }
            for layer in layers
        ],
    }


def _weights(weights: Sequence[Weights]) -> dict[str, Any]:
    """A row for each neuron, layer by layer; a layer without biases has None."""
    return {
        "weights": [_tidy(layer.kernel.T) for layer in weights],
        "biases": [None if layer.bias is None else _tidy(layer.bias) for layer in weights],
    }


def _remarks(config: TraceConfig, output: TracedLayer, step: Step, outputs: Numbers, loss_after: float) -> list[str]:
    """Remarks on outputs [b, k] that overshoot their targets and on a rising loss."""
    remarks, before, after = [], step.passes.layers[-1].y, outputs
    passed = (step.targets - before) * (step.targets - after) < 0
    if passed.any() and not config.loss.from_logits:
        if passed.size == 1:
            t, old, new = (number(float(values[0, 0])) for values in (step.targets, before, after))
            which = f"y_{output.neurons[0]} goes from {old} to {new}, past its target {t}"
        else:
            which = f"{int(passed.sum())} of {passed.size} outputs go past their targets"
        remarks.append(f"The step overshoots: {which}. A learning rate nearer to 0 makes smaller steps.")
    loss = float(step.passes.losses.mean())
    if loss_after > loss:
        why = "steps go up the gradient with this learning rate" if step.rate > 0 else "the step is too large"
        remarks.append(f"The loss rises from {number(loss)} to {number(loss_after)}: {why}.")
    return remarks


def _tidy(values: Numbers) -> Any:
    if values.ndim > 1:
        return [_tidy(row) for row in values]
    return [tidy(value) for value in values]


def _finite(tree: Pytree) -> bool:
    return all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(tree))
