"""Answers pictures or rows with a trained network: `python -m experiments.predict run=outputs/train/… image=photo.png`.

The answers go to a table, or as JSON lines or CSV to standard output alone; `predictions.jsonl` holds them all.
"""

import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from nnjax.api.jax_session import jax_session
from nnjax.api.predicting import model_of_run
from nnjax.api.run_rows import rows_of_run
from nnjax.checks.memory_checks import out_of_memory_explained
from nnjax.cli import command
from nnjax.cli.process import check_printed
from nnjax.cli.runs import read_config
from nnjax.config.errors import ConfigError, DataError
from nnjax.config.paths import shown_path
from nnjax.config.predict_options import PredictConfig
from nnjax.config.schema import TrainConfig
from nnjax.reporting.answer_tables import answer_table
from nnjax.reporting.console import RunConsole
from nnjax.reporting.counting_bar import counting
from nnjax.reporting.files import replacing
from nnjax.serving.answer_records import Record, answer_record, columns, csv_line, json_line
from nnjax.serving.answering import Answered, answer_pictures
from nnjax.serving.model import Model
from nnjax.serving.picture_files import PictureFile, find_pictures
from nnjax.serving.series_values import answer_rows


def main() -> None:
    """The command line."""
    command.run("predict", PredictConfig, predict)


def predict(config: PredictConfig, run_dir: Path) -> Mapping[str, Any]:
    """Answers; prints the answers, and writes them to `predictions.jsonl`.

    Returns:
        `answered` and `failed`, numbers of inputs.

    Raises:
        ConfigError: if there is no such picture, or the network does not take what is given.
        DataError: if the run, its data or the rows are missing or damaged, or a picture could not be read; then the other
            pictures are answered first.
        StorageError: if a full disk is behind standard output, and the answers were to be piped.
    """
    run = Path(config.run)
    pictures = () if config.image is None else find_pictures(config.image, "image")
    file, run_config = run_dir / "predictions.jsonl", read_config(TrainConfig, run)
    with (
        RunConsole(run_dir / "predict.log", file=None if config.format == "table" else sys.stderr) as console,
        out_of_memory_explained(run_config, "evaluate"),
        jax_session(console.warn),
    ):
        model = model_of_run(run, config.checkpoint, config.memory_limit, console)
        _check_inputs(model, config)
        records, total = _records(model, config, run_config, pictures, run_dir, console)
        done: list[Record] = []
        with replacing(file) as temporary, temporary.open("w", encoding="utf-8") as lines, counting(console, total) as advance:
            for record in records:
                lines.write(f"{json_line(record)}\n")
                _print_alone(record, model, config, is_first=not done)
                done.append(record)
                advance()
        if config.format == "table":
            console.print(answer_table(done, "row" if config.image is None else "picture"))
        if config.explain:
            console.print(f"Drawn in {shown_path(run_dir / 'figures')}")
        console.print(f"Written to {shown_path(file)}")
    failed = [record["error"] for record in done if "error" in record]
    if failed and len(done) == 1:
        raise DataError(failed[0])
    if failed:
        others = f"; and {len(failed) - 1} more" if len(failed) > 1 else ""
        raise DataError(f"{len(failed)} of {len(done)} pictures could not be read: {failed[0]}{others}")
    if config.format != "table":
        check_printed(file)
    return {"answered": len(done), "failed": len(failed)}


def _check_inputs(model: Model, config: PredictConfig) -> None:
    """Refuses pictures for a network of rows, and rows for one of images."""
    inputs = model.facts.inputs
    shape = " × ".join(map(str, inputs.shape))
    if config.image is not None and inputs.preparation is None:
        takes = (
            "images that no picture can become" if len(inputs.shape) == 3 else f"rows of numbers ({shape}); give rows=FILE.csv"
        )
        raise ConfigError(f"image={config.image}: the network of {shown_path(Path(config.run))} takes {takes}")
    if config.rows is not None and len(inputs.shape) == 3:
        takes = f"images ({shape}); give image=FILE"
        raise ConfigError(f"rows={config.rows}: the network of {shown_path(Path(config.run))} takes {takes}")


def _records(
    model: Model,
    config: PredictConfig,
    run_config: TrainConfig,
    pictures: Sequence[PictureFile],
    run_dir: Path,
    console: RunConsole,
) -> tuple[Iterator[Record], int]:
    """The answers, each computed when it is asked for, and their number."""
    facts, top = model.facts, config.top
    if config.rows is not None:
        rows = rows_of_run(run_config.data, Path(config.rows))
        answers = answer_rows(model, rows.read)
        for line in (*rows.notes, *filter(None, [rows.note(facts)])):
            console.warn(line)
        names = [rows.following] if facts.series is not None else [f"row {place}" for place in range(1, 1 + len(answers))]
        return (answer_record(name, each, facts, top=top) for name, each in zip(names, answers, strict=True)), len(answers)
    answered = answer_pictures(model, pictures)
    draw = None
    if config.explain:
        from nnjax.api.explaining import Explainer  # matplotlib takes half a second to import

        draw = Explainer(model, run_dir / "figures")
    return (_picture_record(each, model, config, draw) for each in answered), len(pictures)


def _picture_record(answered: Answered, model: Model, config: PredictConfig, draw: Any) -> Record:
    if answered.prepared is None or answered.answer is None:
        return {"source": answered.name, "error": answered.error}
    record = answer_record(answered.name, answered.answer, model.facts, top=config.top, notes=answered.prepared.notes)
    return record if draw is None else {**record, "figure": str(draw(answered))}


def _print_alone(record: Record, model: Model, config: PredictConfig, *, is_first: bool) -> None:
    """Prints a record in a form to be piped."""
    if config.format == "jsonl":
        print(json_line(record), flush=True)
    elif config.format == "csv":
        names = columns(model.facts, config.top)
        if is_first:
            print(csv_line(dict(zip(names, names, strict=True)), names))
        print(csv_line(record, names), flush=True)


if __name__ == "__main__":
    main()
