"""A trace's file makes the same trace again, and a damaged or hostile one is refused in a line."""

import copy
import json
import math
import sys

import jax
import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments import trace as verb
from nnjax.cli.compose import compose_config
from nnjax.config.errors import ConfigError, DataError
from nnjax.config.schema import TraceConfig
from nnjax.data.load import load
from nnjax.reporting.trace_files import write_trace_files
from nnjax.textbook.trace import trace
from nnjax.textbook.trace_overrides import overrides_of, overrides_of_file
from nnjax.textbook.trace_reading import name_text, number_text

TWO_INPUTS = ("data.inputs=[[1,-2],[0.1,-3],[0.5,0.25]]", "data.targets=[[1],[2],[0.5]]")
CASES = {
    "textbook": (),
    "two GPUs": ("experiment=two_gpus", "parallel.devices=1"),
    "two GPUs with their exchange": ("experiment=two_gpus", "iterations=1"),
    "digits": (
        "model=fnn",
        "model.hidden=[4]",
        "data=digits",
        "optimizer=sgd",
        "schedule=constant",
        "training.global_batch_size=3",
    ),
    "a slope": (
        "model=neurons",
        "model.layers=[{size: 2},{size: 2, activation: leaky_relu},{size: 1, bias: false, activation: elu}]",
        "activation=leaky_relu",
        "activation.negative_slope=0.2",
        *TWO_INPUTS,
        "training.global_batch_size=2",
        "optimizer.learning_rate=-0.01",
        "iterations=7",
    ),
    "sparse": ("optimizer.learning_rate=-0.01", "iterations=150"),
    "all records": ("optimizer.learning_rate=-0.01", "iterations=150", "report.records=all"),
    "constant biases, smoothed classes": ("experiment=softmax", "model.learn_biases=false", "loss.label_smoothing=0.1"),
    "names": ("experiment=softmax", 'data.classes=["1","two, words","true"]', 'data.targets=["1","two, words","true"]'),
}


def traced(*overrides):
    config = compose_config("trace", list(overrides), TraceConfig)
    devices = 1 if config.parallel.devices == "auto" else config.parallel.devices
    return trace(config, load(config.data), jax.devices()[:devices])


@pytest.fixture(scope="module")
def textbook():
    return json.loads(json.dumps(traced()))


@pytest.mark.slow
@pytest.mark.parametrize("overrides", CASES.values(), ids=list(CASES))
def test_trace_to_file_to_trace(overrides, tmp_path):
    found = traced(*overrides)
    write_trace_files(tmp_path, found)
    again = traced(*overrides_of_file(tmp_path / "trace.json"))
    assert len(again["rows"]) == len(found["rows"]) > 0
    for row, other in zip(found["rows"], again["rows"], strict=True):
        value, expected = other.pop("value"), row.pop("value")
        assert value == pytest.approx(expected, rel=1e-9, abs=1e-12)  # a weight drawn in float32 has more digits than the file
        assert {**row, "numbers": ""} == {**other, "numbers": ""}
    for key in ("examples", "classes", "exchange"):
        assert again[key] == found[key]
    for key in ("loss", "loss_options", "adds", "batch_size", "iterations", "recorded", "learn_biases"):
        assert again["settings"][key] == found["settings"][key]


def test_the_textbooks_command(textbook):
    assert overrides_of(textbook) == [
        "model=neurons",
        "model.layers=[{size:1,weights:[[0.1,0.2,0.3]],biases:[0.6],activation:relu}"
        ",{size:1,weights:[[0.4]],biases:[0.5],activation:relu}]",
        "model.learn_biases=true",
        "data=textbook",
        "data.inputs=[[0.2,0.1,0.4]]",
        "data.targets=[[1]]",
        "loss=half_mse",
        "optimizer=textbook",
        "optimizer.learning_rate=-0.6",
        "training.global_batch_size=1",
        "iterations=2",
    ]


def test_the_devices_of_an_exchange_are_those_of_the_command(textbook):
    several = changed(textbook, ("exchange",), {"devices": [{}, {}]})
    for example in several["examples"]:
        example |= {"inputs": [[1, 2, 3], [4, 5, 6]], "targets": [[1], [2]]}
    overrides = overrides_of(several)
    assert overrides[-2:] == ["parallel.devices=2", "training.eval_batch_size=2"]
    assert compose_config("trace", overrides, TraceConfig).parallel.devices == 2


@pytest.mark.parametrize(
    ("numbers", "records"),
    [(range(1, 151), "all"), ([*range(1, 101), 102, 150], "sparse"), (range(1, 51), "sparse")],
    ids=["each", "ever fewer", "few"],
)
def test_a_file_that_records_each_iteration_asks_for_each(textbook, numbers, records):
    found = changed(textbook, ("settings", "iterations"), 150)
    found["iterations"] = [{**found["iterations"][0], "number": number} for number in numbers]
    found["examples"] = found["examples"][:1] * len(numbers)
    assert compose_config("trace", overrides_of(found), TraceConfig).report.records == records


def changed(trace, path, value):
    trace = copy.deepcopy(trace)
    *keys, last = path
    part = trace
    for key in keys:
        part = part[key]
    part[last] = value
    return trace


@pytest.mark.parametrize(
    ("path", "value", "error", "message"),
    [
        (("settings",), None, DataError, "settings: is missing"),
        (("settings",), [], DataError, "settings: must be a mapping"),
        (("iterations",), [], DataError, "iterations: is empty"),
        (("iterations", 0, "number"), 3, DataError, "iterations.0.number=3: must be 1"),
        (("iterations", 1, "number"), 1, DataError, "iterations: their numbers must rise"),
        (("iterations", 0, "weights", 0, 0, 1), math.nan, DataError, "iterations.0.weights.0.0.1: must be a finite number"),
        (("iterations", 0, "weights", 0, 0, 1), 10**400, DataError, "iterations.0.weights.0.0.1: must be a finite number"),
        (("iterations", 0, "weights", 0, 0, 1), True, DataError, "iterations.0.weights.0.0.1: must be a number"),
        (("iterations", 0, "weights", 0, 0, 1), "${seed}", DataError, "iterations.0.weights.0.0.1: must be a number"),
        (("iterations", 0, "weights", 0), [[1, 2], [1]], DataError, "iterations.0.weights.0: must be rows of one length"),
        (("iterations", 0, "weights"), [[[1]]], DataError, "network.layers: 2 layers, 1 tables of weights"),
        (("iterations", 0, "learning_rate"), None, DataError, "iterations.0.learning_rate: is missing"),
        (("iterations", 1, "learning_rate"), -0.5, ConfigError, "its learning rate varies"),
        (("examples",), [], DataError, "examples: has 0 batches for 2 iterations"),
        (("examples", 1, "inputs"), [[1, 2, 3], [4, 5, 6]], DataError, "examples.1: every batch must have 1 inputs"),
        (("network", "layers", 0, "activation"), "${oc.env:HOME}", DataError, "${oc.env:HOME}: must be the name of an option"),
        (("network", "layers", 0, "activation"), "relu\n", DataError, "relu: must be the name of an option"),
        (
            ("network", "layers", 0, "activation_options"),
            {"x": 1},
            DataError,
            "network.layers: activation=relu has no option x",
        ),
        (("network", "layers", 0, "learns_bias"), False, ConfigError, "some layers learn their biases"),
        (("settings", "loss"), "cross_entropy", ConfigError, "loss=cross_entropy needs classes"),
        (("settings", "loss"), "mse,half_mse", DataError, "mse,half_mse: must be the name"),
        (("settings", "loss_options"), {"label_smoothing": "a"}, DataError, "settings.loss_options.label_smoothing: must be a"),
        (("settings", "iterations"), 1.5, DataError, "settings.iterations: must be a whole number above 0"),
        (("settings", "iterations"), -1, DataError, "settings.iterations: must be a whole number above 0"),
        (("classes",), ["a", "b"], DataError, "examples: a target must single out one of the classes"),
    ],
)
def test_what_makes_no_command_is_refused(textbook, path, value, error, message):
    with pytest.raises(error) as found:
        overrides_of(changed(textbook, path, value))
    assert str(found.value).startswith(message)
    assert "\n" not in str(found.value)


@pytest.mark.parametrize("name", ["${seed}", "a\nb", "", "\x1b[31mred"])
def test_names_that_no_override_can_hold_are_refused(name):
    with pytest.raises(ConfigError) as error:
        name_text(name)
    assert str(error.value).isprintable()


@given(st.lists(st.text(), min_size=2, max_size=2, unique=True))
def test_a_name_is_refused_or_read_back(names):
    try:
        texts = [name_text(name) for name in names]
    except ConfigError:
        return
    try:
        config = compose_config(
            "trace",
            ["experiment=softmax", f"data.classes=[{','.join(texts)},c]", f"data.targets=[{texts[0]},{texts[1]},c]"],
            TraceConfig,
        )
    except ConfigError as error:
        assert "blank" in str(error) or "differ" in str(error)  # noqa: PT017
        return
    assert list(config.data.classes[:2]) == names


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_numbers_are_read_back(value):
    assert float(number_text(value)) == value


@pytest.mark.parametrize(
    ("value", "text"),
    [(1.0, "1"), (-0.5, "-0.5"), (-0.0, "0"), (1e-4, "0.0001"), (1.25e-9, "1.25e-09"), (1e15, "1" + 15 * "0"), (1e16, "1e+16")],
)
def test_numbers_are_written_as_the_page_writes_them(value, text):
    assert number_text(value) == text


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "there is no such file"),
        (b"", "is damaged"),
        (b'{"settings": {', "is damaged"),
        (b"[" * 100_000, "nested deeper"),
        (b"\x00\x01", "NUL"),
        (b"\xff\xfe{}", "no UTF-8"),
        (b"[1,2]", "the file: must be a mapping"),
        (b'{"a": 1, "a": 2}', "a key stands twice"),
        (b"{}", "settings: is missing"),
    ],
)
def test_files_that_are_none_end_the_command_with_a_line(content, message, tmp_path, monkeypatch, capsys):
    path = tmp_path / "trace.json"
    if content is not None:
        path.write_bytes(content)
    monkeypatch.setattr(sys, "argv", ["trace", str(path)])
    with pytest.raises(SystemExit) as end:
        verb.main()
    assert end.value.code == 3
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert message in said


def test_a_file_that_is_too_large_is_not_read(tmp_path):
    path = tmp_path / "trace.json"
    with path.open("wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(DataError, match="is larger than"):
        overrides_of_file(path)
    with pytest.raises(DataError, match="a folder"):
        overrides_of_file(tmp_path)


def test_a_large_network_makes_no_command(textbook):
    huge = changed(textbook, ("iterations", 0, "weights", 0), [[0.5] * 200 for _ in range(200)])
    with pytest.raises(ConfigError, match="more than 20,000 weights and inputs"):
        overrides_of(huge)


def test_batches_that_are_not_all_recorded_are_refused(textbook):
    found = copy.deepcopy(textbook)
    found["iterations"][1]["number"] = 150
    found["examples"][1]["inputs"] = [[9, 9, 9]]
    with pytest.raises(ConfigError, match="batches do not come again"):
        overrides_of(found)


def test_a_rate_that_sgd_does_not_take(textbook):
    rising = changed(changed(textbook, ("iterations",), textbook["iterations"][:1]), ("settings", "adds"), value=False)
    rising["examples"] = rising["examples"][:1]
    assert overrides_of(rising)[-4:-2] == ["optimizer=textbook", "optimizer.learning_rate=0.6"]


def test_further_overrides_win(tmp_path, textbook):
    overrides = [*overrides_of(textbook), "iterations=1", "optimizer.learning_rate=-0.1"]
    config = compose_config("trace", overrides, TraceConfig)
    assert (config.iterations, config.optimizer.learning_rate) == (1, -0.1)
