import json
import math
from dataclasses import asdict, replace

import pytest
from link_presets import all_reduce, device_of, link_of, plain_device, plain_link

from nnjax.interconnect.catalogue import FORMULAS
from nnjax.interconnect.collective import Collective, Part
from nnjax.interconnect.formula import Figure
from nnjax.interconnect.prediction import SCALES, predict


def metrics(**changes):
    fields = {"dtype": "float32", "parts": (Part("", "statistics", 2),), "group_size": 2, "phase": "metrics"}
    return Collective("all_reduce", **(fields | {"backward": False} | changes))


def predicted(collectives=None, link=None, device=None, devices=2, **options):
    given = [all_reduce(), metrics()] if collectives is None else collectives
    return predict(given, link or plain_link(), device or plain_device(), flops=1e11, devices=devices, **options)


def figures_in(value):
    if isinstance(value, Figure):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from figures_in(item)
    elif isinstance(value, tuple | list):
        for item in value:
            yield from figures_in(item)
    elif hasattr(value, "__dataclass_fields__"):
        for name in value.__dataclass_fields__:
            yield from figures_in(getattr(value, name))


def test_a_step_is_computing_and_then_communicating():
    step = predicted().step
    assert step.computing.value == 1.0
    assert step.communicating.value == pytest.approx(1.02e-3 + 2e-5 + 8e-9)
    assert step.step_time.value == pytest.approx(1.0 + step.communicating.value)
    assert step.utilisation.value == pytest.approx(1 / step.step_time.value)
    assert step.overlap == "none"


def test_computing_comes_from_the_peak_and_its_share():
    step = predicted(device=device_of("custom", peak_flops=1e12, flops_share=0.5)).step
    assert step.computing.value == pytest.approx(0.2)
    assert step.computing.formula == "computing_time"


def test_overlap_hides_the_backward_passs_exchanges_and_says_that_it_is_modelled():
    large = [all_reduce(10**7), all_reduce(10**7), metrics()]
    plain, hidden = predicted(large), predicted(large, device=plain_device(overlap=True))
    assert hidden.step.overlap == "modelled"
    assert hidden.step.communicating == plain.step.communicating
    # The first is issued half-way through the backward pass; the last gradients and the metrics remain.
    assert hidden.collectives[0].start == pytest.approx(2 / 3)
    assert hidden.step.exposed.value == pytest.approx(hidden.collectives[1].time + hidden.collectives[2].time)
    assert any("modelled" in note for note in hidden.notes)


def test_the_moments_of_gradients_can_be_given():
    hidden = predicted([all_reduce()], device=plain_device(overlap=True), ready=[0.0])
    assert hidden.collectives[0].start == pytest.approx(1 / 3)
    assert hidden.step.exposed.value == 0


def test_statistics_hold_up_the_forward_pass_alone():
    others = [metrics(parts=(Part("", "statistics", 10**6),)), all_reduce(), all_reduce()]
    hidden = predicted(others, device=plain_device(overlap=True))
    held = hidden.collectives[0].time
    assert hidden.collectives[0].start == pytest.approx(1 / 6)
    assert hidden.collectives[1].start == pytest.approx(2 / 3 + held)
    without = predicted(others[1:], device=plain_device(overlap=True))
    assert hidden.step.exposed.value == pytest.approx(without.step.exposed.value + held)


def test_only_exchanges_of_the_backward_pass_count_in_its_course():
    others = [metrics(parts=(Part("", "statistics", 10**6),)), all_reduce(), all_reduce()]
    early = predicted([all_reduce(), others[0], all_reduce()], device=plain_device(overlap=True))
    assert early.collectives[0].start == pytest.approx(2 / 3)
    assert early.collectives[2].start == early.collectives[1].end


def test_what_is_not_of_every_step_is_left_out_and_named():
    prediction = predicted([all_reduce(), metrics(per_step=False)])
    assert len(prediction.collectives) == 1
    assert "1 of 2 collectives are not of every step, and are left out" in prediction.notes


def test_one_device_exchanges_nothing():
    prediction = predicted(devices=1)
    assert prediction.step.step_time.value == 1.0
    assert prediction.losses == ()


def test_the_slowest_device_sets_the_pace():
    step = predicted(device=plain_device(spread=0.1), devices=64).step
    assert step.computing.value == pytest.approx(1 + 0.1 * 2.3437, rel=1e-3)
    assert step.utilisation.value < 1 / 1.23


def test_scaling_goes_from_2_to_4096_by_each_algorithm():
    points = predicted(device=plain_device(per_machine=8)).scaling
    assert {point.devices for point in points} == set(SCALES) == {2**power for power in range(1, 13)}
    assert {point.algorithm for point in points} == {"ring", "tree", "halving_doubling", "hierarchical"}
    ring = [point.efficiency.value for point in points if point.algorithm == "ring"]
    assert ring == sorted(ring, reverse=True)
    assert 0.8 < ring[-1] < ring[0] < 1
    tree = next(point for point in points if (point.devices, point.algorithm) == (4096, "tree"))
    assert tree.efficiency.value > ring[-1]  # 24 rounds against 8190
    assert "hierarchical" not in {point.algorithm for point in predicted().scaling}


def test_a_batch_that_is_shared_scales_worse():
    weak = predicted(devices=2).scaling
    strong = predicted(devices=2, fixed="global_batch").scaling
    for one, other in zip(weak, strong, strict=True):
        # Two devices share the batch of the step; the same computing is divided among more of them.
        assert other.step_time == pytest.approx(2 / other.devices + other.communicating)
        assert other.efficiency.value <= one.efficiency.value + 1e-12
        assert other.efficiency.value == pytest.approx(2 / other.devices / other.step_time)


def test_each_transport_with_the_links_loss():
    effects = {effect.transport: effect for effect in predicted(link=plain_link(loss=0.01, window=66, mtu=1000)).losses}
    assert effects["go_back_n"].goodput.value == pytest.approx(0.6)
    assert effects["selective_repeat"].goodput.value == pytest.approx(0.99)
    assert effects["go_back_0"].goodput.value < 0.05  # of messages of 500 packets
    assert effects["go_back_0"].step_time > effects["go_back_n"].step_time > effects["selective_repeat"].step_time
    assert [rate.formula for rate in effects["tcp"].rates] == ["mathis", "pftk"]
    assert not any(effect.rates for effect in predicted().losses)


@pytest.mark.parametrize("algorithm", ["ring", "tree", "halving_doubling", "hierarchical"])
def test_the_goodput_of_each_transport_is_that_of_its_step(algorithm):
    """By a hierarchy, 104 packets travel between two machines of 8 devices: in 2 rounds of 4 buffers they are 13 a message."""
    sent = all_reduce(203_530, buffers=4)
    link = link_of("roce_100g", transport="go_back_0", loss=0.05)
    prediction = predicted([sent], link, plain_device(per_machine=8, inner_bandwidth=80e9), devices=16, algorithm=algorithm)
    (row,) = [effect.goodput for effect in prediction.losses if effect.transport == "go_back_0"]
    (timed,) = prediction.collectives
    of_step = [figure for figure in timed.figures if figure.name == "goodput" and figure.inputs["loss"]]
    assert of_step[0] == row
    if algorithm == "hierarchical":
        assert (timed.packets, row.inputs["packets"]) == (104, 13)
        assert row.value == pytest.approx(0.686, abs=5e-4)


def test_no_transport_is_judged_where_nothing_crosses_the_link():
    link, device = plain_link(loss=0.9, transport="go_back_0"), plain_device(per_machine=8)
    assert predicted(link=link, device=device, devices=8).losses == ()
    assert predicted([], link=link).losses == ()
    assert len(predicted(link=link, device=device, devices=16).losses) == 4


def test_failures_and_checkpoints_of_a_long_run():
    device = plain_device(failure_hours=50_677, checkpoint_time=30, restart_time=300, price=2.0)
    prediction = predicted(device=device, devices=16_384, steps=10**6)
    failures, run = prediction.failures, prediction.run
    assert failures.mean_time.value / 3600 == pytest.approx(3.09, abs=0.01)
    assert failures.young.value == pytest.approx(math.sqrt(2 * 30 * failures.mean_time.value))
    assert 0.89 < failures.goodput.value < 0.92  # Llama 3: more than 90 % effective training time
    assert run.expected.value == pytest.approx(run.seconds.value / failures.goodput.value)
    assert run.without_checkpoints.value > 1e30 * run.seconds.value
    assert failures.goodput_without.value == pytest.approx(0, abs=1e-30)
    assert run.cost.value == pytest.approx(run.expected.value / 3600 * 16_384 * 2)


def test_without_failures_prices_and_steps_nothing_is_made_up():
    prediction = predicted()
    assert prediction.failures is prediction.run is None
    assert "device.failure_hours is null: no failures are predicted" in prediction.notes
    run = predicted(steps=10).run
    assert (run.expected, run.without_checkpoints, run.cost) == (None, None, None)
    assert run.seconds.value == pytest.approx(10 * prediction.step.step_time.value)


def test_every_figure_names_its_formula_and_inputs_and_can_be_computed_again():
    device = device_of("h100", price=2.0, spread=0.02)
    prediction = predicted(link=link_of("roce_100g", loss=1e-3, jitter=1e-6), device=device, devices=64, steps=100)
    figures = list(figures_in(prediction))
    assert len({figure.formula for figure in figures}) > 20
    for figure in figures:
        formula = FORMULAS[figure.formula]
        assert set(figure.inputs) <= set(formula.inputs)
        assert formula.function(**figure.inputs) == figure.value
        assert figure.unit == formula.unit


def test_an_input_outside_a_formulas_range_is_named():
    notes = predicted(link=plain_link(loss=0.05, transport="tcp")).notes
    assert any("TCP's rate, Mathis (mathis) is outside its formula's range: loss=0.05 must be" in note for note in notes)
    assert not any("outside" in note for note in predicted().notes)


def test_a_prediction_is_plain_numbers_and_text():
    assert json.loads(json.dumps(asdict(predicted(steps=10))))["devices"] == 2


def test_a_slower_link_never_makes_a_step_faster():
    steps = [predicted(link=replace(plain_link(), bandwidth=rate)).step.step_time.value for rate in (1e9, 2e9, 4e9)]
    assert steps == sorted(steps, reverse=True)
