"""What a GPU makes of the shipped experiments, in one command under ten minutes: `python -m benchmarks.gpu`.

It compares the losses of each kind of network with those of the CPU, then times training: an FNN's epoch, 64 of its seeds
against one, airbench94 (SGD and Muon) alone and over many seeds, and SGD's recipe in PyTorch, where that is installed for
the same device. Without prepared data it times made examples of the same shapes, and says that their accuracies mean nothing.
`--platform cpu --quick` shows that it works where there is no GPU.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks import machine, results

ROOT = Path(__file__).resolve().parents[1]
_STEPS = 20
_ALONE = 3  # trainings of an airbench in a process each
# Float32 on a GPU rounds otherwise than on a CPU, and training lets it grow.
_TOLERANCE = 1e-2
_PARITY = {
    "two neurons": ("model=two_neuron", "training.stop.loss_below=null"),
    "FNN": ("model=fnn",),
    "CNN": ("model=cnn",),
    "RNN": ("model=rnn",),
    "airbench": ("model=airbench", "activation=gelu", "model.widths=[16,32,32]"),
}
_MADE = {
    "mnist": ("data=synthetic", "data.input_shape=[28,28,1]", "data.num_train=60000", "data.num_test=10000"),
    "cifar10": ("data=synthetic", "data.input_shape=[32,32,3]", "data.num_train=50000", "data.num_test=10000"),
}

console = Console()


class TrainingError(Exception):
    """A training that did not end well, with its last words."""


def train(folder: Path, words: Sequence[str], **environment: str) -> dict[str, Any]:
    """The summary of a training in `folder`."""
    command = [sys.executable, "-m", "experiments.train", *words, "report.figures=false", f"hydra.run.dir='{folder}'"]
    done = subprocess.run(command, cwd=ROOT, env={**os.environ, **environment}, capture_output=True, text=True)
    if done.returncode:
        said = (done.stderr or done.stdout).strip().splitlines() or ["nothing said"]
        raise TrainingError(f"{' '.join(words)}: ended with {done.returncode}: {said[-1]}")
    summary: dict[str, Any] = json.loads((folder / "summary.json").read_text())
    return summary


def losses(folder: Path) -> list[float]:
    """The training loss of each record of a run."""
    records = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return [record["loss"] for record in records if record["split"] == "train"]


def parity(folder: Path, platform: str) -> dict[str, float]:
    """For each kind of network, how far its losses are from the CPU's, as a share of the largest."""
    found = {}
    for name, words in _PARITY.items():
        schedule = (f"training.duration={_STEPS}steps", "training.evaluate_every=1step", "parallel.devices=1")
        runs = []
        for where in ("cpu", platform):
            run = folder / f"{name}-{where}-{len(runs)}"
            train(run, [*words, *schedule, f"parallel.platform={where}"], JAX_DEFAULT_MATMUL_PRECISION="highest")
            runs.append(losses(run))
        largest = max(map(abs, runs[0]))
        found[name] = max(abs(a - b) for a, b in zip(*runs, strict=True)) / largest
    return found


def with_data(experiment: str, data: str, folder: Path, platform: str) -> tuple[list[str], bool]:
    """The words of an experiment, on its data where that is prepared, else on made examples; and whether they are made."""
    words = [f"experiment={experiment}", f"parallel.platform={platform}"]
    try:
        train(folder / f"{experiment}-try", [*words, "training.duration=1step", "training.evaluate_every=1step"])
    except TrainingError:
        return [*words, *_MADE[data]], True
    return words, False


def measure(folder: Path, platform: str, seeds: int) -> dict[str, Any]:
    """What training costs, without compilation, of each of the works; figures by name, each with its values."""
    found: dict[str, Any] = {}

    def add(name: str, values: Sequence[float], made: bool = False) -> None:
        found[name] = {"made": made, "values": list(values)}

    words, made = with_data("mnist_fnn", "mnist", folder, platform)
    fnn = train(folder / "fnn", words)
    add("FNN on MNIST, seconds an epoch", [fnn["seconds"]["train"] / fnn["epochs"]], made)
    alone, many = (
        train(folder / f"seeds-{count}", ["model=fnn", f"parallel.platform={platform}", f"training.seeds={count}"])
        for count in (1, 64)
    )
    add("64 seeds of the FNN on digits, in trainings of one", [many["seconds"]["train"] / alone["seconds"]["train"]])
    roof = product_roof(platform)
    add("product of bfloat16 matrices, operations a second", [roof])
    for experiment in ("cifar10_airbench94", "cifar10_airbench94_muon"):
        words, made = with_data(experiment, "cifar10", folder, platform)
        runs = [train(folder / f"{experiment}-{seed}", [*words, f"seed={seed}"]) for seed in range(_ALONE)]
        seconds = [run["seconds"]["train"] for run in runs]
        add(f"{experiment}, seconds of a training", seconds, made)
        add(f"{experiment}, steps a second", [run["steps"] / run["seconds"]["train"] for run in runs], made)
        # The gradients by weights and by inputs take as many operations as the forward pass, each.
        shares = [3 * run["forward_flops"] * run["examples_per_second"] / roof for run in runs]
        add(f"{experiment}, share of that product's speed", shares, made)
        if runs[0]["peak_device_mb"] is not None:
            add(f"{experiment}, peak memory of the device in MB", [run["peak_device_mb"] for run in runs], made)
        # Many seeds are trained in one process, which starts and compiles once.
        copies = train(folder / f"{experiment}-all", [*words, f"training.seeds={seeds}", f"seed={_ALONE}"])
        add(f"{experiment}, seconds of each of {seeds} in one program", [copies["seconds"]["train"] / seeds], made)
        add(f"{experiment}, test accuracy", [row["test_accuracy"] for row in copies["copies"]], made)
        if experiment == "cifar10_airbench94":
            torch, reason = torch_airbench(words, platform, seeds)
            if torch is None:
                console.print(f"PyTorch was not measured: {reason}")
                continue
            add("the same in PyTorch, seconds of a training", torch["seconds"], made)
            add("the same in PyTorch, test accuracy", torch["accuracy"], made)
            if torch["peak_device_mb"] is not None:
                add("the same in PyTorch, peak memory of the device in MB", [torch["peak_device_mb"]], made)
    return found


def product_roof(platform: str) -> float:
    """Operations a second of a large product of bfloat16 matrices, in a process of its own."""
    size = 8192 if platform != "cpu" else 1024
    command = [sys.executable, "-m", "benchmarks.product", str(size)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, env=_environment(platform))
    if done.returncode:
        raise TrainingError(f"the product of matrices: {done.stderr.strip().splitlines()[-1]}")
    return float(done.stdout)


def torch_airbench(words: Sequence[str], platform: str, trainings: int) -> tuple[dict[str, Any] | None, str]:
    """airbench94 in PyTorch on the same device, compiled where that works, else eager; or why there is none."""
    device = {"gpu": "cuda", "cpu": "cpu"}.get(platform, platform)
    command = [sys.executable, "-m", "benchmarks.torch_airbench", "--device", device, "--trainings", str(trainings)]
    reason = ""
    for option in (["--compile"], []):
        done = subprocess.run([*command, *option, *words], cwd=ROOT, capture_output=True, text=True, env=_environment("cpu"))
        if done.returncode == 0:
            found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
            return found, ""
        reason = (done.stderr.strip().splitlines() or ["nothing said"])[-1]
    return None, reason


def _environment(platform: str) -> dict[str, str]:
    """For a process whose JAX sees a platform only."""
    return {**os.environ, "JAX_PLATFORMS": {"gpu": "cuda"}.get(platform, platform)}


def show(result: dict[str, Any]) -> None:
    """Prints both tables."""
    table = Table("network", "largest difference from the CPU", "", title=f"{_STEPS} steps, float32")
    for name, difference in result["parity"].items():
        table.add_row(name, f"{difference:.1e}", "agrees" if difference <= _TOLERANCE else f"MORE THAN {_TOLERANCE:g}")
    console.print(table)
    table = Table("work", "median [least .. most]", "runs", "", title="training")
    for name, found in result.get("works", {}).items():
        values = found["values"]
        made = "made examples: no accuracy to compare" if found["made"] else ""
        table.add_row(name, results.spread(values).text(4), str(len(values)), made)
    console.print(table)


def main() -> int:
    """Measures, prints and saves."""
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    arguments.add_argument(
        "--platform", default="gpu", choices=["gpu", "tpu", "cpu"], help="what to compare with the CPU (gpu)"
    )
    arguments.add_argument("--seeds", type=int, default=20, help="airbench94 trainings of each kind (20)")
    arguments.add_argument("--quick", action="store_true", help="compare losses only")
    arguments.add_argument("--output", type=Path, default=results.FOLDER, metavar="FOLDER", help="where results are written")
    args = arguments.parse_args()
    with tempfile.TemporaryDirectory(prefix="nnjax-bench-") as name:
        folder = Path(name)
        try:
            result: dict[str, Any] = {"platform": args.platform, "parity": parity(folder, args.platform)}
            if not args.quick:
                result["works"] = measure(folder, args.platform, args.seeds)
        except TrainingError as error:
            print(f"{error}", file=sys.stderr)
            return 1
    show(result)
    path = results.save(f"gpu-{args.platform}", {"about": machine.describe(), **result}, args.output)
    console.print(f"written to {path}")
    return int(max(result["parity"].values()) > _TOLERANCE)


if __name__ == "__main__":
    sys.exit(main())
