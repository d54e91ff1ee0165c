"""`experiments.runs`: lists the runs that are asked for, and tags, notes or removes them.

run_listing(config)

Loads no JAX, so that a list of ten thousand runs is there in a second or two.
"""

import json
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import fields
from datetime import datetime
from pathlib import Path
from typing import Any

from nnjax.cli.compose import project_root
from nnjax.cli.overrides import ON_COMMAND_LINE
from nnjax.config.diagnostics import count
from nnjax.config.errors import ConfigError, UserError
from nnjax.config.invocation import verb_command
from nnjax.config.paths import shown_path
from nnjax.config.runs_options import RunsConfig
from nnjax.config.shell import shell_word
from nnjax.records.conditions import Condition, parse_condition
from nnjax.records.find import find_folders, named_folders
from nnjax.records.labels import change_labels, check_tags
from nnjax.records.removal import Removal, empty_trash, move_to_trash, plan_removal, size_of, trashes
from nnjax.records.run_index import RunRow, read_rows
from nnjax.records.selection import check_keys, check_values, chosen, in_order
from nnjax.reporting.console import RunConsole
from nnjax.reporting.counting_bar import counting
from nnjax.reporting.csv_text import csv_text
from nnjax.reporting.files import to_json
from nnjax.reporting.runs_table import removal_table, runs_table
from nnjax.reporting.text import bytes_text

_DEFAULT = ("outputs",)
_USUAL = ("started", "status", "model", "data", "seed", "trials")
_RESULTS = ("test_accuracy", "test_loss", "forecast_rmse", "validation_accuracy", "validation_loss")
_IN_A_TABLE = 50
_MOST_PROBLEMS = 5


def run_listing(config: RunsConfig) -> None:
    """Does what the config asks for; prints a table, or JSON or CSV alone.

    Raises:
        ConfigError: for a folder without a run, a wrong condition, a fact that no run has, or a change that is not allowed.
        UserError: if not all that was to be removed could be.
    """
    conditions = [parse_condition(text) for text in config.where]
    check_tags(config.tag)
    with RunConsole(None, file=None if config.format == "table" else sys.stderr) as console:
        if config.remove == "trash":
            _empty_trashes(config, console)
            return
        everything = _read(config, console)
        _check_keys(config, conditions, everything)
        rows = in_order(chosen(everything, conditions), config.sort)
        if change := next((key for key in ("tag", "note", "remove") if getattr(config, key) not in ((), None)), None):
            rows = rows[: config.limit] if isinstance(config.limit, int) else rows
            _check_chosen(config, rows, everything, change)
        if config.tag or config.note is not None:
            rows = _labelled(config, rows, console)
        if config.remove is not None:
            _remove(config, rows, console)
        else:
            _show(config, conditions, rows, everything, console)


def _read(config: RunsConfig, console: RunConsole) -> list[RunRow]:
    """All runs at or below the folders.

    Raises:
        ConfigError: for a word without a run; all outputs may be empty.
    """
    found: dict[Path, RunRow] = {}
    for word in config.runs:
        folders = named_folders(word)

        def track(paths: Sequence[Path]) -> Iterable[Path]:
            with counting(console, len(paths)) as advance:
                for path in paths:
                    yield path
                    advance()

        rows = read_rows(folders, track)
        if not rows and tuple(config.runs) != _DEFAULT:
            find_folders(word)  # raises, with the nearest run
        found |= {row.folder: row for row in rows}
    return list(found.values())


def _check_keys(config: RunsConfig, conditions: Sequence[Condition], rows: Sequence[RunRow]) -> None:
    own = [field.name for field in fields(RunsConfig)]
    check_keys([condition.key for condition in conditions], rows, "where", own)
    check_values(conditions, rows)
    check_keys([key.removeprefix("-") for key in config.sort], rows, "sort")
    check_keys([key.removeprefix("+") for key in config.columns], rows, "columns")


def _labelled(config: RunsConfig, rows: Sequence[RunRow], console: RunConsole) -> list[RunRow]:
    """Tags and notes the chosen runs; returns them as they are afterwards."""
    changed = []
    for row in rows:
        labels = change_labels(row.folder, tags=config.tag, note=config.note)
        facts = {key: value for key, value in row.facts.items() if key not in ("tags", "notes")}
        lists = {"tags": list(labels.tags), "notes": list(labels.notes)}
        changed.append(RunRow(row.folder, facts | {key: value for key, value in lists.items() if value}, row.groups))
    console.print(f"{count(len(rows), 'run')} changed")
    return changed


def _check_chosen(config: RunsConfig, rows: Sequence[RunRow], everything: Sequence[RunRow], key: str) -> None:
    """Refuses to change everything at once, or nothing.

    Raises:
        ConfigError: if no run was named and neither condition nor limit leaves one out, or none is left.
    """
    value = getattr(config, key)
    shown = f"{key}={value if isinstance(value, str) else ','.join(value)}"
    if tuple(config.runs) == _DEFAULT and not config.where and len(rows) == len(everything):
        raise ConfigError(f"{shown}: would change all {len(rows)} runs; add a condition, or name folders {ON_COMMAND_LINE}")
    if not rows:
        raise ConfigError(f"{shown}: no run meets {' '.join(config.where)}")


def _show(
    config: RunsConfig,
    conditions: Sequence[Condition],
    rows: Sequence[RunRow],
    everything: Sequence[RunRow],
    console: RunConsole,
) -> None:
    limit = len(rows) if config.limit == "all" else config.limit
    if limit == "auto":
        limit = _IN_A_TABLE if config.format == "table" else len(rows)
    shown = rows[:limit]
    columns = _columns(config, conditions, rows)
    if config.format == "json":
        for line in _json_lines(shown, config.columns and columns):
            print(line)
        return
    if config.format == "csv":
        print(csv_text(columns, ([_csv_value(row, name) for name in columns] for row in shown)), end="")
        return
    if not everything:
        console.print(f"no runs yet in {', '.join(config.runs)}; {verb_command('train')} makes one")
        return
    if shown:
        console.print(runs_table(shown, columns))
    console.print(_counted(shown, rows, everything))
    faults = [row for row in rows if row.get("problems")]
    for row in faults[:_MOST_PROBLEMS]:
        console.print(f"problem: {row['problems'][0]}")
    if len(faults) > _MOST_PROBLEMS:
        console.print(f"{len(faults) - _MOST_PROBLEMS} more have problems; columns=[folder,problems] shows them")


def _columns(config: RunsConfig, conditions: Sequence[Condition], rows: Sequence[RunRow]) -> list[str]:
    """The columns: those of the config, else the usual ones that some run has, and the facts that conditions and order name."""
    plain = [name for name in config.columns if not name.startswith("+")]
    if plain:
        return list(dict.fromkeys(name.removeprefix("+") for name in config.columns))
    result = next((name for name in _RESULTS if any(name in row for row in rows)), None)
    asked = [condition.key for condition in conditions if condition.operator not in ("=", "!=")]
    asked += [key.removeprefix("-") for key in config.sort]
    added = [name.removeprefix("+") for name in config.columns]
    wanted = (*_USUAL, *([result] if result else ()), *asked, *added, "seconds", "tags", "folder")
    several = any(row.get("trials", 1) != 1 for row in rows)
    with_tags = any(row.get("tags") for row in rows)
    shown = [name for name in wanted if (name != "trials" or several) and (name != "tags" or with_tags or name in added)]
    return list(dict.fromkeys(shown))


def _counted(shown: Sequence[RunRow], rows: Sequence[RunRow], everything: Sequence[RunRow]) -> str:
    statuses = Counter(str(row.get("status")) for row in rows)
    parts = [f"{number:,} {status}" for status, number in statuses.most_common()]
    text = (
        f"{len(rows):,} of {len(everything):,} runs"
        if len(rows) < len(everything)
        else f"{len(rows):,} run{'s'[: len(rows) != 1]}"
    )
    text += f": {', '.join(parts)}" if parts else ""
    return text + (f"; {len(shown)} are shown, limit=all shows the others" if len(shown) < len(rows) else "")


def _json_lines(rows: Sequence[RunRow], columns: Sequence[str]) -> Iterator[str]:
    """A list with an object for each run, a line each."""
    if not rows:
        yield "[]"
    for number, row in enumerate(rows):
        facts = {name: _plain(row, name) for name in columns} if columns else {"folder": str(row.folder), **row.facts}
        yield f"{'[' if number == 0 else ' '}{_to_json(facts)}{']' if number == len(rows) - 1 else ','}"


def _to_json(facts: Mapping[str, Any]) -> str:
    """Facts are plain and finite; settings from a folder that somebody else made may not be, and its name not be UTF-8."""
    try:
        text = json.dumps(facts, ensure_ascii=False, allow_nan=False, default=str)
        text.encode()
    except ValueError:
        return to_json(json.loads(json.dumps(facts, default=str)))
    return text


def _csv_value(row: RunRow, name: str) -> Any:
    value = _plain(row, name)
    return "; ".join(map(str, value)) if isinstance(value, list) else value


def _plain(row: RunRow, name: str) -> Any:
    """A fact for programs, to which the folder is a path without a shell's quotes."""
    return str(row.folder) if name == "folder" else row.get(name)


def _remove(config: RunsConfig, rows: Sequence[RunRow], console: RunConsole) -> None:
    """Lists what would be moved, asks, and moves it.

    Raises:
        ConfigError: without an answer.
        UserError: if something could not be moved.
    """
    assert config.remove in ("checkpoints", "runs")
    planned = plan_removal([row.folder for row in rows], config.remove)
    statuses = {row.folder: str(row.get("status")) for row in rows}
    free = [removal for removal in planned if not removal.refusal]
    if not planned:
        console.print(f"none of {count(len(rows), 'run')} has checkpoints")
        return
    table = [(statuses[each.run], each.size, each.refusal, shown_path(each.path)) for each in planned]
    console.print(removal_table(table))
    total = bytes_text(sum(removal.size for removal in free))
    noun = "run" if config.remove == "runs" else "folder of checkpoints"
    what = (
        f"{len(free)} {noun}" if len(free) == 1 else f"{len(free)} {noun.replace('run', 'runs').replace('folder', 'folders')}"
    )
    if not free:
        raise UserError(f"remove={config.remove}: nothing can be moved now")
    _confirm(config, f"Move {what} ({total}) to the trash?", console)
    _move(free, what, total, console)


def _move(removals: Sequence[Removal], what: str, total: str, console: RunConsole) -> None:
    stamp, faults, place = f"{datetime.now():%Y-%m-%d_%H-%M-%S}", [], None
    for removal in removals:
        try:
            to = move_to_trash(removal, stamp)
        except ConfigError as error:
            faults.append(str(error))
        except KeyboardInterrupt:  # what was moved is whole, and so is the rest
            console.print(f"interrupted: {removals.index(removal) - len(faults)} of {len(removals)} were moved")
            raise
        else:
            place = next(folder for folder in to.parents if folder.name == stamp)
    if place is not None and not faults:
        base = place.parents[1]
        words = "" if base == (project_root() / "outputs").resolve() else f" {shell_word(shown_path(base))}"
        delete = f"{verb_command('runs')}{words} remove=trash"
        console.print(f"{what} ({total}) moved to {shown_path(place)}; {delete} deletes for good")
    if faults:
        moved = f"{len(removals) - len(faults)} of {len(removals)} were moved" + (f" to {shown_path(place)}" if place else "")
        raise UserError("\n  ".join([faults[0], *(f"also: {fault}" for fault in faults[1:20]), moved]))


def _empty_trashes(config: RunsConfig, console: RunConsole) -> None:
    """Deletes the trash folders of the named folders, after asking."""
    if unused := [*config.where, *([f"limit={config.limit}"] if isinstance(config.limit, int) else ())]:
        raise ConfigError(f"remove=trash: deletes the whole trash; leave out {' '.join(unused)} {ON_COMMAND_LINE}")
    found = trashes([folder for word in config.runs for folder in named_folders(word)])
    if not found:
        console.print("the trash is empty")
        return
    sizes = [size_of(trash) for trash in found]
    for trash, size in zip(found, sizes, strict=True):
        console.print(f"{bytes_text(size)} in {shown_path(trash)}")
    _confirm(config, f"Delete {bytes_text(sum(sizes))} for good?", console)
    for trash in found:
        empty_trash(trash)
        console.print(f"deleted {shown_path(trash)}")


def _confirm(config: RunsConfig, question: str, console: RunConsole) -> None:
    """Asks at a terminal.

    Raises:
        ConfigError: if the answer is no, or the command has no terminal to ask on.
    """
    if config.yes:
        return
    if not (sys.stdin is not None and sys.stdin.isatty() and console.live):
        raise ConfigError(f"remove={config.remove}: moves or deletes nothing without yes=true, where nobody can be asked")
    console.rich.print(f"{question} [y/N] ", end="")
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise ConfigError(f"remove={config.remove}: nothing was changed")
