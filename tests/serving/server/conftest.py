"""A model by hand, and its network."""

import pytest
from serving_thread import HandModel, Network, facts_of, hand_occlusion


@pytest.fixture(autouse=True)
def _until_pictures(monkeypatch):
    monkeypatch.setattr("nnjax.serving.server.served_model.occlusion_map", hand_occlusion)


@pytest.fixture
def network():
    return Network()


@pytest.fixture
def models(network):
    facts = facts_of()
    return {facts.name: HandModel(facts, network, None)}
