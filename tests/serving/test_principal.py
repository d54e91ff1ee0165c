"""Principal components are those of the singular value decomposition."""

import numpy as np
import pytest

from nnjax.serving.principal import principal_components


def test_components_are_those_of_all_values():
    random = np.random.default_rng(0)
    scales = 1 / np.arange(1, 41) ** 1.5
    rows = (random.normal(size=(400, 40)) * scales @ np.linalg.qr(random.normal(size=(40, 40)))[0] + 3).astype(np.float32)
    middle, components, deviations = principal_components(rows, 5)
    _, singular, right = np.linalg.svd(rows - rows.mean(0), full_matrices=False)
    np.testing.assert_allclose(middle, rows.mean(0), rtol=1e-5)
    np.testing.assert_allclose(deviations, singular[:5] / 20, rtol=1e-3)
    np.testing.assert_allclose(np.abs((components * right[:5]).sum(1)), 1, atol=1e-3)


@pytest.mark.parametrize(("n", "d", "k"), [(1, 3, 1), (5, 3, 3), (3, 8, 2), (4, 4, 0)])
def test_few_rows(n, d, k):
    middle, components, deviations = principal_components(np.random.default_rng(0).normal(size=(n, d)).astype(np.float32), k)
    assert (middle.shape, components.shape, deviations.shape) == ((d,), (k, d), (k,))
    np.testing.assert_allclose(components @ components.T, np.eye(k), atol=1e-5)
