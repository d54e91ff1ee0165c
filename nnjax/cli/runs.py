"""Run directories: claimed so that no two runs share one, found again by name, and read back for `resume=` and `run=`.

run_dir = claim(project_root() / "outputs/train/2026-11-23/14-05-09_cnn_digits", "hydra.run.dir")
with locked(run_dir):
    write_config(config, run_dir)
config = read_config(TrainConfig, find_run("outputs/train/2026-11-23/14-05-09_cnn_digits", "run"))
"""

from collections.abc import Sequence
from difflib import get_close_matches
from itertools import chain, count
from pathlib import Path
from typing import Any, TypeVar

import yaml
from omegaconf import OmegaConf

from nnjax.cli.compose import Composition, config_loader, project_root, resolve
from nnjax.cli.folder_contents import check_contents
from nnjax.cli.folder_lock import in_use_elsewhere as in_use_elsewhere  # for those who import it from here
from nnjax.cli.folder_lock import locked as locked
from nnjax.cli.overrides import HYDRA_ERRORS, ON_COMMAND_LINE, is_group, parse_override
from nnjax.cli.provenance import Provenance
from nnjax.cli.stored_config import check_data_places, read_stored_config
from nnjax.cli.sweep_file import SWEEP_FILE
from nnjax.cli.sweep_results import OUTCOME_FILE
from nnjax.config.checkpoint_names import steps_saved
from nnjax.config.diagnostics import Origins, Problem
from nnjax.config.errors import ConfigError
from nnjax.config.parsing import parse, to_mapping
from nnjax.config.paths import absence, check_name, check_writable, expanded, is_dir, reaching, shown_path
from nnjax.config.stored_files import write_text

T = TypeVar("T")

CONFIG_FILE = "config.yaml"

RESUMABLE = (
    "training.duration",
    "training.evaluate_every",
    "training.checkpoint_every",
    "training.keep",
    "training.stop",
    "training.planned",
    "schedule.restarts",
    "parallel",
    "data.directory",
    "data.file",
    "data.placement",
    "debug.watchdog",
    "debug.stall_limit",
    "report",
)
"""The keys that a resume may change: how long and where the run trains, not what it trains."""


def claim(path: Path, key: str) -> Path:
    """Makes a new folder, named `path` or, where that is taken, ``path_2`` and so on.

    Raises:
        ConfigError: if it cannot be made; `key` is the key that named it.
    """
    check_name(path, key)
    candidates = chain([path], (path.with_name(f"{path.name}_{number}") for number in count(2)))
    with reaching(key, path, "cannot be made"):
        path.parent.mkdir(parents=True, exist_ok=True)
        return next(filter(_make, candidates))


def occupy(path: Path, key: str, place: str = ON_COMMAND_LINE, *, begun: bool = False) -> Path:
    """Makes the folder that a person named with `key`; it may exist already.

    Args:
        path: the folder.
        key: what named it.
        place: where that was, for the error.
        begun: whether a run that has no checkpoint yet may be there.

    Raises:
        ConfigError: if it holds an earlier run or cannot be made.
    """
    for pattern in (*(() if begun else (CONFIG_FILE,)), f"*/{CONFIG_FILE}", f"*/{OUTCOME_FILE}"):
        with reaching(key, path, "cannot be made"):
            found = next((file for file in path.glob(pattern) if not begun or file.parent.name != ".hydra"), None)
        if found:
            reason = f"holds an earlier run ({found.relative_to(path)}); resume=FOLDER resumes one; else take another folder"
            raise ConfigError(f"{key}={shown_path(path)}: {reason} {place}".rstrip())
    if not begun and steps_saved(path / "checkpoints"):
        reason = "holds checkpoints of an earlier run, without its config; take another folder"
        raise ConfigError(f"{key}={shown_path(path)}: {reason} {place}".rstrip())
    check_name(path, key)
    with reaching(key, path, "cannot be made"):
        path.mkdir(parents=True, exist_ok=True)
    check_contents(path)
    check_writable(path, key)
    return path


def write_config(config: object, run_dir: Path) -> None:
    """Writes ``config.yaml``, whole or not at all; without `resume` and `rerun`, which are no part of the experiment."""
    mapping = to_mapping(config)
    mapping |= {key: None for key in ("resume", "rerun") if key in mapping}
    text = yaml.safe_dump(mapping, sort_keys=False, allow_unicode=True, default_flow_style=None, width=120)
    with reaching("", run_dir / CONFIG_FILE, "cannot be written"):
        write_text(run_dir / CONFIG_FILE, text)


def read_config(schema: type[T], run_dir: Path) -> T:
    """The config of an earlier run.

    Raises:
        ConfigError: if it is damaged, or of a version that held other keys.
    """
    origins = Provenance()
    values = read_stored_config(run_dir / CONFIG_FILE)
    origins.add_file(run_dir / CONFIG_FILE, package="")
    check_data_places(values, origins)
    return parse(schema, values, origins)


def find_run(name: str, key: str, origins: Origins) -> Path:
    """The folder of an earlier run, absolute; `name` may start here or at the project's root.

    Args:
        name: the value of the key.
        key: `run`, `resume` or `rerun`.
        origins: tells where the key was set.

    Raises:
        ConfigError: if there is no run.
    """
    candidates = [base / expanded(name, key) for base in (Path.cwd(), project_root())]
    for folder in candidates:
        if holds_config(folder):
            found = folder.resolve()
            check_contents(found, written=key == "resume")
            return found
    other = next((folder for folder in candidates if is_dir(folder)), None)
    reason = f"no run: it holds no {CONFIG_FILE}" if other else absence(candidates[0])
    if key == "resume" and other and (other / SWEEP_FILE).is_file():
        of_train = not isinstance(origins, Composition) or origins.verb == "train"  # other verbs' sweeps are not resumed
        way = "add -m, which runs what is left of it" if of_train else "name the folder of one of its jobs"
        raise ConfigError(Problem(key, name, f"is a sweep, not a run; {way}").line(origins))
    near = _nearest_run(name, other)
    hint = f"; did you mean {near}?" if near else ""
    raise ConfigError(Problem(key, name, reason + hint).line(origins))


def holds_config(folder: Path) -> bool:
    """Whether a folder has an entry `config.yaml`; what that is, a reader checks."""
    try:
        (folder / CONFIG_FILE).lstat()
    except (OSError, ValueError):
        return False
    return True


def newest_run() -> str | None:
    """The run that was started last, in the form that `run=` takes."""
    return max(_all_runs(), key=_started, default=None)


def is_resumable(key: str, names: Sequence[str] = RESUMABLE) -> bool:
    """Whether a resumed run may change a dotted key; `names` are the keys that it may change."""
    return f"{key}.".startswith(tuple(f"{name}." for name in names))


def read_earlier(
    composition: Composition, key: str, run_dir: Path, names: Sequence[str] = RESUMABLE
) -> tuple[dict[str, Any], Provenance]:
    """Returns an earlier run's values, changed by the overrides of the command line, and where they were set.

    Args:
        composition: of the command line; only the keys that its overrides name are taken from it.
        key: `resume`, which keeps the experiment as it was, or `rerun` (`run` for verify and traffic), which starts a new one
            like it; the keys that only those commands have are left out.
        run_dir: folder of the earlier run.
        names: the keys that a resume may change.

    Raises:
        ConfigError: for an override that would change what a resumed run trains.
    """
    values, origins = read_stored_config(run_dir / CONFIG_FILE), Provenance()
    origins.add_file(run_dir / CONFIG_FILE, package="")
    config = OmegaConf.create(values, flags={"allow_objects": True})
    loader = config_loader(composition.directories)
    for override in (parse_override(text, loader) for text in composition.overrides):
        changed, text = override.key_or_group, str(override.input_line).lstrip("+")
        if override.is_hydra_override() or changed == key:
            continue
        free = key != "resume" or is_resumable(changed, names)
        if override.is_delete() or not free:
            reason = f"a resumed run stays the experiment it was; it may change {', '.join(names)}"
            if key != "resume":
                reason = "every key of the earlier run is needed; give it another value"
            raise ConfigError(f"{text}: {reason} {ON_COMMAND_LINE}")
        chosen, top = is_group(override, loader), changed.partition(".")[0]
        if key == "run" and top not in values and top in composition.job:  # the command's own, which the run's config lacks
            if not chosen:
                origins.add_override(changed, override.value())
            continue
        if chosen and changed not in values:
            raise ConfigError(f"{text}: {key}= takes the earlier run's config; give one of them {ON_COMMAND_LINE}")
        value: Any = composition.job[changed] if chosen else override.value()
        try:
            OmegaConf.update(config, changed, value, merge=not chosen, force_add=True)
        except HYDRA_ERRORS as error:
            reason = f"does not fit {shown_path(run_dir / CONFIG_FILE)}: {str(error).splitlines()[0]}"
            raise ConfigError(f"{text}: {reason} {ON_COMMAND_LINE}") from error
        origins.add_override(changed, OmegaConf.to_container(value) if OmegaConf.is_config(value) else value)
    values = resolve(config, origins)
    check_data_places(values, origins)
    values[key] = str(run_dir)
    origins.add_override(key, str(run_dir))
    return values, origins


def _make(folder: Path) -> bool:
    """Makes a folder; of two processes that try at once, one succeeds."""
    try:
        folder.mkdir()
    except FileExistsError:
        return False
    return True


def _runs(folder: Path, *patterns: str) -> list[str]:
    """The runs below a folder, from the project's root where they lie in it."""
    root = project_root()
    runs = sorted(path.parent for pattern in patterns for path in folder.glob(f"{pattern}/{CONFIG_FILE}"))
    return [str(run.relative_to(root) if run.is_relative_to(root) else run) for run in runs]


def _all_runs() -> list[str]:
    return _runs(project_root() / "outputs", "train/*/*", "sweeps/*/*/*")


def _started(run: str) -> float:
    return (project_root() / run / CONFIG_FILE).lstat().st_mtime


def _nearest_run(name: str, folder: Path | None) -> str | None:
    """A run inside the folder, such as a sweep's, else the run with the most similar name, else the newest."""
    near = _runs(folder, "*") if folder else []
    near = near or get_close_matches(name.rstrip("/"), _all_runs(), n=1, cutoff=0.5)
    return near[0] if near else newest_run()
