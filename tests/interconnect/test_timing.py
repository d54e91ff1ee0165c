import math

import pytest

from nnjax.interconnect.timing import BACKWARD_SHARE, Exchange, alpha_beta, cost, data_rate, run_time, timeline


def test_alpha_beta_at_its_limits():
    def ring(devices, size):
        share = 2 * (devices - 1) / devices
        return alpha_beta(rounds=2 * (devices - 1), latency=1e-6, sent_bytes=share * size, bandwidth=8e9)

    assert ring(2, 1e9) == pytest.approx(2e-6 + 1.0)
    assert ring(2, 0) == pytest.approx(2e-6)
    assert ring(10**9, 1e9) - 2 * (10**9 - 1) * 1e-6 == pytest.approx(2.0)
    assert alpha_beta(1, 1e-6, 1.0, bandwidth=0) == math.inf


def test_each_factor_takes_its_share_of_the_rate():
    assert data_rate(100e9, 0.9, 0.5, oversubscription=2, incast=3) == pytest.approx(7.5e9)


def test_without_overlap_all_exchanges_come_after_the_backward_pass():
    line = timeline(3.0, [Exchange(1.0, True, 0.5), Exchange(0.5, True, 1.0)], overlap=False)
    assert (line.forward, line.backward) == (pytest.approx(1.0), 3.0)
    assert line.spans == ((3.0, 4.0), (4.0, 4.5))
    assert (line.end, line.exposed) == (4.5, 1.5)


def test_with_overlap_an_exchange_begins_when_its_gradients_are_there_and_the_link_is_free():
    exchanges = [Exchange(0.5, True, 0.25), Exchange(2.0, True, 0.5), Exchange(0.25, True, 1.0), Exchange(0.1, False, 1.0)]
    line = timeline(3.0, exchanges, overlap=True)
    starts = [start for start, _ in line.spans]
    assert starts == pytest.approx([1.5, 2.0, 4.0, 4.25])
    assert line.end == pytest.approx(4.35)


def test_overlap_hides_at_most_the_backward_pass():
    hidden = timeline(3.0, [Exchange(0.5, True, 0.1)], overlap=True)
    assert hidden.exposed == 0
    long = timeline(3.0, [Exchange(10.0, True, 0.0)], overlap=True)
    assert long.exposed == pytest.approx(10 - BACKWARD_SHARE * 3)


def test_what_is_not_of_the_backward_pass_waits_for_its_end():
    line = timeline(3.0, [Exchange(0.5, False, 0.0)], overlap=True)
    assert line.spans == ((3.0, 3.5),)


def test_a_run_and_its_price():
    assert run_time(0.1, 36_000, goodput=0.5) == pytest.approx(7200)
    assert run_time(0.1, 1, goodput=0) == math.inf
    assert cost(7200, 8, 2.5) == 40
