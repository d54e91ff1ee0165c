import numpy as np
import pytest

from nnjax.api import typical_cache
from nnjax.api.typical_cache import typical_of

INPUTS = np.random.default_rng(0).integers(0, 255, (300, 10, 10, 1), np.uint8)


@pytest.fixture(autouse=True)
def own_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("NNJAX_CACHE", str(tmp_path))
    monkeypatch.setattr(typical_cache, "_SMALL", 1000)
    return tmp_path


@pytest.fixture
def fitted(monkeypatch):
    """The inputs that were fitted."""
    calls, fit = [], typical_cache.fit_typical

    def counted(inputs):
        calls.append(inputs)
        return fit(inputs)

    monkeypatch.setattr(typical_cache, "fit_typical", counted)
    return calls


def same(one, other):
    return all(np.array_equal(value, other.arrays()[name]) for name, value in one.arrays().items())


def test_the_same_inputs_are_fitted_once(fitted):
    assert same(typical_of(INPUTS), typical_of(INPUTS.copy()))
    assert len(fitted) == 1
    typical_of(INPUTS[:, ::-1])
    assert len(fitted) == 2


def test_another_code_fits_anew(fitted, monkeypatch):
    typical_of(INPUTS)
    monkeypatch.setattr(typical_cache, "_code", lambda: "other")
    typical_of(INPUTS)
    assert len(fitted) == 2


@pytest.mark.parametrize("damage", [lambda path: path.write_bytes(path.read_bytes()[:100]), lambda path: path.write_bytes(b"")])
def test_a_damaged_file_is_made_again(fitted, own_folder, damage):
    first = typical_of(INPUTS)
    (path,) = (own_folder / "typical").iterdir()
    damage(path)
    assert same(typical_of(INPUTS), first)
    assert same(typical_of(INPUTS), first)
    assert len(fitted) == 2


def test_a_cache_that_cannot_be_written_changes_nothing(fitted, own_folder):
    (own_folder / "typical").write_text("a file")
    assert same(typical_of(INPUTS), typical_of(INPUTS))
    assert len(fitted) == 2


def test_few_inputs_are_not_kept(own_folder):
    typical_of(INPUTS[:5])
    assert not list(own_folder.iterdir())
