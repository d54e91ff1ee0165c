"""The page's arithmetic beside JAX's in float64: random networks, in Chromium."""

import json
import math
import re
from collections import Counter, defaultdict

import pytest
from random_networks import ACTIVATIONS, DRAWS, LOSSES, random_traces

from nnjax.reporting.files import to_json
from nnjax.reporting.page_source import SOURCE, joined_modules, read_modules

pytestmark = pytest.mark.browser

RELATIVE = 1e-12
FEWEST = 300  # networks, each of whose lists agrees by itself
MODULES = ("activations", "losses", "compute", "format", "formulas", "rows", "examples", "state", "agreement", "sums")
PROGRAM = """(ofAll) => JSON.stringify(chosen.map((trace) => {
  const state = stateOf(trace);
  const { iterations, final, stopped } = compute(state);
  const rows = iterations.flatMap((iteration) => rowsOf(state, iteration));
  const isOther = (row, index) => ["symbol", "formula", "numbers"].some((name) => row[name] !== trace.rows[index][name]);
  return {
    values: rows.map(({ value }) => value),
    others: ofAll ? [...rows.entries()].filter(([index, row]) => isOther(row, index)) : [],
    iterations: iterations.map(({ number, learningRate, loss, lossAfter, weights, biases, losses, probabilities }) =>
      ({ number, learningRate, loss, lossAfter, weights, biases, losses, probabilities })),
    final,
    stopped,
    agreement: ofAll ? agreement(trace) : null,
  };
}))"""
FLUSHED = re.compile(r"e−3(0[89]|[12]\d)")  # numbers that XLA takes as 0
NUMBER = re.compile(r"\d+(?:\.\d+)?(?:e[+−]?\d+)?")
CHANGES = {  # a formula, another one: each must be found
    "relu at 0": ("activations", "z > 0 ? 1 : 0)", "z >= 0 ? 1 : 0)"),
    "leaky_relu at 0": ("activations", "z >= 0 ? 1 : negative", "z > 0 ? 1 : negative"),
    "gelu by tanh": (
        "activations",
        "value: (z) => z * normalShare(z)",
        "value: (z) => 0.5 * z * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (z + 0.044715 * z ** 3)))",
    ),
    "gelu's derivative": ("activations", "normalShare(z) + z * normalDensity(z)", "normalShare(z) + normalDensity(z)"),
    "erf": ("activations", "(2 * n + 1);", "(2 * n + 1.0000001);"),
    "erfc": ("activations", "ERROR_FRACTIONS = 120", "ERROR_FRACTIONS = 12"),
    "tanh's derivative": ("activations", "(1 - Math.tanh(z)) * (1 + Math.tanh(z))", "1 - Math.tanh(z)"),
    "sigmoid's derivative": ("activations", "sigmoidAt(z) * (1 - sigmoidAt(z)) }", "sigmoidAt(z) * (1 + sigmoidAt(z)) }"),
    "silu's derivative": ("activations", "(1 + z * (1 - sigmoidAt(z)))", "(1 + (1 - sigmoidAt(z)))"),
    "softplus": ("activations", "Math.max(z, 0) + Math.log1p", "Math.max(z, 0) + 1.00000000001 * Math.log1p"),
    "elu": ("activations", "z : alpha * Math.expm1(z)", "z : Math.expm1(z)"),
    "elu's derivative": ("activations", "alpha * (Math.expm1(z) + 1)", "Math.expm1(z) + 1"),
    "identity's derivative": ("activations", "slope: () => 1", "slope: () => 1.00000000001"),
    "mse": ("losses", "squaredErrors(outputs, targets) / outputs.length", "squaredErrors(outputs, targets)"),
    "mse's derivative": ("losses", "(2 / outputs.length)", "2"),
    "half_mse": ("losses", "0.5 * squaredErrors", "squaredErrors"),
    "label smoothing": ("losses", "share / row.length", "share / (row.length - 1)"),
    "the softmax": ("losses", "powers.map((power) => power / total)", "powers.map((power) => power / (total + 1e-11))"),
    "the log-softmax": ("losses", "outputs[k] - largest - total", "outputs[k] - total"),
    "p − t": ("losses", "p - targets[k]", "targets[k] - p"),
    "a bias weight": ("compute", "bias === null ? sum : sum + bias", "sum"),
    "old weights in the backward pass": ("compute", "rows[n][i] * delta[b][n]", "rows[n][0] * delta[b][n]"),
    "the mean over the examples": ("compute", "return sum / batch", "return sum"),
    "a bias weight's gradient": ("compute", "i < 0 ? delta[b][n] : ", "i < 0 ? 0 : "),
    "a bias weight that is not learnt": ("compute", "layer.hasBias && layer.learnsBias", "layer.hasBias"),
    "the sign of the learning rate": ("compute", "state.adds ? learningRate : -learningRate", "learningRate"),
    "the next batch": ("compute", "batches[index % batches.length]", "batches[0]"),
    "the loss after the step": (
        "compute",
        "forwardPass(layers, newWeights, newBiases",
        "forwardPass(layers, newWeights, biases",
    ),
}


@pytest.fixture(scope="module")
def traces():
    found = list(random_traces())
    check_that_every_case_is_among(found)
    return found


def check_that_every_case_is_among(traces):
    pairs, corners = set(), Counter()
    for trace in traces:
        layers = trace["network"]["layers"]
        smoothing = trace["settings"]["loss_options"].get("label_smoothing", 0)
        pairs |= {(layer["activation"], trace["settings"]["loss"], smoothing > 0) for layer in layers}
        rows = [(row["quantity"], row["value"], layers[row["layer"] - 1]) for row in trace["rows"] if row["layer"]]
        corners["dead"] += any(iteration["dead"] for iteration in trace["iterations"])
        for quantity, value, layer in rows:
            corners["z = 0", layer["activation"]] += quantity == "z" and value == 0
            corners["large z"] += quantity == "z" and abs(value) > 50
        corners["several examples"] += trace["settings"]["batch_size"] > 1
        corners["no bias"] += any(not layer["has_bias"] for layer in layers)
        corners["not learnt"] += not trace["settings"]["learn_biases"]
        corners["adds"] += trace["settings"]["optimizer"] == "textbook"
        corners["layers", len(layers)] += 1
    losses = {(loss["loss"], "smoothing" in loss) for loss in LOSSES}
    assert pairs == {(name, *loss) for name in ACTIVATIONS for loss in losses}
    wanted = {"dead", "large z", "several examples", "no bias", "not learnt", "adds"}
    wanted |= {("layers", depth) for depth in (1, 2, 3, 4)} | {("z = 0", name) for name in ("relu", "leaky_relu", "elu")}
    assert {name for name in wanted if not corners[name]} == set()
    assert len(traces) >= 320
    assert corners["adds"] < len(traces)


@pytest.fixture(scope="module")
def page(browser, traces):
    page = browser.new_page()
    # As text: Playwright's own way to hand over objects takes minutes for as many numbers.
    page.evaluate("(text) => { window.traces = JSON.parse(text); }", to_json(traces))
    yield page
    page.close()


def computed(page, modules=None, places=None):
    """What the page's modules compute, with their numbers as JavaScript writes them.

    Args:
        page: has all traces.
        modules: those of the page, unless others are given.
        places: of the traces to compute, without their texts and the page's verdict; None computes all, with both.
    """
    sources = read_modules(SOURCE) if modules is None else modules
    script = joined_modules({f"{name}.js": sources[f"{name}.js"] for name in MODULES})
    chosen = "traces" if places is None else f"{places}.map((place) => traces[place])"
    text = page.evaluate(f"(ofAll) => {{ {script}\nconst chosen = {chosen};\nreturn ({PROGRAM})(ofAll); }}", places is None)
    return json.loads(text)


def lists_of(trace, numbers):
    """A trace's values in lists: those of one kind, layer and iteration; of products and sums, one neuron's."""
    lists = defaultdict(list)
    for row, value in zip(trace["rows"], numbers, strict=True):
        neuron = row["neuron"] if row["quantity"] == "product" else None
        lists[row["iteration"], row["quantity"], row["layer"], neuron].append(value)
    return lists


def flat(values):
    if isinstance(values, list):
        return [number for value in values for number in flat(value)]
    return [] if values is None else [values]


def all_lists(expected, found):
    """Pairs of lists of numbers, by what they are."""
    theirs = lists_of(expected, [row["value"] for row in expected["rows"]])
    mine = lists_of(expected, found["values"])
    for where, values in theirs.items():
        yield where, values, mine[where]
    for one, other in zip(expected["iterations"], found["iterations"], strict=True):
        number = one["number"]
        yield (number, "weights"), flat([one["weights"], one["biases"]]), flat([other["weights"], other["biases"]])
        yield (number, "loss"), [one["loss"]], [other["loss"]]
        yield (number, "loss after"), [one["loss_after"]], [other["lossAfter"]]
        yield (number, "rate"), [one["learning_rate"]], [other["learningRate"]]
    one, other = expected["final"], found["final"]
    yield "final weights", flat([one["weights"], one["biases"]]), flat([other["weights"], other["biases"]])
    yield "final loss", [one["loss"]], [other["loss"]]


def disagreements(expected, found):
    """The lists that differ by more than 1e-12 of their largest value, and those by 1e-12 of the trace's largest one."""
    if len(found["values"]) != len(expected["rows"]):
        return [("rows", math.inf)], [("rows", math.inf)]
    pairs = list(all_lists(expected, found))
    largest = max(abs(value) for _, values, _ in pairs for value in values)
    by_list, by_trace = [], []
    for where, theirs, mine in pairs:
        assert len(theirs) == len(mine), where
        difference = max((abs(one - other) for one, other in zip(theirs, mine, strict=True)), default=0.0)
        if not difference <= RELATIVE * max(map(abs, theirs), default=0.0):
            by_list.append((where, difference))
            if not difference <= RELATIVE * largest:
                by_trace.append((where, difference))
    return by_list, by_trace


def agree(traces, results):
    """Whether all traces agree: in every list, but for a few networks whose f′ keeps no digits, as 1 − 0.99999999."""
    exact = 0
    for expected, found in zip(traces, results, strict=True):
        assert found["stopped"] == expected["stopped"]
        by_list, by_trace = disagreements(expected, found)
        if by_trace:
            return False
        exact += not by_list
    return exact >= FEWEST


@pytest.fixture(scope="module")
def results(page):
    return computed(page)


def test_all_values_of_random_networks_agree_with_jax(traces, results):
    failures = []
    for number, (expected, found) in enumerate(zip(traces, results, strict=True)):
        _, by_trace = disagreements(expected, found)
        failures += [(number, *failure) for failure in by_trace]
    assert failures == []
    assert agree(traces, results)


def test_the_page_says_so_itself(results):
    assert [found["agreement"] for found in results if not found["agreement"]["agrees"]] == []


def test_the_texts_agree_but_for_a_last_digit(traces, results):
    total = sum(len(expected["rows"]) for expected in traces)
    others = [
        (expected["rows"][index], row)
        for expected, found in zip(traces, results, strict=True)
        for index, row in found["others"]
        if not FLUSHED.search(row["numbers"])
    ]
    for theirs, mine in others:
        assert mine["symbol"] == theirs["symbol"]
        assert mine["formula"] == theirs["formula"]
        assert NUMBER.sub("#", mine["numbers"]) == NUMBER.sub("#", theirs["numbers"])
        for pair in zip(*(NUMBER.findall(row["numbers"]) for row in (mine, theirs)), strict=True):
            one, two = (float(text.replace("−", "-")) for text in pair)
            assert math.isclose(one, two, rel_tol=1e-3, abs_tol=2e-10)
    assert total > 100_000
    assert len(others) < total / 200


@pytest.mark.parametrize("change", CHANGES)
def test_a_wrong_formula_is_found(page, traces, change):
    name, right, wrong = CHANGES[change]
    modules = read_modules(SOURCE)
    source = modules[f"{name}.js"]
    assert source.count(right) == 1
    places = [place for place, _ in enumerate(traces) if place % DRAWS in (0, 1, 3)]  # of each shape, three networks
    found = computed(page, {**modules, f"{name}.js": source.replace(right, wrong)}, places)
    assert any(disagreements(traces[place], other)[1] for place, other in zip(places, found, strict=True))


def test_the_right_formulas_pass_where_the_wrong_ones_fail(traces, results):
    assert all(not disagreements(*pair)[1] for pair in zip(traces, results, strict=True))
