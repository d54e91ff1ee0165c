"""A network runs in a few batch sizes only."""

import numpy as np
import pytest

from nnjax.serving.server.batch_sizes import batch_sizes, in_sizes


@pytest.mark.parametrize(
    ("most", "sizes"), [(1, (1,)), (2, (1, 2)), (3, (1, 2, 3)), (8, (1, 2, 4, 8)), (20, (1, 2, 4, 8, 16, 20))]
)
def test_powers_of_two_up_to_the_most(most, sizes):
    assert batch_sizes(most) == sizes


def test_every_number_of_inputs_gets_its_own_outputs_and_no_other_size_is_run():
    seen = []

    def outputs_of(inputs):
        seen.append(len(inputs))
        return np.stack([inputs * 2.0, inputs * 3.0]).astype(np.float32)  # two trials

    padded = in_sizes(outputs_of, (1, 2, 4, 8))
    for number in range(1, 30):
        inputs = np.arange(1, number + 1, dtype=np.float32)[:, np.newaxis]
        assert padded(inputs).tolist() == [(inputs * 2).tolist(), (inputs * 3).tolist()]
    assert set(seen) == {1, 2, 4, 8}
