"""The live page's network model computes what `nnjax.interconnect` computes: each function, on random links."""

import json
import math
import random
from dataclasses import fields, replace
from pathlib import Path
from typing import get_args

import pytest
import yaml
from page_node import run

from nnjax.config.link_options import Device, Link, LinkName, Transport
from nnjax.config.types import MemorySize
from nnjax.interconnect import algorithms, collective_time, failures, packets, timing, transport
from nnjax.interconnect.collective import Collective, Part
from nnjax.interconnect.formula import Figure
from nnjax.interconnect.prediction import predict_step
from nnjax.reporting.page_source import SOURCE

pytestmark = pytest.mark.node

ROOT = Path(__file__).parents[2]
CASES = 400
RELATIVE = 1e-12
RUNNER = """
import * as link from "./link_model.js";
import * as step from "./step_model.js";
import * as presets from "./link_presets.js";
import { readFileSync } from "node:fs";

const modules = { ...link, ...step };
const plain = (key, value) => (typeof value === "number" && !Number.isFinite(value) ? String(value) : value);
const calls = JSON.parse(readFileSync(0, "utf8"), (key, value) => (value === "Infinity" ? Infinity : value));
const results = calls.map(([name, given]) => (name === "LINKS" ? presets.LINKS : modules[name](...given)));
console.log(JSON.stringify(results, plain));
"""


def node(calls):
    """Results of the page's functions, [(name, arguments)], from one start of Node."""
    text = json.dumps(calls).replace("Infinity", '"Infinity"')
    done = run(["--input-type=module", "--eval", RUNNER], input=text, cwd=SOURCE)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def assert_same(computed, expected, where):
    if isinstance(expected, dict):
        for name, value in expected.items():
            assert_same(computed[name], value, f"{where}.{name}")
    elif isinstance(expected, list | tuple):
        assert len(computed) == len(expected), where
        for index, (one, other) in enumerate(zip(computed, expected, strict=True)):
            assert_same(one, other, f"{where}[{index}]")
    else:
        number = float(computed)  # "Infinity" too
        assert number == expected or math.isclose(number, expected, rel_tol=RELATIVE), f"{where}: {number} is not {expected}"


def between(draw, low, high):
    """A number whose logarithm is uniform."""
    return math.exp(draw.uniform(math.log(low), math.log(high)))


def random_loss(draw, top=0.3):
    return draw.choice([0.0, between(draw, 1e-8, top)])


def random_link(draw):
    header = draw.choice([0, 40, 52])
    return Link(
        name="custom",
        bandwidth=between(draw, 1e6, 4e12),
        latency=draw.choice([0.0, between(draw, 1e-7, 0.3)]),
        jitter=draw.choice([0.0, between(draw, 1e-7, 0.1)]),
        loss=random_loss(draw, 0.9),
        mtu=draw.randint(header + 1, 9000),
        header_bytes=header,
        frame_bytes=draw.randint(0, 100),
        ack_bytes=draw.choice([0, 30, 90]),
        ack_every=draw.randint(1, 4),
        transport=draw.choice(get_args(Transport)),
        window=draw.choice([None, draw.randint(1, 10_000)]),
        timeout=between(draw, 1e-4, 1),
        lossless=draw.random() < 0.5,
        oversubscription=draw.choice([1.0, draw.uniform(1, 8)]),
        incast=1,
        buffer=MemorySize.parse("4MB"),
        round_latencies=draw.choice([1.0, 2.0]),
        call_overhead=draw.choice([0.0, between(draw, 1e-6, 1e-2)]),
    )


def given(link):
    """A link as the page has it: the fields that its formulas use."""
    return {field.name: getattr(link, field.name) for field in fields(link) if field.name not in ("name", "buffer", "incast")}


def device(*, overlap, spread=0.0):
    return Device(
        name="custom",
        peak_flops=1e12,
        flops_share=0.5,
        memory=MemorySize.parse("8GB"),
        run=None,
        step_time=None,
        overlap=overlap,
        spread=spread,
        per_machine=1,
        inner_bandwidth=None,
        inner_latency=None,
        failure_hours=None,
        checkpoint_time=1.0,
        restart_time=1.0,
        price=None,
    )


def of_bytes(size, layer="a"):
    return Collective("all_reduce", "int8", (Part(layer, "kernel", size),), group_size=2, phase="gradients")


def compare(cases):
    """Compares [(name in JavaScript, arguments, result in Python)]."""
    results = node([[name, arguments] for name, arguments, _ in cases])
    assert len(results) == len(cases) >= 300
    for index, ((name, _, expected), computed) in enumerate(zip(cases, results, strict=True)):
        assert_same(computed, expected, f"case {index}, {name}")


def test_transports():
    draw = random.Random(1)
    cases = []
    for _ in range(CASES):
        loss, rtt, mss = random_loss(draw), draw.choice([0.0, between(draw, 1e-7, 0.5)]), draw.randint(1, 9000)
        timeout, acks, window = between(draw, 1e-4, 1), draw.randint(1, 4), draw.choice([math.inf, draw.randint(1, 1000)])
        rate, count = between(draw, 1e6, 1e12), draw.randint(0, 100_000)
        cases += [
            ("mathisRate", [mss, rtt, loss, acks], transport.mathis(mss, rtt, loss, acks)),
            ("timeoutTime", [loss, timeout, acks], transport.timeout_time(loss, timeout, acks)),
            ("pftkRate", [mss, rtt, loss, timeout, acks, window], transport.pftk(mss, rtt, loss, timeout, acks, window)),
            ("tcpGoodput", [mss, rtt, loss, timeout, acks, rate], transport.tcp_goodput(mss, rtt, loss, timeout, acks, rate)),
            (
                "tcpMessageTime",
                [count, mss, rate, rtt, loss, timeout, acks],
                transport.tcp_message_time(count, mss, rate, rtt, loss, timeout, acks),
            ),
            ("goBackN", [loss, count + 1], transport.go_back_n(loss, count + 1)),
            ("goBack0", [loss, count], transport.go_back_0(loss, count)),
            ("selectiveRepeat", [loss], transport.selective_repeat(loss)),
        ]
    compare(cases)


def test_packets_and_links():
    draw = random.Random(2)
    cases = []
    for _ in range(CASES):
        link, size, messages = random_link(draw), draw.choice([0, draw.randint(1, 10**9)]), draw.randint(1, 8)
        packing = packets.pack(size, link, messages)
        efficiency = (packing.data_bytes, packing.packets, link.header_bytes, link.frame_bytes, packing.acks, link.ack_bytes)
        level = collective_time.level(link, size, messages, 2)
        cases += [
            (
                "packMessages",
                [size, given(link), messages],
                {
                    "data": packing.data_bytes,
                    "packets": packing.packets,
                    "wire": packing.wire_bytes,
                    "acks": packing.acks,
                    "ackBytes": packing.ack_bytes,
                },
            ),
            ("wireEfficiency", efficiency, packets.wire_efficiency(*efficiency)),
            ("windowOf", [given(link)], transport.window_of(link)),
            ("linkLevel", [given(link), size, messages], {"latency": level.latency, "rate": level.rate}),
        ]
        if link.transport != "tcp":
            cases.append(("goodputOf", [given(link), size], collective_time.goodput_of(link, size).value))
    compare(cases)


def test_exchanges():
    draw = random.Random(3)
    cases = []
    for _ in range(CASES):
        link, size, number = random_link(draw), draw.choice([0, draw.randint(1, 10**9)]), draw.randint(1, 4096)
        algorithm = draw.choice(["ring", "tree", "halving_doubling"])
        one = collective_time.time_of(of_bytes(size), link, device(overlap=True), devices=2, algorithm=algorithm)
        rate, rounds, latency = between(draw, 1e6, 1e12), draw.randint(0, 100), between(draw, 1e-7, 1)
        cases += [
            (
                "allReduceBytes",
                [algorithm, size, number],
                algorithms.bytes_sent("all_reduce", algorithm, size, number),
            ),
            ("allReduceRounds", [algorithm, number], algorithms.rounds("all_reduce", algorithm, number)),
            (
                "exchangeTime",
                [size, given(link)],
                {
                    "sent": one.sent_bytes,
                    "rounds": one.rounds,
                    "packets": one.packets,
                    "wire": one.wire_bytes,
                    "overhead": one.overhead,
                    "latency": one.latency,
                    "transfer": one.transfer,
                    "time": one.time,
                },
            ),
            ("alphaBeta", [rounds, latency, size, rate, 0.5, 3], timing.alpha_beta(rounds, latency, size, rate, 0.5, 3)),
        ]
    compare(cases)


def test_steps_are_those_of_experiments_traffic():
    draw = random.Random(4)
    cases = []
    for _ in range(CASES):
        link = replace(random_link(draw), loss=random_loss(draw, 0.01))
        sizes = [draw.randint(1, 10**8) for _ in range(draw.randint(1, 5))]
        alone, overlap, slow = between(draw, 1e-5, 1), draw.random() < 0.5, draw.choice([1, draw.uniform(1, 4)])
        ready = sorted(draw.random() for _ in sizes)
        computing = Figure("computing", alone * slow, "s", "measured_time", {"step_time": alone * slow})
        step, placed = predict_step(
            [of_bytes(size, str(index)) for index, size in enumerate(sizes)],
            link,
            device(overlap=overlap),
            alone=computing,
            devices=2,
            ready=ready,
        )
        cases.append(
            (
                "predictStep",
                [sizes, ready, given(link), [alone, alone * slow], overlap],
                {
                    "step": step.step_time.value,
                    "exposed": step.exposed.value,
                    "communicating": step.communicating.value,
                    "computing": step.computing.value,
                    "utilisation": [timing.utilisation(alone, step.step_time.value), step.utilisation.value],
                    "line": {
                        "forward": step.forward_end,
                        "backward": step.backward_end,
                        "spans": [(one.start, one.end) for one in placed],
                    },
                },
            )
        )
    # exposed is a difference of nearly equal numbers where all exchanges are hidden: compare it as a share of the step
    results = node([[name, arguments] for name, arguments, _ in cases])
    assert len(results) >= 300
    for index, ((_, _, expected), computed) in enumerate(zip(cases, results, strict=True)):
        exposed, step = expected.pop("exposed"), expected["step"]
        assert_same(computed, expected, f"case {index}")
        if math.isfinite(step):
            assert abs(computed["exposed"] - exposed) <= RELATIVE * step
        else:
            assert computed["exposed"] == "Infinity"


def test_failures():
    draw = random.Random(5)
    cases = []
    for _ in range(CASES):
        interval, saving, restart = between(draw, 1, 1e5), between(draw, 1e-2, 1e4), between(draw, 1, 1e4)
        mean = between(draw, 1, 1e8)
        cases += [
            ("timeBetweenFailures", [mean, 2], failures.time_between_failures(mean, 2)),
            ("youngInterval", [saving, mean], failures.young(saving, mean)),
            ("dalyInterval", [saving, mean], failures.daly(saving, mean)),
            ("snapshotGoodput", [interval, saving, restart, mean], failures.goodput(interval, saving, restart, mean)),
            ("utilisationOf", [saving, mean], timing.utilisation(saving, mean)),
        ]
    compare(cases)


def test_presets_are_those_of_conf():
    (presets,) = node([["LINKS", []]])
    assert set(presets) == set(get_args(LinkName)) - {"custom"}
    for name, preset in presets.items():
        conf = yaml.safe_load((ROOT / "conf" / "link" / f"{name}.yaml").read_text())
        for key in ("name", "buffer", "incast"):  # each of two devices receives from one, so that no buffer overflows
            del conf[key]
        words = ("transport",)
        # YAML 1.1 reads 1e9 as text
        assert preset == {
            key: float(value) if isinstance(value, str) and key not in words else value for key, value in conf.items()
        }
