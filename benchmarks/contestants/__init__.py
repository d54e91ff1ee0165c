"""The contestants: each framework in its fastest ordinary form.

contestant = CONTESTANTS["torch_channels_last"]
contestant.takes(TASKS["cnn_mnist"])              # True
model = contestant.make(inputs)                   # in a process of its own: imports the framework
"""

import importlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import Any

from benchmarks.tasks import Inputs, Task

OURS = "nnjax"


@dataclass(frozen=True)
class Contestant:
    """A framework, or a form of one.

    Attributes:
        name: as on the command line.
        title: in tables.
        target: module and class, which is called with the inputs and `options`.
        package: the required package.
        options: of the class.
        only: prefixes of the names of the tasks in which it takes part.
        family: the framework, whose best form counts.
    """

    name: str
    title: str
    target: str
    package: str
    options: Mapping[str, Any] = field(default_factory=dict)
    only: tuple[str, ...] = ("",)
    family: str = ""

    def takes(self, task: Task) -> bool:
        """Whether it takes part in a task."""
        return task.name.startswith(self.only)

    @property
    def installed(self) -> bool:
        """Whether its framework is installed."""
        return find_spec(self.package) is not None

    def make(self, inputs: Inputs, **options: Any) -> Any:
        """Returns the contestant's `benchmarks.contestants.base.Trainer`; `options` add to its own."""
        module, _, name = self.target.partition(":")
        return getattr(importlib.import_module(f"benchmarks.contestants.{module}"), name)(inputs, **self.options, **options)


_TORCH = "pytorch:PyTorch"
CONTESTANTS = {
    contestant.name: contestant
    for contestant in (
        Contestant(OURS, "nnjax", "ours:Ours", "nnjax", family="nnjax"),
        Contestant("torch", "PyTorch, eager", _TORCH, "torch", family="PyTorch"),
        Contestant(
            "torch_channels_last",
            "PyTorch, eager, channels last",
            _TORCH,
            "torch",
            {"channels_last": True},
            ("cnn",),
            "PyTorch",
        ),
        Contestant(
            "torch_compile",
            "PyTorch, torch.compile",
            _TORCH,
            "torch",
            {"channels_last": True, "compiled": True},
            family="PyTorch",
        ),
        Contestant("keras", "Keras on JAX, fit", "keras_fit:KerasFit", "keras", family="Keras"),
        Contestant("jax", "plain JAX, a call a step", "plain_jax:PlainJax", "jax", family="plain JAX"),
        Contestant("flax", "flax's MNIST example", "flax_example:FlaxExample", "flax", only=("cnn_mnist",), family="flax"),
    )
}
# Trains in float64, one step at a time, untimed: its curve is the reference for the others.
REFERENCE = Contestant("reference", "PyTorch, float64", _TORCH, "torch", {"precision": "float64"})
# The fastest matrix product on these cores; the faster of the two is the roof.
ROOFS = {
    contestant.name: contestant
    for contestant in (
        Contestant("matmul_jax", "JAX, matrix product", "matmul:JaxMatmul", "jax"),
        Contestant("matmul_torch", "PyTorch, matrix product", "matmul:TorchMatmul", "torch"),
    )
}
EVERYONE = CONTESTANTS | ROOFS | {REFERENCE.name: REFERENCE}
