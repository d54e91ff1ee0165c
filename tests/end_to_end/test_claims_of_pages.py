"""More of what the tour says in sentences that a number can check, page by page; `test_claims.py` has its first ones."""

import csv
import json
import math
import re
from itertools import pairwise

import numpy as np
import pytest
from claims import outputs, page, said, traced, value
from commands import ROOT, metrics_of, run, summary_of
from PIL import Image

from nnjax.cli.compose import compose_train
from nnjax.data import digits


def accuracy(*overrides, folder):
    run("train", *overrides, f"hydra.run.dir={folder}")
    return summary_of(folder)["test"]["accuracy"]


def test_a_weight_of_0_of_page_1():
    said("01-neuron", "A weight of 0 unplugs its input.")
    (first, second) = (run("neuron", "weights=[0,0.2,0.3]", f"inputs=[{x},0.1,0.4]").stdout for x in (0.2, -7))
    assert re.search(r"^ z .*", first, re.MULTILINE)[0].split()[-1] == re.search(r"^ z .*", second, re.MULTILINE)[0].split()[-1]


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


def test_what_repairs_relus_flat_half_on_page_2():
    said("02-activations", "the activations that were invented to repair relu's flat half")
    names = "leaky_relu,elu,gelu,silu,softplus"
    printed = run("neuron", "neuron.z=-1", f"neuron.draw=[{names}]", COLUMNS="140").stdout
    slopes = [re.search(rf"^ {name} .*", printed, re.MULTILINE)[0].split()[-1] for name in names.split(",")]
    assert all(float(slope.replace("−", "-")) != 0 for slope in slopes)
    said("02-activations", "A z far out, where a careless `e^z` would overflow")
    with pytest.raises(OverflowError):
        math.exp(1000)


def test_layers_without_an_activation_of_page_2_are_one():
    said("02-activations", "Without an activation, a stack of layers would be no more than one layer: sums of sums are sums.")
    at = [
        value(traced("activation=identity", "model.output_activation=identity", f"data.inputs=[[{x},0.1,0.4]]"), "y_b")
        for x in (-5, 0, 5, 10)
    ]
    steps = [later - earlier for earlier, later in pairwise(at)]
    assert steps == pytest.approx([0.4 * 0.1 * 5] * 3)  # a straight line, whose slope is the product of the weights


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


def test_a_curved_slope_of_page_5():
    said("05-backward-pass", "Switch to tanh, whose slope is not just 0 or 1")
    assert 0 < value(traced("iterations=1", "activation=tanh"), "f′(z_a)") < 1
    said("05-backward-pass", "no error goes past it")
    blocked = traced("iterations=1", "model.neuron_b.bias=-2")
    assert (value(blocked, "f′(z_b)"), value(blocked, "δ_a")) == (0, 0)


def test_the_signs_of_page_6():
    said(
        "06-update",
        "Most books subtract and take 0.6; the new weights are the same.",
        "Here only `optimizer=textbook` adds, all other optimizers subtract",
    )
    added = traced("iterations=1")
    for words in ("sgd", "momentum", "adam"):
        subtracted = traced("iterations=1", f"optimizer={words}", "optimizer.learning_rate=0.6")
        assert subtracted["final"]["loss"] != added["iterations"][0]["loss"]
        if words == "sgd":
            assert subtracted["final"] == pytest.approx(added["final"]) or subtracted["final"]["loss"] == pytest.approx(
                added["final"]["loss"]
            )
            for name in ("w_a1", "w_a0", "w_b1", "w_b0"):
                assert value(subtracted, name) == pytest.approx(value(added, name))
        assert value(subtracted, "w_b0") > 0.5  # the output was too low, so that descent raises it


def test_a_rate_that_falls_of_page_7():
    said("07-second-iteration", "One that starts large and falls has the jumps early and comes to rest later.")
    away = [output - 1 for output in outputs(traced("step_size=falling", "iterations=20"))]
    assert all(one * other < 0 for one, other in pairwise(away[:4]))
    assert max(map(abs, away[-5:])) < 0.001 < min(map(abs, away[:4]))


def test_the_last_numbers_of_page_7(tmp_path):
    said(
        "07-second-iteration",
        "So where the loss still falls at the end, with the small step and the large one, the figure's last number is the larger, "
        "by half.",
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


def test_what_is_sent_of_page_8(tmp_path):
    said(
        "08-two-devices",
        "Here 45 weights make 180 bytes a step; a network of a billion weights makes 4 GB from each device",
        "How many examples a device has does not matter.",
    )
    assert 45 * 4 == 180
    sent = []
    for batch in (32, 128):
        place = tmp_path / str(batch)
        words = ("model=fnn", "parallel.devices=2", f"training.global_batch_size={batch}", "compare=[]")
        printed = run("traffic", *words, f"hydra.run.dir={place}").stdout
        sent.append(re.search(r"Gradients a step: (\d+) bytes", printed)[1])
    assert sent == [str(4 * 19_210)] * 2


@pytest.mark.slow
def test_one_device_and_two_of_page_8(tmp_path):
    said("08-two-devices", "The same on one device: the last digits may differ, nothing else does.")
    losses = []
    for devices in (1, 2):
        run("train", "experiment=two_gpus", f"parallel.devices={devices}", f"hydra.run.dir={tmp_path / str(devices)}")
        found = summary_of(tmp_path / str(devices))
        losses.append((found["steps"], found["test"]["loss"]))
    (steps, loss), (others, other) = losses
    assert (steps, loss) == (pytest.approx(others, abs=3), pytest.approx(other, rel=0.02))


def test_the_sizes_of_page_9():
    said(
        "09-fnn",
        "1 797 real handwritten digits of 8 × 8 grey values",
        "An image's 64 pixels are the inputs, 256 relu neurons are the hidden layer, ten output neurons stand for the ten digits",
        "64 × 256 weights and 256 biases",
        "Each step takes a batch of 64 images",
    )
    config = compose_train(["model=fnn"])
    assert (config.model.hidden, config.training.global_batch_size) == ((256,), 64)
    train, test = digits.digits()
    assert len(train.targets) + len(test.targets) == 1797
    assert train.inputs.shape[1:] == (8, 8, 1)
    assert set(train.targets.tolist()) == set(range(10))
    assert 64 * 256 + 256 == 16_640
    assert "16,640" in page("09-fnn")


@pytest.fixture(scope="module")
def fnn(tmp_path_factory):
    return accuracy("model=fnn", folder=tmp_path_factory.mktemp("fnn"))


@pytest.fixture(scope="module")
def cnn(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cnn")
    accuracy(folder=folder)
    return folder


@pytest.mark.slow
def test_dropout_and_two_hidden_layers_of_page_9(tmp_path, fnn):
    said(
        "09-fnn",
        "now the training accuracy, 95 %, ends below the validation accuracy.",
        "The test accuracy is 97.22 %, two images of 360 better",
    )
    deep = accuracy("model=fnn", "model.hidden=[128,128]", "model.dropout=0.3", folder=tmp_path)
    last = {row["split"]: row["accuracy"] for row in metrics_of(tmp_path)}
    assert last["train"] < last["validation"]
    assert last["train"] == pytest.approx(0.95, abs=0.015)
    assert deep == pytest.approx(0.9722, abs=0.011)
    assert round(360 * (0.9722 - 0.9667)) == 2
    assert fnn == pytest.approx(0.9667, abs=0.011)


@pytest.mark.slow
def test_three_activations_of_page_9(tmp_path, fnn):
    said("09-fnn", "They differ by no more than three images of 360.")
    found = [fnn] + [accuracy("model=fnn", f"activation={name}", folder=tmp_path / name) for name in ("tanh", "sigmoid")]
    assert round(360 * (max(found) - min(found))) <= 4  # another machine's last digits may cost an image


@pytest.mark.slow
def test_right_and_wrong_of_page_10(tmp_path, cnn, fnn):
    said(
        "10-cnn",
        "In this run it got 3 of 360 test images wrong, shown in the figure; the [network before](09-fnn.md) got 12 wrong.",
    )
    said("10-cnn", "Seven points, for a twentieth of the weights: it gets 91.94 % right. With `model.dropout=0` it gets 95 %")
    whole = summary_of(cnn)
    assert [round(360 * (1 - found)) for found in (0.9917, 0.9667)] == [3, 12]
    assert whole["test"]["accuracy"] == pytest.approx(0.9917, abs=0.009)
    assert whole["test"]["accuracy"] > fnn
    words = ("model.blocks=[{features: 8}]", "model.dense=[32]")
    small = accuracy(*words, folder=tmp_path / "small")
    assert whole["num_params"] / summary_of(tmp_path / "small")["num_params"] == pytest.approx(20, abs=1)
    assert small == pytest.approx(0.9194, abs=0.015)
    assert whole["test"]["accuracy"] - small == pytest.approx(0.07, abs=0.02)
    assert accuracy(*words, "model.dropout=0", folder=tmp_path / "without") == pytest.approx(0.95, abs=0.015)


@pytest.mark.slow
def test_shuffled_pixels_of_page_10(tmp_path, fnn, monkeypatch):
    said("10-cnn", "shuffle the pixels of all images alike, and it learns just as well.")
    table, order = digits._table(), np.random.default_rng(0).permutation(64)
    monkeypatch.setattr(digits, "_table", lambda: np.column_stack([table[:, order], table[:, -1]]))
    shuffled, _ = digits.digits()
    assert (shuffled.inputs.reshape(-1, 64)[0] == table[:, :-1][:, order]).all(1).any()
    assert accuracy("model=fnn", folder=tmp_path) == pytest.approx(fnn, abs=0.015)


def test_the_shared_weights_of_page_10():
    said(
        "10-cnn",
        "the first layer has 288 weights instead of 131 thousand.",
        "all neurons of a channel share one set of nine weights",
    )
    assert 3 * 3 * 32 == 288
    assert round(64 * 8 * 8 * 32 / 1000) == 131


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
    assert 144 - 24 - 12 - 13 == 95
    told = " ".join((ROOT / "conf/experiment/airline_rnn.yaml").read_text().replace("#", "").split())
    assert "had the lowest mean RMSE: 18" in told
    assert "GRU and LSTM with tanh 23 at best" in told


@pytest.mark.slow
def test_luck_and_baselines_of_page_11(tmp_path):
    said(
        "11-rnn",
        "this network is hardly more than that, and so no better (15.5 beside 15.4).",
        "the RMSE is 15.6 ± 1.0, so tenths mean nothing.",
        "here its multiplied form is ahead by a tenth.",
    )
    run("train", "-m", "experiment=airline_rnn", "seed=0,1,2,3,4", "report.figures=false", f"hydra.sweep.dir={tmp_path}")
    found = [summary_of(path.parent) for path in tmp_path.glob("*/summary.json")]
    errors = [one["forecast"]["rmse"] for one in found]
    assert np.mean(errors) == pytest.approx(15.6, abs=0.5)
    assert np.std(errors, ddof=1) == pytest.approx(1.0, abs=0.4)
    (first,) = (one["forecast"] for one in found if one["seed"] == 0)
    text = json.dumps(first)
    regression, smoothing = (
        float(re.search(rf'"{name}": {{"rmse": ([\d.]+)', text)[1])
        for name in ("lag_regression", "holt_winters_multiplicative")
    )
    assert regression == pytest.approx(15.42, abs=0.01)
    assert first["rmse"] > regression - 0.5
    assert 0.05 < 1 - smoothing / first["rmse"] < 0.15


def test_the_arithmetic_of_page_12():
    said(
        "12-production",
        "A server that can do 1 000 requests a second and gets 5 000 falls behind by 4 000 each second. Without a bound, after a "
        "minute 240 000 wait, and a new one gets its answer four minutes later",
        "What is accepted waits at most 256 / 1 000 s, about a quarter of a second",
        "On a path of 20 ms these are 60 ms",
        "A request above 14 kB does not fit into TCP's first window of ten packets",
    )
    assert (5000 - 1000) * 60 == 240_000
    assert 240_000 / 1000 == 4 * 60
    assert 256 / 1000 == pytest.approx(0.25, abs=0.01)
    assert 3 * 20 == 60
    assert 14_000 < 10 * 1448 < 14_600
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


@pytest.mark.slow
def test_the_turned_seven_and_the_file_of_page_12(tmp_path, cnn):
    said(
        "12-production",
        "turned to the left by 14 degrees, this seven is taken for a three.",
        "pictures and checksums: 371 kB, of which 350 kB are weights.",
    )
    with Image.open(ROOT / "docs/images/12-production_digit.png") as image:
        paper = image.getpixel((0, 0))
        image.rotate(14, fillcolor=paper, resample=Image.Resampling.BICUBIC).save(tmp_path / "left.png")
        image.rotate(0).save(tmp_path / "straight.png")
    for name, answer in (("straight", "7"), ("left", "3")):
        run("predict", f"run={cnn}", f"image={tmp_path}/{name}.png", f"hydra.run.dir={tmp_path / name}")
        (line,) = (tmp_path / name / "predictions.jsonl").read_text().splitlines()
        assert f'"{answer}"' in re.search(r'"(?:answer|label)": "[^"]*"', line)[0]
    run("export", f"run={cnn}", f"to={tmp_path}/digits.nnjax", f"hydra.run.dir={tmp_path / 'export'}")
    assert (tmp_path / "digits.nnjax").stat().st_size / 1000 == pytest.approx(371, abs=8)
    assert 4 * (summary_of(cnn)["num_params"] + 2 * (32 + 64)) / 1000 == pytest.approx(350, abs=1)


def test_every_page_of_the_tour_is_held_to_its_sentences():
    """Each page from 0 to 12 has a test that quotes it."""
    quoted = "".join(path.read_text() for path in (ROOT / "tests/end_to_end").glob("test_claims*.py"))
    missing = [path.stem for path in sorted((ROOT / "docs").glob("[0-9]*.md")) if f'"{path.stem}"' not in quoted]
    assert missing == ["03-forward-pass"]  # all its numbers stand in its output
