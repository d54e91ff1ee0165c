"""Measures the shipped experiments on a GPU in one command of less than ten minutes: `python -m benchmarks.gpu`.

It compares the losses of each kind of network with the CPU's, then times training: an FNN's epoch, 64 of its seeds against
one, a CNN, airbench94 (SGD and Muon) alone and over many seeds, and both recipes in PyTorch, compiled and eager, if that is
installed for the same GPU. Everything runs on one device. Without prepared data it times synthetic examples of the same shapes,
whose accuracies mean nothing, as the output states. Measurements that do not fit into the time are skipped and listed; results
are saved after each one. `--platform cpu --quick` tests the command without a GPU.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks import machine, results
from nnjax.cli.compose import compose_train
from nnjax.config.errors import DataError
from nnjax.data.load import load

ROOT = Path(__file__).resolve().parents[1]
_STEPS = 20
_ALONE = 3  # number of airbench trainings, each in its own process
_GOAL = 0.94
# Float32 rounds differently on a GPU than on a CPU, and training amplifies the difference.
_TOLERANCE = 1e-2
_MADE = {
    "mnist": ("data=synthetic", "data.input_shape=[28,28,1]", "data.num_train=60000", "data.num_test=10000"),
    "cifar10": ("data=synthetic", "data.input_shape=[32,32,3]", "data.num_train=50000", "data.num_test=10000"),
}
_NARROW = "model.widths=[16,32,32]"
_SMALL = (_NARROW, *_MADE["cifar10"][:2], "data.num_train=2048", "data.num_test=512", "training.global_batch_size=256")
_PARITY = {
    "two neurons": ("model=two_neuron", "training.stop.loss_below=null"),
    "FNN": ("model=fnn",),
    "CNN": ("model=cnn",),
    "RNN": ("model=rnn",),
    "airbench94": ("experiment=cifar10_airbench94", *_SMALL, "training.precision=float32"),
    "airbench94, Muon": ("experiment=cifar10_airbench94_muon", *_SMALL, "training.precision=float32"),
}

console = Console()


class TrainingError(Exception):
    """A training failed; the message is the end of its output."""


@dataclass
class Bench:
    """A running benchmark.

    Attributes:
        folder: temporary folder of the runs.
        platform: the measured platform.
        seeds: number of airbench94 trainings of each kind.
        quick: only a few steps of small networks, to test the command.
        deadline: the time by which all has to be done, on `time.monotonic`'s clock.
        works: figures by name: `values`, whether the data was `made`, and whether they are `accuracies`.
    """

    folder: Path
    platform: str
    seeds: int
    quick: bool
    deadline: float
    works: dict[str, Any] = field(default_factory=dict)

    def run(self, command: Sequence[str], **environment: str) -> str:
        """Returns the output of a Python command, which is ended at the deadline.

        Raises:
            TrainingError: if it fails or misses the deadline.
        """
        left = self.deadline - time.monotonic()
        try:
            done = subprocess.run(
                [sys.executable, *command],
                cwd=ROOT,
                env={**os.environ, **environment},
                capture_output=True,
                text=True,
                timeout=max(left, 0.1),
            )
        except subprocess.TimeoutExpired:
            raise TrainingError("there was no time left for it") from None
        if done.returncode:
            said = (done.stderr or done.stdout).strip().splitlines() or ["nothing said"]
            raise TrainingError(f"{' '.join(command)}: ended with {done.returncode}: {said[-1]}")
        return done.stdout

    def train(self, name: str, words: Sequence[str], platform: str | None = None, **environment: str) -> dict[str, Any]:
        """Trains on one device in a folder of that name; returns the summary."""
        run = self.folder / name
        where = ("parallel.devices=1", f"parallel.platform={platform or self.platform}")
        shown = ("report.figures=false", f"hydra.run.dir='{run}'")
        self.run(["-m", "experiments.train", *words, *where, *shown], **environment)
        summary: dict[str, Any] = json.loads((run / "summary.json").read_text())
        return summary

    def add(self, name: str, values: Sequence[float | None], *, made: bool = False, accuracies: bool = False) -> None:
        """Adds a figure, without values that are None because a training diverged or did not report them."""
        known = [value for value in values if value is not None]
        if known:
            self.works[name] = {"made": made, "values": known, "accuracies": accuracies}


def losses(run: Path) -> list[float]:
    """The training loss of each record of a run, and the test loss."""
    records = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    return [record["loss"] for record in records if record["split"] in ("train", "test")]


def parity(bench: Bench) -> dict[str, float]:
    """Compares the losses of each kind of network with the CPU's; returns the differences as a share of the largest loss."""
    found = {}
    words = (f"debug.max_steps={_STEPS}", "training.evaluate_every=1step")
    for name, network in _PARITY.items():

        def run(where: tuple[str, str], name: str = name, network: tuple[str, ...] = network) -> list[float]:
            folder = f"{name}-{where[0]}".replace(" ", "-")
            bench.train(folder, [*network, *words], where[1], JAX_DEFAULT_MATMUL_PRECISION="highest")
            return losses(bench.folder / folder)

        with ThreadPoolExecutor() as pool:
            theirs, ours = pool.map(run, (("cpu", "cpu"), ("other", bench.platform)))
        found[name] = max(abs(a - b) for a, b in zip(theirs, ours, strict=True)) / max(map(abs, theirs))
    return found


def words_of(experiment: str, data: str) -> tuple[list[str], bool]:
    """Returns the overrides of an experiment on its data, or on synthetic data if that is not prepared; and which of both."""
    words = [f"experiment={experiment}"]
    try:
        load(compose_train(words).data, echo=console.print)
    except DataError:
        return [*words, *_MADE[data]], True
    return words, False


def works(bench: Bench) -> Iterator[tuple[str, Callable[[], None]]]:
    """Yields the measurements by name, in order."""
    yield "the FNN and the CNN on MNIST", lambda: _mnist(bench)
    yield "64 seeds of the FNN", lambda: _many_seeds(bench)
    yield "the product of matrices", lambda: _product(bench)
    yield "airbench94", lambda: _airbench(bench, "cifar10_airbench94")
    yield "airbench94 in PyTorch, compiled", lambda: _torch(bench, "cifar10_airbench94", "max-autotune")
    yield "airbench94 with Muon", lambda: _airbench(bench, "cifar10_airbench94_muon")
    yield "airbench94 with Muon in PyTorch, compiled", lambda: _torch(bench, "cifar10_airbench94_muon", "max-autotune")
    yield "airbench94 in PyTorch, eager", lambda: _torch(bench, "cifar10_airbench94", "none")
    yield "airbench94 with Muon in PyTorch, eager", lambda: _torch(bench, "cifar10_airbench94_muon", "none")


def _few(bench: Bench) -> list[str]:
    return ["debug.max_steps=3", "data.limit_test=100"] if bench.quick else []


def _mnist(bench: Bench) -> None:
    for experiment, name in (("mnist_fnn", "FNN"), ("mnist_cnn", "CNN")):
        words, made = words_of(experiment, "mnist")
        run = bench.train(experiment, [*words, *_few(bench), "training.checkpoint_every=null"])
        seconds = run["seconds"]["train"]
        bench.add(f"{name} on MNIST, seconds an epoch", [seconds / run["epochs"]], made=made)
        bench.add(f"{name} on MNIST, steps a second", [run["steps"] / seconds], made=made)
        bench.add(f"{name} on MNIST, peak memory of the device in MB", [run["peak_device_mb"]], made=made)


def _many_seeds(bench: Bench) -> None:
    count = 4 if bench.quick else 64
    alone, many = (bench.train(f"seeds-{n}", ["model=fnn", *_few(bench), f"training.seeds={n}"]) for n in (1, count))
    bench.add(
        f"{count} seeds of the FNN on digits, in trainings of one", [many["seconds"]["train"] / alone["seconds"]["train"]]
    )


def _product(bench: Bench) -> None:
    size = 512 if bench.quick else 8192
    printed = bench.run(
        ["-m", "benchmarks.product", str(size)], JAX_PLATFORMS={"gpu": "cuda"}.get(bench.platform, bench.platform)
    )
    bench.add("product of bfloat16 matrices, operations a second", [float(printed)])


def _airbench(bench: Bench, experiment: str) -> None:
    words, made = words_of(experiment, "cifar10")
    words += [*_few(bench), *([_NARROW] if bench.quick else [])]
    runs = [bench.train(f"{experiment}-{seed}", [*words, f"seed={seed}"]) for seed in range(1 if bench.quick else _ALONE)]
    bench.add(f"{experiment}, seconds of a training", [run["seconds"]["train"] for run in runs], made=made)
    bench.add(f"{experiment}, steps a second", [run["steps"] / run["seconds"]["train"] for run in runs], made=made)
    product = bench.works.get("product of bfloat16 matrices, operations a second")
    if product is not None:
        # The gradients by weights and by inputs each take about as many operations as the forward pass.
        speeds = [3 * run["forward_flops"] * run["examples_per_second"] for run in runs]
        bench.add(f"{experiment}, share of the product's speed", [s / product["values"][0] for s in speeds], made=made)
    bench.add(f"{experiment}, peak memory of the device in MB", [run["peak_device_mb"] for run in runs], made=made)
    # Many seeds are trained in one process, which starts and compiles once.
    many = bench.train(f"{experiment}-all", [*words, f"training.seeds={bench.seeds}", f"seed={_ALONE}"])
    bench.add(f"{experiment}, seconds of each of {bench.seeds}", [many["seconds"]["train"] / bench.seeds], made=made)
    accuracies = [row["test_accuracy"] for row in many["trials"]]
    bench.add(f"{experiment}, test accuracy", accuracies, made=made, accuracies=True)


def _torch(bench: Bench, experiment: str, mode: str) -> None:
    words, made = words_of(experiment, "cifar10")
    words += [*_few(bench), *([_NARROW] if bench.quick else [])]
    device = {"gpu": "cuda"}.get(bench.platform, bench.platform)
    options = ["--device", device, "--trainings", str(bench.seeds), "--compile", mode]
    found = json.loads(bench.run(["-m", "benchmarks.torch_airbench", *options, *words], JAX_PLATFORMS="cpu").splitlines()[-1])
    name = f"{experiment} in PyTorch, {'eager' if mode == 'none' else 'compiled'}"
    bench.add(f"{name}, seconds of a training", found["seconds"], made=made)
    bench.add(f"{name}, steps a second", [found["steps"] / seconds for seconds in found["seconds"]], made=made)
    bench.add(f"{name}, peak memory of the device in MB", [found["peak_device_mb"]], made=made)
    bench.add(f"{name}, test accuracy", found["accuracy"], made=made, accuracies=True)


def show(result: dict[str, Any]) -> None:
    """Prints both tables."""
    table = Table("network", "largest difference from the CPU", "", title=f"{_STEPS} steps, float32")
    for name, difference in result["parity"].items():
        table.add_row(name, f"{difference:.1e}", "agrees" if difference <= _TOLERANCE else f"MORE THAN {_TOLERANCE:g}")
    console.print(table)
    table = Table("work", "median [least .. most]", "runs", "", title="training")
    for name, found in result["works"].items():
        made = "made examples: no accuracy to compare" if found["made"] else ""
        table.add_row(name, _figure(found), str(len(found["values"])), made)
    console.print(table)
    for name, reason in result["left_out"].items():
        console.print(f"Not measured: {name}: {reason}")


def _figure(found: dict[str, Any]) -> str:
    values = found["values"]
    if not found["accuracies"]:
        return results.spread(values).text(4)
    spread = f" ± {100 * stdev(values):.2f}" if len(values) > 1 else ""
    return (
        f"{100 * fmean(values):.2f}{spread} %, {sum(value >= _GOAL for value in values)} of them at least {100 * _GOAL:.0f} %"
    )


def main() -> int:
    """Measures, saves after each work, and prints."""
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    arguments.add_argument(
        "--platform", default="gpu", choices=["gpu", "tpu", "cpu"], help="what to compare with the CPU (gpu)"
    )
    arguments.add_argument("--seeds", type=int, default=20, help="airbench94 trainings of each kind (20)")
    arguments.add_argument("--quick", action="store_true", help="a few steps of everything, to see that it works")
    arguments.add_argument("--minutes", type=float, default=9.5, help="after which nothing more is measured (9.5)")
    arguments.add_argument("--output", type=Path, default=results.FOLDER, metavar="FOLDER", help="where results are written")
    args = arguments.parse_args()
    with tempfile.TemporaryDirectory(prefix="nnjax-bench-") as name:
        seeds = 2 if args.quick else args.seeds
        bench = Bench(Path(name), args.platform, seeds, args.quick, time.monotonic() + 60 * args.minutes)
        try:
            result: dict[str, Any] = {"platform": args.platform, "quick": args.quick, "parity": parity(bench)}
        except TrainingError as error:
            print(f"{error}", file=sys.stderr)
            return 1
        result |= {"about": machine.describe(), "works": bench.works, "left_out": {}}
        for work, measure in works(bench):
            try:
                measure()
            except TrainingError as error:
                result["left_out"][work] = str(error)
            path = results.save(f"gpu-{args.platform}", result, args.output)
    show(result)
    console.print(f"written to {path}")
    return int(max(result["parity"].values()) > _TOLERANCE)


if __name__ == "__main__":
    sys.exit(main())
