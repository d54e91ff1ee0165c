"""Explains why a training diverged: `python -m experiments.autopsy run=outputs/train/…`.

Repeats the step that the run kept in `diverged/`, and names the first layer and operation whose result is not finite.
"""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import nnjax
from nnjax.api.diverged_run import opened_step
from nnjax.cli import command
from nnjax.cli.plugins import loaded_plugins
from nnjax.config.paths import shown_path
from nnjax.config.schema import AutopsyConfig
from nnjax.reporting.autopsy_report import cause_text, course_table, growth_text, layer_table, reproduction_script
from nnjax.reporting.console import RunConsole
from nnjax.reporting.run_summary import write_json


def main() -> None:
    """The command line."""
    command.run("autopsy", AutopsyConfig, autopsy)


def autopsy(config: AutopsyConfig, run_dir: Path) -> Mapping[str, Any]:
    """Repeats the step at which a run diverged; writes `autopsy.json` and `reproduce.py`, and returns the content of the first.

    Raises:
        ConfigError: if there is no run.
        DataError: if it kept no step, or the files are damaged.
    """
    run = Path(config.run)
    with RunConsole(run_dir / "autopsy.log") as console, opened_step(run, warn=console.warn) as replay:
        from nnjax.training.autopsy import growth
        from nnjax.training.operations import BadOperation

        found = replay.found
        trial = f", trial {found.trial} (seed {found.seed})" if found.trial else ""
        console.print(f"Repeating step {found.step}{trial}, with a learning rate of {found.rate:.3g}")
        cause = replay.cause()
        plain: Any = cause
        if isinstance(cause, BadOperation):
            plain = {**asdict(cause), "backward": cause.is_backward, "place": _short(cause.place)}
            del plain["is_backward"]
        rows, layers = replay.course(), [asdict(row) for row in replay.layers()]
        course = [asdict(row) for row in rows]
        console.print(cause_text(found.step, found.split, plain))
        grown = {}
        for name, words in (("gradients", "norm of the gradient"), ("params", "norm of the parameters")):
            if (since := growth(rows[:-1], name)) is not None:
                grown[name] = {"step": since[0], "times": since[1]}
                console.print(growth_text(words, *since, found.step - 1))
        console.print(layer_table(layers))
        if course:
            console.print(course_table(course))
        result = {
            "run": str(run),
            "step": found.step,
            "split": found.split,
            "trial": found.trial,
            "seed": found.seed,
            "rate": found.rate,
            "is_repeated": found.is_repeated,
            "cause": plain,
            "grown": grown,
            "layers": layers,
            "course": course,
        }
        write_json(run_dir / "autopsy.json", result)
        plugins = [str(plugin.path) for plugin in loaded_plugins()]
        script = run_dir / "reproduce.py"
        script.write_text(reproduction_script(str(run), found.step, found.split, plugins, nnjax.__version__), encoding="utf-8")
        console.print(f"Written: {shown_path(run_dir / 'autopsy.json')}, {shown_path(script)}")
    return result


def _short(place: str) -> str:
    """A place in the source, relative to the checkout where it lies there."""
    file, colon, rest = place.partition(":")
    return f"{shown_path(Path(file))}{colon}{rest}" if file else ""


if __name__ == "__main__":
    main()
