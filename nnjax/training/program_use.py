"""What the programs of an experiment follow from, besides their arguments.

use = ProgramUse(config, spec, network, devices, "train")
use.key(arguments)

Two experiments with equal keys have the same programs. The numbers of optimizer, loss and augmentation, the seeds and the
trials' learning rates are arguments (see `nnjax.training.hyperparams`) and no part of a key, so that the jobs of a sweep over
them share one; whatever else a config holds is part of it, unless a program is said to follow from some parts alone.
"""

import json
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import jax
import numpy as np

from nnjax.config.option_numbers import numbers_of, with_numbers
from nnjax.config.parsing import to_mapping
from nnjax.config.registry import registered
from nnjax.config.schema import Config, Vary
from nnjax.data.dataset_spec import DatasetSpec
from nnjax.training.state import SplitNetwork

_WITHOUT_EFFECT = {"report", "resume", "rerun", "seed"}


@dataclass(frozen=True)
class ProgramUse:
    """What a program is for, and what it follows from besides its arguments.

    Attributes:
        config: the experiment's.
        spec: its dataset.
        network: its static half: what a registered model builds may depend on more than the config.
        devices: that run it.
        purpose: which of the experiment's programs, and what else it follows from.
        parts: the config's groups that it follows from; None for all.
    """

    config: Config
    spec: DatasetSpec
    network: SplitNetwork
    devices: Sequence[jax.Device]
    purpose: Hashable
    parts: tuple[str, ...] | None = None

    def key(self, arguments: Any = ()) -> Hashable:
        """Its key in `PROGRAMS`.

        Args:
            arguments: what it is called with; their structure, shapes and types count.
        """
        structure, shapes = forms_of(arguments)
        structures = _structure(self.config, self.parts), structure, shapes
        return self.purpose, structures, self.spec, self.network, tuple(self.devices), _settings(), registered()

    def facts(self, arguments: Any) -> str | None:
        """The same as text, for a file that other processes read; it needs the code's version, too, which makes the network.

        Args:
            arguments: as for `key`.

        Returns:
            None where a person's own code takes part, or another process.
        """
        if registered() or jax.process_count() > 1:
            return None
        structure, shapes = forms_of(arguments)
        forms = str(structure), [(shape, str(dtype), str(sharding)) for shape, dtype, sharding in shapes]
        devices = [str(device) for device in self.devices]
        return repr((self.purpose, _structure(self.config, self.parts), self.spec, devices, *forms, str(_settings())))


def forms_of(arguments: Any) -> tuple[Any, tuple[Any, ...]]:
    """What a program follows from of its arguments: their structure; and of each its shape, type and sharding."""
    leaves, structure = jax.tree.flatten(arguments)
    return structure, tuple((np.shape(leaf), leaf.dtype, _sharding(leaf)) for leaf in leaves)


def _sharding(leaf: Any) -> Any:
    """How it lies on several devices; None on one, which the key has by itself: `shard_map` has two names for that."""
    sharding = getattr(leaf, "sharding", None)
    return None if sharding is None or len(sharding.device_set) == 1 else sharding


def _settings() -> tuple[Any, ...]:
    return tuple((name, getattr(jax.config, name, None)) for name in jax.config.values)


def _structure(config: Config, parts: Sequence[str] | None) -> str:
    """The config, or some of its groups, as text, where each number that is an argument is 1."""
    augment, rates = config.data.augment, config.training.vary.learning_rate
    config = replace(
        config,
        optimizer=_ones(config.optimizer),
        loss=_ones(config.loss),
        data=replace(config.data, augment=_ones(augment)),
        training=replace(config.training, vary=Vary(None if rates is None else (1.0,) * len(rates))),
    )
    values = to_mapping(config)
    return json.dumps(
        {name: values[name] for name in (values.keys() - _WITHOUT_EFFECT if parts is None else parts)}, sort_keys=True
    )


def _ones(options: Any) -> Any:
    return with_numbers(options, dict.fromkeys(numbers_of(options), 1))
