"""nnjax against PyTorch, Keras on JAX, plain JAX and flax's example: `make bench`, or `python -m benchmarks --help`."""

import argparse

from benchmarks.common import parser, say, session
from benchmarks.compare import CURVE_STEPS, compare
from benchmarks.contestants import CONTESTANTS, OURS
from benchmarks.results import COMPARISON
from benchmarks.tasks import TASKS

_EXAMPLES = """\
  make bench
  make bench ARGS="--only cnn_mnist fnn --rounds 7"
  python -m benchmarks --against torch torch_compile
  python -m benchmarks --quick --anyway
  python -m benchmarks --render"""


def main() -> None:
    """Measures, saves and draws."""
    args = _arguments()
    names = [OURS, *(name for name in CONTESTANTS if name in args.against and name != OURS)]
    starts = 1 if args.quick else args.starts
    with session(COMPARISON, args) as run:
        run.result |= {"curve_steps": CURVE_STEPS, "tasks": {}}
        for name in args.only:
            task = TASKS[name]
            say(f"[bold]{task.title}")
            who = [CONTESTANTS[name] for name in names if CONTESTANTS[name].takes(task)]
            run.result["tasks"][name] = compare(task, who, run, starts)


def _arguments() -> argparse.Namespace:
    made = parser("Trains the same networks with nnjax and with other frameworks, side by side, on the CPU.", _EXAMPLES)
    made.add_argument("--only", nargs="+", choices=TASKS, default=list(TASKS), metavar="TASK", help=f"of {', '.join(TASKS)}")
    others = [name for name in CONTESTANTS if name != OURS]
    made.add_argument("--against", nargs="+", choices=others, default=others, metavar="NAME", help=f"of {', '.join(others)}")
    made.add_argument("--starts", type=int, default=3, help="cold, and warm, starts of each")
    return made.parse_args()


if __name__ == "__main__":
    main()
