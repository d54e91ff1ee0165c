"""The record of a sweep in `sweep.json` of its folder: what was asked for, and its jobs, so that it can be resumed.

write_sweep(SweepFile("train", ("seed=0,1",), (), False, (StoredJob(("seed=0",), "0_seed-0"), …)), sweep_dir)
read_sweep(sweep_dir).jobs[0].folder                # "0_seed-0"
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path, PurePath
from typing import Any

from nnjax.config.errors import ConfigError
from nnjax.config.paths import expanded, shown_path
from nnjax.config.stored_files import MOST_RESULTS, StoredFileError, read_json, write_text

SWEEP_FILE = "sweep.json"


@dataclass(frozen=True)
class StoredJob:
    """A job of a sweep.

    Attributes:
        overrides: in Hydra's grammar, without Hydra's own settings.
        folder: inside the sweep's.
    """

    overrides: tuple[str, ...]
    folder: str


@dataclass(frozen=True)
class SweepFile:
    """A sweep as it was started.

    Attributes:
        verb: names the root config.
        task: the overrides of the command line.
        hydra: those of Hydra's own settings.
        keep_going: whether a job whose values do not go together fails alone.
        jobs: all jobs, in order.
        plugins: the files given with `--plugin`.
        config_dir: the folder given with `--config-dir`; empty without one.
    """

    verb: str
    task: tuple[str, ...]
    hydra: tuple[str, ...]
    keep_going: bool
    jobs: tuple[StoredJob, ...]
    plugins: tuple[str, ...] = ()
    config_dir: str = ""


def write_sweep(sweep: SweepFile, sweep_dir: Path) -> None:
    """Writes the record, whole or not at all."""
    path = sweep_dir / SWEEP_FILE
    write_text(path, json.dumps(asdict(sweep)))


def read_sweep(sweep_dir: Path) -> SweepFile:
    """Reads the record of a sweep.

    Raises:
        ConfigError: if it is missing or damaged.
    """
    path = sweep_dir / SWEEP_FILE
    try:
        found = read_json(path, MOST_RESULTS)
        jobs = tuple(StoredJob(_texts(job["overrides"]), _folder(job["folder"])) for job in found["jobs"])
        if not isinstance(found["verb"], str) or not isinstance(found["keep_going"], bool) or not jobs:
            raise ValueError
        texts = {name: _texts(found[name]) for name in ("task", "hydra", "plugins")}
        (config_dir,) = _texts([found.get("config_dir", "")])  # earlier versions did not note it
        return SweepFile(verb=found["verb"], keep_going=found["keep_going"], jobs=jobs, **texts, config_dir=config_dir)
    except FileNotFoundError as error:
        raise ConfigError(f"{shown_path(path)}: is missing; only a sweep that has this file can be resumed") from error
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise StoredFileError(f"{shown_path(path)}: is damaged, and the sweep cannot be resumed") from error


def find_sweep(name: str, bases: tuple[Path, ...]) -> Path | None:
    """The folder of a sweep that `name` names, absolute; None if it names something else.

    Args:
        name: the value of `resume`.
        bases: folders in which a relative name may start.
    """
    for base in bases:
        folder = base / expanded(name, "resume")
        if (folder / SWEEP_FILE).exists() or (folder / "multirun.yaml").exists():
            return folder.resolve()
    return None


def _texts(values: Any) -> tuple[str, ...]:
    if not isinstance(values, list) or not all(isinstance(value, str) and value.isprintable() for value in values):
        raise TypeError
    return tuple(values)


def _folder(value: Any) -> str:
    path = PurePath(value)
    if path.is_absolute() or ".." in path.parts or not path.parts:
        raise ValueError
    return str(value)
