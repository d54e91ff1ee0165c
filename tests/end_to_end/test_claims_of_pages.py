"""More of what the tour says in sentences that a number can check, page by page; `test_claims.py` has its first ones."""

import csv
import math
import re
from itertools import pairwise

import jax.numpy as jnp
import pytest
from claims import outputs, page, said, traced, value
from commands import ROOT, metrics_of, run, summary_of
from link_presets import link_of

from nnjax.cli.compose import compose_train
from nnjax.data import digits
from nnjax.data.load import load
from nnjax.training.optimizers import make_optimizer


@pytest.mark.slow
def test_a_weight_of_0_of_page_1():
    said("01-neuron", "A weight of 0 unplugs its input.")
    (first, second) = (run("neuron", "weights=[0,0.2,0.3]", f"inputs=[{x},0.1,0.4]").stdout for x in (0.2, -7))
    assert re.search(r"^ z .*", first, re.MULTILINE)[0].split()[-1] == re.search(r"^ z .*", second, re.MULTILINE)[0].split()[-1]


@pytest.mark.slow
def test_the_activations_of_page_2():
    said(
        "02-activations",
        "**tanh** squeezes any z into −1 to 1, with 0 in the middle.",
        "**sigmoid** squeezes it into 0 to 1, with ½ in the middle",
        "their slopes are 0.009 and 0.044",
        "almost nothing is left of it after a few such layers",
    )
    tanh, sigmoid = (1 - math.tanh(3.02) ** 2, 1 / (1 + math.exp(-3.02)) * (1 - 1 / (1 + math.exp(-3.02))))
    assert (round(tanh, 3), round(sigmoid, 3)) == (0.009, 0.044)
    assert sigmoid**3 < 1e-4

    def at(name, z):
        (row,) = re.findall(rf"^ {name}\(z\) .*", run("neuron", f"neuron.z={z}", f"activation={name}").stdout, re.MULTILINE)
        return float(row.split()[-1].replace("−", "-"))

    assert [at("tanh", z) for z in (-1000, 0, 1000)] == [-1, 0, 1]
    assert [at("sigmoid", z) for z in (-1000, 0, 1000)] == [0, 0.5, 1]


@pytest.mark.slow
def test_what_repairs_relus_flat_half_on_page_2():
    said("02-activations", "the activations that were invented to repair relu's flat half")
    names = "leaky_relu,elu,gelu,silu,softplus"
    printed = run("neuron", "neuron.z=-1", f"neuron.draw=[{names}]", COLUMNS="140").stdout
    slopes = [re.search(rf"^ {name} .*", printed, re.MULTILINE)[0].split()[-1] for name in names.split(",")]
    assert all(float(slope.replace("−", "-")) != 0 for slope in slopes)


@pytest.mark.slow
def test_layers_without_an_activation_of_page_2_are_one():
    said("02-activations", "Without an activation, a stack of layers would be no more than one layer: sums of sums are sums.")
    at = [
        value(traced("activation=identity", "model.output_activation=identity", f"data.inputs=[[{x},0.1,0.4]]"), "y_b")
        for x in (-5, 0, 5, 10)
    ]
    steps = [later - earlier for earlier, later in pairwise(at)]
    assert steps == pytest.approx([0.4 * 0.1 * 5] * 3)  # a straight line, whose slope is the product of the weights


@pytest.mark.slow
def test_the_reasons_for_the_error_of_page_4():
    said(
        "04-error",
        "a miss is a miss whether it is too high or too low",
        "the slope of the error is simply −(t − y)",
        "With several outputs the errors are added up, with several examples they are averaged.",
        "`E_1`, `E_2`, and E, their mean.",
    )
    above, below, twice = (
        value(traced("iterations=1", f"data.targets=[[{target}]]"), "E") for target in (0.804 + 0.196, 0.804 - 0.196, 1.196)
    )
    assert (above, twice) == (pytest.approx(below), pytest.approx(4 * above))
    assert value(traced("iterations=1"), "∂E/∂y_b") == pytest.approx(-(1 - 0.804))
    two = traced(
        "iterations=1",
        "data.inputs=[[0.2,0.1,0.4],[0.4,0.1,0.2]]",
        "data.targets=[[1],[0.5]]",
        "training.global_batch_size=2",
    )
    assert value(two, "E") == pytest.approx((value(two, "E_1") + value(two, "E_2")) / 2)
    layers = "model.layers=[{size: 2, weights: [[0.1, 0.2, 0.3], [0.4, 0.5, 0.6]]}]"
    whole = traced("iterations=1", "model=neurons", layers, "data.targets=[[1, 2]]")
    ends = [row["value"] for row in whole["rows"] if row["symbol"].startswith("y_") and row["iteration"] == 1]
    assert value(whole, "E") == pytest.approx(sum((t - y) ** 2 / 2 for t, y in zip((1, 2), ends, strict=True)))


@pytest.mark.slow
def test_a_network_of_ones_own_of_page_3():
    said(
        "03-forward-pass",
        "So the network's output is **0.804**; the chapter's target is 1.0.",
        "A network of your own, layer by layer; missing weights are drawn",
    )
    assert outputs(traced("iterations=1"))[0] == pytest.approx(0.804)
    layers = "model.layers=[{size: 2, activation: tanh}, {size: 1, activation: sigmoid}]"
    drawn = [traced("iterations=1", "model=neurons", layers, f"seed={seed}") for seed in (0, 0, 1)]
    first, again, other = (found["iterations"][0]["loss"] for found in drawn)
    assert first == again != other


def test_a_curved_slope_of_page_5():
    said("05-backward-pass", "Switch to tanh, whose slope is not just 0 or 1")
    assert 0 < value(traced("iterations=1", "activation=tanh"), "f′(z_a)") < 1
    said("05-backward-pass", "no error goes past it")
    blocked = traced("iterations=1", "model.neuron_b.bias=-2")
    assert (value(blocked, "f′(z_b)"), value(blocked, "δ_a")) == (0, 0)


def test_the_same_new_weights_of_page_6():
    said("06-update", "Most books subtract and take 0.6; the new weights are the same.")
    added, subtracted = traced("iterations=2"), traced("iterations=2", "optimizer=sgd", "optimizer.learning_rate=0.6")
    for iteration in (1, 2):
        for name in ("w_a1", "w_a2", "w_a3", "w_a0", "w_b1", "w_b0"):
            assert value(subtracted, name, iteration) == pytest.approx(value(added, name, iteration))
    assert value(added, "w_a1") == pytest.approx(0.109408)


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(path.stem for path in (ROOT / "conf/optimizer").glob("*.yaml")))
def test_who_adds_of_page_6(name):
    said("06-update", "Here only `optimizer=textbook` adds, all other optimizers subtract")
    config = compose_train([f"optimizer={name}", "optimizer.learning_rate=0.1"]).optimizer
    weights = {"kernel": jnp.array([[1.0, -2.0], [3.0, 0.5]])}
    slopes = {"kernel": jnp.array([[0.3, 0.1], [-0.2, 0.4]])}
    optimizer = make_optimizer(config, lambda step: 1.0)

    def moved(sign):
        updates, _ = optimizer.update({"kernel": sign * slopes["kernel"]}, optimizer.init(weights), weights)
        return updates["kernel"]

    # What does not depend on the gradient, as weight decay and a fixed norm of the weights, cancels.
    uphill = float(jnp.vdot(moved(1) - moved(-1), slopes["kernel"]))
    assert (uphill > 0) == (name == "textbook")
    assert uphill != 0


def test_a_rate_that_falls_of_page_7():
    said("07-second-iteration", "One that starts large and falls has the jumps early and comes to rest later.")
    away = [output - 1 for output in outputs(traced("step_size=falling", "training.duration=20steps", "iterations=20"))]
    assert all(one * other < 0 for one, other in pairwise(away[:4]))
    assert max(map(abs, away[-5:])) < 0.001 < min(map(abs, away[:4]))


@pytest.mark.slow
def test_the_last_numbers_of_page_7(tmp_path):
    said(
        "07-second-iteration",
        "So where the loss still falls at the end, with the small step and the large one, the figure's last number "
        "is the larger, by half.",
    )
    run("train", "experiment=learning_rates", "report.figures=false", f"hydra.sweep.dir={tmp_path}")
    ratios = {}
    for path in tmp_path.glob("*/summary.json"):
        last = [row["loss"] for row in metrics_of(path.parent) if row["split"] == "train"][-1]
        after = summary_of(path.parent)["test"]["loss"]
        ratios[path.parent.name.rpartition("-")[2]] = last / after if after else 1
    assert ratios.pop("small") == pytest.approx(1.5, abs=0.1)
    assert ratios.pop("large") == pytest.approx(1.5, abs=0.1)
    assert set(ratios) == {"textbook", "uphill", "falling"}
    assert [round(ratio, 3) for ratio in ratios.values()] == [1, 1, 1]


@pytest.mark.slow
def test_what_is_sent_of_page_8(tmp_path):
    said(
        "08-two-devices",
        "Here 45 weights make 180 bytes a step; a network of a billion weights makes 4 GB from each device",
        "How many examples a device has does not matter.",
    )
    sent = []
    for batch in (32, 128):
        place = tmp_path / str(batch)
        words = ("model=fnn", "parallel.devices=2", f"training.global_batch_size={batch}", "compare=[]")
        printed = run("traffic", *words, f"hydra.run.dir={place}").stdout
        sent.append(re.search(r"Gradients a step: (\d+) bytes", printed)[1])
    assert sent == [str(4 * 19_210)] * 2


def test_the_sizes_of_page_9():
    said(
        "09-fnn",
        "1 797 real handwritten digits of 8 × 8 grey values",
        "An image's 64 pixels are the inputs, 256 relu neurons are the hidden layer, ten output neurons stand for the ten "
        "digits",
        "64 × 256 weights and 256 biases",
        "Each step takes a batch of 64 images",
    )
    config = compose_train(["model=fnn"])
    assert (config.model.hidden, config.training.global_batch_size) == ((256,), 64)
    train, test = digits.digits()
    assert len(train.targets) + len(test.targets) == 1797
    assert train.inputs.shape[1:] == (8, 8, 1)
    assert set(train.targets.tolist()) == set(range(10))
    table = (ROOT / "docs/09-fnn.md").read_text()
    assert f"{64 * config.model.hidden[0] + config.model.hidden[0]:,}" in table


def test_the_series_of_page_11():
    said(
        "11-rnn",
        "month by month from 1949 to 1960, 144 numbers",
        "makes the year 1958 swing more than four times as far as 1949",
        "about 0.1 for a tenth more",
        "There are only 95 windows to learn from",
        "there this network had an RMSE of 18, gated cells 23 at best",
    )
    with (ROOT / "nnjax/data/airline_passengers.csv").open() as file:
        table = list(csv.DictReader(file))
    assert (len(table), table[0]["month"], table[-1]["month"]) == (144, "1949-01", "1960-12")

    def swing(year):
        passengers = [int(row["passengers"]) for row in table if row["month"].startswith(str(year))]
        return max(passengers) - min(passengers)

    assert 4 < swing(1958) / swing(1949) < 5
    assert math.log(1.1) == pytest.approx(0.1, abs=0.005)
    assert len(load(compose_train(["experiment=airline_rnn"]).data).train.targets) == 95
    told = " ".join((ROOT / "conf/experiment/airline_rnn.yaml").read_text().replace("#", "").split())
    assert "had the lowest mean RMSE: 18" in told
    assert "GRU and LSTM with tanh 23 at best" in told


def test_the_arithmetic_of_page_12():
    def numbers(pattern):
        return [float(found.replace(" ", "")) for found in re.search(pattern, page("12-production")).groups()]

    served, asked, behind, waiting = numbers(
        r"can do ([\d ]+) requests a second and gets ([\d ]+) falls behind by ([\d ]+) each second\. Without a bound, "
        r"after a minute ([\d ]+) wait, and a new one gets its answer four minutes later"
    )
    assert (behind, waiting, waiting / served) == (asked - served, 60 * behind, 4 * 60)
    queue, rate = numbers(r"waits at most (\d+) / ([\d ]+) s, about a quarter of a second")
    assert (queue / rate, rate) == (pytest.approx(0.25, abs=0.01), served)
    path, total = numbers(
        r"TCP's handshake costs one, TLS another, the request a third\. On a path of (\d+) ms these are (\d+) ms"
    )
    assert total == 3 * path
    (first,) = numbers(r"A request above (\d+) kB does not fit into TCP's first window of ten packets")
    assert first == 10 * link_of("ethernet_1g").payload // 1000
    text = (ROOT / "docs/12-production.md").read_text()
    table = text.split("## What crosses the wire")[1].split("## Latency")[0]
    shown = re.findall(r"^\| [^|]+ \| ([\d ]+) \| (\d+) \|$", table, re.MULTILINE)
    assert len(shown) == 4
    for size, packets in shown:
        assert math.ceil(int(size.replace(" ", "")) / 1448) == int(packets)
    speeds = re.findall(r"^\| (\d+) \| ([\d.]+) ms \| ([\d ]+) \|$", text, re.MULTILINE)
    assert len(speeds) == 3
    for examples, milliseconds, rate in speeds:
        assert int(rate.replace(" ", "")) == pytest.approx(1000 * int(examples) / float(milliseconds), rel=0.02)


def test_every_page_of_the_tour_is_held_to_its_sentences():
    tests = "".join(path.read_text() for path in (ROOT / "tests/end_to_end").glob("test_claims*.py"))
    quoted = set(re.findall(r'(?:said|page)\(\s*"(\d\d-[\w-]+)"', tests)) | {"00-words"}  # whose tests call it WORDS
    assert {page.stem for page in (ROOT / "docs").glob("[0-9]*.md")} == quoted
