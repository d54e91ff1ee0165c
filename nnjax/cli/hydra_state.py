"""Hydra for the time of one composition inside another program, which may be a Hydra application itself.

with own_hydra():
    composition = compose("train", ["model=cnn"])

Hydra keeps its version, its resolvers and its stored configs for the whole process. There is no public way to put them back, so
three private names are used: `VersionBase.version_base`, `ConfigStore.repo` and OmegaConf's `BaseContainer._resolvers`. If one
goes, a composition still works and leaves Hydra's own resolvers behind.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import hydra.conf  # noqa: F401  (stores Hydra's own configs, which must not happen inside)
from hydra.core.config_store import ConfigStore
from hydra.core.plugins import Plugins
from hydra.version import VersionBase
from omegaconf.basecontainer import BaseContainer

from nnjax.cli.plugins import offer_to_hydra
from nnjax.config.registry import GROUPS


@contextmanager
def own_hydra() -> Iterator[None]:
    """Lets a composition see the registered options and not those that the program stored; afterwards all is as before."""
    Plugins.instance()  # which may store configs of their own
    store, version = ConfigStore.instance(), VersionBase.instance()
    repository, base, resolvers = store.repo, version.version_base, dict(BaseContainer._resolvers)
    store.repo = {name: part for name, part in repository.items() if name not in GROUPS}
    try:
        offer_to_hydra()
        yield
    finally:
        store.repo, version.version_base = repository, base
        BaseContainer._resolvers.clear()
        BaseContainer._resolvers.update(resolvers)
