"""One training step over several devices: each device's gradients, the bytes it sends, and the average's error.

    network, params, model_state = traced_network(config, spec)
    found = exchange(config, network, params, model_state, inputs, targets, devices)
    found["layers"][0]["largest_difference"]               # of the output layer: about 1e-17
    found["layers"][0]["neuron_averaging_difference"]      # about 1e-1

The module computes two ways to share a batch, both on the devices with `lax.pmean` over their axis. *Data parallelism*, as in
training: every device differentiates its own examples' loss down to the first layer, and the weights' gradients are averaged.
*Neuron averaging*, the textbook's description: each neuron's error term, already a mean over the device's examples, is averaged
over the devices before it goes back to the layer below, where all examples receive the same value.
"""

import math
from collections.abc import Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx
from jax import Array, lax
from numpy.typing import ArrayLike

from nnjax.checks.plan import make_plan
from nnjax.config.neuron_names import neuron_names
from nnjax.config.schema import TraceConfig
from nnjax.config.training_options import Loss
from nnjax.models.activations import activation
from nnjax.parallel.placement import AXIS, Placement
from nnjax.textbook.passes import batch_losses, forward, layer_activations
from nnjax.training.losses import example_loss
from nnjax.training.optimizers import make_optimizer
from nnjax.training.state import Pytree, SplitNetwork

_BYTES = 4  # for each gradient value: training sends float32
_ROUNDING = 1e-12  # float64 results are equal if they differ by less, relative to the largest gradient,
_CANCELLED = 1e-15  # plus this absolute difference, for results that are only rounding


def exchange(
    config: TraceConfig,
    network: SplitNetwork,
    params: Pytree,
    model_state: Pytree,
    inputs: ArrayLike,
    targets: ArrayLike,
    devices: Sequence[jax.Device],
) -> dict[str, Any]:
    """Computes one step over the devices, by data parallelism and by neuron averaging, and the same step on one device.

    Args:
        config: the loss, the optimizer and the wrapper (`pmap` or `shard_map`).
        network: from `traced_network`.
        params: from `traced_network`: the weights before the step.
        model_state: from `traced_network`.
        inputs: [b, ...] float64, the global batch; the first b / N examples go to the first device, and so on.
        targets: [b] class numbers or [b, k].
        devices: N devices; N divides b.

    Returns:
        Plain numbers, lists and text for trace.json: devices, layers (last first), loss, step and summary. The weight gradients
        have a row for each neuron.
    """
    with jax.enable_x64(True):
        x, y = jnp.asarray(inputs), jnp.asarray(targets)
        mean_loss = partial(_mean_loss, config.loss, network)
        single_loss, single = jax.device_get(jax.jit(jax.value_and_grad(mean_loss))(params, model_state, x, y))

        spread = Placement(config.parallel.name, devices)
        on_device = spread.compile(partial(_on_device, config.loss, network))
        parts = spread.split((x, y))
        own, shared = on_device(spread.replicate(params), spread.replicate(model_state), *parts)
        own_losses, own_gradients = jax.device_get(own)  # each [N, ...]
        average_loss, average, by_neuron = spread.fetch(shared)

        optimizer = make_optimizer(config.optimizer, make_plan(config).relative_rate)

        @jax.jit
        def loss_after(params: Pytree, gradients: Pytree, *examples: Any) -> Array:
            updates, _ = optimizer.update(gradients, optimizer.init(params), params)
            return mean_loss(optax.apply_updates(params, updates), *examples)

        step = {
            f"{scheme}_loss_after": float(loss_after(params, gradients, model_state, x, y))
            for scheme, gradients in (("data_parallel", average), ("single_device", single), ("neuron_averaging", by_neuron))
        }

    names = [name for name in network.layer_names if name in params]
    letters = neuron_names([params[name]["kernel"].shape[1] for name in names])
    layers = [
        {
            "name": name,
            "neurons": neurons,
            "weight_shape": list(single[name]["kernel"].shape),
            "gradients": [
                _plain(jax.tree.map(lambda values, i=i: values[i], own_gradients[name])) for i in range(len(devices))
            ],
            "bytes_sent": _BYTES * sum(values.size for values in single[name].values()),
            "average": _plain(average[name]),
            "single_device": _plain(single[name]),
            "largest_difference": _difference(average[name], single[name]),
            "neuron_averaging": _plain(by_neuron[name]),
            "neuron_averaging_difference": _difference(by_neuron[name], single[name]),
        }
        for name, neurons in reversed(list(zip(names, letters, strict=True)))
    ]
    found = {
        "devices": _devices(devices, len(x)),
        "layers": layers,
        "loss": {"devices": own_losses.tolist(), "average": float(average_loss), "single_device": float(single_loss)},
        "step": step,
    }
    largest = float(np.max([np.abs(values).max() for values in jax.tree.leaves(single)]))
    return found | {"summary": _summary(found, largest)}


def _on_device(
    loss: Loss, network: SplitNetwork, params: Pytree, model_state: Pytree, inputs: Array, targets: Array
) -> tuple[Any, Any]:
    """One device's computation on its part of the batch.

    Returns:
        The device's loss and weight gradients; and, equal on every device, the average loss, the average gradients, and neuron
        averaging's gradients.
    """
    own = jax.value_and_grad(partial(_mean_loss, loss, network))(params, model_state, inputs, targets)
    by_neuron = _neuron_averaging(loss, network, params, model_state, inputs, targets)
    return own, (*lax.pmean(own, AXIS), by_neuron)


def _mean_loss(loss: Loss, network: SplitNetwork, params: Pytree, model_state: Pytree, inputs: Array, targets: Array) -> Array:
    losses, _ = batch_losses(loss, network, params, model_state, inputs, targets)
    return losses.mean()


def _neuron_averaging(
    loss: Loss, network: SplitNetwork, params: Pytree, model_state: Pytree, inputs: Array, targets: Array
) -> Pytree:
    """The weight gradients if each neuron's error term is averaged over all examples before it goes back.

    For each example, a neuron k with weights w_kj from the neurons j has the error term δ_k = f′(z_k) · s_k. In the output
    layer s_k is ∂E/∂y_k, else Σ w_mk · mean(δ_m) over the neurons m of the layer above. Only mean(δ_k), over the examples of
    all devices, is used further: w_kj's gradient is mean(δ_k) · mean(y_j), the bias weight's is mean(δ_k). The inputs' means
    are averaged over the devices too: with its own means, each device would update its replica of the weights differently.
    """
    activations = layer_activations(nnx.merge(network.eval_graph, params, model_state, copy=True))
    zs, ys = forward(network, params, model_state, inputs)
    *_, outputs = ys.values()
    entering = dict(zip(ys, [inputs.reshape(len(inputs), -1), *ys.values()], strict=False))  # the outputs enter no layer
    received = jax.grad(lambda outputs: example_loss(loss, outputs, targets).sum())(outputs)
    gradients = {}
    for name in reversed(zs):
        _, times_derivative = jax.vjp(activation(activations[name]), zs[name])
        (deltas,) = times_derivative(received)
        mean_delta, mean_input = lax.pmean((deltas.mean(axis=0), entering[name].mean(axis=0)), AXIS)
        layer = {"kernel": jnp.outer(mean_input, mean_delta), "bias": mean_delta}
        gradients[name] = {key: layer[key] for key in params[name]}
        received = jnp.broadcast_to(params[name]["kernel"] @ mean_delta, entering[name].shape)
    return gradients


def _devices(devices: Sequence[jax.Device], examples: int) -> list[dict[str, Any]]:
    share = examples // len(devices)
    return [
        {
            "name": f"{device.platform}:{device.id}",
            "label": f"device {number}",
            "examples": list(range((number - 1) * share + 1, number * share + 1)),
        }
        for number, device in enumerate(devices, start=1)
    ]


def _plain(layer: Pytree) -> dict[str, Any]:
    """A layer's gradients, a row for each neuron."""
    return {"weights": layer["kernel"].T.tolist(), "biases": layer["bias"].tolist() if "bias" in layer else None}


def _difference(one: Pytree, other: Pytree) -> float:
    """The largest difference between two trees of gradients."""
    differences = jax.tree.map(lambda a, b: np.abs(a - b).max(), one, other)
    return float(np.max(jax.tree.leaves(differences)))  # NaN where there is one, unlike Python's max


def _summary(found: dict[str, Any], largest: float) -> list[str]:
    """The conclusions in sentences; `largest` is the largest gradient on the single device."""
    examples, step = sum(len(device["examples"]) for device in found["devices"]), found["step"]
    lines, like_one_device = [], []
    for scheme, does, key in (
        ("data parallelism", "averages the devices' weight gradients", "largest_difference"),
        ("neuron averaging", "averages each neuron's error term before it goes back", "neuron_averaging_difference"),
    ):
        difference = float(np.max([layer[key] for layer in found["layers"]]))
        if not math.isfinite(difference):
            return ["Not all gradients are finite numbers, so there is nothing to compare."]
        same = difference <= _ROUNDING * largest + _CANCELLED
        like_one_device += [scheme] if same else []
        lines.append(
            f"{scheme.capitalize()} {does}. That is {'' if same else 'not '}the gradient of all {examples} examples on one "
            f"device: largest difference {difference:.2g}, largest gradient {largest:.2g}."
        )
    return [
        *lines,
        f"One step takes the loss from {found['loss']['single_device']:.6g} to {step['single_device_loss_after']:.6g} on one "
        f"device, to {step['data_parallel_loss_after']:.6g} by data parallelism, to "
        f"{step['neuron_averaging_loss_after']:.6g} by neuron averaging.",
        f"What trains like one device: {' and '.join(like_one_device) or 'neither'}.",
    ]
