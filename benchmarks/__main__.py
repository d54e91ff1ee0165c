"""nnjax against PyTorch, Keras on JAX, plain JAX and flax's example: `make bench`, or `python -m benchmarks --help`."""

import argparse

from benchmarks.accuracy import GOALS, time_to_accuracy
from benchmarks.common import parser, say, session
from benchmarks.compare import CURVE_STEPS, compare
from benchmarks.comparison import best_forms
from benchmarks.contestants import CONTESTANTS, OURS
from benchmarks.results import COMPARISON
from benchmarks.tasks import TASKS

_EXAMPLES = """\
  make bench
  make bench ARGS="--only cnn_mnist fnn --rounds 7"
  python -m benchmarks --against torch torch_compile --no-accuracy
  python -m benchmarks --quick --anyway
  python -m benchmarks --render"""


def main() -> None:
    """Measures, saves and draws."""
    args = _arguments()
    names = [OURS, *(name for name in CONTESTANTS if name in args.against and name != OURS)]
    starts, accuracy_rounds = (1, 1) if args.quick else (args.starts, args.accuracy_rounds)
    with session(COMPARISON, args) as run:
        run.result |= {"curve_steps": CURVE_STEPS, "tasks": {}, "accuracy": {}}
        for name in args.only:
            task = TASKS[name]
            say(f"[bold]{task.title}")
            who = [CONTESTANTS[name] for name in names if CONTESTANTS[name].takes(task)]
            run.result["tasks"][name] = compared = compare(task, who, run, starts)
            if name in GOALS and args.accuracy and not args.quick:
                # The others take as many epochs as PyTorch, and in the CNN's case three times as long for each.
                racers = {OURS, best_forms(compared["contestants"]).get("PyTorch", OURS)}
                racing = [contestant for contestant in who if contestant.name in racers]
                run.result["accuracy"][name] = time_to_accuracy(task, GOALS[name], racing, run, accuracy_rounds)


def _arguments() -> argparse.Namespace:
    made = parser("Trains the same networks with nnjax and with other frameworks, side by side, on the CPU.", _EXAMPLES)
    made.add_argument("--only", nargs="+", choices=TASKS, default=list(TASKS), metavar="TASK", help=f"of {', '.join(TASKS)}")
    others = [name for name in CONTESTANTS if name != OURS]
    made.add_argument("--against", nargs="+", choices=others, default=others, metavar="NAME", help=f"of {', '.join(others)}")
    made.add_argument("--starts", type=int, default=3, help="cold, and warm, starts of each")
    made.add_argument("--accuracy", action=argparse.BooleanOptionalAction, default=True, help="measure time to an accuracy")
    made.add_argument("--accuracy-rounds", type=int, default=5, help="rounds of that")
    return made.parse_args()


if __name__ == "__main__":
    main()
