"""The roof: the speed at which these cores multiply two float32 matrices of 2048 × 2048, in operations per second.

A "step" is one product, so that its 2 · 2048³ operations compare with a network's `benchmarks.tasks.step_flops`.
"""

import time
from abc import ABC, abstractmethod
from typing import Any

import numpy as np

SIZE = 2048
FLOPS = 2 * SIZE**3


class Matmul(ABC):
    """Products of two matrices, one after another; a `benchmarks.contestants.base.Trainer` that trains nothing."""

    def __init__(self, inputs: Any) -> None:
        draw = np.random.default_rng(0).standard_normal
        self.matrices = draw((SIZE, SIZE), np.float32), draw((SIZE, SIZE), np.float32)
        self.detail: dict[str, Any] = {}

    @abstractmethod
    def multiply(self) -> None:
        """Computes one product, and waits for it."""

    def first_step(self) -> float:
        """See `Trainer`."""
        self.multiply()
        return time.monotonic()

    def run(self, seconds: float) -> tuple[int, float]:
        """See `Trainer`."""
        start, done = time.perf_counter(), 0
        while time.perf_counter() - start < seconds:
            self.multiply()
            done += 1
        return done, time.perf_counter() - start


class JaxMatmul(Matmul):
    """By XLA."""

    def __init__(self, inputs: Any) -> None:
        super().__init__(inputs)
        import jax
        import jax.numpy as jnp

        a, b = map(jnp.asarray, self.matrices)
        product = jax.jit(jnp.matmul)
        self._multiply = lambda: jax.block_until_ready(product(a, b))

    def multiply(self) -> None:
        """See `Matmul`."""
        self._multiply()


class TorchMatmul(Matmul):
    """By PyTorch."""

    def __init__(self, inputs: Any) -> None:
        super().__init__(inputs)
        import torch

        a, b = map(torch.from_numpy, self.matrices)
        out = torch.empty(SIZE, SIZE)
        self._multiply = lambda: torch.matmul(a, b, out=out)

    def multiply(self) -> None:
        """See `Matmul`."""
        self._multiply()
