"""Where a formula meets randomness, a discrete-event simulation agrees within its own confidence interval of 99 %, seeded."""

import math

import pytest
from simulations import barrier, burst, failing_run, interval, reno, sliding_window, whole_messages

from nnjax.interconnect.failures import daly, goodput, time_between_failures, time_without_checkpoints
from nnjax.interconnect.incast import incast_loss, incast_queue
from nnjax.interconnect.stragglers import round_with_jitter, slowest_of_exponential, step_with_spread
from nnjax.interconnect.transport import go_back_0, go_back_n, mathis, selective_repeat


def agrees(values, formula, width=0.05):
    """Whether a formula lies in the simulations' confidence interval, which is narrow enough to show a wrong one."""
    mean, half = interval(values)
    assert half < width * mean
    assert abs(mean - formula) < half, f"simulated {mean:.5g} ± {half:.2g}, computed {formula:.5g}"


@pytest.mark.parametrize(("loss", "delay"), [(0.01, 32), (0.05, 4), (0.002, 32)])
def test_go_back_n(loss, delay):
    # The lost packet, the one whose arrival shows the gap, and those of both directions' delay.
    window = 2 + 2 * delay
    runs = [sliding_window(seed, loss=loss, packets=1500, delay=delay, selective=False) for seed in range(20)]
    agrees(runs, go_back_n(loss, window), width=0.12)


def test_selective_repeat():
    runs = [sliding_window(seed, loss=0.05, packets=1500, delay=4, selective=True) for seed in range(20)]
    agrees(runs, selective_repeat(0.05), width=0.01)


@pytest.mark.slow
@pytest.mark.parametrize(("loss", "packets"), [(1 / 64, 100), (0.05, 40)])
def test_go_back_0(loss, packets):
    runs = [whole_messages(seed, loss=loss, packets=packets, messages=100) for seed in range(20)]
    agrees(runs, go_back_0(loss, packets), width=0.1)


@pytest.mark.parametrize("loss", [1e-3, 4e-3])
def test_mathis_is_near_a_window_that_grows_and_halves(loss):
    # √(3/2) holds for losses at equal distances; with random ones, windows and distances vary.
    mean, half = interval([reno(seed, loss=loss, rounds=10_000) for seed in range(10)])
    computed = mathis(mss=1 / 8, rtt=1, loss=loss, acks=2)
    assert half < 0.05 * mean
    assert mean == pytest.approx(computed, rel=0.1)


def test_the_slowest_of_normal_times():
    runs = [barrier(seed, draw_time=lambda draw: draw.gauss(1, 0.1), devices=16, steps=200) for seed in range(20)]
    agrees(runs, step_with_spread(1.0, 0.1, 16), width=0.01)


def test_the_latest_of_normal_latencies():
    runs = [barrier(seed, draw_time=lambda draw: draw.gauss(5, 1), devices=64, steps=100) for seed in range(20)]
    agrees(runs, round_with_jitter(5.0, 1.0, 64), width=0.01)


def test_the_slowest_of_exponential_times():
    runs = [barrier(seed, draw_time=lambda draw: draw.expovariate(1), devices=16, steps=200) for seed in range(20)]
    agrees(runs, slowest_of_exponential(16))


@pytest.mark.parametrize("mean", [10_800, 600])
def test_goodput_with_checkpoints(mean):
    devices, checkpoint, restart = 8, 30, 120
    every = daly(checkpoint, mean)
    job = {"devices": devices, "device_mean": mean * devices, "checkpoint": checkpoint, "restart": restart}
    runs = [failing_run(seed, interval=every, intervals=1000, **job) for seed in range(20)]
    agrees([share for share, _ in runs], goodput(every, checkpoint, restart, mean), width=0.02)
    agrees([rate for _, rate in runs], 1 / time_between_failures(mean * devices / 3600, devices), width=0.1)


def test_a_run_without_checkpoints():
    job = {"devices": 4, "device_mean": 4000, "checkpoint": 0, "restart": 100}
    runs = [1 / failing_run(seed, interval=2000, intervals=100, **job)[0] for seed in range(30)]
    agrees(runs, time_without_checkpoints(2000, 100, 1000) / 2000, width=0.1)


@pytest.mark.parametrize("buffer", [0, 50, 1000])
def test_a_burst_of_many_senders(buffer):
    longest, dropped = burst(senders=8, window=100, buffer=buffer)
    assert dropped == pytest.approx(incast_loss(8, 100, buffer), abs=0.02)
    assert longest == pytest.approx(min(buffer, incast_queue(8, 100)), abs=8)


def test_the_interval_is_students():
    mean, half = interval([1.0, 2.0, 3.0])
    assert mean == 2.0
    assert half == pytest.approx(9.925 / math.sqrt(3), rel=1e-3)
