"""The answers of `python -m nnjax.serving model.nnjax photo.png`: lines of text, or JSON lines.

code = answer(ModelFile(path), arguments)
"""

import argparse
import sys
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from nnjax.config.errors import ConfigError, DataError, StorageError
from nnjax.config.paths import shown_path
from nnjax.config.storage import writing
from nnjax.config.stored_files import one_line
from nnjax.serving.answer_records import answer_record, json_line, value_text
from nnjax.serving.answering import Answered, answer_pictures
from nnjax.serving.facts import ModelFacts
from nnjax.serving.input_rows import columns_note, read_text, rows_from_csv
from nnjax.serving.model import Model
from nnjax.serving.model_file import ModelFile
from nnjax.serving.picture_files import PictureFile, find_pictures
from nnjax.serving.series_values import Read, answer_rows


def answer(file: ModelFile, arguments: argparse.Namespace) -> int:
    """Prints the answers.

    Args:
        file: the model's.
        arguments: of `nnjax.serving.__main__`.

    Returns:
        The exit code: 3 if a picture could not be read; the others are answered.

    Raises:
        ConfigError: if the model does not take what is given, or a picture is not there.
        DataError: if rows cannot be read.
    """
    facts = file.facts
    pictures = _pictures(facts, arguments)
    read, notes = (None, ()) if arguments.rows is None else _rows(arguments.rows, facts)
    if not arguments.json:
        for note in notes:
            print(f"note: {one_line(note)}", file=sys.stderr)
    failed = 0
    with file.model_apart() as model:
        for place, given in enumerate(() if read is None else answer_rows(model, read), 1):
            name = f"row {place}" if facts.series is None else "the next row"
            _print(answer_record(name, given, facts, top=arguments.top, notes=notes), as_json=arguments.json)
        for answered in answer_pictures(model, pictures):
            record = _record(answered, facts, arguments.top)
            failed += "error" in record
            _print(record, as_json=arguments.json)
            if arguments.explain is not None and answered.answer is not None:
                _explain(model, answered, arguments.explain)
    return DataError.exit_code if failed else 0


def print_out(text: str) -> None:
    """Prints to standard output.

    Raises:
        StorageError: if it cannot be written, such as to a full disk.
        BrokenPipeError: if nobody reads it.
    """
    try:
        print(text, flush=True)
        if (fault := getattr(sys.stdout, "fault", None)) is not None:  # of a stream that was closed; see `open_streams`
            raise fault
    except BrokenPipeError:
        raise
    except OSError as error:
        raise StorageError(f"standard output: cannot be written: {error.strerror}") from error


def _pictures(facts: ModelFacts, arguments: argparse.Namespace) -> Sequence[PictureFile]:
    shape = " × ".join(map(str, facts.inputs.shape))
    if arguments.rows is not None:
        if arguments.inputs or arguments.explain is not None:
            raise ConfigError("--rows: pictures and --explain do not go with it")
        if facts.inputs.preparation is not None:
            raise ConfigError(
                f"--rows {arguments.rows}: the model takes pictures ({shape}); write their names behind the model's"
            )
        return ()
    if facts.inputs.preparation is None:
        raise ConfigError(f"{arguments.inputs[0]}: the model takes rows of numbers ({shape}); write --rows FILE.csv")
    pictures = [picture for word in arguments.inputs for picture in find_pictures(word, "picture")]
    if arguments.explain is not None and len(pictures) > 1:
        raise ConfigError(f"--explain {arguments.explain}: draws one picture, and {len(pictures)} are given")
    return pictures


def _rows(path: Path, facts: ModelFacts) -> tuple[Read, Sequence[str]]:
    """Returns a reader of a file's rows, and notes on its columns. The file is read once, as it may be a pipe.

    Raises:
        DataError: if the rows cannot be read, before the model is started.
    """
    name = shown_path(path)
    text = read_text(path, name)
    read = partial(rows_from_csv, text, name=name)
    read(facts)
    note = columns_note(text, facts, name)
    return read, [note] if note else []


def _record(answered: Answered, facts: ModelFacts, top: int) -> Mapping[str, Any]:
    if answered.prepared is None or answered.answer is None:
        return {"source": answered.name, "error": answered.error}
    return answer_record(answered.name, answered.answer, facts, top=top, notes=answered.prepared.notes)


def _print(record: Mapping[str, Any], *, as_json: bool) -> None:
    if "error" in record and not as_json:
        print(one_line(record["error"]), file=sys.stderr)
        return
    print_out(json_line(record) if as_json else "\n".join(_lines(record)))


def _lines(record: Mapping[str, Any]) -> Iterator[str]:
    """Such as "photo.png: 7 99.8%, 1 0.1%, 9 0.0%", and a line for each warning."""
    source = one_line(record["source"])
    if "top" in record:
        yield f"{source}: {', '.join(_share(each) for each in record['top']) or 'no answer'}"
    else:
        pairs = zip(record["values"], record["spread"], strict=True)
        yield f"{source}: {', '.join(value_text(value) + (f' ± {spread:.2g}' if spread else '') for value, spread in pairs)}"
    for warning in record["warnings"]:
        yield f"  warning: {warning}"


def _share(each: Mapping[str, Any]) -> str:
    spread = f" ± {100 * each['spread']:.1f}" if each["spread"] else ""
    return f"{each['label']} {100 * each['probability']:.1f}%{spread}"


def _explain(model: Model, answered: Answered, path: Path) -> None:
    from nnjax.serving.explained_picture import explained_picture

    drawn = explained_picture(model, answered)
    with writing(path):
        drawn.save(path, "PNG")
    print(f"Drawn in {path}", file=sys.stderr)
