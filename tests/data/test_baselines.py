"""Forecasts without a network, held to sums by hand, to series that they fit exactly, and to statsmodels."""

import sys

import numpy as np
import pytest
from statsmodels.tsa.ar_model import AutoReg
from statsmodels.tsa.holtwinters import ExponentialSmoothing

from nnjax.data import smoothing
from nnjax.data.baselines import baselines, lag_regression, season_growth
from nnjax.data.time_series import TimeSeries, Transform

MONTHS = np.arange(72)
SALES = (100 + 2.0 * MONTHS) * (1 + 0.3 * np.sin(2 * np.pi * MONTHS / 12)) + np.random.default_rng(0).normal(0, 3, 72)


PLAIN = Transform(False, 0)


def series_of(values, window=3, holdout=4, season=4, transform=PLAIN):
    values = np.asarray(values, np.float64)
    return TimeSeries("sales", tuple(map(str, range(len(values)))), values, holdout, window, season, transform)


def test_the_last_season_grows_by_the_mean_factor():
    known = np.array([7.0, 10, 30, 20, 60, 40, 120])  # sums of 40, 80 and 160; the first value belongs to no whole season
    np.testing.assert_allclose(season_growth(known[1:], 2, 5), [80, 240, 160, 480, 320])
    np.testing.assert_allclose(season_growth(known, 2, 2), [80, 240])


def test_values_that_may_be_negative_grow_by_the_mean_difference():
    np.testing.assert_allclose(season_growth(np.array([-1.0, 1, 2, 4, 5, 7]), 2, 4), [8, 10, 11, 13])


def test_a_single_season_has_no_growth():
    assert season_growth(np.array([1.0, 2, 3]), 2, 1) is None


@pytest.mark.parametrize("transform", [Transform(False, 0, 3.0, 2.0), Transform(True, 2, 0.1, 0.5), Transform(False, 1)])
def test_a_recursion_that_is_linear_in_the_inputs_is_continued_exactly(transform):
    changes = [0.3, 0.9]
    for _ in range(40):
        changes.append(1.5 * changes[-1] - 0.9 * changes[-2] + 0.2)
    values = transform.inverse(np.array(changes), np.full(max(1, transform.difference), 5.0))
    series = series_of(values, window=2, holdout=6, transform=transform)
    np.testing.assert_allclose(lag_regression(series, 6), values[-6:], rtol=2e-3)  # windows are float32


def test_the_regression_is_that_of_statsmodels():
    series = series_of(SALES, window=5, holdout=12, transform=Transform(True, 12, 0.1, 0.2))
    changes = series.transform(series.known)
    fitted = AutoReg(changes, lags=5, trend="c").fit()
    expected = series.restored(np.asarray(fitted.forecast(12)))
    np.testing.assert_allclose(lag_regression(series, 12), expected, rtol=1e-4)


@pytest.mark.parametrize("kind", ["add", "mul"])
def test_smoothing_is_that_of_statsmodels(kind):
    model = ExponentialSmoothing(SALES, trend=kind, seasonal=kind, seasonal_periods=12, initialization_method="estimated")
    np.testing.assert_allclose(smoothing.smoothed(SALES, 12, 12, kind), model.fit().forecast(12), rtol=1e-6)


def test_smoothing_needs_statsmodels_seasons_and_positive_values(monkeypatch):
    assert smoothing.smoothed(SALES[:24], 12, 3, "add") is None
    assert smoothing.smoothed(SALES, 1, 3, "add") is None
    assert smoothing.smoothed(np.concatenate([SALES, [0.0]]), 12, 3, "mul") is None
    monkeypatch.setattr(smoothing, "statsmodels_version", lambda: None)
    assert smoothing.smoothed(SALES, 12, 3, "add") is None
    assert list(baselines(series_of(SALES, holdout=12, season=12))) == ["season_growth", "lag_regression"]


@pytest.fixture
def own_cache_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("NNJAX_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_a_forecast_is_fitted_once(own_cache_folder, monkeypatch):
    first = smoothing.smoothed(SALES, 12, 3, "add")
    fits = []
    monkeypatch.setattr(smoothing, "_fitted", lambda *about: fits.append(about) or [0.0] * 3)
    np.testing.assert_array_equal(smoothing.smoothed(SALES, 12, 3, "add"), first)
    assert fits == []
    assert len(list(own_cache_folder.iterdir())) == 1
    for other in (lambda: smoothing.smoothed(SALES + 1, 12, 3, "add"), lambda: smoothing.smoothed(SALES, 12, 3, "mul")):
        other()
    assert len(fits) == 2
    monkeypatch.setattr(smoothing, "statsmodels_version", lambda: "another")
    smoothing.smoothed(SALES, 12, 3, "add")
    assert len(fits) == 3


def test_statsmodels_that_fails_is_done_without(own_cache_folder, monkeypatch):
    smoothing._warn.cache_clear()
    monkeypatch.setitem(sys.modules, "statsmodels.tsa.holtwinters", None)  # its import fails
    with pytest.warns(RuntimeWarning, match="no forecast by Holt-Winters to compare with: statsmodels fails: ") as warned:
        found = baselines(series_of(SALES, holdout=12, season=12))
    assert list(found) == ["season_growth", "lag_regression"]
    assert len(warned) == 1  # for both kinds

    def fails(*arguments, **options):
        raise np.linalg.LinAlgError("SVD did not converge")

    monkeypatch.setattr(smoothing, "_fitted", fails)
    with pytest.warns(RuntimeWarning, match="statsmodels fails: LinAlgError: SVD did not converge"):
        assert smoothing.smoothed(SALES, 12, 3, "add") is None
    assert not own_cache_folder.exists()


@pytest.mark.slow
@pytest.mark.parametrize("content", ["", "{}", "[1]", '{"forecast": [1, 2, 3], "checksum": "x"}', '{"forecast": 5}'])
def test_a_damaged_forecast_is_fitted_again(own_cache_folder, content):
    first = smoothing.smoothed(SALES, 12, 3, "add")
    (entry,) = own_cache_folder.iterdir()
    entry.write_text(content)
    np.testing.assert_array_equal(smoothing.smoothed(SALES, 12, 3, "add"), first)
    assert "checksum" in entry.read_text()


def test_a_cache_that_cannot_be_written_is_done_without(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("NNJAX_CACHE", str(tmp_path / "file"))
    assert len(smoothing.smoothed(SALES, 12, 3, "add")) == 3


def test_all_see_the_known_values_alone():
    others = np.concatenate([SALES[:-12], SALES[-12:][::-1] * 7])
    first, second = (
        baselines(series_of(values, holdout=12, season=12, transform=Transform(True, 12))) for values in (SALES, others)
    )
    assert list(first) == ["season_growth", "lag_regression", "holt_winters_additive", "holt_winters_multiplicative"]
    for name, ahead in first.items():
        np.testing.assert_array_equal(ahead, second[name])
        assert np.sqrt(np.mean((ahead - SALES[-12:]) ** 2)) < 25, name


def test_nothing_held_out_has_no_baselines():
    assert baselines(series_of(SALES, holdout=0, season=12)) == {}


def test_a_growth_beyond_all_numbers_is_left_out_without_a_warning():
    values = np.concatenate([4.0 ** np.arange(60), np.ones(600)])
    assert "season_growth" not in baselines(series_of(values, holdout=600))
