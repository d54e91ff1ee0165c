"""The report of a step's traffic, its tables, CSV, figures and exports, from collectives made by hand."""

import csv
import io
import json
import re
from pathlib import Path

import pytest
from rich.console import Console

from nnjax.api.traffic_run import summary_of
from nnjax.checks.plan import make_plan
from nnjax.cli.compose import compose_config
from nnjax.config.traffic_options import TrafficConfig
from nnjax.interconnect.catalogue import FORMULAS
from nnjax.interconnect.collective import Collective, Part
from nnjax.interconnect.compiled import Reading
from nnjax.interconnect.netlab.points import hidden_width
from nnjax.interconnect.step_facts import StepFacts
from nnjax.interconnect.traffic_report import layer_bytes, traffic_report, way_row
from nnjax.reporting.figures.traffic_figure import draw_traffic
from nnjax.reporting.text import bytes_text, time_text
from nnjax.reporting.traffic_exports import write_astra_sim, write_chrome
from nnjax.reporting.traffic_files import COLUMNS, write_csv
from nnjax.reporting.traffic_tables import traffic_tables

STATISTICS = Collective("all_gather", "float32", (Part("norm", "statistics", 96),), 4, "batch_statistics", backward=False)
TENSORS = (Part("dense_1", "kernel", 5000), Part("norm", "scale", 8), Part("output", "bias", 10))
GRADIENTS = Collective("all_reduce", "float32", TENSORS, 4, "gradients", buffers=3)
SUMS = Collective("all_reduce", "float32", (Part("", "loss", 100),), 4, "metrics", per_step=False)


def facts_of(*collectives, overrides=(), devices=4):
    config = compose_config("traffic", ["model=fnn", f"parallel.devices={devices}", *overrides], TrafficConfig)
    facts = StepFacts(
        plan=make_plan(config),
        reading=Reading(collectives),
        num_devices=devices,
        simulated=devices,
        platform="cpu",
        steps_per_call=100,
        layer_flops={"dense_1": 3000.0, "relu_1": 50.0, "norm": 50.0, "output": 100.0},
        flops=1e9,
        product_flops=9e8,
        memory={"arguments": 10, "outputs": 5, "aliased": 4, "temporary": 3, "total": 14},
        parameters=4 * 5018,
        optimizer=8 * 5018,
        state=12 * 5018,
    )
    return config, facts


def report_of(*collectives, **options):
    config, facts = facts_of(*collectives, **options)
    report = traffic_report(facts, config.link, config.device, algorithm=config.algorithm, fixed=config.fixed)
    report["ways"] = [way_row(facts, config.link, config.device, algorithm=config.algorithm)]
    return report


def printed(report, width=100):
    console = Console(width=width, file=io.StringIO(), markup=False, highlight=False)
    with console.capture() as capture:
        for part in traffic_tables(report):
            console.print(part)
    return capture.get()


@pytest.mark.parametrize(("ranks", "counted"), [(2, 263_600), (3, 357_000), (4, 407_700)])
def test_a_report_is_near_what_interfaces_counted(ranks, counted):
    """docs/network.md has the counts, of networks of 64 inputs, `width` neurons and 10 outputs."""
    width = hidden_width(60_000, layers=1)
    tensors = tuple(Part("layer", "tensor", count) for count in (10, 10 * width, width, 64 * width))
    sent = Collective("all_reduce", "float32", tensors, ranks, "gradients", buffers=4)
    report = report_of(sent, devices=ranks, overrides=["link=ethernet_1g", "training.global_batch_size=48"])
    ring = next(row for row in report["bytes"]["by_algorithm"] if row["algorithm"] == "ring")
    assert ring["interface_per_step"] == pytest.approx(counted, rel=0.1)


def test_a_ring_sends_two_times_three_quarters_of_each_buffer():
    report = report_of(STATISTICS, GRADIENTS, SUMS)
    ring = next(row for row in report["bytes"]["by_algorithm"] if row["algorithm"] == "ring")
    step = 4 * 5018 * 2 * 3 / 4 + 4 * 96 * 3 / 4
    assert ring["sent_per_step"] == pytest.approx(step)
    settings = report["settings"]
    assert ring["sent_per_epoch"] == pytest.approx(step * settings["steps_per_epoch"])
    calls = -(-settings["steps"] // 100)
    assert ring["sent_per_run"] == pytest.approx(step * settings["steps"] + calls * 400 * 2 * 3 / 4)
    # Each of 6 rounds sends a quarter of a buffer, of each of 3 buffers, in packets of 1448 bytes; 3 rounds of statistics.
    assert ring["packets_per_step"] >= 18 + 3
    assert ring["wire_per_step"] == pytest.approx(step + 90 * ring["packets_per_step"], abs=2)
    assert {row["algorithm"] for row in report["bytes"]["by_algorithm"]} == {"ring", "tree", "halving_doubling"}


def test_a_hierarchy_of_machines_with_one_device_has_the_numbers_of_a_ring():
    report = report_of(STATISTICS, GRADIENTS, overrides=["algorithm=hierarchical"])
    rows = {row["algorithm"]: row for row in report["bytes"]["by_algorithm"]}
    of_ring = {key: value for key, value in rows["ring"].items() if "_per_" in key or key == "communicating"}
    assert rows["hierarchical"] == rows["hierarchical"] | of_ring
    summary = summary_of(report, Path("a_run"))
    assert [summary[key] for key in ("sent_per_step", "packets_per_step", "wire_per_step")] == [
        of_ring[key] for key in ("sent_per_step", "packets_per_step", "wire_per_step")
    ]


def test_rows_have_the_columns_of_nccl_tests():
    first, second, third = report_of(STATISTICS, GRADIENTS, SUMS)["collectives"]
    assert (first["size"], first["count"], first["type"], first["redop"]) == (384, 96, "float", "none")
    assert (second["size"], second["count"], second["type"], second["redop"]) == (20072, 5018, "float", "sum")
    assert (second["per"], third["per"], third["start"]) == ("step", "call", None)
    assert second["algbw"] == pytest.approx(20072 / second["time"] / 1e9)
    assert second["busbw"] == pytest.approx(second["algbw"] * 1.5)
    assert first["bus_factor"] == 0.75


def test_every_formula_that_is_named_is_listed_with_its_source():
    report = report_of(STATISTICS, GRADIENTS, overrides=["link.loss=1e-3"])
    assert report["prediction"]["step_time"]["formula"] in report["formulas"]
    assert "ring_bytes" in FORMULAS
    assert all(formula["source"] and formula["validity"] for formula in report["formulas"].values())


def test_bytes_of_layers_add_up_to_the_buffers():
    padded = Collective("all_gather", "float32", (Part("output", "bias", 10), Part("", "padding", 2)), 4, "parameters")
    rows = layer_bytes([STATISTICS, GRADIENTS, padded], ("dense_1", "norm", "relu_1", "output"))
    assert [row["layer"] for row in rows] == ["dense_1", "norm", "output", ""]
    assert rows[1] == {"layer": "norm", "batch_statistics": 384, "gradients": 32}
    assert rows[3] == {"layer": "", "padding": 8}
    total = sum(size for row in rows for key, size in row.items() if key != "layer")
    assert total == STATISTICS.size + GRADIENTS.size + padded.size


def test_tables_fit_a_terminal_and_name_their_units():
    text = printed(report_of(STATISTICS, GRADIENTS, SUMS))
    assert max(len(line) for line in text.splitlines() if line.startswith((" ", "─"))) <= 100
    for words in (
        "size",
        "count",
        "type",
        "redop",
        "algbw",
        "busbw",
        "10⁹ bytes",
        "link.mtu=1500",
        "the same as the parameters'",
    ):
        assert words in text
    assert "Predicted step: " in text
    assert "4096" in text


def test_a_loss_shows_every_transport():
    assert "go_back_0" not in printed(report_of(GRADIENTS))
    text = printed(report_of(GRADIENTS, overrides=["link.loss=0.01"]))
    for transport in ("tcp", "go_back_n", "go_back_0", "selective_repeat"):
        assert transport in text


def test_without_exchanges_nothing_is_sent():
    report = report_of(devices=1)
    assert "Nothing is sent" in printed(report)
    assert report["flops"]["per_byte_sent"] is None


def test_devices_of_one_machine_use_no_link():
    text = printed(report_of(GRADIENTS, overrides=["device=h100", "link=roce_400g"]))
    assert "nothing travels on link=roce_400g" in text


def test_memory_that_a_device_lacks_is_said():
    assert "LESS" not in printed(report_of(GRADIENTS))
    assert "LESS" in printed(report_of(GRADIENTS, overrides=["device.memory=1B"]))


def test_the_csv_has_a_row_for_each_collective(tmp_path):
    write_csv(tmp_path / "traffic.csv", report_of(STATISTICS, GRADIENTS, SUMS)["collectives"])
    rows = list(csv.DictReader((tmp_path / "traffic.csv").read_text().splitlines()))
    assert tuple(rows[0]) == COLUMNS
    assert rows[1]["tensors"] == "dense_1/kernel:5000 norm/scale:8 output/bias:10"
    assert [int(row["size"]) for row in rows] == [384, 20072, 400]


@pytest.mark.slow
@pytest.mark.parametrize("collectives", [(), (STATISTICS, GRADIENTS, SUMS)])
def test_the_figure_is_drawn(tmp_path, collectives):
    draw_traffic(report_of(*collectives), tmp_path / "traffic.png")
    assert (tmp_path / "traffic.png").read_bytes().startswith(b"\x89PNG")


def test_a_step_that_never_ends(tmp_path):
    parts = (Part("dense_1", "kernel", 10**7),)
    never = Collective("all_reduce", "float32", parts, 4, "gradients")
    report = report_of(STATISTICS, never, overrides=["link.loss=0.999", "link.transport=go_back_0"])
    assert report["prediction"]["step_time"]["value"] == float("inf")
    assert "never ends" in printed(report)
    draw_traffic(report, tmp_path / "traffic.png")
    trace = json.loads(write_chrome(report, tmp_path).read_text())
    assert [event["name"] for event in trace["traceEvents"] if event.get("tid") == 1 and event["ph"] == "X"].count(
        "all_reduce"
    ) == 0
    write_astra_sim(report, {"bandwidth": 1e9, "latency": 0.0}, {"dense_1": 1.0}, tmp_path)


def test_many_layers_are_drawn_as_one_bar(tmp_path):
    parts = tuple(Part(f"layer_{number}", "kernel", number + 1) for number in range(60))
    report = report_of(Collective("all_reduce", "float32", parts, 4, "gradients"))
    draw_traffic(report, tmp_path / "traffic.png")
    assert len(report["layers"]) == 60


def test_a_trace_for_the_browser_has_a_process_for_each_rank(tmp_path):
    report = report_of(STATISTICS, GRADIENTS, SUMS)
    trace = json.loads(write_chrome(report, tmp_path).read_text())
    spans = [event for event in trace["traceEvents"] if event["ph"] == "X"]
    assert {event["pid"] for event in spans} == {0, 1, 2, 3}
    sent = [event for event in spans if event["pid"] == 0 and event["tid"] == 1]
    assert [event["name"] for event in sent] == ["all_gather", "all_reduce"]
    end = max(event["ts"] + event["dur"] for event in spans)
    assert end == pytest.approx(report["prediction"]["step_time"]["value"] * 1e6)
    computing = sum(event["dur"] for event in spans if event["pid"] == 0 and event["tid"] == 0)
    assert computing == pytest.approx(report["prediction"]["computing"]["value"] * 1e6)


def test_the_workload_of_astra_sim_has_every_gradient_and_all_of_the_time(tmp_path):
    report = report_of(STATISTICS, GRADIENTS, SUMS)
    flops = {"dense_1": 3000.0, "relu_1": 50.0, "norm": 50.0, "output": 100.0}
    files, left_out = write_astra_sim(report, {"bandwidth": 10e9, "latency": 50e-6}, flops, tmp_path)
    lines = (tmp_path / "astra-sim/workload.txt").read_text().splitlines()
    assert lines[:2] == ["DATA", "3"]
    layers = [line.split() for line in lines[2:]]
    assert [(fields[0], fields[9], int(fields[10])) for fields in layers] == [
        ("dense_1", "ALLREDUCE", 20000),
        ("norm", "ALLREDUCE", 32),
        ("output", "ALLREDUCE", 40),
    ]
    assert all(len(fields) == 12 for fields in layers)
    assert int(layers[0][5]) == 0  # nothing needs the gradient by the data
    forward = sum(int(fields[2]) for fields in layers)
    assert forward == pytest.approx(report["prediction"]["computing"]["value"] * 1e6 / 3, abs=len(layers))  # µs
    network = (tmp_path / "astra-sim/network.yml").read_text()
    assert re.search(r"npus_count: \[ 4 \]\nbandwidth: \[ 1.16415 \]  # GB/s of 2³⁰ bytes\nlatency: \[ 50000 \]  # ns", network)
    assert json.loads((tmp_path / "astra-sim/system.json").read_text())["all-reduce-implementation"] == ["ring"]
    assert any(line.startswith("batch statistics: 384 bytes") for line in left_out)
    assert {file.name for file in files} >= {"workload.txt", "network.yml", "system.json", "README.txt"}


def test_a_sharded_step_is_a_reduce_scatter_for_astra_sim_and_the_rest_is_said(tmp_path):
    scattered = Collective("reduce_scatter", "float32", (*TENSORS, Part("", "padding", 2)), 4, "gradients")
    gathered = Collective("all_gather", "float32", (*TENSORS, Part("", "padding", 2)), 4, "parameters")
    report = report_of(scattered, gathered)
    _, left_out = write_astra_sim(report, {"bandwidth": 1e9, "latency": 0.0}, {"dense_1": 1.0}, tmp_path)
    assert "REDUCESCATTER 20000" in (tmp_path / "astra-sim/workload.txt").read_text()
    assert any(line.startswith("the all-gather of the parameters") for line in left_out)
    assert any(line.startswith("padding: 16 bytes") for line in left_out)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (1.234e-5, "12.3 µs"),
        (0.0045, "4.5 ms"),
        (1.2, "1.2 s"),
        (600, "10 min"),
        (1e5, "27.8 h"),
        (1e6, "11.6 d"),
        (float("inf"), "never ends"),
        (0.99949, "999 ms"),
    ],
)
def test_times_have_three_digits(seconds, text):
    assert time_text(seconds) == text


def test_bytes_are_in_powers_of_ten():
    assert [bytes_text(size) for size in (12, 1500, 4_283_560, None)] == ["12 B", "1.50 kB", "4.28 MB", ""]
