"""One tiny training, and a registry that forgets what a test registered."""

import pytest
from small_runs import TINY

import nnjax
from nnjax.config import registry


@pytest.fixture(scope="session")
def tiny():
    """Composes a config of a training that takes a moment, with more overrides."""
    return lambda *overrides: nnjax.compose(*TINY, *overrides)


@pytest.fixture(scope="session")
def trained(tiny):
    return nnjax.fit(tiny())


@pytest.fixture
def own_registry():
    before = {(option.group, option.name) for option in registry.registered()}
    yield
    registry.forget([(o.group, o.name) for o in registry.registered() if (o.group, o.name) not in before])
