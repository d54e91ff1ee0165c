"""Composes the jobs of a sweep: jobs that choose the same options share one composition, and only their values are set anew.

    templates = Templates("train", settings, directories)
    templates.compose(["model=cnn", "seed=0"])          # composed by Hydra, which takes 60 ms
    templates.compose(["model=cnn", "seed=1"])          # takes 1 ms; the composition of seed=0 is overwritten
    templates.compose(["model=fnn", "seed=1"])          # takes 7 ms

A plain value cannot change which files are composed. So a job's config is that of an earlier job with the same options and the
same keys, with its own values written over the earlier ones. Most options can be exchanged, too: see `sweep_exchange`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from hydra.core.config_loader import ConfigLoader
from omegaconf import OmegaConf, flag_override
from omegaconf.errors import OmegaConfBaseException

from nnjax.cli.compose import Composition, compose, config_loader
from nnjax.cli.hydra_internals import Override, keep_files
from nnjax.cli.overrides import is_group, parse_override
from nnjax.cli.sweep_exchange import OptionExchange


@dataclass(frozen=True)
class _Template:
    """A composition whose values are overwritten by those of later jobs.

    Attributes:
        composition: of the first job.
        prefixes: what stands before each override as Hydra was given it: `++` where the files do not hold the key.
    """

    composition: Composition
    prefixes: tuple[str, ...]


class Templates:
    """The compositions of one sweep.

    Args:
        verb: names the root file.
        settings: overrides of Hydra's own settings, the same for all jobs.
        directories: config folders.
    """

    def __init__(self, verb: str, settings: Sequence[str], directories: Sequence[Path]) -> None:
        self._verb, self._settings, self._directories = verb, list(settings), directories
        self._loader = loader = config_loader(directories)
        keep_files(loader)
        self._parse: Callable[[str], Override] = cache(lambda text: parse_override(text, loader))
        self._is_value: Callable[[str], bool] = cache(lambda text: _is_value(self._parse(text), loader))
        self._options = OptionExchange(verb, loader)
        self._templates: dict[tuple[str, ...], _Template] = {}
        self._composed: dict[tuple[str, ...], _Template] = {}  # by Hydra

    def compose(self, texts: Sequence[str]) -> Composition:
        """Composes one job; its config may be overwritten by the next call.

        Args:
            texts: the job's overrides, in Hydra's grammar and without sweeps.

        Raises:
            ConfigError: as `nnjax.cli.compose.compose`.
        """
        kind = tuple(self._parse(text).get_key_element() if self._is_value(text) else text for text in texts)
        template = self._templates.get(kind) or self._exchanged(kind, texts)
        if template is not None:
            try:
                filled = self._filled(template, texts)
            except OmegaConfBaseException:  # composing anew words the error
                self._templates.pop(kind, None)
                self._composed.pop(kind, None)
            else:
                self._templates[kind] = template
                return filled
        composition = compose(self._verb, [*self._settings, *texts], self._directories, loader=self._loader)
        given = composition.overrides[len(self._settings) :]
        pairs = zip(given, texts, strict=True)
        prefixes = tuple("++" if text.startswith("++") and not own.startswith("+") else "" for text, own in pairs)
        self._composed[kind] = _Template(composition, prefixes)
        if any(map(self._is_value, texts)):
            self._templates[kind] = self._composed[kind]
        return composition

    def _exchanged(self, kind: tuple[str, ...], texts: Sequence[str]) -> _Template | None:
        """The template of a job that chooses other options than one that Hydra composed; None if it has to compose, too."""
        for other, template in self._composed.items():
            differing = [pair for pair in zip(other, kind, strict=False) if pair[0] != pair[1]]
            pairs = [(self._choice(before), self._choice(now)) for before, now in differing]
            choices = dict(now for before, now in pairs if before and now and before[0] == now[0])
            if len(other) != len(kind) or not choices or len(choices) < len(differing):
                continue
            if any(self._changes(text, group, option) for text in texts for group, option in choices.items()):
                continue
            if (composition := self._options.exchanged(template.composition, choices)) is not None:
                keys = [self._parse(text).key_or_group for text in texts]
                prefixes = zip(template.prefixes, keys, strict=True)
                return _Template(composition, tuple("" if key.partition(".")[0] in choices else own for own, key in prefixes))
        return None

    def _choice(self, text: str) -> tuple[str, str] | None:
        """Group and option of an override that chooses an option; None for any other, and for the key of a value."""
        if "=" not in text or self._is_value(text):
            return None
        override = self._parse(text)
        group, option = override.key_or_group, override.value()
        is_plain = not (override.is_add() or override.is_force_add() or override.is_delete() or override.package)
        return (group, option) if is_plain and "/" not in group and isinstance(option, str) and group != "hydra" else None

    def _changes(self, text: str, group: str, option: str) -> bool:
        """Whether an override has another effect with another option of a group: it adds to its values, or removes some."""
        override = self._parse(text)
        parent, _, key = override.key_or_group.partition(".")
        if parent != group or self._choice(text) == (group, option):
            return False
        return not (self._is_value(text) and self._options.holds(group, option, key))

    def _filled(self, template: _Template, texts: Sequence[str]) -> Composition:
        """The composition of a template with the values of another job, in place."""
        earlier = template.composition
        given = [prefix + text for prefix, text in zip(template.prefixes, texts, strict=True)]
        whole: Any = earlier.hydra._get_root()
        values = [self._parse(text) for text in texts if self._is_value(text)]
        for config in (whole, earlier.job):
            with flag_override(config, ["struct", "readonly"], False):
                for override in values:
                    OmegaConf.update(config, override.key_or_group, override.value(), merge=True, force_add=True)
        hydra: Any = earlier.hydra
        with flag_override(hydra, ["struct", "readonly"], False):
            hydra.overrides.task = given
            hydra.job.override_dirname = self._dirname(hydra.job.config.override_dirname, given)
        settings = earlier.overrides[: len(self._settings)]
        return Composition(self._verb, (*settings, *given), earlier.job, hydra)

    def _dirname(self, form: Any, given: Sequence[str]) -> str:
        """Hydra's `job.override_dirname`: the overrides in alphabetical order, with other signs between them."""
        shown = sorted(text for text in given if self._parse(text).key_or_group not in form.exclude_keys)
        return str(form.item_sep).join(shown).replace("=", form.kv_sep)


def _is_value(override: Override, loader: ConfigLoader) -> bool:
    """Whether an override sets one key to a value that replaces an earlier one whole; a mapping would be merged with it."""
    if override.is_delete() or override.is_add() or override.package is not None or override.is_hydra_override():
        return False
    return not isinstance(override.value(), dict) and not is_group(override, loader)
