import pytest
from hypothesis import given
from hypothesis import strategies as st
from link_presets import link_of, plain_link

from nnjax.interconnect.packets import interface_bytes, pack, wire_efficiency


def test_a_megabyte_of_tcp():
    packing = pack(1_000_000, link_of("ethernet_10g"))
    assert (packing.packets, packing.wire_bytes) == (691, 1_000_000 + 691 * (52 + 38))
    assert (packing.acks, packing.ack_bytes) == (346, 346 * 90)


def test_four_megabytes_at_an_mtu_of_1000_are_4000_packets():
    assert pack(4_000_000, link_of("roce_100g", mtu=1000)).packets == 4000


def test_full_frames_carry_what_ethernet_is_known_for():
    # 1448 of 1538 bytes: 94.1 %, as every table of TCP's goodput on Ethernet says.
    assert wire_efficiency(1448, 1, 52, 38) == pytest.approx(0.9415, abs=1e-4)
    assert pack(1448 * 1000, link_of("ethernet_1g")).efficiency == pytest.approx(1448 / 1538)


def test_an_interface_counts_six_to_eight_percent_more_than_the_data():
    # Measured with gloo between namespaces at an MTU of 1500, with gso_max_size 1500: +6 to +8 %.
    link = link_of("ethernet_1g")
    counted = interface_bytes(pack(10_000_000, link), link) / 10_000_000
    assert 1.06 < counted < 1.08
    assert counted == pytest.approx(1 + (52 + 14 + (52 + 14) / 2) / 1448, rel=1e-3)


def test_infiniband_has_no_ethernet_frame_to_leave_out():
    link = link_of("infiniband_400g")
    packing = pack(1_000_000, link)
    assert interface_bytes(packing, link) == packing.wire_bytes + packing.ack_bytes


def test_each_message_fills_its_own_last_packet():
    link = plain_link(mtu=1000)
    assert pack(1500, link).packets == 2
    assert pack(1500, link, messages=3).packets == 3
    assert pack(0, link).packets == 0
    assert pack(0, link).efficiency == 1.0


def test_each_buffer_fills_its_own_last_packets():
    # Kernels and biases of 64, 38 and 10 neurons, in a ring of two: 4, 1, 1 and 1 packets in each of two rounds.
    counts = (64 * 38, 38, 38 * 10, 10)
    packing = pack(4 * sum(counts), link_of("ethernet_1g"), 2, counts)
    assert (packing.packets, packing.messages, packing.message_packets) == (14, 8, 2)
    assert packing.wire_bytes == 4 * sum(counts) + 14 * 90


@pytest.mark.parametrize("devices", [2, 3, 28, 54])
def test_messages_that_fill_their_packets_take_no_packet_more(devices):
    counts = (devices * 250, devices * 1000, 1)  # a device's share of these is 1 and 4 packets of 1000 bytes, and less than one
    sent = 2 * (devices - 1) / devices * 4 * sum(counts)
    assert pack(sent, plain_link(mtu=1000), 2 * (devices - 1), counts).packets == 2 * (devices - 1) * (1 + 4 + 1)


@given(st.integers(1, 10**9), st.integers(1, 300))
def test_packets_hold_the_data_and_no_more_than_one_is_short_for_each_message(size, messages):
    link = link_of("roce_400g")
    packing = pack(size, link, messages)
    assert packing.packets * link.payload >= size
    assert packing.packets <= size / link.payload + messages
    assert packing.wire_bytes == size + packing.packets * 82


def test_headers_must_leave_room():
    with pytest.raises(ValueError, match=r"link\.mtu=40: must be greater than link\.header_bytes=52"):
        pack(1, link_of("ethernet_1g", mtu=40))
