"""`resume=auto`: a job that a cluster restarts with the same command line resumes its run, or starts it.

config = settled(config, run_dir, origins)      # resume is None for a new run, and else the folder
occupy_again(run_dir, "hydra.run.dir")          # makes the folder of a new run

A run is resumed if it has a checkpoint or a result. A job that was killed earlier left nothing of value: the run starts anew.
"""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from nnjax.cli.finished_runs import finished_summary
from nnjax.cli.folder_contents import BEGUN_FILES, BEGUN_FOLDERS, FILES, FOLDERS, check_contents
from nnjax.cli.overrides import ON_COMMAND_LINE
from nnjax.cli.plugins import require_plugins
from nnjax.cli.process import complain
from nnjax.cli.runs import CONFIG_FILE, RESUMABLE, holds_config, is_resumable, occupy, read_config
from nnjax.cli.sessions import steps_done
from nnjax.config.diagnostics import Origins, Problem, show
from nnjax.config.errors import ConfigError
from nnjax.config.parsing import to_mapping
from nnjax.config.paths import shown_path
from nnjax.config.schema import TrainConfig
from nnjax.config.stored_files import MOST_RESULTS, one_line, read_json

AUTO = "auto"

# What a start leaves that failed, or that was killed before its first checkpoint.
_LEFT_BY_A_START = BEGUN_FILES | BEGUN_FOLDERS | {"checkpoints", "summary.json", "report.html", "train.log", "trackers.log"}


def settled(config: TrainConfig, run_dir: Path, origins: Origins) -> TrainConfig:
    """Returns a config whose `resume` is not `auto`: None for a new run, else the folder of the run that is there.

    Args:
        config: the composed values; unchanged unless `resume` is `auto`.
        run_dir: the folder that was named for the run.
        origins: tells where the values were set.

    Raises:
        ConfigError: if the run there is another experiment, or its config is damaged.
    """
    if config.resume != AUTO:
        return config
    check_contents(run_dir)
    if not holds_run(run_dir):
        # There may be metrics of a job that was killed before its first checkpoint: those of a resume from step 0 are dropped.
        return replace(config, resume=str(run_dir) if (run_dir / "metrics.jsonl").exists() else None)
    require_plugins(run_dir, "resume", complain)
    if differences := list(_differences(config, read_config(TrainConfig, run_dir), run_dir, origins)):
        more = [f"also: {line}" for line in differences[1:]]
        advice = f"take another folder, or resume=FOLDER, which keeps what the run has; it may change {', '.join(RESUMABLE)}"
        raise ConfigError("\n  ".join([differences[0], *more, advice]))
    return replace(config, resume=str(run_dir))


def holds_run(run_dir: Path) -> bool:
    """Whether a folder holds a run with a checkpoint or a result."""
    return bool(steps_done(run_dir)) or (holds_config(run_dir) and bool(finished_summary(run_dir)))


def occupy_again(path: Path, key: str) -> Path:
    """Makes the folder of a new run; it may hold what a killed job left there.

    Raises:
        ConfigError: if it holds a sweep, results, or another program's `config.yaml`, or cannot be made.
    """
    if holds_config(path) and not _was_begun(path):
        raise ConfigError(f"{key}={shown_path(path)}: holds a {CONFIG_FILE} of no run; take another folder {ON_COMMAND_LINE}")
    if result := _result_in(path):
        raise ConfigError(f"{key}={shown_path(path)}: holds {result}, and no checkpoint; take another folder {ON_COMMAND_LINE}")
    return occupy(path, key, begun=True)


def _result_in(path: Path) -> str | None:
    """What a folder without a checkpoint holds that a new run must not replace; None for what a failed start leaves."""
    for name in sorted(FILES | FOLDERS):
        if name not in _LEFT_BY_A_START and (path / name).exists():
            return name
    with suppress(OSError, ConfigError, ValueError, KeyError, TypeError):
        status = str(read_json(path / "summary.json", MOST_RESULTS)["status"])
        return None if status in ("failed", "preempted") else f"a run that is {one_line(status)}"
    return None


def _was_begun(run_dir: Path) -> bool:
    """Whether a job began a run in a folder: it has Hydra's record, which is made first."""
    return (run_dir / ".hydra").is_dir()


def _differences(config: TrainConfig, stored: TrainConfig, run_dir: Path, origins: Origins) -> Iterator[str]:
    """A line for each value that differs from the run's and that a resume may not change."""
    asked, has = to_mapping(config), to_mapping(stored)
    for group, value in asked.items():
        before = has[group]
        if isinstance(value, dict) and value.get("name") != before.get("name"):  # another option: the rest follows from it
            asked[group], has[group] = value["name"], before["name"]
    asked, has = _leaves(asked), _leaves(has)
    for key in sorted(asked.keys() | has.keys()):
        if key not in ("resume", "rerun") and not is_resumable(key) and asked.get(key) != has.get(key):
            there = show(has[key]) if key in has else "nothing"
            yield Problem(key, asked.get(key), f"the run in {shown_path(run_dir)} has {there}").line(origins)


def _leaves(values: Any, key: str = "") -> dict[str, Any]:
    """The values of nested mappings by dotted key; a list is one value."""
    if not isinstance(values, dict) or not values:
        return {key: values}
    return {
        name: leaf for part, value in values.items() for name, leaf in _leaves(value, f"{key}.{part}" if key else part).items()
    }
