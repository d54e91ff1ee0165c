"""The tasks in plain numbers, the same for all contestants: networks, initial weights, data and order of the examples.

    task = TASKS["fnn"]
    write_inputs(task, made_data(task), folder)      # once
    inputs = read_inputs(folder)                     # in each contestant's process
    inputs.normalized(inputs.data.train_inputs)      # [n, 28, 28, 1] float32

Nothing here needs JAX or PyTorch: weights, images and indices are drawn by NumPy.
"""

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from nnjax.data.stream import batch_indices

Weights = dict[str, dict[str, NDArray[np.float32]]]

_MOST_INDICES = 2**22  # per file; a contestant that reaches the end starts again
_PIXEL_MEAN, _PIXEL_STD, _SIGNAL = 128, 40, 0.3


@dataclass(frozen=True)
class Task:
    """A network and its training, in float32.

    Attributes:
        name: as on the command line.
        model: the family; a CNN's convolutions are 3×3, padded, each followed by relu and a 2×2 max pooling.
        input_shape: (h, w, c) of images, stored as bytes; (d,) of vectors.
        convolutions: features of each.
        dense: widths of the hidden dense layers; relu.
        outputs: classes, or values of a regression.
        batch: examples per step.
        num_train: examples.
        optimizer: adam with its usual constants and cross-entropy, or plain sgd and half the squared error.
        learning_rate: constant.
        interval: steps between two evaluations of nnjax, at which its compiled calls end.
        seed: draws the initial weights and the order of the examples.
        tolerance: the largest difference from the float64 losses, as a share of their mean, that still counts as the same work.
            Adam's first steps are g/|g|: where rounding determines the sign of a gradient, the weight may move the other way,
            and relu and max pooling propagate the difference. Over 50 steps, rounding made 3e-3 in a CNN and 7e-5 in the FNN;
            Adam's b2 = 0.99 in place of 0.999 made 3e-2 and 5e-3, and a learning rate 5 % too large or another order of the
            examples more than 0.2 in both.
    """

    name: str
    model: Literal["cnn", "fnn", "two_neuron"]
    input_shape: tuple[int, ...]
    convolutions: tuple[int, ...] = ()
    dense: tuple[int, ...] = ()
    outputs: int = 10
    batch: int = 128
    num_train: int = 60_000
    optimizer: Literal["adam", "sgd"] = "adam"
    learning_rate: float = 1e-3
    interval: int = 468
    tolerance: float = 1e-3
    seed: int = 0

    @property
    def title(self) -> str:
        """The task in a few words."""
        if self.model == "two_neuron":
            return "Two neurons, one example a step, SGD"
        widths = "-".join(map(str, (*self.convolutions, *self.dense)))
        shape = "×".join(map(str, self.input_shape))
        name = f"CNN {widths}" if self.convolutions else f"FNN {math.prod(self.input_shape)}-{widths}-{self.outputs}"
        return f"{name}{f' on {shape}' if self.convolutions else ''}, batch {self.batch}, Adam"


TASKS = {
    task.name: task
    for task in (
        Task("cnn_mnist", "cnn", (28, 28, 1), (32, 64), (256,), interval=100, tolerance=1e-2),
        Task("cnn_cifar", "cnn", (32, 32, 3), (32, 64), (256,), interval=100, tolerance=1e-2, num_train=20_480),
        Task("fnn", "fnn", (28, 28, 1), dense=(512,), interval=468),
        Task("two_neuron", "two_neuron", (3,), (), (1,), 1, 1, 16_384, "sgd", 0.01, 65_536),
    )
}


@dataclass(frozen=True)
class Layer:
    """A layer with weights: its kernel's shape, [in, out] or [k, k, in, out], and the number of places where it is applied."""

    name: str
    kernel: tuple[int, ...]
    places: int

    @property
    def flops(self) -> int:
        """Operations of one example's forward pass: a multiplication and an addition per weight and place."""
        return 2 * math.prod(self.kernel) * self.places


def layers(task: Task) -> list[Layer]:
    """Returns the layers of a task's network, in order, by nnjax's names."""
    found = []
    if task.convolutions:
        height, width, channels = task.input_shape
        for number, features in enumerate(task.convolutions, start=1):
            found.append(Layer(f"conv_{number}", (3, 3, channels, features), height * width))
            height, width, channels = height // 2, width // 2, features
        size = height * width * channels
    else:
        size = math.prod(task.input_shape)
    names = [f"dense_{number}" for number in range(1, len(task.dense) + 1)] + ["output"]
    if task.model == "two_neuron":
        names = ["neuron_a", "neuron_b"]
    for name, outputs in zip(names, (*task.dense, task.outputs), strict=True):
        found.append(Layer(name, (size, outputs), 1))
        size = outputs
    return found


def step_flops(task: Task) -> int:
    """Returns the floating-point operations that a step needs at least.

    The forward pass, the gradient by each kernel and the gradient by each layer's inputs cost the same; the first layer does
    not need the last of these. Biases, activations, pooling and the optimizer are not counted.
    """
    forward = [layer.flops for layer in layers(task)]
    return task.batch * (3 * sum(forward) - forward[0])


def initial_weights(task: Task) -> Weights:
    """Draws kernels of variance 1/fan-in, with biases 0; the two neurons have the textbook's weights."""
    if task.model == "two_neuron":
        numbers = {"neuron_a": ([0.1, 0.2, 0.3], 0.6), "neuron_b": ([0.4], 0.5)}
        return {
            name: {"kernel": np.array(kernel, np.float32)[:, None], "bias": np.array([bias], np.float32)}
            for name, (kernel, bias) in numbers.items()
        }
    draw = np.random.default_rng(task.seed)
    weights: Weights = {}
    for layer in layers(task):
        scale = 1 / math.sqrt(math.prod(layer.kernel[:-1]))
        kernel = draw.standard_normal(layer.kernel, np.float32) * np.float32(scale)
        weights[layer.name] = {"kernel": kernel, "bias": np.zeros(layer.kernel[-1], np.float32)}
    return weights


@dataclass(frozen=True)
class Data:
    """Stored inputs (bytes of images, float32 vectors) and targets, with the test split if there is one."""

    train_inputs: NDArray[Any]
    train_targets: NDArray[Any]
    test_inputs: Any = None
    test_targets: Any = None


def made_data(task: Task) -> Data:
    """Makes examples of a task's shape: a weak pattern per class under noise, or the outputs of another two-neuron network."""
    draw = np.random.default_rng(1)
    shape = (task.num_train, *task.input_shape)
    if task.model == "two_neuron":
        x = draw.random(shape, np.float32)
        noise = 0.05 * draw.standard_normal((task.num_train, 1), np.float32)
        return Data(x, (x @ np.array([[0.7], [0.4], [0.2]], np.float32) + 0.1 + noise).astype(np.float32))
    labels = draw.integers(task.outputs, size=task.num_train).astype(np.int32)
    height, width, channels = task.input_shape  # patterns of 4×4 patches, which convolutions can detect under the noise
    patterns = draw.standard_normal((task.outputs, height // 4, width // 4, channels), np.float32).repeat(4, 1).repeat(4, 2)
    images = draw.standard_normal(shape, np.float32)
    images += np.float32(_SIGNAL) * patterns[labels]
    images = _PIXEL_MEAN + _PIXEL_STD * images
    return Data(images.clip(0, 255).astype(np.uint8), labels)


@dataclass(frozen=True)
class Inputs:
    """The inputs of each contestant.

    Attributes:
        task: the network and its training.
        data: the examples.
        mean: [c], subtracted from stored inputs.
        std: [c], the divisor after that.
        indices: [steps, batch] the examples of each step.
        weights: the initial weights.
    """

    task: Task
    data: Data
    mean: NDArray[np.float32]
    std: NDArray[np.float32]
    indices: NDArray[np.int32]
    weights: Weights

    def normalized(self, stored: NDArray[Any]) -> NDArray[np.float32]:
        """Normalises stored inputs, as float32."""
        return (stored.astype(np.float32) - self.mean) / self.std


def write_inputs(task: Task, data: Data, folder: Path, epochs: int = 10) -> None:
    """Writes the inputs that `read_inputs` reads, with the indices that nnjax itself draws."""
    folder.mkdir(parents=True, exist_ok=True)
    steps_per_epoch = len(data.train_inputs) // task.batch
    steps = max(steps_per_epoch, min(epochs * steps_per_epoch, _MOST_INDICES // task.batch))
    indices = batch_indices(task.seed, 0, steps, steps_per_epoch, len(data.train_inputs), task.batch)
    if data.train_inputs.dtype == np.uint8:
        axes = (0, 1, 2)
        mean, std = data.train_inputs.mean(axes, dtype=np.float64), data.train_inputs.std(axes, dtype=np.float64)
    else:
        mean, std = np.zeros(1), np.ones(1)
    arrays = {name: array for name, array in vars(data).items() if array is not None}
    arrays |= {"indices": indices, "mean": mean.astype(np.float32), "std": std.astype(np.float32)}
    for name, array in arrays.items():
        np.save(folder / f"{name}.npy", array)
    weights = {f"{layer}.{kind}": array for layer, kinds in initial_weights(task).items() for kind, array in kinds.items()}
    np.savez(folder / "weights.npz", **weights)  # type: ignore[arg-type]
    (folder / "task.json").write_text(json.dumps(asdict(task)))


def read_inputs(folder: Path) -> Inputs:
    """Reads the inputs that `write_inputs` wrote."""
    stored_fields = json.loads((folder / "task.json").read_text())
    fields: Any = {key: tuple(value) if isinstance(value, list) else value for key, value in stored_fields.items()}
    task = Task(**fields)

    def array(name: str) -> NDArray[Any] | None:
        path = folder / f"{name}.npy"
        return np.load(path) if path.exists() else None

    weights: Weights = {}
    with np.load(folder / "weights.npz") as stored:
        for key in stored.files:
            layer, _, kind = key.partition(".")
            weights.setdefault(layer, {})[kind] = stored[key]
    names: Sequence[str] = ("train_inputs", "train_targets", "test_inputs", "test_targets")
    arrays: Any = {name: array(name) for name in (*names, "mean", "std", "indices")}
    data = Data(*(arrays[name] for name in names))
    return Inputs(task, data, arrays["mean"], arrays["std"], arrays["indices"], weights)
