"""A served MNIST CNN beside the same network in PyTorch behind the same web stack: `python -m benchmarks.serving`.

Requests a second and latency at 1, 8 and 64 clients, with and without batching; memory after many requests; an overload. Needs
wrk, and MNIST as `data=mnist` finds it.
"""

import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw

from benchmarks.command import timed
from benchmarks.common import Session, parser, say, session
from benchmarks.load import Server, missing, open_loop, send, wrk
from benchmarks.turns import WorkerError

CLIENTS = (1, 8, 64)
OVERLOAD = 5
BATCH = 64
_FEW, _MANY = 1_000, 100_000


def main() -> None:
    """Measures and saves."""
    examples = "  python -m benchmarks.serving\n  python -m benchmarks.serving --quick --anyway"
    made = parser("Requests a second and latency of a served MNIST CNN, beside PyTorch behind the same web stack.", examples)
    made.add_argument("--model", type=Path, help="an exported mnist_cnn; trained here for an epoch if left out")
    made.add_argument("--overload", type=float, default=60.0, help="seconds of the overload")
    args = made.parse_args()
    if not args.render and (needed := missing()):
        sys.exit(f"needs {needed}")
    with session("serving", args) as run:
        model = args.model or _trained(run)
        picture = _picture(run.folder / "seven.png")
        run.result |= {"clients": CLIENTS, "batch": BATCH, "contestants": _compare(model.resolve(), picture, run)}
        requests = _MANY // 20 if args.quick else _MANY
        run.result["memory"] = _memory(model.resolve(), picture, requests, run)
        rate = max(turn["rate"] for turn in run.result["contestants"]["nnjax"]["turns"]["64"])
        run.result["overload"] = _overload(model.resolve(), picture, rate, 5.0 if args.quick else args.overload, run)


def _trained(run: Session) -> Path:
    """An exported model of the shipped experiment after one epoch: how well it was trained does not change its speed."""
    folder, file = run.folder / "run", run.folder / "model.nnjax"
    words = ("experiment=mnist_cnn", "training.duration=1epoch", "report.figures=false", f"hydra.run.dir='{folder}'")
    say("training and exporting the model ...")
    timed(run, ["-m", "experiments.train", *words])
    timed(run, ["-m", "experiments.export", f"run='{folder}'", f"to='{file}'", f"hydra.run.dir='{run.folder / 'export'}'"])
    return file


def _picture(path: Path) -> Path:
    """A 7 of MNIST's size, drawn here."""
    picture = Image.new("L", (28, 28))
    ImageDraw.Draw(picture).line([(8, 6), (20, 6), (13, 22)], fill=255, width=3)
    picture.save(path)
    return path


def _compare(model: Path, picture: Path, run: Session) -> dict[str, Any]:
    """Turns of all contestants, by number of clients."""
    wanted = {"nnjax": ("nnjax", BATCH, 0), "nnjax, no batching": ("nnjax", 1, 0)}
    if _has_torch():
        cores = run.settings.cores
        wanted |= {"PyTorch, 1 thread": ("torch", BATCH, 1), f"PyTorch, {cores} threads": ("torch", BATCH, cores)}
        wanted |= {"PyTorch, 1 thread, no batching": ("torch", 1, 1)}
    found: dict[str, Any] = {title: {"turns": {str(clients): [] for clients in CLIENTS}} for title in wanted}
    with ExitStack() as stack:
        servers = {}
        for title, (name, batch, threads) in wanted.items():
            try:
                servers[title] = stack.enter_context(Server(name, model, batch, threads, run.settings))
            except WorkerError as error:
                found[title]["failed"] = str(error)
        pids = [server.pid for server in servers.values()]
        for number in range(run.rounds + 1):  # the first round does not count
            for clients in CLIENTS:
                for title, server in servers.items():
                    with run.meter.watch(pids):
                        turn = wrk(server.port, picture, clients, run.seconds)
                    if number:
                        found[title]["turns"][str(clients)].append(turn)
                        say(f"round {number}: {title}, {clients}: {turn['rate']:.0f}/s, p99 {1e3 * turn['p99']:.1f} ms")
    return found


def _has_torch() -> bool:
    return subprocess.run([sys.executable, "-c", "import torch"], capture_output=True).returncode == 0


def _memory(model: Path, picture: Path, requests: int, run: Session) -> dict[str, Any]:
    with Server("nnjax", model, BATCH, 0, run.settings) as server:
        few = send(server, picture, _FEW)
        many = send(server, picture, requests - _FEW)
    say(f"memory after {_FEW} requests {few:.1f} MiB, after {requests} {many:.1f} MiB")
    return {"few": _FEW, "many": requests, "mib": [few, many]}


def _overload(model: Path, picture: Path, rate: float, seconds: float, run: Session) -> dict[str, Any]:
    with Server("nnjax", model, BATCH, 0, run.settings) as server:
        wrk(server.port, picture, 64, 1.0)
        result = open_loop(server.port, picture, OVERLOAD * rate, seconds, run.settings)
        code = server.close()
    say(f"overload: {result['statuses']}, {result['unanswered']} unanswered, accepted {result['seconds']}")
    return {"capacity": rate, "seconds_long": seconds, "exit_code": code, **result}


if __name__ == "__main__":
    main()
