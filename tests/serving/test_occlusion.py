"""The map is bright where the answer is decided, and nowhere else."""

import numpy as np
from models import facts_of

from nnjax.serving.facts import InputFacts
from nnjax.serving.model import Model
from nnjax.serving.occlusion import occlusion_map


def looks_at(rows, columns, shape, preparation, calls):
    """A model that answers by the lightness of one region."""

    def outputs_of(inputs):
        calls.append(len(inputs))
        seen = inputs[:, rows, columns].mean((1, 2, 3)) / 255
        return np.stack([np.zeros(len(inputs)), 8 * seen], 1)[None].astype(np.float32)

    return Model(facts_of(inputs=InputFacts(shape, "uint8", preparation, 255.0)), outputs_of, None)


def test_the_map_shows_the_region_that_decides():
    for shape, preparation in (((28, 28, 1), "mnist"), ((32, 32, 3), "plain")):
        calls = []
        model = looks_at(slice(4, 8), slice(18, 24), shape, preparation, calls)
        picture = np.zeros(shape, np.uint8)
        picture[4:8, 18:24] = 255
        picture[20:24, 4:8] = 255  # as light, but of no interest
        heat = occlusion_map(model, picture, 1)
        assert (heat.shape, heat.dtype) == (shape[:2], np.float32)
        assert abs(heat[5, 20]) > 0.05
        top, left = np.unravel_index(heat.argmax(), heat.shape)
        assert 4 <= top < 8
        assert 18 <= left < 24
        assert np.abs(heat[16:, :12]).max() < 1e-3 * heat.max()
        assert max(calls) <= 64


def test_covering_what_speaks_against_a_class_raises_it():
    model = looks_at(slice(0, 4), slice(0, 4), (8, 8, 1), "digits", [])
    picture = np.full((8, 8, 1), 255, np.uint8)
    assert occlusion_map(model, picture, 0)[1, 1] < 0 < occlusion_map(model, picture, 1)[1, 1]


def test_rounding_is_no_reason():
    """Batches of other sizes are computed with other roundings: of an empty picture the last rows were in full colour."""

    def outputs_of(inputs):
        return np.tile(np.array([0, 3 + 1e-5 * (len(inputs) % 7)], np.float32), (1, len(inputs), 1))

    model = Model(facts_of(inputs=InputFacts((28, 28, 1), "uint8", "mnist", 255.0)), outputs_of, None)
    assert not occlusion_map(model, np.zeros((28, 28, 1), np.uint8), 1).any()
