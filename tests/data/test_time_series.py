"""Time series: windows that never know what they have to tell, a scale from the training part alone, and the way back."""

from dataclasses import replace

import numpy as np
import pytest
from archives import PLAIN
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from nnjax.config.data_options import AirlineData, SeriesData
from nnjax.config.errors import DataError
from nnjax.data.dataset_spec import dataset_spec
from nnjax.data.load import load
from nnjax.data.time_series import Transform

AIRLINE = AirlineData(name="airline", window=12, holdout=24, season=12, transform="log", difference=0, **PLAIN)
CHANGES = [{}, {"difference": 1}, {"difference": 12, "validation": 0.2}, {"transform": "none", "limit_train": 40}]


def series_of(folder, values, **changes):
    path = folder / "made.csv"
    path.write_text("\n".join(["value", *map(repr, map(float, values))]) + "\n")
    options = {"window": 2, "holdout": 3, "season": 2, "transform": "none", "difference": 0}
    return SeriesData(name="series", file=str(path), column=None, **PLAIN | options | changes)


@pytest.mark.parametrize("changes", [*CHANGES, {"limit_train": 40, "validation": 0.25, "normalize": False}])
def test_splits_agree_with_the_spec(changes):
    data = replace(AIRLINE, **changes)
    dataset = load(data)
    assert dataset.spec == dataset_spec(data)
    sizes = {"train": dataset.spec.num_train, "validation": dataset.spec.num_validation, "test": dataset.spec.num_test}
    for name, size in sizes.items():
        split = getattr(dataset, name)
        assert split.inputs.shape == (size, 12, 1)
        assert split.targets.shape == (size, 1)
        assert split.inputs.dtype == split.targets.dtype == np.float32
    assert (dataset.mean, dataset.std) == (0, 1)


def test_windows_by_hand(tmp_path):
    dataset = load(series_of(tmp_path, [1, 2, 4, 7, 11, 16, 22, 29], difference=1, normalize=False))
    # changes: 1 2 3 4 | 5 6 7
    assert dataset.train.inputs[..., 0].tolist() == [[1, 2], [2, 3]]
    assert dataset.train.targets.tolist() == [[3], [4]]
    assert dataset.test.inputs[..., 0].tolist() == [[3, 4], [4, 5], [5, 6]]
    assert dataset.test.targets.tolist() == [[5], [6], [7]]
    assert dataset.series.last_window[:, 0].tolist() == [3, 4]
    assert dataset.series.restored(np.float32([1, 1, -3])).tolist() == [12, 13, 10]


def test_windows_share_the_memory_of_the_series(tmp_path):
    values = np.random.default_rng(0).normal(size=2000)
    dataset = load(series_of(tmp_path, values, window=500, difference=3, normalize=False))
    changes = np.float32(values[3:] - values[:-3])
    inputs = dataset.train.inputs
    assert inputs.shape == (len(dataset.train), 500, 1) == (1494, 500, 1)
    np.testing.assert_array_equal(inputs[[0, 700, 1493], :, 0], [changes[row : row + 500] for row in (0, 700, 1493)])
    np.testing.assert_array_equal(dataset.train.targets[:, 0], changes[500:1994])
    assert np.shares_memory(inputs[0], inputs[400])


def test_a_column_that_is_chosen_by_its_place_is_named(tmp_path):
    data = replace(series_of(tmp_path, []), column=-1)
    (tmp_path / "made.csv").write_text("a,b\n" + "".join(f"{row % 5},{row % 7}\n" for row in range(30)))
    lines = []
    assert load(data, echo=lines.append).series.name == "b"
    assert lines == ["data.column=-1 is b"]
    load(replace(data, column="a"), echo=lines.append)
    assert len(lines) == 1


def test_the_scale_is_that_of_the_training_windows(tmp_path):
    values = [1, 5, 2, 8, 3, 9, 1, 4, 7, 100, 200, 300]
    dataset = load(series_of(tmp_path, values, validation=0.3))
    seen = np.array(values[:7])  # 7 windows of the 9 known values, 2 of them for validation
    assert (len(dataset.train), len(dataset.validation)) == (5, 2)
    transform = dataset.series.transform
    assert (transform.mean, transform.std) == (pytest.approx(seen.mean()), pytest.approx(seen.std()))
    np.testing.assert_allclose(dataset.train.targets[:, 0], (seen[2:] - seen.mean()) / seen.std(), rtol=1e-6)


def test_the_scale_of_a_limited_training_is_that_of_the_newest_windows(tmp_path):
    values = [1000, 1, 5, 2, 8, 3, 9, 1, 4, 7]
    dataset = load(series_of(tmp_path, values, limit_train=3))
    seen = np.array(values[2:7])
    assert dataset.series.transform.mean == pytest.approx(seen.mean())
    np.testing.assert_allclose(dataset.train.targets[:, 0] * seen.std() + seen.mean(), values[4:7], rtol=1e-6)


def test_validation_is_the_end_of_the_training_part():
    whole, cut = load(replace(AIRLINE, normalize=False)), load(replace(AIRLINE, normalize=False, validation=0.25))
    joined = np.concatenate([cut.train.targets, cut.validation.targets])
    np.testing.assert_array_equal(joined, whole.train.targets)
    np.testing.assert_array_equal(cut.validation.inputs, whole.train.inputs[-27:])
    np.testing.assert_array_equal(cut.test.inputs, whole.test.inputs)


@pytest.mark.slow
@pytest.mark.parametrize("changes", CHANGES)
@given(place=st.integers(0, 23), factor=st.sampled_from([0.01, 1.5, 1000]))
def test_held_out_values_touch_nothing_but_the_test_windows_that_follow(tmp_path_factory, changes, place, factor):
    values = np.array(load(AIRLINE).series.values)
    folder = tmp_path_factory.mktemp("made")
    options = {**{name: getattr(AIRLINE, name) for name in ("window", "holdout", "season", "transform")}, **changes}
    before = load(series_of(folder, values, **options))
    values[120 + place] *= factor
    after = load(series_of(folder, values, **options))
    assert after.series.transform == before.series.transform
    np.testing.assert_array_equal(after.series.last_window, before.series.last_window)
    for name in ("train", "validation"):
        np.testing.assert_array_equal(getattr(after, name).inputs, getattr(before, name).inputs)
        np.testing.assert_array_equal(getattr(after, name).targets, getattr(before, name).targets)
    np.testing.assert_array_equal(after.test.inputs[: place + 1], before.test.inputs[: place + 1])
    np.testing.assert_array_equal(after.test.targets[:place], before.test.targets[:place])
    assert after.test.targets[place] != before.test.targets[place]


@given(
    arrays.arrays(np.float64, st.integers(8, 40), elements=st.floats(0.1, 1e6)),
    st.booleans(),
    st.integers(0, 4),
    st.integers(1, 3),
)
def test_the_inverse_undoes_the_transform(values, log, difference, ahead):
    transform = Transform(log, difference, mean=0.3, std=2.0)
    scaled = transform(values)
    assert len(scaled) == len(values) - difference
    np.testing.assert_allclose(transform.inverse(scaled[-ahead:], values[:-ahead]), values[-ahead:], rtol=1e-6, atol=1e-4)


def test_forecasts_build_on_each_other():
    transform = Transform(log=False, difference=2)
    assert transform.inverse(np.array([1.0, 10, 100, 1000]), np.array([5.0, 7])).tolist() == [6, 17, 106, 1017]


def test_a_series_that_is_too_short(tmp_path):
    with pytest.raises(DataError, match="too short"):
        load(series_of(tmp_path, [1, 2, 3, 4, 5]))


@pytest.mark.parametrize(("values", "changes"), [
    ([0.1 * i for i in range(40)], {"difference": 1}),
    ([1e6 + 0.1 * i for i in range(40)], {"difference": 1}),
    ([0.1] * 40, {"difference": 0}),
    ([1.1**i for i in range(40)], {"difference": 1, "transform": "log"}),
])  # fmt: skip
def test_changes_that_are_all_alike_are_not_scaled_by_their_rounding(tmp_path, values, changes):
    dataset = load(series_of(tmp_path, values, **changes))
    for split in (dataset.train, dataset.test):
        np.testing.assert_allclose(split.inputs, 0, atol=1e-6)
        np.testing.assert_allclose(split.targets, 0, atol=1e-6)
