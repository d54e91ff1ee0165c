import copy
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

CONF = Path(__file__).parents[1] / "conf"
DELETE = object()

Mapping = dict[str, Any]


@cache
def _composed(overrides: tuple[str, ...]) -> Mapping:
    with initialize_config_dir(str(CONF), version_base="1.3"):
        values = OmegaConf.to_container(compose("train", list(overrides)), resolve=True)
    assert isinstance(values, dict)
    return values  # type: ignore[return-value]


def _changed(overrides: str = "", changes: Mapping | None = None) -> Mapping:
    """The plain values of conf/train.yaml with group choices ("model=fnn data=mnist"), then dotted keys changed."""
    values = copy.deepcopy(_composed(tuple(overrides.split())))
    for key, value in (changes or {}).items():
        *parents, leaf = key.split(".")
        node: Any = values
        for parent in parents:
            node = node[int(parent)] if isinstance(node, list) else node.setdefault(parent, {})
        if value is DELETE:
            del node[leaf]
        else:
            node[leaf] = value
    return values


@pytest.fixture(scope="session")
def values_of() -> Callable[..., Mapping]:
    return _changed


@pytest.fixture(scope="session")
def delete() -> object:
    return DELETE
