"""A run's network as a model that answers: the run's own outputs, whatever number of examples, trials or devices."""

import json
from dataclasses import dataclass, replace
from types import SimpleNamespace

import jax
import numpy as np
import pytest

import nnjax
from nnjax.api.jax_session import jax_session, unchanged_process
from nnjax.api.predicting import _series_facts, input_facts, model_of, model_of_run, preparation_of
from nnjax.config.errors import DataError
from nnjax.data.dataset_spec import dataset_spec
from nnjax.data.time_series import time_series
from nnjax.reporting.console import RunConsole
from nnjax.reporting.probabilities import probabilities
from nnjax.serving.facts import InputFacts, ModelFacts
from nnjax.serving.input_rows import rows_from_csv
from nnjax.serving.stored_facts import facts_from_json, facts_to_json
from nnjax.training.predictor import BATCH_SIZES


@dataclass(frozen=True)
class Nothing:
    pass


@pytest.fixture
def opened():
    """Makes a model of a run's folder, as a command does."""

    def opened(folder, checkpoint="tested"):
        with unchanged_process(), RunConsole(None, quiet=True) as console, jax_session(console.warn):
            return model_of_run(folder, checkpoint, "auto", console)

    return opened


@pytest.fixture(scope="module")
def run(tiny, tmp_path_factory):
    """A run on two devices, with two checkpoints."""
    folder = tmp_path_factory.mktemp("run")
    lengths = ("training.duration=24epochs", "training.checkpoint_every=12epochs", "training.keep=2")
    config = tiny("parallel.devices=2", "data.validation=0.25", *lengths)
    return folder, nnjax.fit(config, run_dir=folder)


@pytest.mark.slow
@pytest.mark.parametrize("count", [1, 2, 9, 30])
def test_outputs_are_those_of_the_run(run, opened, count):
    folder, result = run
    inputs = result.dataset.test.inputs[:count]
    model = opened(folder)
    outputs = model.outputs_of(inputs)
    assert (outputs.shape, outputs.dtype) == ((1, count, 10), np.float32)
    np.testing.assert_allclose(probabilities(outputs[0], from_logits=True), result.predict(inputs), atol=1e-6)


@pytest.mark.slow
def test_more_examples_than_the_largest_batch(run, opened):
    folder, result = run
    inputs = np.concatenate([result.dataset.test.inputs] * 20)
    assert len(inputs) > 2 * BATCH_SIZES[-1]
    outputs = opened(folder).outputs_of(inputs)
    np.testing.assert_allclose(probabilities(outputs[0], from_logits=True), result.predict(inputs), atol=1e-6)


def test_the_facts_are_those_of_the_run(run, opened):
    folder, result = run
    facts = opened(folder).facts
    assert (facts.name, facts.task, facts.num_outputs, facts.num_trials) == ("fnn_digits", "classification", 10, 1)
    assert facts.labels == tuple("0123456789")
    assert (facts.inputs.shape, facts.inputs.dtype) == ((8, 8, 1), "uint8")
    assert (facts.inputs.preparation, facts.inputs.largest) == ("digits", 16)
    assert facts.calibration == result.summary["calibration"]
    assert facts.temperatures == (result.summary["calibration"]["temperature"],)
    assert facts.metrics == result.metrics["test"]
    assert facts.provenance["run"] == folder.name
    assert facts.provenance["step"] == result.summary["tested_step"]
    assert facts.provenance["data_hash"] == result.summary["data_hash"]
    assert facts.provenance["run_id"]


def test_another_checkpoint_has_a_temperature_of_its_own(run, opened):
    folder, result = run
    first = opened(folder, 24).facts
    assert first.provenance["step"] == 24 != result.summary["tested_step"]
    assert first.temperatures != opened(folder).facts.temperatures
    assert first.temperatures[0] != 1
    assert first.metrics == pytest.approx(nnjax.load_run(folder, checkpoint=24).evaluate("test"), rel=1e-5)
    assert first.metrics["loss"] != result.metrics["test"]["loss"]


@pytest.mark.parametrize("kept", [None, "nothing", {"temperature": "hot"}, {"temperature": -1.0}, {"temperature": [1.0, 2.0]}])
def test_a_summary_without_a_whole_calibration_has_it_fitted_again(run, opened, kept):
    folder, result = run
    path = folder / "summary.json"
    before = path.read_text()
    summary = json.loads(before)
    del summary["calibration"]  # as of a version before 0.3
    try:
        path.write_text(json.dumps(summary | ({} if kept is None else {"calibration": kept})))
        # one device rounds otherwise than the two of the training
        assert opened(folder).facts.temperatures == pytest.approx([result.summary["calibration"]["temperature"]], rel=1e-4)
    finally:
        path.write_text(before)


@pytest.mark.slow
def test_trials_answer_as_one(tiny):
    result = nnjax.fit(tiny("training.seeds=3", "parallel.devices=2"))
    model, inputs = result.model, result.dataset.test.inputs[:5]
    assert model.facts.num_trials == 3
    assert list(model.facts.temperatures) == result.summary["calibration"]["temperature"]
    each = result.predict(inputs)
    np.testing.assert_allclose(probabilities(model.outputs_of(inputs), from_logits=True), each, atol=1e-6)
    plain = replace(model, facts=replace(model.facts, temperatures=(1.0,) * 3))
    answers = plain.answer(inputs)
    np.testing.assert_allclose([answer.probabilities for answer in answers], each.mean(axis=0), atol=1e-6)
    np.testing.assert_allclose([answer.spread for answer in answers], each.std(axis=0, ddof=1), atol=1e-6)


def test_a_diverged_trial_takes_no_part(tiny):
    result = nnjax.fit(tiny("training.vary.learning_rate=[1e-3,1e30]", "optimizer=sgd", "training.duration=3epochs"))
    model, inputs = result.model, result.dataset.test.inputs[:5]
    assert model.facts.num_trials == len(model.facts.temperatures) == 1
    assert model.outputs_of(inputs).shape == (1, 5, 10)
    assert all(np.isfinite(answer.probabilities).all() for answer in model.answer(inputs))


@pytest.mark.slow
def test_trials_of_a_worse_learning_rate_take_no_part(tiny):
    """The mean with networks that learned nothing would be neither."""
    config = tiny(
        "training.vary.learning_rate=[1e-6,1e-2]", "training.seeds=2", "training.duration=12epochs", "data.validation=0.2"
    )
    result = nnjax.fit(config)
    model, inputs = result.model, result.dataset.test.inputs[:5]
    assert model.facts.num_trials == len(model.facts.temperatures) == 2
    assert list(model.facts.temperatures) == result.summary["calibration"]["temperature"][2:]
    np.testing.assert_allclose(probabilities(model.outputs_of(inputs), from_logits=True), result.predict(inputs)[2:], atol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize(("holdout", "source"), [(24, "unseen"), (10, "trained")])
def test_a_series_goes_on_from_all_its_rows(holdout, source):
    """A file forecasts as the command does: after the held-out rows, with the same errors."""
    size = ("model.hidden=[4]", "training.duration=3steps", f"data.holdout={holdout}", "training.seeds=2")
    result = nnjax.fit(nnjax.compose("experiment=airline_fnn", *size, "report.figures=false", "parallel.devices=1"))
    facts, series = result.model.facts.series, result.dataset.series
    assert facts.values == tuple(series.values.tolist())
    assert facts.labels[-1] == "1960-12"
    future = result.forecast(2)
    assert future.source == source
    np.testing.assert_allclose(facts.residuals, future.residuals, atol=1e-5)


@pytest.mark.parametrize(
    ("column", "form", "dates", "labels"),
    [
        ("month", "{}", ("month",), 70),
        ('"date\n(UTC)"', "{}", None, 70),
        ("date" * 51, "{}", None, 70),
        ("remark", '"a{}\nb"', (), 0),
    ],
)
def test_a_series_is_exported_without_names_and_labels_that_a_file_cannot_hold(column, form, dates, labels, tmp_path):
    rows = [f"{form.format(f'{2020 + month // 12}-{month % 12 + 1:02}')},{month % 7}" for month in range(70)]
    (tmp_path / "sales.csv").write_text("\n".join([f"{column},sales", *rows]))
    data = nnjax.compose("experiment=airline_fnn", "data=series", f"data.file={tmp_path}/sales.csv", "data.transform=none").data
    spec = dataset_spec(data)
    dataset = SimpleNamespace(series=time_series(data, spec), spec=spec)
    facts = _series_facts(dataset, lambda inputs: np.zeros((1, len(inputs), 1)))
    assert (facts.dates, len(facts.labels)) == (dates, labels)
    inputs = InputFacts(spec.input_shape, "float32")
    model = ModelFacts("sales", "regression", inputs, (), 1, 1, False, (1.0,), facts, {}, None, {})
    assert facts_from_json(facts_to_json(model)) == model


@pytest.mark.slow
def test_a_trial_without_a_temperature_or_with_statistics_that_are_not_finite_takes_no_part(tiny):
    result = nnjax.fit(tiny("training.seeds=3", "model.normalization=batch"))
    state, temperatures = result._state, result.summary["calibration"]["temperature"]
    leaves, structure = jax.tree.flatten(state.model_state)
    broken = [np.where(np.arange(3).reshape(-1, *[1] * (leaf.ndim - 1)) == 0, np.nan, leaf) for leaf in leaves]
    diverged = replace(state, model_state=jax.tree.unflatten(structure, broken))
    known = result.summary["calibration"] | {"temperature": [*temperatures[:2], None]}
    with unchanged_process(), jax_session(lambda text: None):
        for used, found in (
            ([1, 2], model_of(result._experiment, diverged, result.summary, {})),
            ([0, 1], model_of(result._experiment, state, {**result.summary, "calibration": known}, {})),
        ):
            assert found.facts.temperatures == tuple(temperatures[trial] for trial in used)
            inputs = result.dataset.test.inputs[:5]
            plain = probabilities(found.outputs_of(inputs), from_logits=True)
            np.testing.assert_allclose(plain, result.predict(inputs)[used], atol=1e-6)


def test_a_regression_answers_with_values():
    result = nnjax.fit(nnjax.compose("model=two_neuron", "training.duration=3steps"))
    inputs = result.dataset.test.inputs
    model = result.model
    assert (model.facts.task, model.facts.labels, model.facts.temperatures) == ("regression", (), (1.0,))
    (answer, *_) = model.answer(inputs)
    np.testing.assert_allclose(answer.probabilities, result.predict(inputs)[0], atol=1e-6)
    assert (answer.label, answer.probability) == (None, None)


@pytest.mark.parametrize(
    ("overrides", "preparation"),
    [
        (("data=synthetic", "data.input_shape=[8,8,1]"), None),
        (("data=synthetic", "data.input_shape=[5]"), None),
        (("data=digits",), "digits"),
    ],
)
def test_only_images_with_a_black_can_be_given_as_pictures(overrides, preparation):
    assert preparation_of(nnjax.load_data(nnjax.compose("model=fnn", *overrides))) == preparation


class Table:
    """As pandas has it."""

    columns = ("width", "length")
    shape = (20, 2)

    def __array__(self, dtype=None, copy=None):
        return np.random.default_rng(0).normal(size=self.shape).astype(np.float32)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("columns", "table"), [(("width", "length"), np.asarray(Table())), ((), Table())], ids=["named", "a table"]
)
def test_the_columns_of_a_registered_dataset_are_found_by_name(own_registry, columns, table):
    @nnjax.register_dataset("flowers", columns=columns)
    def flowers(options: Nothing):
        return (table, np.arange(20) % 2), (np.asarray(table), np.arange(20) % 2)

    facts = nnjax.fit(nnjax.compose("model=fnn", "data=flowers", "training.global_batch_size=4", "training.duration=1epoch"))
    facts = facts.model.facts
    assert facts.inputs.features == ("width", "length")
    assert rows_from_csv("length,width\n1,2", facts).tolist() == [[2, 1]]


def test_names_of_columns_have_to_fit(own_registry):
    @nnjax.register_dataset("wrong", columns=("width",))
    def wrong(options: Nothing):
        return (np.zeros((4, 2)), np.arange(4) % 2), (np.zeros((4, 2)), np.arange(4) % 2)

    with pytest.raises(DataError, match=r"data=wrong: has names of columns \(width\) and inputs of the shape \[4, 2\]"):
        nnjax.load_data(nnjax.compose("model=fnn", "data=wrong"))


def test_registered_images_are_cropped_and_resized(own_registry):
    images = np.random.default_rng(0).uniform(0, 0.5, (20, 6, 6, 3)).astype(np.float32)

    @nnjax.register_dataset("bright")
    def bright(options: Nothing):
        return (images, np.arange(20) % 2), (images, np.arange(20) % 2)

    facts = input_facts(nnjax.load_data(nnjax.compose("model=fnn", "data=bright", "training.global_batch_size=4")))
    assert (facts.preparation, facts.dtype) == ("plain", "float32")
    assert 0.45 < facts.largest <= 0.5
