import math
from dataclasses import replace

import pytest
from link_presets import all_reduce, device_of, link_of, plain_device, plain_link

from nnjax.config.types import MemorySize
from nnjax.interconnect.collective import Part
from nnjax.interconnect.collective_time import goodput_of, inner_link, time_of
from nnjax.interconnect.transport import pftk


def timed(collective=None, link=None, device=None, devices=2, algorithm="ring"):
    collective, link, device = collective or all_reduce(), link or plain_link(), device or plain_device()
    return time_of(collective, link, device, devices=devices, algorithm=algorithm)


def test_two_devices_send_the_buffer_once_in_two_rounds():
    one = timed()
    assert (one.sent_bytes, one.rounds) == (1e6, 2)
    assert one.time == pytest.approx(2 * 1e-5 + 1e6 / 1e9)
    assert one.algbw == pytest.approx(one.busbw) == pytest.approx(1e6 / one.time / 1e9)


def test_many_devices_send_the_buffer_twice_and_wait_ever_longer():
    many = timed(devices=10**6)
    assert many.transfer == pytest.approx(2 * 1e6 / 1e9, rel=1e-5)
    assert many.latency == pytest.approx(2 * (10**6 - 1) * 1e-5)


def test_busbw_of_a_large_buffer_is_the_links_bandwidth():
    for devices in (2, 8, 64):
        assert timed(all_reduce(10**9), devices=devices).busbw == pytest.approx(1.0, rel=1e-3)


def test_an_empty_buffer_takes_the_rounds_and_the_call():
    one = timed(all_reduce(0), plain_link(call_overhead=1e-3), devices=4)
    assert one.time == pytest.approx(1e-3 + 6 * 1e-5)
    assert one.overhead == 1e-3


def test_one_device_exchanges_nothing():
    one = timed(devices=1)
    assert (one.time, one.packets, one.wire_bytes, one.algbw) == (0, 0, 0, 0)


def test_gloo_waits_two_round_trips_for_each_buffer():
    # Measured: 83.5, 170, 252 and 335 ms for 2, 4, 6 and 8 tensors at a round trip of 20.6 ms.
    link = plain_link(latency=0.0103, round_latencies=2, bandwidth=1e12)
    for buffers, milliseconds in ((2, 83.5), (4, 170), (6, 252), (8, 335)):
        predicted = 1e3 * timed(all_reduce(buffers=buffers), link).time
        assert predicted == pytest.approx(milliseconds, rel=0.035)


def test_headers_and_acknowledgements_share_the_link():
    one = timed(all_reduce(1448 * 1000), link_of("ethernet_1g"), device_of("cpu"))
    assert 8 * one.sent_bytes / one.transfer == pytest.approx(1e9 * 1448 / (1448 + 90 + 45), rel=1e-3)
    assert one.wire_bytes == one.sent_bytes + one.packets * 90


@pytest.mark.parametrize("algorithm", ["ring", "tree", "halving_doubling", "hierarchical"])
def test_the_packets_of_an_exchange_are_those_of_its_buffers_each_by_itself(algorithm):
    link, device = link_of("ethernet_1g"), plain_device(per_machine=2, inner_bandwidth=80e9)
    parts = tuple(Part("dense_1", name, count) for name, count in (("kernel", 9000), ("bias", 38), ("scale", 1)))
    together = timed(all_reduce(parts=parts, buffers=3), link, device, 8, algorithm)
    alone = [timed(all_reduce(parts=(part,)), link, device, 8, algorithm) for part in parts]
    assert together.packets == sum(one.packets for one in alone)
    # Two buffers that hold three parts are not known one by one.
    assert all_reduce(parts=parts, buffers=2).buffer_counts == (4520, 4519)
    assert all_reduce(parts=parts, buffers=1).buffer_counts == (9039,)


def test_loss_slows_the_transfer_by_the_transports_formula():
    link = plain_link(loss=0.01, window=66)
    assert timed(link=link).transfer == pytest.approx(timed().transfer / 0.6)
    assert timed(link=replace(link, transport="selective_repeat")).transfer == pytest.approx(timed().transfer / 0.99)


def test_tcp_with_loss_has_pftks_rate_in_a_long_transfer():
    link = plain_link(loss=1e-3, transport="tcp", latency=0.01, mtu=1448)
    one = timed(all_reduce(10**9), link)
    assert 8 * one.sent_bytes / one.transfer == pytest.approx(pftk(1448, 0.02, 1e-3, 0.2), rel=1e-3)
    share = goodput_of(link, 1).value
    assert share == pytest.approx(pftk(1448, 0.02, 1e-3, 0.2) / 8e9)


def test_where_nothing_arrives_the_time_is_infinite_and_named():
    one = timed(all_reduce(10**9), plain_link(loss=0.5, transport="go_back_0"))
    assert one.time == math.inf
    assert one.busbw == 0
    assert any("bandwidth=0 must be greater than 0" in words for figure in one.figures for words in figure.outside)


def test_oversubscription_and_incast_divide_the_bandwidth():
    assert timed(link=plain_link(oversubscription=4)).transfer == pytest.approx(4 * timed().transfer)
    assert timed(link=plain_link(incast=3, lossless=True)).transfer == pytest.approx(3 * timed().transfer)


def test_an_overflowing_buffer_costs_a_timeout_unless_the_switch_stops_the_senders():
    crowd = plain_link(incast=32, buffer="10kB", timeout=0.2)
    assert timed(link=crowd).overhead == 0.2
    assert timed(link=replace(crowd, lossless=True)).overhead == 0
    assert timed(link=replace(crowd, buffer=MemorySize.parse("100MB"))).overhead == 0


def test_jitter_delays_each_round():
    still, shaken = timed(), timed(link=plain_link(jitter=1e-6))
    assert shaken.latency - still.latency == pytest.approx(2 * 1e-6 / math.sqrt(math.pi), rel=1e-4)


def test_devices_of_one_machine_use_its_inner_link():
    device = plain_device(per_machine=8, inner_bandwidth=80e9, inner_latency=1e-6)
    inside, one = inner_link(plain_link(), device), timed(device=device, devices=8)
    assert (inside.bandwidth, inside.latency, inside.loss, inside.payload) == (80e9, 1e-6, 0, 256)
    assert one.latency == pytest.approx(14 * 1e-6)
    assert one.transfer == pytest.approx(1.75e6 / 10e9 * 272 / 256, rel=1e-3)
    assert (one.packets, one.wire_bytes) == (0, 0)


def test_a_machines_links_share_a_buffer_and_each_round_has_the_latency_of_its_link():
    device = plain_device(per_machine=4, inner_bandwidth=1e15, inner_latency=1e-6)
    one = timed(device=device, devices=8)
    assert one.transfer == pytest.approx(1.75e6 / 4 / 1e9)
    assert one.latency == pytest.approx(2 * 1e-5 + 12 * 1e-6)
    narrow = timed(device=replace(device, inner_bandwidth=16e9), devices=8)
    assert narrow.transfer == pytest.approx(1.75e6 / 2e9 * 272 / 256, rel=1e-3)


def test_a_hierarchy_sends_its_parts_one_after_another():
    device = plain_device(per_machine=4, inner_bandwidth=80e9, inner_latency=1e-6)
    one = timed(device=device, devices=8, algorithm="hierarchical")
    assert one.latency == pytest.approx(6 * 1e-6 + 2 * 1e-5)
    assert one.transfer == pytest.approx(1.5e6 / 10e9 * 272 / 256 + 0.25e6 / 1e9, rel=1e-3)
    assert one.time == pytest.approx(one.overhead + one.latency + one.transfer)
    # Both algorithms put the same bytes on the link between the machines.
    assert one.wire_bytes == pytest.approx(timed(device=device, devices=8).wire_bytes * 0.25 / (1.75 / 4))


@pytest.mark.parametrize("algorithm", ["ring", "tree", "halving_doubling", "hierarchical"])
@pytest.mark.parametrize("devices", [2, 6, 8, 16])
def test_the_parts_add_up_and_the_last_figure_of_time_is_the_time(algorithm, devices):
    device = plain_device(per_machine=2, inner_bandwidth=80e9)
    one = timed(all_reduce(buffers=3), link_of("roce_100g", loss=1e-3), device, devices, algorithm)
    assert one.time == pytest.approx(one.overhead + one.latency + one.transfer)
    times = [figure.value for figure in one.figures if figure.name == "time"]
    assert times[-1] == pytest.approx(one.time)
