"""PyTorch: eager as stored (NCHW), eager with channels last, and `torch.compile`; Adam in one fused kernel."""

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from benchmarks.contestants.base import StepByStep
from benchmarks.tasks import Inputs


class PyTorch(StepByStep):
    """A training loop as PyTorch's users write it: the data in a tensor, and batches gathered by index.

    Args:
        inputs: the common inputs.
        channels_last: whether images and activations have the channels innermost.
        compiled: whether the network with its loss is compiled, forward and backward.
        precision: the type of all arrays.
    """

    def __init__(
        self, inputs: Inputs, *, channels_last: bool = False, compiled: bool = False, precision: str = "float32"
    ) -> None:
        super().__init__(inputs)
        torch.set_num_threads(_cores())
        self._dtype = getattr(torch, precision)
        self._images = bool(inputs.task.convolutions)
        self._channels_last = channels_last and self._images
        self._compiled = compiled
        x = torch.from_numpy(self.x)
        if self._images and not self._channels_last:
            x = x.permute(0, 3, 1, 2).contiguous()
        self._inputs = x.to(self._dtype)
        classes = inputs.task.optimizer == "adam"
        self._targets = torch.from_numpy(self.y).to(torch.int64 if classes else self._dtype)
        self._loss = nn.CrossEntropyLoss() if classes else _half_squared_error

    def reset(self) -> None:
        """See `StepByStep`."""
        self._network = _network(self.inputs).to(self._dtype)
        if self._channels_last:
            self._network = self._network.to(memory_format=torch.channels_last)
        parameters, rate = self._network.parameters(), self.inputs.task.learning_rate
        if self.inputs.task.optimizer == "adam":
            self._optimizer: torch.optim.Optimizer = torch.optim.Adam(parameters, lr=rate, fused=True)
        else:
            self._optimizer = torch.optim.SGD(parameters, lr=rate, fused=True)
        network, loss = self._network, self._loss

        def objective(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
            return loss(network(x), y)

        self._objective = torch.compile(objective) if self._compiled else objective

    def train(self, rows: NDArray[np.int32]) -> Sequence[Any]:
        """See `StepByStep`."""
        losses = []
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for batch in torch.from_numpy(rows.astype(np.int64)):
                x = self._inputs[batch]
                if self._channels_last:
                    x = x.permute(0, 3, 1, 2)
                self._optimizer.zero_grad(set_to_none=True)
                loss = self._objective(x, self._targets[batch])
                loss.backward()
                self._optimizer.step()
                losses.append(loss.detach())
        return losses

    def predict(self, x: NDArray[np.float32]) -> NDArray[Any]:
        """See `StepByStep`."""
        images = torch.from_numpy(x).to(self._dtype)
        with torch.inference_mode():
            return self._network(images.permute(0, 3, 1, 2) if self._images else images).argmax(1).numpy()


def _cores() -> int:
    import os

    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _half_squared_error(outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    return 0.5 * (outputs - targets).square().sum(1).mean()


def _network(inputs: Inputs) -> nn.Sequential:
    """The task's network with its initial weights."""
    task, weights = inputs.task, inputs.weights
    found: list[nn.Module] = []
    height, width, channels = task.input_shape if task.convolutions else (0, 0, 0)
    for number, features in enumerate(task.convolutions, start=1):
        layer = nn.Conv2d(channels, features, 3, padding="same")
        _set(layer, weights[f"conv_{number}"]["kernel"].transpose(3, 2, 0, 1), weights[f"conv_{number}"]["bias"])
        found += [layer, nn.ReLU(), nn.MaxPool2d(2)]
        height, width, channels = height // 2, width // 2, features
    found.append(nn.Flatten())
    dense = [name for name in weights if not name.startswith("conv")]
    for name in dense:
        kernel = weights[name]["kernel"]
        if task.convolutions and name == dense[0]:  # the inputs are (c, h, w), but the kernel expects (h, w, c)
            kernel = kernel.reshape(height, width, channels, -1).transpose(2, 0, 1, 3).reshape(kernel.shape)
        linear = nn.Linear(*kernel.shape)
        _set(linear, kernel.T, weights[name]["bias"])
        found.append(linear)
        if name != dense[-1] or task.model == "two_neuron":
            found.append(nn.ReLU())
    return nn.Sequential(*found)


def _set(layer: Any, kernel: NDArray[np.float32], bias: NDArray[np.float32]) -> None:
    with torch.no_grad():
        layer.weight.copy_(torch.from_numpy(np.ascontiguousarray(kernel)))
        layer.bias.copy_(torch.from_numpy(bias))
