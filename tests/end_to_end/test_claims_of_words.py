"""What docs/00-words.md says in sentences and tables, held to the datasets, networks and links that it names."""

import json
import re
from math import ceil

import pytest
from claims import page, said
from commands import ROOT, run
from omegaconf import OmegaConf

from nnjax.cli.compose import compose_train
from nnjax.config.link_options import Link
from nnjax.config.parsing import parse
from nnjax.data.dataset_spec import dataset_spec
from nnjax.data.load import load
from nnjax.interconnect.catalogue import FORMULAS
from nnjax.interconnect.packets import pack
from nnjax.models.layer_summary import num_params
from nnjax.training.initial_state import abstract_network
from nnjax.training.state import split_network

WORDS = "00-words"
TEXT = (ROOT / f"docs/{WORDS}.md").read_text()
SIZES = (180, 349_096, 4e9)


def rows(first):
    """The cells of the table whose head begins with `first`."""
    lines = TEXT.split(f"\n| {first} |")[1].splitlines()[2:]
    for line in lines:
        if not line.startswith("|"):
            return
        yield [cell.strip() for cell in line.strip("|").split("|")]


def count(text):
    return int(text.replace(" ", ""))


def link(preset):
    return parse(Link, OmegaConf.to_container(OmegaConf.load(ROOT / f"conf/link/{preset}.yaml")))


def time(text):
    """Seconds of "17 µs", and half of its last digit; of whole numbers two digits count."""
    number, unit = text.split()
    scale = {"µs": 1e-6, "ms": 1e-3, "s": 1}[unit]
    whole, _, decimals = number.partition(".")
    last = 10.0 ** -len(decimals) if decimals else 10.0 ** max(len(whole) - 2, 0)
    return float(number) * scale, last * scale / 2


@pytest.mark.parametrize("row", list(rows("preset")), ids=lambda row: row[0])
def test_speeds_delays_and_times_are_those_of_the_presets_and_the_formula(row):
    preset, speed, delay, *times = row
    found = link(preset.strip("`"))
    assert float(speed.removesuffix(" Gb/s")) == pytest.approx(found.bandwidth / 1e9)
    assert float(delay.removesuffix(" µs")) == pytest.approx(found.latency * 1e6)
    for text, size in zip(times, SIZES, strict=True):
        seconds = FORMULAS["alpha_beta"].function(
            rounds=1, latency=found.latency, sent_bytes=size, bandwidth=found.bandwidth, overhead=0, buffers=1
        )
        shown, half = time(text)
        assert abs(shown - seconds) <= half * (1 + 1e-9), (text, seconds)


def test_the_table_has_every_preset():
    presets = {row[0].strip("`") for row in rows("preset")}
    assert presets == {path.stem for path in (ROOT / "conf/link").glob("*.yaml")} - {"custom"}


def test_the_times_that_a_reader_can_round_are_read_right():
    assert time("330 µs") == pytest.approx((330e-6, 5e-6))
    assert time("8.9 ms") == pytest.approx((8.9e-3, 0.05e-3))


def test_small_messages_cost_delay_and_large_ones_bandwidth():
    said(WORDS, "180 bytes take the same time at 1 Gb/s as at 10 Gb/s, to 3 %", "4 GB take ten times as long.")
    slow, fast = link("ethernet_1g"), link("ethernet_10g")

    def seconds(one, size):
        return one.latency + 8 * size / one.bandwidth

    assert 1.02 < seconds(slow, 180) / seconds(fast, 180) < 1.03
    assert seconds(slow, 4e9) / seconds(fast, 4e9) == pytest.approx(10, rel=1e-3)


def test_headers_of_full_packets():
    said(
        WORDS,
        "A full packet of InfiniBand has 26 bytes beside 4096 of data (0.6 % of the wire), one of RoCE 82 (2.0 %), "
        "one of Ethernet with TCP 90 beside 1448 (5.9 %).",
    )
    for preset, beside, data, share in [
        ("infiniband_400g", 26, 4096, 0.6),
        ("roce_400g", 82, 4096, 2.0),
        ("ethernet_10g", 90, 1448, 5.9),
        ("ethernet_1g", 90, 1448, 5.9),
    ]:
        packing = pack(data, link(preset))
        assert (packing.packets, packing.wire_bytes - data) == (1, beside)
        assert round(100 * (1 - packing.efficiency), 1) == share


@pytest.fixture(scope="module")
def steps(tmp_path_factory):
    """The predictions of the page's commands, by the words that they have beside the network."""
    folder = tmp_path_factory.mktemp("traffic")
    found = {}
    for index, words in enumerate(
        [
            "link=nvlink",
            "link=wifi",
            "link=wifi parallel.gradients=flat",
            "link=custom link.bandwidth=25e9 link.latency=20e-6",
        ]
    ):
        place = folder / str(index)
        printed = run("traffic", "experiment=two_gpus", "compare=[]", *words.split(), f"hydra.run.dir={place}").stdout
        found[words] = (" ".join(printed.split()), json.loads((place / "traffic.json").read_text()))
    return found


def predicted(printed):
    """Seconds of "Predicted step: 241 µs = computing 0.176 µs + waiting for the network 241 µs"."""
    units = {"µs": 1e-6, "ms": 1e-3, "s": 1}
    found = re.search(r"Predicted step: ([\d.]+) (\S+) = computing ([\d.]+) (\S+) \+", printed)
    return float(found[1]) * units[found[2]], float(found[3]) * units[found[4]]


@pytest.mark.slow
def test_the_steps_of_the_table_at_the_top(steps):
    said(
        WORDS,
        "The exchange has six buffers, one for each array of weights, and each buffer takes two rounds: 12 rounds",
        "So on NVLink a step takes 49 µs, and on Wi-Fi 1 500 times as long, while computing takes less than 1 µs in every row: "
        "the devices wait for 99 % of the time and more.",
        "For the small messages of the table at the top they outweigh the data.",
    )
    nvlink, computing = predicted(steps["link=nvlink"][0])
    assert nvlink == pytest.approx(49e-6, rel=0.01)
    assert predicted(steps["link=wifi"][0])[0] / nvlink == pytest.approx(1500, rel=0.03)
    for printed, _ in steps.values():
        assert predicted(printed)[1] < 1e-6
    assert computing / nvlink < 0.01
    assert 12 * link("nvlink").latency < nvlink
    for wire in re.findall(r"completed +180 B +(\S+) (k?B) ", TEXT):
        assert float(wire[0]) * {"B": 1, "kB": 1000}[wire[1]] > 2 * 180


@pytest.mark.slow
def test_what_to_try_next(steps):
    said(
        WORDS,
        "The 12 rounds of 20 µs are 240 µs; the command predicts 241 µs.",
        "two rounds instead of 12, and a step takes a sixth of the time.",
    )
    assert predicted(steps["link=custom link.bandwidth=25e9 link.latency=20e-6"][0])[0] == pytest.approx(241e-6)
    each, flat = (predicted(steps[words][0])[0] for words in ("link=wifi", "link=wifi parallel.gradients=flat"))
    assert each / flat == pytest.approx(6, rel=0.01)


@pytest.mark.slow
@pytest.mark.parametrize("row", list(rows("dataset")), ids=lambda row: row[0])
def test_datasets(row):
    words, train, test, an_input, answers = row
    data = compose_train([words.split("`")[1]]).data
    spec = dataset_spec(data)
    if spec.is_sequence:
        dataset = load(data)
        assert (len(dataset.train.targets), spec.input_shape, answers) == (count(train), (13, 1), "the next change")
        assert an_input == "13 changes of passengers"
        assert compose_train([words.split("`")[1]]).data.holdout == count(test)
        return
    height, width, channels = spec.input_shape
    assert (spec.num_train + spec.num_validation, spec.num_test) == (count(train), count(test))
    assert an_input == f"{height} × {width}, {'grey' if channels == 1 else 'colour'}"
    assert int(answers.split()[0]) == spec.num_outputs
    if spec.num_outputs == 100:
        assert "500 and 100 pictures of each" in answers
        assert (count(train) / 100, count(test) / 100) == (500, 100)


def test_the_validation_examples():
    said(WORDS, "Of the 1 437 digits, 144 are set aside for *validation*")
    spec = dataset_spec(compose_train(["data=digits"]).data)
    assert (spec.num_train + spec.num_validation, spec.num_validation) == (1437, 144)


def test_which_networks_are_deep():
    said(
        WORDS,
        "By this definition the two neurons of pages 3 to 7 are not deep, for they have one hidden layer, "
        "and so has the network of page 9.",
        "The networks of [page 8](08-two-devices.md) (two hidden layers) and [page 10](10-cnn.md) (three) are.",
    )
    assert len(compose_train(["model=fnn"]).model.hidden) == 1
    assert len(compose_train(["experiment=two_gpus"]).model.layers) - 1 == 2
    cnn = compose_train([]).model
    assert len(cnn.blocks) + len(cnn.dense) == 3


@pytest.mark.parametrize(
    ("kind", "overrides"), [("FNN", ["model=fnn"]), ("CNN", []), ("RNN", ["experiment=airline_rnn"])], ids=lambda one: str(one)
)
def test_numbers_of_weights(kind, overrides):
    row = next(row for row in rows("network") if row[0].startswith(f"**{kind}**"))
    weights = re.search(r", ([\d ]+) weights", row[3])[1]
    config = compose_train(overrides)
    _, params, _ = split_network(abstract_network(config, dataset_spec(config.data)))
    assert num_params(params) == count(weights)


def test_the_neuron_of_the_picture():
    said(WORDS, "The picture's neuron is that of [page 1](01-neuron.md): 0.02 + 0.02 + 0.12 + 0.6 = 0.76.")
    neuron = OmegaConf.load(ROOT / "conf/neuron.yaml")
    products = [x * w for x, w in zip(neuron.inputs, neuron.weights, strict=True)] + [neuron.bias]
    assert [round(product, 6) for product in products] == [0.02, 0.02, 0.12, 0.6]
    assert sum(products) == pytest.approx(0.76)


def test_the_sizes_of_the_messages_are_those_of_the_pages():
    assert "45 weights make 180 bytes" in page("08-two-devices")
    assert f"{SIZES[1] // 4:,}" in page("10-cnn")
    assert ceil(SIZES[2] / 4) == 10**9
