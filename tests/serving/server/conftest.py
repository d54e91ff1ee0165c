"""A model by hand, and its network."""

import pytest
from serving_thread import Network, facts_of

from nnjax.serving.model import Model


@pytest.fixture
def network():
    return Network()


@pytest.fixture
def models(network):
    facts = facts_of()
    return {facts.name: Model(facts, network, None)}
