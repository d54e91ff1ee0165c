"""The panel of two devices: its gradients are those of `nnjax.textbook.exchange`, its axis of time adds up."""

import math
import random

import numpy as np
import pytest
from page_node import evaluated
from random_networks import config_of, shapes, traced

from nnjax.config.link_options import Transport
from nnjax.interconnect import failures

pytestmark = pytest.mark.node

RELATIVE = 1e-12
TRANSPORTS = Transport.__args__
NUMBERS = """
import { stateOf } from "MODULES/state.js";
import { compute } from "MODULES/compute.js";
import { twoDevices } from "MODULES/devices_numbers.js";
result = input.map((trace) => { const state = stateOf(trace); return twoDevices(state, compute(state).iterations[0]); });
"""
SCENES = """
import { sceneOf, deviceDefaults, withPreset } from "MODULES/devices_model.js";
result = input.map(([preset, more, layers]) => sceneOf({ ...withPreset(deviceDefaults(), preset), ...more }, layers));
"""
LOST = """
import { lostPacket, linkOfSettings, deviceDefaults, withPreset } from "MODULES/devices_model.js";
import { windowOf, exchangeTime } from "MODULES/link_model.js";
result = input.map(([transport, size, share]) => {
  const link = linkOfSettings({ ...withPreset(deviceDefaults(), "ethernet_1g"), transport });
  const exchange = exchangeTime(size, link);
  return { ...lostPacket(link, exchange, share), window: windowOf(link), timeout: link.timeout, trip: 2 * link.latency };
});
"""
WORDS = """
import { sceneOf, deviceDefaults } from "MODULES/devices_model.js";
import { momentText, sceneSentences, timeText, rateText } from "MODULES/devices_words.js";
import { typedSetting, stopOfValue, valueAtStop, SETTING_SLIDERS } from "MODULES/devices_controls.js";
import { ticksOf } from "MODULES/devices_axis.js";
"""


# --- the gradients -------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def exchanged():
    """Traces over two devices, with what the page computes of each."""
    traces = []
    for number, shape in enumerate(shapes()):
        if shape["batch"] % 2 == 0:
            config = config_of(shape, np.random.default_rng([17, number]), 0.7)
            traces.append(traced(config, num_devices=2))
    assert len(traces) >= 6
    assert {layer["activation"] for trace in traces for layer in trace["network"]["layers"]} >= {"relu", "tanh", "gelu", "silu"}
    assert {trace["settings"]["loss"] for trace in traces} == {"half_mse", "mse", "cross_entropy"}
    return traces, evaluated(NUMBERS, traces)


def assert_close(one, other, largest):
    for key in ("weights", "biases"):
        assert (one[key] is None) == (other[key] is None)
        if one[key] is not None:
            np.testing.assert_allclose(one[key], other[key], rtol=RELATIVE, atol=RELATIVE * largest)


def test_gradients_are_those_of_the_devices(exchanged):
    for trace, page in zip(*exchanged, strict=True):
        assert page["examples"] == [len(device["examples"]) for device in trace["exchange"]["devices"]]
        largest = max(np.abs(layer["single_device"]["weights"]).max() for layer in trace["exchange"]["layers"])
        for computed, expected in zip(page["layers"], trace["exchange"]["layers"], strict=True):
            assert computed["neurons"] == expected["neurons"]
            pairs = {
                "a": expected["gradients"][0],
                "b": expected["gradients"][1],
                "average": expected["average"],
                "whole": expected["single_device"],
                "byNeuron": expected["neuron_averaging"],
            }
            for key, gradient in pairs.items():
                assert_close(computed[key], gradient, largest)


def test_losses_and_conclusions_are_those_of_the_trace(exchanged):
    differ = 0
    for trace, page in zip(*exchanged, strict=True):
        loss, step = trace["exchange"]["loss"], trace["exchange"]["step"]
        pairs = [
            (page["losses"]["a"], loss["devices"][0]),
            (page["losses"]["b"], loss["devices"][1]),
            (page["losses"]["average"], loss["average"]),
            (page["losses"]["whole"], loss["single_device"]),
            (page["after"]["whole"], step["single_device_loss_after"]),
            (page["after"]["average"], step["data_parallel_loss_after"]),
            (page["after"]["byNeuron"], step["neuron_averaging_loss_after"]),
        ]
        for computed, expected in pairs:
            assert computed == pytest.approx(expected, rel=1e-11, abs=1e-15)
        summary = trace["exchange"]["summary"]
        assert page["same"]
        assert page["neuronSame"] == ("That is the gradient" in summary[1])
        differ += not page["neuronSame"]
    assert differ >= 5


def test_unequal_parts_count_by_their_examples():
    shape = next(shape for shape in shapes() if shape["batch"] == 3 and shape["examples"] >= 3)
    config = config_of(shape, np.random.default_rng(5), 0.7)
    trace = traced(config)
    (page,) = evaluated(NUMBERS, [trace])
    assert page["examples"] == [2, 1]
    assert not page["equal"]
    assert page["same"]


def test_one_example_has_no_second_device():
    shape = next(shape for shape in shapes() if shape["batch"] == 1)
    config = config_of(shape, np.random.default_rng(5), 0.7)
    trace = traced(config)
    assert evaluated(NUMBERS, [trace]) == [None]


# --- the axis of time ----------------------------------------------------------------------------------------------


def random_scene(draw):
    layers = []
    inputs = draw.randint(1, 6)
    for _ in range(draw.randint(1, 4)):
        neurons = draw.randint(1, 6)
        layers.append({"neurons": neurons, "inputs": inputs, "weights": neurons * (inputs + draw.randint(0, 1))})
        inputs = neurons
    settings = {
        "order": draw.choice(["layers", "after", "one", "neurons"]),
        "event": draw.choice(["none", "packet"]),
        "lostLayer": draw.randrange(len(layers)),
        "lostShare": draw.choice([0, draw.random(), 1]),
        "loss": draw.choice([0, 10 ** draw.uniform(-6, -2)]),
        "scale": draw.choice([1, 10 ** draw.uniform(0, 7)]),
        "bytes": draw.choice([1, 2, 4, 8]),
        "layerTime": 10 ** draw.uniform(-6, 0),
        "slower": draw.choice([1, draw.uniform(1, 4)]),
        "transport": draw.choice(TRANSPORTS),
    }
    preset = draw.choice(["nvlink", "infiniband_400g", "roce_400g", "roce_100g", "ethernet_10g", "ethernet_1g", "wifi"])
    return preset, settings, layers


@pytest.fixture(scope="module")
def scenes():
    draw = random.Random(16)
    given = [random_scene(draw) for _ in range(300)]
    found = [(one, scene) for one, scene in zip(given, evaluated(SCENES, given), strict=True) if not scene["endless"]]
    assert len(found) >= 250
    return found


def seconds(lane, *kinds):
    return sum(one["end"] - one["start"] for one in lane if one["kind"] in kinds)


def test_segments_of_a_lane_follow_one_another(scenes):
    for _, scene in scenes:
        near = 1e-9 * scene["end"]
        for lane in scene["lanes"].values():
            time = 0
            for one in lane:
                if one["kind"] == "lost":
                    assert 0 <= one["start"] <= scene["end"] + near
                    continue
                assert one["start"] >= time - near
                assert one["end"] >= one["start"] - near
                time = one["end"]
            assert time <= scene["end"] + near


def test_devices_compute_and_wait_for_the_whole_step(scenes):
    for (_, settings, layers), scene in scenes:
        for index, lane in enumerate(("a", "b")):
            computing = settings["layerTime"] * len(layers) * (settings["slower"] if index else 1)
            busy = seconds(scene["lanes"][lane], "forward", "backward")
            assert busy == pytest.approx(computing, rel=1e-9)
            assert busy + seconds(scene["lanes"][lane], "wait") == pytest.approx(scene["end"], rel=1e-9)
            assert scene["idle"][index] == pytest.approx(1 - computing / scene["end"], abs=1e-9)
            backward = seconds(scene["lanes"][lane], "backward")
            assert backward == pytest.approx(2 / 3 * computing, rel=1e-9)


def test_the_link_carries_each_exchange_once(scenes):
    for _, scene in scenes:
        more = scene["lost"]["seconds"] if scene["lost"] else 0
        for lane in ("ab", "ba"):
            busy = seconds(scene["lanes"][lane], "call", "send", "travel", "again", "timeout", "wait")
            assert busy == pytest.approx(scene["communicating"] + more, rel=1e-9)
        assert scene["end"] >= scene["undisturbed"] * (1 - 1e-12)


def test_no_gradient_crosses_before_both_devices_have_it(scenes):
    for (_, settings, layers), scene in scenes:
        near = 1e-9 * scene["end"]
        for message, (start, _) in zip(scene["messages"], scene["line"]["spans"], strict=True):
            ends = [
                one["end"]
                for lane in ("a", "b")
                for one in scene["lanes"][lane]
                if one["kind"] == "backward" and one["layers"][0] in message["layers"]
            ]
            assert start >= max(ends) - near
            if settings["order"] in ("after", "one"):
                assert start >= settings["layerTime"] * len(layers) * settings["slower"] - near


def test_every_weight_is_sent_once(scenes):
    for (_, settings, layers), scene in scenes:
        assert sorted(index for one in scene["messages"] for index in one["layers"]) == list(range(len(layers)))
        if settings["order"] != "neurons":
            sent = sum(one["size"] for one in scene["messages"])
            count = settings["bytes"] * settings["scale"] * sum(layer["weights"] for layer in layers)
            assert sent == pytest.approx(count, abs=len(layers))


# --- one lost packet -----------------------------------------------------------------------------------------------

LARGE = 10_000_000


def lost(transport, size, share):
    (found,) = evaluated(LOST, [[transport, size, share]])
    return found


def test_go_back_n_sends_its_window_again():
    found = lost("go_back_n", LARGE, 0.5)
    # 1 / goodput − 1 = p · W / (1 − p): each loss costs W packets
    assert found["seconds"] == pytest.approx(found["window"] * found["each"])


def test_go_back_0_starts_the_message_again():
    found = lost("go_back_0", LARGE, 0.25)
    assert found["again"] == found["number"] == math.ceil(0.25 * found["packets"])
    assert found["seconds"] == pytest.approx(found["number"] * found["each"])


@pytest.mark.parametrize("transport", ["tcp", "selective_repeat"])
def test_later_packets_show_a_gap(transport):
    found = lost(transport, LARGE, 0.5)
    assert found["how"] == "fast"
    assert found["seconds"] == found["each"]  # the rest of the message takes longer than a round trip


@pytest.mark.parametrize("transport", ["tcp", "selective_repeat", "go_back_n"])
def test_the_last_packet_waits_for_the_timeout(transport):
    found = lost(transport, LARGE, 1)
    assert (found["how"], found["after"]) == ("timeout", 0)
    assert found["seconds"] == pytest.approx(found["timeout"] + found["each"])


def test_tcp_needs_three_answers_that_repeat_themselves():
    packets = 1448 * 10 * 2  # ten in each of the two rounds
    assert lost("tcp", packets, 0.7)["how"] == "fast"
    assert lost("tcp", packets, 0.8)["how"] == "timeout"
    near_the_end = lost("tcp", packets, 0.7)
    assert near_the_end["seconds"] == pytest.approx(near_the_end["trip"] + near_the_end["each"])


# --- a failure -----------------------------------------------------------------------------------------------------


def test_a_failure_costs_the_work_since_the_snapshot_and_the_restart():
    layers = [{"neurons": 2, "inputs": 3, "weights": 8}, {"neurons": 1, "inputs": 2, "weights": 3}]
    more = {"age": 40, "failShare": 0.25, "restart": 30, "saving": 2, "hours": 1000}
    plain, failed = evaluated(SCENES, [["ethernet_1g", {}, layers], ["ethernet_1g", {**more, "event": "failure"}, layers]])
    assert failed["failure"]["lostWork"] == pytest.approx(40.25 * plain["end"])
    assert failed["failure"]["delay"] == pytest.approx(30 + 40.25 * plain["end"])
    assert failed["end"] == pytest.approx(30 + 2 * 40.25 * plain["end"])
    mean = failures.time_between_failures(1000, 2)
    assert failed["failure"]["interval"] == pytest.approx(failures.daly(2, mean))
    assert failed["goodput"] == pytest.approx(failures.goodput(failures.daly(2, mean), 2, 30, mean))


# --- words and controls --------------------------------------------------------------------------------------------


def test_times_and_rates_have_units():
    found = evaluated(
        WORDS + "result = input.map((value) => [timeText(value), rateText(value)]);", [0, 3.4e-6, 0.0133, 75, 4e5]
    )
    assert found == [
        ["0 s", "0 b/s"],
        ["3.4 µs", "3.4e−6 b/s"],
        ["13.3 ms", "0.0133 b/s"],
        ["75 s", "75 b/s"],
        ["4.63 days", "400 kb/s"],
    ]


def test_ticks_are_round_and_reach_the_end():
    for end, ticks in zip(
        [1, 0.0684, 7e-6], evaluated(WORDS + "result = input.map((end) => ticksOf(end, 8));", [1, 0.0684, 7e-6]), strict=True
    ):
        assert 3 <= len(ticks) <= 9
        assert ticks[0] == 0
        assert ticks[-1] <= end * (1 + 1e-9)


def test_every_moment_of_a_scene_has_words():
    program = """
    const names = ["layer a", "layer b"];
    const layers = [{ neurons: 1, inputs: 3, weights: 4 }, { neurons: 1, inputs: 1, weights: 2 }];
    result = input.map((more) => {
      const scene = sceneOf({ ...deviceDefaults(), ...more }, layers);
      const words = scene.moments.map((time) => Object.values(momentText(scene, time, names))).flat();
      return { words, sentences: sceneSentences(scene) };
    });"""
    events = [
        {"order": order, "event": event} for order in ("layers", "after", "one", "neurons") for event in ("none", "packet")
    ]
    for found in evaluated(WORDS + program, [*events, {"event": "failure"}, {"lostShare": 1, "event": "packet"}]):
        for text in [*found["words"], *found["sentences"]]:
            assert text.strip()
            assert not any(word in text for word in ("undefined", "NaN", "null", "Infinity")), text


def test_a_loss_that_lets_nothing_through_is_said():
    settings = {"transport": "go_back_0", "loss": 0.3, "scale": 1e6}
    program = "const scene = sceneOf({ ...deviceDefaults(), ...input }, [{ neurons: 1, inputs: 3, weights: 4 }]);"
    found = evaluated(WORDS + program + "result = [scene.endless, sceneSentences(scene)];", settings)
    assert found == [True, ["With this loss a message never arrives, so that the step never ends."]]


def test_sliders_keep_their_values():
    program = """
    result = Object.entries(SETTING_SLIDERS).map(([key, slider]) =>
      [0, 1, 250, 999, 1000].map((stop) => {
        const value = valueAtStop(slider, stop);
        return [key, stop, value, stopOfValue(slider, value), slider];
      }),
    );
    """
    for stops in evaluated(WORDS + program):
        for key, stop, value, again, slider in stops:
            assert slider["low"] <= value <= slider["high"], key
            if not slider.get("whole"):  # whole numbers share stops at the left end
                assert abs(again - stop) <= 2, (key, stop, value, again)
        assert [stops[0][2], stops[-1][2]] == [slider["low"], slider["high"]]


@pytest.mark.parametrize(
    ("key", "text", "value"),
    [("loss", "0.5", 0.5), ("latency", " 20 ", 20), ("bandwidth", "2.5e4", 25_000), ("age", "12", 12)],
)
def test_typed_values_are_read(key, text, value):
    found = evaluated(WORDS + "result = typedSetting(SETTING_SLIDERS[input[0]], input[1]);", [key, text])
    assert found == {"value": value}


@pytest.mark.parametrize(
    ("key", "text", "line"),
    [
        ("loss", "31", "Packets lost: 31 is not a number from 0 to 30 %."),
        ("loss", "−1", "Packets lost: −1 is not a number from 0 to 30 %."),
        ("latency", "fast", "Delay, one way: fast is not a number from 0 to 300\u202f000 µs."),
        ("latency", "", "Delay, one way: nothing typed is not a number from 0 to 300\u202f000 µs."),
        ("age", "1.5", "Age of the snapshot: 1.5 is not a whole number from 0 to 100\u202f000 steps."),
    ],
)
def test_typed_values_that_cannot_be_are_refused(key, text, line):
    found = evaluated(WORDS + "result = typedSetting(SETTING_SLIDERS[input[0]], input[1]);", [key, text])
    assert found == {"problem": line}
