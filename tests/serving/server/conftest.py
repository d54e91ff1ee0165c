"""A model by hand, and its network."""

import numpy as np
import pytest
from serving_thread import HandModel, Network, facts_of


@pytest.fixture(autouse=True)
def _until_pictures(monkeypatch):
    monkeypatch.setattr(
        "nnjax.serving.server.served_model.occlusion_map",
        lambda model, inputs, label: model.probabilities(np.stack([inputs] * 50))[0, :16, 0].reshape(4, 4),
    )


@pytest.fixture
def network():
    return Network()


@pytest.fixture
def models(network):
    facts = facts_of()
    return {facts.name: HandModel(facts, network, None)}
