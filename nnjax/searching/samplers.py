"""Optuna's samplers and pruners by the names in the config.

study.sampler = make_sampler(config.search, num_begun=12)
"""

import hashlib
import warnings
from collections.abc import Mapping
from typing import Any

from optuna.pruners import BasePruner, HyperbandPruner, MedianPruner, NopPruner, SuccessiveHalvingPruner
from optuna.samplers import BaseSampler, CmaEsSampler, PartialFixedSampler, RandomSampler, TPESampler

from nnjax.config.search_options import Search


def make_sampler(search: Search, num_begun: int, fixed: Mapping[str, Any] | None = None) -> BaseSampler:
    """Makes the sampler for the next trial. It draws by the number of trials begun, so a resumed search asks for the same ones.

    Args:
        search: the options.
        num_begun: trials that have begun so far, without those that a kill interrupted.
        fixed: values that are given by key; the sampler chooses the others.
    """
    seed = int.from_bytes(hashlib.sha256(f"{search.seed}:{num_begun}".encode()).digest()[:4], "big")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Optuna calls several arguments experimental
        sampler = _sampler(search, seed)
        return PartialFixedSampler(dict(fixed), sampler) if fixed else sampler


def make_pruner(search: Search, num_evaluations: int) -> BasePruner:
    """Makes the pruner.

    Args:
        search: the options.
        num_evaluations: of a whole training.
    """
    if search.pruner == "median":
        return MedianPruner(n_startup_trials=search.startup, n_warmup_steps=search.warmup + 1)  # Optuna counts from 0
    least = search.warmup + 1
    if search.pruner == "halving":
        return SuccessiveHalvingPruner(min_resource=least, reduction_factor=3)
    if search.pruner == "hyperband":
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return HyperbandPruner(min_resource=least, max_resource=max(least, num_evaluations), reduction_factor=3)
    return NopPruner()


def _sampler(search: Search, seed: int) -> BaseSampler:
    if search.sampler == "tpe":
        # Several processes, and the trials of a generation, ask before the earlier ones are told: `constant_liar` keeps them
        # apart. Ranges depend on each other, such as the learning rate and the batch size: `multivariate`.
        return TPESampler(n_startup_trials=search.startup, multivariate=True, constant_liar=True, seed=seed)
    if search.sampler == "cmaes":
        return CmaEsSampler(n_startup_trials=search.startup, seed=seed, warn_independent_sampling=False)
    return RandomSampler(seed=seed)  # a grid gives all values itself
