"""Loaders of a chunk's examples: a host gathers only what its own devices need."""

from types import SimpleNamespace

import numpy as np

from nnjax.cli.compose import compose_train
from nnjax.data.dataset import Split
from nnjax.training.chunk_loader import HostLoader


def test_a_host_gathers_only_its_part_of_each_batch():
    config = compose_train(["training.global_batch_size=24"])
    examples = np.arange(1, 97)
    placement = SimpleNamespace(many=False, own_part=lambda size: slice(0, 12), put_batches=lambda parts: parts)
    loader = HostLoader(Split(examples, examples), config, placement, seeds=[0], max_steps=3)
    chunk = loader(first_step=0, num_steps=2)
    for gathered in (chunk.inputs, chunk.targets):
        np.testing.assert_array_equal(gathered[:2, :12], examples[chunk.indices[:2, :12]])
        assert not gathered[:, 12:].any()
        assert not gathered[2:].any()
