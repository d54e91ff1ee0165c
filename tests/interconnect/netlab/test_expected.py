"""The prediction of a step in the lab: its limits, what happens once a call, and the calibration."""

from dataclasses import replace

import pytest

from nnjax.interconnect.collective import Collective, Part
from nnjax.interconnect.netlab import expected as expected_module
from nnjax.interconnect.netlab.expected import computing_time, costs, expected_step, lab_link, steps_per_call
from nnjax.interconnect.netlab.shaping import LinkConditions
from nnjax.training import runner


def program(tensors=4, count=5000, sums=1365):
    gradients = Collective(
        "all_reduce", "float32", (Part("dense", "kernel", count),) * tensors, 2, "gradients", buffers=tensors
    )
    metrics = Collective(
        "all_reduce", "float32", (Part("", "loss", sums),) * 3, 2, "metrics", per_step=False, backward=False, buffers=3
    )
    return [gradients, metrics]


def test_a_call_takes_as_long_as_the_training_makes_it():
    assert expected_module._SECONDS_PER_CALL == runner._SECONDS_PER_CALL


def test_a_perfect_link_takes_no_time():
    expected = expected_step(program(), LinkConditions(), 2, 0.015, 1500)
    assert expected.step_time == pytest.approx(0.015, rel=1e-3)
    assert expected.steps_per_call == 19


def test_a_tensor_takes_two_round_trips():
    few, many = (expected_step(program(tensors, 10, 1), LinkConditions(delay=5e-3), 2, 0.0, 1500, 0.3) for tensors in (4, 14))
    assert many.communicating - few.communicating == pytest.approx(10 * 2 * 10e-3)


def test_with_four_ranks_it_takes_six():
    few, many = (expected_step(program(tensors, 10, 1), LinkConditions(delay=5e-3), 4, 0.0, 1500, 0.3) for tensors in (4, 14))
    assert many.communicating - few.communicating == pytest.approx(10 * 6 * 10e-3)


def test_a_slow_link_takes_the_time_of_its_bytes():
    slow = LinkConditions(bandwidth=1e6)
    expected = expected_step(program(), slow, 2, 0.0, 1500)
    # without the acknowledgements, which the transfer does not wait for
    assert expected.communicating == pytest.approx(8 * expected.sent_bytes / 1e6, rel=0.02)


def test_a_slow_step_makes_short_calls_whose_sums_weigh_more():
    fast, slow = (expected_step(program(), LinkConditions(bandwidth=rate), 2, 0.01, 1500) for rate in (1e9, 5e6))
    assert fast.steps_per_call > slow.steps_per_call == 1
    assert slow.sent_bytes > fast.sent_bytes


@pytest.mark.parametrize(
    ("step", "call", "steps"), [(0.001, 0.0, 20), (0.049, 0.0, 6), (0.09, 0.05, 2), (0.1, 0.3, 1), (1.0, 0.0, 1)]
)
def test_a_call_takes_about_three_tenths_of_a_second(step, call, steps):
    assert steps_per_call(step, call) == steps


def test_calibration_gives_back_the_computing():
    delayed = LinkConditions(delay=2.5e-3)
    measured = expected_step(program(), delayed, 2, 0.02, 1500).step_time
    assert computing_time(program(), delayed, 2, measured, 1500) == pytest.approx(0.02, rel=1e-6)
    assert computing_time(program(), delayed, 2, 1e-3, 1500) == 0.0


def test_tensors_in_one_buffer_pay_once():
    (gradients, metrics) = program(14, 10, 1)
    flat = [replace(gradients, buffers=1), metrics]
    conditions = LinkConditions(delay=5e-3)
    single, many = (expected_step(each, conditions, 2, 0.0, 1500, 0.3).communicating for each in (flat, program(14, 10, 1)))
    assert many - single == pytest.approx(13 * 2 * 10e-3)


def test_a_reduce_scatter_and_an_all_gather_are_the_halves_of_an_all_reduce():
    (gradients, _) = program(1)
    halves = [replace(gradients, kind=kind) for kind in ("reduce_scatter", "all_gather")]
    (whole,) = costs([gradients], 4, 1448)
    assert sum(cost.data_bytes for cost in costs(halves, 4, 1448)) == whole.data_bytes


def test_loss_makes_a_step_longer():
    times = [
        expected_step(program(), LinkConditions(bandwidth=1e8, delay=1e-3, loss=loss), 2, 0.01, 1500).step_time
        for loss in (0.0, 1e-3, 1e-2)
    ]
    assert times == sorted(times)
    assert len(set(times)) == 3


def test_the_link_counts_what_an_interface_counts():
    link = lab_link(LinkConditions(bandwidth=1e8, delay=1e-3, jitter=3e-3), 1500)
    assert (link.payload, link.frame_bytes, link.round_trip) == (1448, 14, 2e-3)
    assert link.jitter == pytest.approx(1.732e-3, rel=1e-3)
