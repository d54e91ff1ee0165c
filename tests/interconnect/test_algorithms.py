"""Bytes and rounds against exchanges that are carried out here, message by message, and nccl-tests' factors."""

from collections import Counter
from fractions import Fraction

import pytest

from nnjax.interconnect.algorithms import algbw, bus_factor, busbw, bytes_sent, groups, rounds

SIZE = 1680.0  # divisible by everything below


def ring(devices):
    """Carries out a ring's all-reduce; returns what every device holds, has sent, and the rounds."""
    holds = [[Fraction(device + 1)] * devices for device in range(devices)]
    sent, count = Counter(), 0
    for phase in ("sum", "copy"):
        for step in range(devices - 1):
            moves = []
            for device in range(devices):
                chunk = (device - step + (phase == "copy")) % devices
                moves.append(((device + 1) % devices, chunk, holds[device][chunk]))
                sent[device] += SIZE / devices
            for target, chunk, value in moves:
                holds[target][chunk] = value + (holds[target][chunk] if phase == "sum" else 0)
            count += 1
    return holds, sent, count


def halving_doubling(devices):
    """The same by halving and doubling, for a power of two."""
    holds = [[Fraction(device + 1)] * devices for device in range(devices)]
    owned = [set(range(devices)) for _ in range(devices)]
    sent, count, distance, back = Counter(), 0, devices // 2, []
    while distance:
        before = [list(chunks) for chunks in holds]
        for device in range(devices):
            peer = device ^ distance
            kept = {chunk for chunk in owned[device] if bool(chunk & distance) == bool(device & distance)}
            sent[device] += SIZE / devices * len(owned[device] - kept)
            for chunk in kept:
                holds[device][chunk] = before[device][chunk] + before[peer][chunk]
            owned[device] = kept
        back, distance, count = [distance, *back], distance // 2, count + 1
    for distance in back:
        before, had = [list(chunks) for chunks in holds], [set(chunks) for chunks in owned]
        for device in range(devices):
            peer = device ^ distance
            sent[device] += SIZE / devices * len(had[device])
            for chunk in had[peer]:
                holds[device][chunk] = before[peer][chunk]
            owned[device] = had[device] | had[peer]
        count += 1
    return holds, sent, count


@pytest.mark.parametrize("devices", [2, 3, 4, 5, 8])
def test_a_ring_that_is_carried_out_sends_as_much_in_as_many_rounds(devices):
    holds, sent, count = ring(devices)
    assert all(chunk == devices * (devices + 1) // 2 for chunks in holds for chunk in chunks)
    assert max(sent.values()) == pytest.approx(bytes_sent("all_reduce", "ring", SIZE, devices))
    assert count == rounds("all_reduce", "ring", devices)


@pytest.mark.parametrize("devices", [2, 4, 8, 16])
def test_halving_and_doubling_that_is_carried_out_sends_as_much_in_as_many_rounds(devices):
    holds, sent, count = halving_doubling(devices)
    assert all(chunk == devices * (devices + 1) // 2 for chunks in holds for chunk in chunks)
    assert max(sent.values()) == pytest.approx(bytes_sent("all_reduce", "halving_doubling", SIZE, devices))
    assert count == rounds("all_reduce", "halving_doubling", devices)


@pytest.mark.parametrize(("devices", "extra"), [(3, 2), (5, 4), (7, 4)])
def test_devices_beyond_a_power_of_two_cost_a_buffer_and_two_rounds_more(devices, extra):
    within = bytes_sent("all_reduce", "halving_doubling", SIZE, extra)
    assert bytes_sent("all_reduce", "halving_doubling", SIZE, devices) == within + SIZE
    assert rounds("all_reduce", "halving_doubling", devices) == rounds("all_reduce", "halving_doubling", extra) + 2


@pytest.mark.parametrize("devices", [2, 3, 4, 7, 8, 15])
def test_two_trees_send_at_most_two_buffers_and_as_much_as_a_ring_on_average(devices):
    # In-order numbering: an inner node of the first tree is a leaf of the second, its mirror image or its shift by one.
    def parents(count):
        """Each node's parent in an in-order binary tree, where the even nodes, counted from 1, are inner ones."""
        found = {}

        def build(low, high, parent):
            if low > high:
                return
            power = 1
            while 2 * power <= high - low + 1:
                power *= 2
            root = low + power - 1
            found[root] = parent
            build(low, root - 1, root)
            build(root + 1, high, root)

        build(1, count, None)
        return found

    first = parents(devices)
    mirrored = {devices + 1 - node: devices + 1 - parent if parent else None for node, parent in first.items()}
    shifted = {node % devices + 1: parent % devices + 1 if parent else None for node, parent in first.items()}
    sent = Counter()
    for tree in (first, mirrored if devices % 2 == 0 else shifted):
        for node, parent in tree.items():
            if parent:
                sent[node] += SIZE / 2  # up
                sent[parent] += SIZE / 2  # down
    assert max(sent.values()) <= bytes_sent("all_reduce", "tree", SIZE, devices)
    assert sum(sent.values()) / devices == pytest.approx(bytes_sent("all_reduce", "ring", SIZE, devices))


def test_machines_of_one_device_are_a_ring_and_one_machine_is_one_too():
    for kind in ("all_reduce", "reduce_scatter", "all_gather"):
        for machine in (1, 8):
            assert bytes_sent(kind, "hierarchical", SIZE, 8, machine) == pytest.approx(bytes_sent(kind, "ring", SIZE, 8))
            assert rounds(kind, "hierarchical", 8, machine) == rounds(kind, "ring", 8)


def test_a_hierarchy_sends_an_eighth_to_other_machines():
    inside = 2 * 7 / 8 * SIZE
    outside = 2 * 3 / 4 * SIZE / 8
    assert bytes_sent("all_reduce", "hierarchical", SIZE, 32, 8) == pytest.approx(inside + outside)
    assert rounds("all_reduce", "hierarchical", 32, 8) == 2 * 7 + 2 * 3


def test_machines_must_divide_the_devices():
    with pytest.raises(ValueError, match="12 devices cannot be divided into machines of 8"):
        groups(12, 8)


def test_one_device_sends_nothing():
    for kind in ("all_reduce", "all_gather", "broadcast", "collective_permute"):
        assert (bytes_sent(kind, "ring", SIZE, 1), rounds(kind, "ring", 1)) == (0.0, 0)


def test_halves_add_up_to_the_whole():
    halves = sum(bytes_sent(kind, "ring", SIZE, 5) for kind in ("reduce_scatter", "all_gather"))
    assert halves == pytest.approx(bytes_sent("all_reduce", "ring", SIZE, 5))


@pytest.mark.parametrize(
    ("kind", "two", "eight", "limit"),
    [
        ("all_reduce", 1.0, 1.75, 2.0),
        ("reduce_scatter", 0.5, 0.875, 1.0),
        ("all_gather", 0.5, 0.875, 1.0),
        ("all_to_all", 0.5, 0.875, 1.0),
        ("broadcast", 1.0, 1.0, 1.0),
        ("collective_permute", 1.0, 1.0, 1.0),
    ],
)
def test_the_bus_factors_are_those_of_nccl_tests(kind, two, eight, limit):
    assert bus_factor(kind, 2) == two
    assert bus_factor(kind, 8) == eight
    assert bus_factor(kind, 10**9) == pytest.approx(limit)


def test_a_ring_at_full_rate_has_the_links_bandwidth_as_busbw():
    rate = 50e9
    for devices in (2, 8, 64):
        seconds = bytes_sent("all_reduce", "ring", 1e9, devices) / rate
        assert busbw("all_reduce", 1e9, seconds, devices) == pytest.approx(50)
    assert algbw(1e9, 0.5) == 2.0
    assert algbw(0, 0) == 0.0
