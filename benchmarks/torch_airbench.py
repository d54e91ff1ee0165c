"""airbench94 in PyTorch, from the same config: `python -m benchmarks.torch_airbench experiment=cifar10_airbench94`.

It reads the config that nnjax trains from, SGD's recipe or Muon's, so both have the same rates, augmentation, schedule and
network, and the same data. Half precision and channels last on a GPU, float32 elsewhere. A training before the others does not
count. It prints a line of JSON: seconds of each training and test accuracies::

    python -m benchmarks.torch_airbench --trainings 20 --compile max-autotune experiment=cifar10_airbench94
    python -m benchmarks.torch_airbench --device cpu experiment=cifar10_airbench_cpu training.duration=2epochs
"""

import argparse
import json
import sys
import time
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from benchmarks.torch_muon import Muon, orthogonal
from nnjax.checks.step_counts import step_counts
from nnjax.cli.compose import compose_train
from nnjax.config.options import Airbench
from nnjax.config.schema import Config
from nnjax.config.training_options import SGD, MuonSGD, OneCycle
from nnjax.data.dataset import Dataset
from nnjax.data.load import load
from nnjax.models.whitening import whitening_kernel

_WHITENING_EXAMPLES = 5000


class Network(nn.Module):
    """Whitening, three groups of two convolutions, the largest value of each channel, output."""

    def __init__(self, model: Airbench, channels: int, outputs: int, activation: type[nn.Module]) -> None:
        super().__init__()
        size = model.whitening.size
        features = 2 * size * size * channels
        self.whitening = nn.Conv2d(channels, features, size)
        self.whitening.weight.requires_grad_(False)
        layers: list[nn.Module] = [activation()]
        for width in model.widths:
            layers += [_convolution(features, width), nn.MaxPool2d(2), _norm(width, model), activation()]
            layers += [_convolution(width, width), _norm(width, model), activation()]
            features = width
        self.body = nn.Sequential(*layers)
        self.output = nn.Linear(features, outputs, bias=False)
        self._scale = model.output_scale

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """[b, c, h, w] → [b, outputs]."""
        features = self.body(self.whitening(x)).amax((2, 3))
        outputs: torch.Tensor = self.output(features) * self._scale
        return outputs


def _convolution(channels: int, features: int) -> nn.Conv2d:
    layer = nn.Conv2d(channels, features, 3, padding=1, bias=False)
    count = min(channels, features)
    nn.init.dirac_(layer.weight.data[:count])
    return layer


def _norm(features: int, model: Airbench) -> nn.BatchNorm2d:
    norm = nn.BatchNorm2d(features, eps=1e-12, momentum=1 - model.batch_norm_momentum)
    norm.weight.requires_grad_(False)
    return norm


def _optimizers(network: Network, config: Config, rule: SGD | MuonSGD, compiled: bool) -> list[torch.optim.Optimizer]:
    """SGD with the config's groups, which are BatchNorm's biases, the whitening's bias, and the rest; Muon, if it has its part.

    The loss is a sum over the batch, not a mean, so that gradients are not too small for half precision; SGD's rates and decay
    make up for it, and to Muon the scale of a gradient is nothing.
    """
    norm, whitening = rule.parameter_groups
    norms = [p for name, p in network.named_parameters() if name.startswith("body") and name.endswith("bias")]
    kernels = [p for p in network.parameters() if p.ndim > 1 and p.requires_grad]
    optimizers: list[torch.optim.Optimizer] = []
    if isinstance(rule, MuonSGD):
        convolutions, kernels = [p for p in kernels if p.ndim == 4], [network.output.weight]
        group = {"params": convolutions, "rate": rule.learning_rate}
        optimizers.append(Muon([group], rule.momentum, rule.nesterov, rule.newton_schulz_steps, orthogonal(compiled)))
        rate, momentum = rule.sgd_learning_rate, rule.sgd_momentum
    else:
        rate, momentum = rule.learning_rate, rule.momentum
    batch = config.training.global_batch_size
    decays = [norm.weight_decay or 0.0, whitening.weight_decay or 0.0, rule.weight_decay]
    members, factors = [norms, [network.whitening.bias], kernels], [norm.multiplier, whitening.multiplier, 1.0]
    groups = [
        {"params": params, "rate": rate * factor / batch, "weight_decay": decay * batch}
        for params, factor, decay in zip(members, factors, decays, strict=True)
    ]
    fused = kernels[0].is_cuda
    return [torch.optim.SGD(groups, lr=rate, momentum=momentum, nesterov=rule.nesterov, fused=fused), *optimizers]


def _relative_rate(schedule: OneCycle, step: int, steps: int, warmup: int) -> float:
    """The learning rate as a share of its peak: a straight line up, then one down."""
    if step < warmup:
        return schedule.start + (1 - schedule.start) * step / warmup
    return 1 + (schedule.final - 1) * (step - warmup) / max(1, steps - warmup)


class Trainer:
    """One training after another on one device, the data there once.

    Args:
        config: of an airbench experiment.
        dataset: CIFAR-10, or examples of its shape.
        device: where.
        mode: of torch.compile; "none" is eager.
    """

    def __init__(self, config: Config, dataset: Dataset, device: str, mode: str) -> None:
        self._config, self._dataset, self._device = config, dataset, torch.device(device)
        self._dtype = torch.float16 if self._device.type == "cuda" else torch.float32
        images = dataset.train.inputs[:: max(1, len(dataset.train) // _WHITENING_EXAMPLES)][:_WHITENING_EXAMPLES]
        size, eps = config.model.whitening.size, config.model.whitening.eps  # type: ignore[union-attr]
        kernel = whitening_kernel((images - dataset.mean) / dataset.std, size, eps)
        self._kernel = torch.from_numpy(kernel.transpose(3, 2, 0, 1).copy())
        self._network, self._compiled = self._make(), mode != "none"
        # Compiled once: a training sets the weights anew in place.
        self._forward = self._network if mode == "none" else torch.compile(self._network, mode=mode)
        self._counts = step_counts(config, dataset.spec)
        self.steps = self._counts.total
        self._splits = [self._put(split) for split in (dataset.train, dataset.test)]

    def _put(self, split: Any) -> tuple[torch.Tensor, torch.Tensor]:
        images = torch.from_numpy(np.asarray(split.inputs)).to(self._device).float()
        mean, std = (torch.from_numpy(np.asarray(x)).to(self._device) for x in (self._dataset.mean, self._dataset.std))
        x = ((images - mean) / std).permute(0, 3, 1, 2).to(self._dtype).contiguous(memory_format=torch.channels_last)
        return x, torch.from_numpy(np.asarray(split.targets)).to(self._device).long()

    def _make(self) -> Network:
        """The network with weights drawn anew."""
        config, spec = self._config, self._dataset.spec
        assert isinstance(config.model, Airbench)
        activation = {"gelu": nn.GELU, "silu": nn.SiLU}[config.activation.name]
        network = Network(config.model, spec.input_shape[-1], spec.num_outputs, activation).to(self._device)
        network.whitening.weight.data.copy_(self._kernel)
        nn.init.zeros_(network.whitening.bias)
        network = network.to(self._dtype).to(memory_format=torch.channels_last)
        for module in network.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.float()
        return network

    def train(self, seed: int) -> tuple[float, float]:
        """Seconds of a training, and its test accuracy, which is measured after them."""
        torch.manual_seed(seed)
        config, rule = self._config, self._config.optimizer
        assert isinstance(rule, SGD | MuonSGD)
        assert isinstance(config.schedule, OneCycle)
        network, forward = self._network, self._forward
        fresh = self._make().state_dict()
        network.load_state_dict(fresh)
        optimizers = _optimizers(network, config, rule, self._compiled)
        steps, per_epoch = self._counts.planned, self._counts.per_epoch
        warmup = self._counts.of(config.schedule.warmup)
        until = self._counts.of(rule.parameter_groups[1].until)  # type: ignore[arg-type]
        slow = _floats(network) if rule.lookahead is not None else []
        self._wait()
        start = time.perf_counter()
        network.train()
        for step in range(self.steps):
            if step % per_epoch == 0:
                batches = self._epoch(step // per_epoch)
            network.zero_grad(set_to_none=True)
            x, y = next(batches)
            smoothing = config.loss.label_smoothing  # type: ignore[union-attr]
            functional.cross_entropy(forward(x).float(), y, label_smoothing=smoothing, reduction="sum").backward()
            relative = _relative_rate(config.schedule, step, steps, warmup)
            for optimizer in optimizers:
                for group in optimizer.param_groups:
                    group["lr"] = group["rate"] * relative
            if step >= until:
                optimizers[0].param_groups[1]["lr"] = 0.0
            for optimizer in optimizers:
                optimizer.step()
            if rule.lookahead is not None:
                _look_ahead(slow, network, rule.lookahead, step + 1, steps)
        self._wait()
        return time.perf_counter() - start, self._accuracy(network)

    def _epoch(self, epoch: int) -> Any:
        """The batches of an epoch: all images mirrored every other time, shifted, and permuted."""
        images, labels = self._splits[0]
        count, batch, crop = len(images), self._config.training.global_batch_size, self._config.data.augment.crop
        if epoch == 0:
            self._first_flip = torch.rand(count, device=self._device) < 0.5
        mirrored = self._first_flip ^ (epoch % 2 == 1)
        images = torch.where(mirrored[:, None, None, None], images.flip(-1), images)
        if crop:
            images = _shifted(images, crop)
        order = torch.randperm(count, device=self._device)
        for first in range(0, count - batch + 1, batch):
            rows = order[first : first + batch]
            yield images[rows], labels[rows]

    @torch.inference_mode()
    def _accuracy(self, network: Network) -> float:
        """With as many views as the config says, whose weights are nnjax's."""
        network.eval()
        images, labels = self._splits[1]
        correct = 0
        for first in range(0, len(images), 2000):
            x = images[first : first + 2000]
            views = [x]
            if self._config.training.test_views == 6:
                padded = functional.pad(x, (1, 1, 1, 1), mode="reflect")
                views += [padded[:, :, :-2, :-2], padded[:, :, 2:, 2:]]
            weights = [1.0] if len(views) == 1 else [0.5, 0.25, 0.25]
            outputs: Any = sum(
                weight * (network(view) + (network(view.flip(-1)) if self._config.training.test_views > 1 else 0))
                for weight, view in zip(weights, views, strict=True)
            )
            correct += int((outputs.argmax(1) == labels[first : first + 2000]).sum())
        return correct / len(images)

    def _wait(self) -> None:
        if self._device.type == "cuda":
            torch.cuda.synchronize()


def _shifted(images: torch.Tensor, crop: int) -> torch.Tensor:
    """Each image moved by up to `crop` pixels down or up, right or left; reflected at the border."""
    count, _, height, width = images.shape
    padded = functional.pad(images, (crop,) * 4, mode="reflect")
    shifts = torch.randint(0, 2 * crop + 1, (2, count), device=images.device)
    moved = torch.empty_like(images)
    for down in range(2 * crop + 1):
        for right in range(2 * crop + 1):
            chosen = (shifts[0] == down) & (shifts[1] == right)
            moved[chosen] = padded[chosen, :, down : down + height, right : right + width]
    return moved


def _floats(network: Network) -> list[torch.Tensor]:
    return [tensor.detach().clone() for tensor in network.state_dict().values() if tensor.is_floating_point()]


@torch.no_grad()
def _look_ahead(slow: list[torch.Tensor], network: Network, options: Any, step: int, steps: int) -> None:
    """As `nnjax.training.lookahead`: slow and fast weights meet now and then; at the end the slow ones stay."""
    share = 1 - (1 - options.slow_step_size) * (step / steps) ** options.power
    fast = [tensor for tensor in network.state_dict().values() if tensor.is_floating_point()]
    if step % options.sync_period == 0:
        for mine, theirs in zip(slow, fast, strict=True):
            mine.lerp_(theirs, share)
            theirs.copy_(mine)
    elif step == steps:
        for mine, theirs in zip(slow, fast, strict=True):
            theirs.copy_(mine)


def main() -> None:
    """Trains, and prints what came out."""
    made = argparse.ArgumentParser(description="airbench94 in PyTorch, from nnjax's config.")
    made.add_argument("overrides", nargs="+", help="words of config, as of experiments.train")
    made.add_argument("--trainings", type=int, default=1, help="with seeds 0, 1, … (1)")
    made.add_argument("--device", default="cuda")
    modes = ["none", "default", "max-autotune"]
    made.add_argument("--compile", default="none", choices=modes, help="mode of torch.compile (none)")
    args = made.parse_args()
    config = compose_train(args.overrides)
    dataset = load(config.data, echo=lambda text: print(text, file=sys.stderr))
    trainer = Trainer(config, dataset, args.device, args.compile)
    trainer.train(0)  # compiles, and lets cuDNN choose
    results = [trainer.train(seed) for seed in range(args.trainings)]
    peak = torch.cuda.max_memory_allocated() / 1e6 if args.device.startswith("cuda") else None
    found = {"seconds": [r[0] for r in results], "accuracy": [r[1] for r in results]}
    print(json.dumps({**found, "steps": trainer.steps, "peak_device_mb": peak}))


if __name__ == "__main__":
    torch.backends.cudnn.benchmark = True
    main()
