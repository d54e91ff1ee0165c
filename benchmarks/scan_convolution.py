"""Measures a CNN training step on the CPU: called, in a loop, and in a loop with nnjax's convolution.

XLA's CPU backend compiles the backward convolutions inside a loop badly (https://github.com/jax-ml/jax/issues/12868); training
runs in loops, so `nnjax.models.convolution` computes them differently. This measures the gain on two
convolutions of 32 and 64 features and a dense layer of 256, with Adam. Variants
take turns, and the median of the rounds is reported::

    python benchmarks/scan_convolution.py --rounds 5 --devices 2
"""

import argparse
import statistics
import time
from collections.abc import Callable
from functools import partial
from typing import Any
from unittest import mock

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx
from jax import Array, lax
from rich.console import Console
from rich.table import Table

from nnjax.config.options import CNN, ConvBlock, PlainActivation
from nnjax.data.dataset_spec import DatasetSpec
from nnjax.models import layers
from nnjax.models.build import build
from nnjax.models.convolution import convolve as our_convolve
from nnjax.parallel.compilation import compile_lowered

SHAPES = {"MNIST": (28, 28, 1), "CIFAR": (32, 32, 3)}
MODEL = CNN("cnn", (ConvBlock(32), ConvBlock(64)), "flatten", (256,), 0.0, "he_normal", "identity", None, False)
OPTIMIZER = optax.adam(1e-3)

Convolution = Callable[[Array, Array], Array]
Step = Callable[..., Any]
Run = Callable[[], Any]


def plain_convolve(inputs: Array, kernel: Array) -> Array:
    """JAX's convolution with JAX's gradients."""
    return lax.conv_general_dilated(inputs, kernel, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC"))


def make_step(shape: tuple[int, ...], convolve: Convolution) -> tuple[Any, Step]:
    """The training state and the step (state, inputs, labels) → state; gradients are averaged over the axis "data"."""
    spec = DatasetSpec("made up", shape, "uint8", "classification", 10, 0, 0, 0)
    graphdef, params = nnx.split(build(MODEL, PlainActivation("relu"), spec, rngs=nnx.Rngs(params=0)))

    def loss(params: Any, inputs: Array, labels: Array) -> Array:
        logits = nnx.merge(graphdef, params)(inputs)
        return jnp.mean(optax.softmax_cross_entropy_with_integer_labels(logits, labels))

    def step(state: Any, inputs: Array, labels: Array) -> Any:
        params, opt_state = state
        with mock.patch.object(layers, "convolve", convolve):  # only while the step is traced
            grads = lax.pmean(jax.grad(loss)(params, inputs, labels), "data")
        updates, opt_state = OPTIMIZER.update(grads, opt_state, params)
        return optax.apply_updates(params, updates), opt_state

    return (params, OPTIMIZER.init(params)), step


def called(step: Step, steps: int, state: Any, *batch: Array) -> Run:
    """`steps` calls of the step, compiled with the settings of training."""
    compiled = compile_lowered(jax.pmap(step, axis_name="data").lower(state, *batch), "cpu")

    def run() -> Any:
        now = state
        for _ in range(steps):
            now = jax.block_until_ready(compiled(now, *batch))
        return now

    return run


def looped(step: Step, steps: int, state: Any, *batch: Array) -> Run:
    """One call of a loop of `steps` steps, compiled with the same settings."""

    def loop(state: Any, *batch: Array) -> Any:
        return lax.fori_loop(0, steps, lambda _, state: step(state, *batch), state)

    program = compile_lowered(jax.pmap(loop, axis_name="data").lower(state, *batch), "cpu")
    return partial(program, state, *batch)


def milliseconds(run: Run, steps: int) -> float:
    """Time of one step of `run`."""
    start = time.perf_counter()
    jax.block_until_ready(run())
    return (time.perf_counter() - start) / steps * 1e3


def measure(shape: tuple[int, ...], *, devices: int, batch: int, steps: int, rounds: int) -> dict[str, float]:
    """Median milliseconds a step of each variant."""
    rng = np.random.default_rng(0)
    inputs = rng.normal(size=(devices, batch // devices, *shape)).astype(np.float32)
    labels = rng.integers(0, 10, size=(devices, batch // devices))
    variants: dict[str, tuple[Callable[..., Run], Convolution, int]] = {
        "called, JAX's convolution": (called, plain_convolve, steps),
        "in a loop, JAX's convolution": (looped, plain_convolve, 2),  # slow: two steps are enough
        "in a loop, nnjax's convolution": (looped, our_convolve, steps),
    }
    runs: dict[str, tuple[Run, int]] = {}
    for name, (wrap, convolve, count) in variants.items():
        state, step = make_step(shape, convolve)
        state = jax.tree.map(lambda leaf: jnp.stack([leaf] * devices), state)
        run = wrap(step, count, state, inputs, labels)
        jax.block_until_ready(run())
        runs[name] = run, count
    times: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(rounds):
        for name, (run, count) in runs.items():
            times[name].append(milliseconds(run, count))
    return {name: statistics.median(values) for name, values in times.items()}


def main() -> None:
    """Measures both shapes and prints a table."""
    parser = argparse.ArgumentParser(
        description="Milliseconds of a CNN training step on the CPU: called, in a loop, in a loop with nnjax's convolution.",
        epilog="example: python benchmarks/scan_convolution.py --rounds 5 --devices 2",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("--devices", type=int, default=1, help="simulated CPU devices, which share the batch")
    parser.add_argument("--batch", type=int, default=128, help="examples a step, over all devices")
    parser.add_argument("--steps", type=int, default=10, help="steps in a round")
    parser.add_argument("--rounds", type=int, default=5, help="times that the variants take turns")
    args = parser.parse_args()
    if args.batch % args.devices:
        parser.error(f"--batch {args.batch} is not a multiple of --devices {args.devices}")
    jax.config.update("jax_platforms", "cpu")
    jax.config.update("jax_num_cpu_devices", args.devices)

    results = {name: measure(shape, **vars(args)) for name, shape in SHAPES.items()}
    table = Table(title=f"ms a step, batch {args.batch}, {args.devices} CPU device(s), jax {jax.__version__}")
    table.add_column("variant")
    for name in results:
        table.add_column(name, justify="right")
    for variant in next(iter(results.values())):
        table.add_row(variant, *(f"{result[variant]:.1f}" for result in results.values()))
    Console().print(table)


if __name__ == "__main__":
    main()
