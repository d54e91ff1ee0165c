import math

import pytest
from link_presets import link_of, plain_link

from nnjax.interconnect.transport import (
    go_back_0,
    go_back_n,
    mathis,
    pftk,
    selective_repeat,
    tcp_goodput,
    tcp_message_time,
    window_of,
)


def test_mathis_at_20_ms_and_one_in_a_thousand():
    assert mathis(mss=1448, rtt=0.020, loss=0.001, acks=2) / 1e6 == pytest.approx(15.9, abs=0.05)


def test_pftk_is_mathis_where_timeouts_cost_nothing():
    assert pftk(1448, 0.02, 1e-3, timeout=0.0) == pytest.approx(mathis(1448, 0.02, 1e-3))
    assert pftk(1448, 0.02, 1e-3, timeout=0.2) < mathis(1448, 0.02, 1e-3)


def test_pftk_by_hand():
    # p = 0.02, rtt 0.1 s, T0 = 0.4 s, b = 2: 0.1 · √(0.08/3) = 0.016330; min(1, 3√0.015) = 0.367423; · 0.02 · 1.0128 · 0.4
    seconds = 0.0163299 + 0.4 * 0.3674235 * 0.02 * 1.0128
    assert pftk(1460, 0.1, 0.02, 0.4) == pytest.approx(8 * 1460 / seconds, rel=1e-5)


def test_a_window_limits_tcp_without_loss():
    assert pftk(1448, 0.02, 0.0, 0.2, window=45) == pytest.approx(8 * 1448 * 45 / 0.02)
    assert mathis(1448, 0.02, 0.0) == pftk(1448, 0.02, 0.0, 0.2) == math.inf
    assert tcp_goodput(1448, 0.02, 0.0, 0.2, 2, 1e9) == 1.0


def test_go_back_n_at_one_percent_and_a_window_of_66():
    assert go_back_n(0.01, 66) == pytest.approx(0.60, abs=1e-12)


def test_go_back_0_delivers_practically_nothing_of_a_message_of_4000_packets():
    share = go_back_0(1 / 256, 4000)
    assert 0 < share < 1e-5
    assert 100e9 * share < 300e3  # of 100 Gb/s, less than 300 kb/s are left
    assert go_back_0(0.5, 10**6) == 0.0


@pytest.mark.parametrize("share", [go_back_n(0, 66), go_back_0(0, 4000), selective_repeat(0)])
def test_without_loss_everything_counts(share):
    assert share == 1.0


def test_a_message_or_window_of_one_packet_only_repeats_what_was_lost():
    assert go_back_n(0.1, 1) == pytest.approx(0.9)
    assert go_back_0(0.1, 1) == pytest.approx(0.9)
    assert selective_repeat(0.1) == pytest.approx(0.9)


def test_the_transports_are_ordered():
    for loss in (1e-4, 1e-3, 1e-2):
        assert go_back_0(loss, 1000) < go_back_n(loss, 66) < selective_repeat(loss)


def test_the_window_is_the_link_and_its_round_trip():
    link = plain_link(bandwidth=8e9, latency=1e-5, mtu=1000)  # 20 µs · 1 GB/s = 20 packets
    assert window_of(link) == pytest.approx(21)
    assert window_of(link_of("roce_100g", window=66)) == 66


def test_a_long_message_takes_pftks_time_and_a_short_one_the_links():
    mss, rtt, loss, timeout = 1448, 0.02, 1e-3, 0.2
    packets = 10**6
    long = tcp_message_time(packets, mss, 1e9, rtt, loss, timeout)
    assert 8 * mss * packets / long == pytest.approx(pftk(mss, rtt, loss, timeout), rel=1e-4)
    assert tcp_message_time(10, mss, 1e9, rtt, 1e-9, timeout) == pytest.approx(80 * mss / 1e9, rel=1e-3)
