import math

import pytest

from nnjax.interconnect.stragglers import (
    round_with_jitter,
    slowest_of_exponential,
    slowest_of_normal,
    step_with_spread,
    with_one_slow,
)


@pytest.mark.parametrize(("devices", "known"), [(1, 0.0), (2, 1 / math.sqrt(math.pi)), (3, 1.5 / math.sqrt(math.pi))])
def test_the_largest_of_few_has_a_closed_form(devices, known):
    assert slowest_of_normal(devices) == pytest.approx(known, abs=1e-6)


@pytest.mark.parametrize(("devices", "tippett"), [(5, 1.16296), (10, 1.53875), (100, 2.50759), (1000, 3.24144)])
def test_the_largest_of_many_is_in_tippetts_table(devices, tippett):
    assert slowest_of_normal(devices) == pytest.approx(tippett, abs=1e-4)


def test_the_largest_stays_below_its_bound():
    for devices in (2, 64, 4096, 10**6):
        assert slowest_of_normal(devices) < math.sqrt(2 * math.log(devices))


def test_exponential_times():
    assert slowest_of_exponential(3) == pytest.approx(1 + 1 / 2 + 1 / 3)
    assert slowest_of_exponential(4096) == pytest.approx(math.log(4096) + 0.5772, abs=1e-3)


def test_steps_and_rounds_wait_for_the_slowest():
    assert step_with_spread(2.0, 0.05, 1) == 2.0
    assert step_with_spread(2.0, 0.05, 64) == pytest.approx(2 * (1 + 0.05 * slowest_of_normal(64)))
    assert round_with_jitter(1e-3, 1e-4, 2) == pytest.approx(1e-3 + 1e-4 / math.sqrt(math.pi))


def test_one_slow_device_of_four_makes_the_other_three_wait():
    # One takes 2 s, three take 1 s: 3 of 8 device-seconds are spent waiting.
    assert with_one_slow(1.0, 2.0, 4) == pytest.approx(3 / 8)
    assert with_one_slow(1.0, 0.5, 4) == 0.0
