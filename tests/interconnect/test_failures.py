import math

import pytest

from nnjax.interconnect.failures import (
    daly,
    goodput,
    goodput_without_checkpoints,
    time_between_failures,
    time_without_checkpoints,
    young,
    young_waste,
)

HOUR = 3600


def test_young_with_30_seconds_and_3_hours():
    interval = young(30, 3 * HOUR)
    assert interval == pytest.approx(805, abs=0.5)
    assert young_waste(interval, 30, 3 * HOUR) == pytest.approx(0.075, abs=5e-4)


def test_llama_3_failed_every_three_hours():
    # 54 days · 24 h · 16 384 GPUs / 419 interruptions, and back.
    hours = 54 * 24 * 16384 / 419
    assert hours == pytest.approx(50677, abs=1)
    assert time_between_failures(hours, 16384) / HOUR == pytest.approx(3.09, abs=0.01)


def test_dalys_interval_wastes_least():
    for checkpoint, mean in ((30, 3 * HOUR), (600, 2 * HOUR), (30, 300)):
        best = goodput(daly(checkpoint, mean), checkpoint, 300, mean)
        highest = max(goodput(mean * step / 1000, checkpoint, 300, mean) for step in range(1, 3000))
        assert highest * 0.999 < best <= highest * (1 + 1e-6)


def test_dalys_interval_is_youngs_where_checkpoints_are_cheap():
    assert daly(0.001, 1e6) == pytest.approx(young(0.001, 1e6), rel=1e-3)
    assert daly(100, 50) == 50


def test_the_waste_agrees_with_the_goodput_where_both_hold():
    mean = 1e6
    interval = young(10, mean)
    assert 1 - goodput(interval, 10, 0, mean) == pytest.approx(young_waste(interval, 10, mean), rel=0.01)


def test_without_checkpoints_a_run_of_ten_mean_times_practically_never_ends():
    assert time_without_checkpoints(10 * HOUR, 0, HOUR) == pytest.approx(HOUR * math.expm1(10))
    assert goodput_without_checkpoints(10 * HOUR, 0, HOUR) < 1e-3
    assert time_without_checkpoints(1e6 * HOUR, 0, HOUR) == math.inf
    assert goodput_without_checkpoints(1e6 * HOUR, 0, HOUR) == 0.0
    assert goodput(1e6 * HOUR, 30, 300, HOUR) == 0.0


def test_a_run_that_no_failure_is_likely_to_hit_takes_its_own_time():
    assert time_without_checkpoints(60, 300, 1e9) == pytest.approx(60, rel=1e-5)
    assert goodput(60, 1e-9, 300, 1e9) == pytest.approx(1, rel=1e-5)
