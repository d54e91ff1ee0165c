"""Writes a trained network to one file that runs elsewhere: `python -m experiments.export run=outputs/train/… to=model.nnjax`.

`python -m nnjax.serving model.nnjax photo.png` runs it with jax, numpy and pillow alone.
"""

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from rich.table import Table

from nnjax.api.exporting import Exported, Write, check_target, export_model, export_run
from nnjax.api.jax_session import jax_session
from nnjax.checks.memory_checks import out_of_memory_explained
from nnjax.cli import command
from nnjax.cli.runs import read_config
from nnjax.config.diagnostics import count
from nnjax.config.export_options import ExportConfig
from nnjax.config.paths import expanded, shown_path
from nnjax.config.schema import TrainConfig
from nnjax.config.shell import shell_word
from nnjax.config.storage import size_text
from nnjax.reporting.console import RunConsole
from nnjax.reporting.run_summary import write_json
from nnjax.reporting.text import metric_text
from nnjax.serving.model_file import is_model_file

_MOST_LABELS = 12


def main() -> None:
    """The command line."""
    command.run("export", ExportConfig, export)


def export(config: ExportConfig, run_dir: Path) -> Mapping[str, Any]:
    """Writes the file, and `export.json` with what it holds.

    Returns:
        The content of `export.json`.

    Raises:
        ConfigError: if the target cannot be written to, or the network cannot be exported.
        DataError: if the run or its data is missing or damaged.
    """
    run = Path(config.run)
    target = None if config.to is None else expanded(config.to, "to")
    write, is_exported = _format(config)
    if target is not None:
        check_target(target, "to", is_exported)
    with (
        RunConsole(run_dir / "export.log") as console,
        out_of_memory_explained(read_config(TrainConfig, run), "evaluate"),
        jax_session(console.warn),
    ):
        path = target or run_dir / f"{run.name}.{config.format}"
        written = export_run(run, config.checkpoint, config.memory_limit, path, console, write)
        summary = {
            "run": str(run),
            "checkpoint": config.checkpoint,
            "format": config.format,
            "file": str(written.path),
            "bytes": written.size,
            "weights": written.num_weights,
            "trials": written.facts.num_trials,
            "program_bytes": written.program_bytes,
            "platforms": config.platforms if config.format == "nnjax" else None,
            "test": written.facts.metrics,
        }
        write_json(run_dir / "export.json", summary)
        console.print(_table(written, config))
        console.print(f"Written to {shown_path(written.path)}")
        if config.format == "nnjax":
            given = "photo.png" if written.facts.inputs.preparation is not None else "--rows new.csv"
            console.print("Use it with jax, numpy and pillow alone:")
            console.print(f"python -m nnjax.serving {shell_word(shown_path(written.path))} {given}")
    return summary


def _format(config: ExportConfig) -> tuple[Write, Callable[[Path], bool]]:
    """What writes the format, and whether a file that is there may be replaced by it.

    Raises:
        ConfigError: if the converter is not installed.
    """
    if config.format == "onnx":
        from nnjax.api.onnx_exporting import check_converter, export_onnx, is_exported

        check_converter()
        return export_onnx, is_exported
    return partial(export_model, platforms=config.platforms), is_model_file


def _table(written: Exported, config: ExportConfig) -> Table:
    """What the file holds."""
    facts = written.facts
    table = Table(show_header=False)
    table.add_row("file", size_text(written.size))
    trials = f" × {facts.num_trials} trials" if facts.num_trials > 1 else ""
    table.add_row("weights", f"{written.num_weights // facts.num_trials:,}{trials}, {size_text(written.weights_bytes)}")
    runs_on = f" for {', '.join(config.platforms)}" if config.format == "nnjax" else " as ONNX"
    table.add_row("program", f"{size_text(written.program_bytes)}{runs_on}")
    table.add_row(
        "input", f"{' × '.join(map(str, facts.inputs.shape))} {'float32' if config.format == 'onnx' else facts.inputs.dtype}"
    )
    shown = ", ".join(facts.labels[:_MOST_LABELS]) + (", …" if len(facts.labels) > _MOST_LABELS else "")
    table.add_row("output", f"{facts.num_outputs} classes: {shown}" if facts.labels else count(facts.num_outputs, "value"))
    if facts.metrics:
        table.add_row("test", ", ".join(f"{name} {metric_text(name, value)}" for name, value in facts.metrics.items()))
    return table


if __name__ == "__main__":
    main()
