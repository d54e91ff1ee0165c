"""Muon in PyTorch: kernels of norm √n, moved by orthogonalised momentum, as by `optimizer=muon_sgd`.

Without Nesterov momentum, five steps of random gradients agreed with optax to 2e-7. With it, optax weighs the gradients of the
first steps more, as it corrects both parts for their bias. On a GPU the orthogonalisation is in bfloat16, as published; optax's
is in the type of the parameters.

optimizer = Muon([{"params": kernels, "lr": 0.24}], momentum=0.6, nesterov=True, steps=3, orthogonal=orthogonal(compiled=False))
"""

from collections.abc import Callable, Iterable
from typing import Any

import torch

# Of the polynomial that brings singular values near 1 (Jordan, "Muon: an optimizer for hidden layers", 2024); optax's, too.
_COEFFICIENTS = (3.4445, -4.7750, 2.0315)


class Muon(torch.optim.Optimizer):
    """Scales each kernel [n, ...] to the Frobenius norm √n, then subtracts the rate times its orthogonalised momentum.

    Args:
        groups: of kernels [outputs, ...]; a group's learning rate is its "lr".
        momentum: decay of the momentum.
        nesterov: look one step ahead.
        steps: iterations of the orthogonalisation.
        orthogonal: the function that `orthogonal` returns.
    """

    def __init__(
        self,
        groups: Iterable[dict[str, Any]],
        momentum: float,
        nesterov: bool,
        steps: int,
        orthogonal: Callable[[torch.Tensor, int], torch.Tensor],
    ) -> None:
        super().__init__(list(groups), {"lr": 0.0})
        self._momentum, self._nesterov, self._steps, self._orthogonal = momentum, nesterov, steps, orthogonal

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:
        """One step, after `backward`."""
        for group in self.param_groups:
            for kernel in group["params"]:
                if "momentum" not in self.state[kernel]:
                    self.state[kernel]["momentum"] = torch.zeros_like(kernel)
                buffer = self.state[kernel]["momentum"].mul_(self._momentum).add_(kernel.grad)
                update = kernel.grad.add(buffer, alpha=self._momentum) if self._nesterov else buffer
                direction = self._orthogonal(update.reshape(len(update), -1), self._steps).reshape(update.shape)
                kernel.mul_(len(kernel) ** 0.5 / kernel.norm())
                kernel.sub_(direction.to(kernel.dtype), alpha=group["lr"])


def orthogonal(compiled: bool) -> Callable[[torch.Tensor, int], torch.Tensor]:
    """Returns a function that approximates the orthogonal factor of a matrix [m, n] by some Newton–Schulz iterations."""
    made: Callable[[torch.Tensor, int], torch.Tensor] = torch.compile(_orthogonal) if compiled else _orthogonal
    return made


def _orthogonal(matrix: torch.Tensor, steps: int) -> torch.Tensor:
    a, b, c = _COEFFICIENTS
    x = matrix.bfloat16() if matrix.is_cuda else matrix
    x = x / (x.norm() + 1e-7)
    if x.shape[0] > x.shape[1]:
        x = x.T
    for _ in range(steps):
        square = x @ x.T
        x = a * x + (b * square + c * square @ square) @ x
    return x.T if matrix.shape[0] > matrix.shape[1] else x
