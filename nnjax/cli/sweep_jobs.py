"""Lists the jobs of a `--multirun` before the first one trains: every combination of the values given to the keys.

    sweep = compose("train", ["experiment=learning_rates,textbook"], run_mode=RunMode.MULTIRUN)
    jobs = list(job_configs(sweep, print))
    # five jobs with a step_size each, from hydra.sweeper.params in the file of experiment=learning_rates, and one more

Values have the meaning that Hydra's basic sweeper gives them: lists, `choice`, `range`, `glob`, `sort`, `shuffle`, and casts.
"""

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from fnmatch import fnmatchcase
from itertools import islice, product
from math import prod
from typing import Any

from hydra.core.config_loader import ConfigLoader
from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException
from omegaconf import OmegaConf, flag_override
from omegaconf.errors import OmegaConfBaseException

from nnjax.cli.compose import Composition, config_loader, override_texts
from nnjax.cli.hydra_internals import (
    BASIC_SWEEPER,
    ChoiceSweep,
    Glob,
    Override,
    QuotedString,
    RangeSweep,
    Sweep,
    Transformer,
)
from nnjax.cli.overrides import ON_COMMAND_LINE, groups, options, parse_override
from nnjax.cli.sweep_templates import Templates
from nnjax.config.diagnostics import show
from nnjax.config.errors import ConfigError

MOST_JOBS = 10_000
"""A larger sweep is taken for a mistake: composing its configs alone would take minutes."""


def lists_jobs(composition: Composition) -> bool:
    """Whether the sweeper is the basic one, whose jobs are known beforehand; others choose jobs by earlier results."""
    return bool(composition.hydra.sweeper._target_ == BASIC_SWEEPER)


def job_configs(sweep: Composition, tell: Callable[[str], object]) -> Iterator[Composition]:
    """Yields the config of every job, in the order in which they run; it is valid until the next one is taken.

    An experiment's file may hold a sweep of its own, `hydra.sweeper.params`; it is combined with the sweep of the command line.
    A key that the command line sets is not swept by a file.

    Args:
        sweep: composed for a multirun, with the basic sweeper.
        tell: called with a line of text for each sweep of a file that the command line replaces.

    Raises:
        ConfigError: for values that cannot be listed, an option that cannot be composed, or more than MOST_JOBS.
    """
    batch_size = sweep.hydra.sweeper.get("max_batch_size")
    if batch_size is not None and batch_size < 1:
        raise ConfigError(f"hydra.sweeper.max_batch_size={batch_size}: must be null or at least 1")
    loader = config_loader(sweep.directories)
    templates = Templates(sweep.verb, override_texts(sweep.hydra, "hydra"), sweep.directories)
    command_line = _by_key(override_texts(sweep.hydra, "task"), loader)
    reported: set[str] = set()

    def jobs(source: Composition, outside: Mapping[str, str], brought: Mapping[str, str]) -> Iterator[Composition]:
        """Yields the jobs for the overrides by key of the command line and the files so far, with the sweep of `source`."""
        with _in_file(source):
            params = _params(source, loader)
        for key in params.keys() & outside.keys() - reported:
            reported.add(key)
            place = source.describe(f"hydra.sweeper.params.{key}")
            tell(f"{command_line[key]}: replaces the sweep over {params[key]}{f' (set in {place})' if place else ''}")
        new = {key: text for key, text in params.items() if key not in outside and key not in brought}
        with _in_file(source):
            for text in new.values():
                _values(parse_override(text, loader), loader)
        if source is not sweep and not new:
            yield source
            return
        given = {**new, **brought, **outside}  # the last override of a key counts, so a file's come first
        for texts in _product([parse_override(text, loader) for text in given.values()], loader):
            job = dict(zip(given, texts, strict=True))
            single = templates.compose(texts)
            yield from jobs(single, {key: job[key] for key in outside}, {key: job[key] for key in given if key not in outside})

    checked: Any = None
    for number, single in enumerate(jobs(sweep, command_line, {})):
        if number == MOST_JOBS:
            raise _too_many(show(" ".join(command_line.values())))
        if single.hydra is not checked:  # jobs of one template have the same settings
            _check_settings(sweep, single)
            checked = single.hydra
        yield single


@contextmanager
def as_job(single: Composition, number: int) -> Iterator[str]:
    """Sets a job's number in its config, for interpolations; yields its folder inside the sweep's.

    Raises:
        ConfigError: if the folder's name cannot be resolved.
    """
    config: Any = single.hydra._get_root()
    with flag_override(config.hydra, ["struct", "readonly"], False):
        config.hydra.job.id, config.hydra.job.num = str(number), number
    before = HydraConfig.instance().cfg
    HydraConfig.instance().cfg = config  # `set_config` would copy it, which takes most of a job's time here
    try:
        folder = str(config.hydra.sweep.subdir)
    except OmegaConfBaseException as error:
        HydraConfig.instance().cfg = before
        pattern: Any = OmegaConf.to_container(config.hydra.sweep, resolve=False)
        raise ConfigError(f"hydra.sweep.subdir={pattern['subdir']}: {str(error).splitlines()[0]}") from error
    try:
        yield folder
    finally:
        HydraConfig.instance().cfg = before


@contextmanager
def _in_file(source: Composition) -> Iterator[None]:
    """Adds to an error in a file's sweep the place where that is set."""
    try:
        yield
    except ConfigError as error:
        key = str(error).partition("=")[0]
        place = source.describe(f"hydra.sweeper.params.{key}") or "hydra.sweeper.params"
        raise ConfigError(str(error).replace(ON_COMMAND_LINE, f"(set in {place})", 1)) from error


def _product(overrides: Sequence[Override], loader: ConfigLoader) -> Iterator[tuple[str, ...]]:
    """Every combination of the overrides' values, as overrides; the last one's change fastest."""
    values = []
    for override in overrides:
        values.append(_values(override, loader))
        if prod(map(len, values)) > MOST_JOBS:
            raise _too_many(str(override.input_line))
    return product(*values)


def _values(override: Override, loader: ConfigLoader) -> list[str]:
    """Returns an override for each value of a key.

    Raises:
        ConfigError: if the values cannot be listed, or if there are none.
    """
    key, text = override.get_key_element(), str(override.input_line)
    if not override.is_sweep_override():
        return [text] if override.is_delete() else [f"{key}={override.get_value_element_as_str()}"]
    items = _items(override.value(), override, loader)
    if not items:
        raise ConfigError(f"{text}: holds no value {ON_COMMAND_LINE}")
    return [f"{key}={Transformer.str(item)}" for item in items]


def _items(value: Any, override: Override, loader: ConfigLoader) -> list[Any]:
    """The values of a sweep, where a value may be a sweep itself; a plain value is returned as the only one."""
    text = override.input_line
    match value:
        case Glob():
            return _matches(value, override, loader)
        case ChoiceSweep():
            items = [item for several in value.list for item in _items(several, override, loader)]
        case RangeSweep():
            try:
                items = list(islice(value.range(), MOST_JOBS + 1))
            except (HydraException, ValueError, ArithmeticError) as error:
                raise ConfigError(f"{text}: a range needs a step other than 0 {ON_COMMAND_LINE}") from error
            if len(items) > MOST_JOBS:
                raise _too_many(str(text))
        case Sweep():
            key = override.get_key_element()
            ways = f"list the values, as in {key}=1,2,3, or write {key}=range(START,STOP,STEP)"
            raise ConfigError(f"{text}: {ways} {ON_COMMAND_LINE}")
        case _:
            return [value]
    return random.sample(items, len(items)) if value.shuffle else items


def _matches(glob: Glob, override: Override, loader: ConfigLoader) -> list[str]:
    """The options that match a glob; a leading underscore or dot must be written out in the glob, as in a shell."""
    text, group = override.input_line, override.key_or_group
    known = options(loader, group)
    if not known:
        hint = f"glob() chooses among the options of a group, and {group} is none; groups: {', '.join(groups(loader))}"
        raise ConfigError(f"{text}: {hint} {ON_COMMAND_LINE}")

    def match(name: str, patterns: object) -> bool:
        hidden = name[0] if name[0] in "_." else ""
        several = patterns if isinstance(patterns, list) else [patterns]
        texts = [item.text if isinstance(item, QuotedString) else str(item) for item in several]
        return any(fnmatchcase(name, pattern) and pattern.startswith(hidden) for pattern in texts)

    found = [name for name in known if match(name, glob.include) and not match(name, glob.exclude)]
    if not found:
        raise ConfigError(f"{text}: no option of this group matches; allowed: {', '.join(known)} {ON_COMMAND_LINE}")
    return found


def _params(source: Composition, loader: ConfigLoader) -> dict[str, str]:
    """The overrides of a file's sweep, by key."""
    texts = [f"{key}={values}" for key, values in (source.hydra.sweeper.get("params") or {}).items()]
    return _by_key(texts, loader)


def _by_key(texts: Sequence[str], loader: ConfigLoader) -> dict[str, str]:
    """The overrides by the key that they set; of several, the last.

    Raises:
        ConfigError: if a key is swept over and set once more.
    """
    found: dict[str, Override] = {}
    for override in (parse_override(text, loader) for text in texts):
        key = f"{'~' * override.is_delete()}{override.key_or_group.replace('[', '.').replace(']', '')}"
        key += f"@{override.package}" if override.package else ""
        earlier = found.get(key)
        if earlier and (earlier.is_sweep_override() or override.is_sweep_override()):
            raise ConfigError(
                f"{override.input_line}: {earlier.input_line} stands there too; give one of them {ON_COMMAND_LINE}"
            )
        found[key] = override
    return {key: str(override.input_line) for key, override in found.items()}


def _check_settings(sweep: Composition, single: Composition) -> None:
    """Refuses a job whose files set another launcher, sweeper or folder than the sweep has."""
    wanted, taken = _of_the_whole_sweep(single), _of_the_whole_sweep(sweep)
    for key, value in wanted.items():
        if value != taken.get(key):
            job = " ".join(override_texts(single.hydra, "task"))
            reason = f"a file sets it for one job ({job}), and it holds for the whole sweep; set it on the command line"
            raise ConfigError(f"hydra.{key}={show(value)}: {reason}")


def _of_the_whole_sweep(composition: Composition) -> dict[str, object]:
    """Hydra's settings that the jobs of a sweep share, with unresolved interpolations."""
    hydra: Any = OmegaConf.to_container(composition.hydra, resolve=False)
    keys = {"sweep.dir": hydra["sweep"].get("dir"), "launcher": hydra["launcher"]}
    return keys | {f"sweeper.{key}": value for key, value in hydra["sweeper"].items() if key != "params"}


def _too_many(text: str) -> ConfigError:
    return ConfigError(f"{text}: makes more than {MOST_JOBS:,} jobs; give fewer values {ON_COMMAND_LINE}")
