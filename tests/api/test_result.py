import sys
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

import nnjax
from nnjax.config.errors import InputError


def test_predictions_are_probabilities_of_any_number_of_examples(trained):
    test = trained.dataset.test
    whole = trained.predict(test.inputs)
    assert whole.shape == (len(test), 10)
    assert whole.dtype == np.float32
    np.testing.assert_allclose(whole.sum(axis=1), 1, rtol=1e-5)
    assert np.mean(whole.argmax(axis=1) == test.targets) == pytest.approx(trained.metrics["test"]["accuracy"])
    for count in (0, 1, 7):
        np.testing.assert_array_equal(trained.predict(test.inputs[:count]), whole[:count])
    doubled = trained.predict(np.concatenate([test.inputs] * 3))  # more than a batch of the evaluation
    np.testing.assert_array_equal(doubled, np.concatenate([whole] * 3))
    np.testing.assert_array_equal(trained.predict(test.inputs[:2].astype(int).tolist()), whole[:2])


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        (
            np.zeros((3, 8, 8), np.uint8),
            r"inputs must be \[n, 8, 8, 1\] uint8, as data=digits stores them; they are \[3, 8, 8\]",
        ),
        (np.zeros((8, 8, 1), np.uint8), r"they are \[8, 8, 1\]; write inputs\[None\] for a single example"),
        (np.zeros((2, 9, 8, 1), np.uint8), r"they are \[2, 9, 8, 1\]"),
        (np.zeros((2, 8, 8, 1), np.float32), "whole numbers from 0 to 255; they are float32"),
        (np.full((2, 8, 8, 1), 256), "they are from 256 to 256"),
        (np.full((2, 8, 8, 1), -1), "they are from -1 to -1"),
        (np.full((2, 8, 8, 1), "x"), "they are <U1"),
        (3, r"they are \[\]"),
        ([[1], [1, 2]], "inhomogeneous"),
    ],
)
def test_inputs_that_do_not_fit_are_refused(trained, inputs, message):
    with pytest.raises(ValueError, match=message) as raised:
        trained.predict(inputs)
    assert isinstance(raised.value, nnjax.InputError)


def test_every_split_can_be_measured(trained):
    for split in ("validation", "test"):
        assert trained.evaluate(split) == trained.metrics[split]
    train = trained.dataset.train
    assert trained.evaluate("train") == trained.evaluate(nnjax.Split(train.inputs, train.targets.astype(np.uint8)))
    assert set(trained.evaluate(nnjax.Split(train.inputs[:1], train.targets[:1]))) == {"loss", "accuracy"}


@pytest.mark.parametrize(
    ("split", "message"),
    [
        ("tests", "split=tests: must be one of train, validation, test, or a nnjax.Split"),
        (3, "it is a int"),
        ((2, [3]), r"targets must be \[2\] class numbers; they are \[1\] int64"),
        ((2, [3, 10]), "targets must be class numbers from 0 to 9; they go up to 10"),
        ((2, [0.5, 1]), r"they are \[2\] float64"),
        ((0, []), "the split holds no example"),
    ],
)
def test_a_split_that_does_not_fit_is_refused(trained, split, message):
    if isinstance(split, tuple):
        split = nnjax.Split(np.zeros((split[0], 8, 8, 1), np.uint8), np.array(split[1]))
    with pytest.raises(nnjax.InputError, match=message):
        trained.evaluate(split)


def test_history_is_a_list_and_a_table(trained, monkeypatch):
    assert [record["split"] for record in trained.history] == ["train", "validation", "train", "validation", "test"]
    monkeypatch.setitem(sys.modules, "pandas", SimpleNamespace(DataFrame=lambda rows: ("a table", rows)))
    assert trained.history.to_pandas() == ("a table", list(trained.history))
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(ModuleNotFoundError, match="pip install pandas"):
        trained.history.to_pandas()


def test_its_weights_are_copies(trained):
    before = trained.predict(trained.dataset.test.inputs)
    trained.params["output"]["kernel"] *= 0
    assert np.any(trained.params["output"]["kernel"])
    assert (trained.predict(trained.dataset.test.inputs) == before).all()
    assert trained in {trained}


def test_it_shows_what_it_is(trained):
    assert repr(trained).startswith("Result(fnn on digits, completed, test loss=")
    assert trained.status == "completed"
    assert trained.params["output"]["kernel"].shape == (8, 10)


@pytest.mark.slow
def test_several_trials(tiny):
    result = nnjax.fit(tiny("training.seeds=3"))
    outputs = result.predict(result.dataset.test.inputs[:2])
    assert outputs.shape == (3, 2, 10)
    assert result.predict(result.dataset.test.inputs[:0]).shape == (3, 0, 10)
    assert result.evaluate("test") == pytest.approx(result.metrics["test"])
    assert result.metrics["test"]["loss"] == pytest.approx(np.mean([row["test_loss"] for row in result.summary["trials"]]))
    assert result.params["output"]["kernel"].shape == (3, 8, 10)


def test_values_of_a_regression():
    result = nnjax.fit(nnjax.compose("experiment=textbook", "training.duration=2steps"))
    values = result.predict(result.dataset.test.inputs.astype(np.float64))
    assert values.shape == result.dataset.test.targets.shape
    loss = 0.5 * np.sum((values - result.dataset.test.targets) ** 2, axis=1).mean()
    assert result.evaluate(result.dataset.test)["loss"] == pytest.approx(loss, rel=1e-5)
    with pytest.raises(nnjax.InputError, match=r"float32, as data=textbook stores them; they are <U1"):
        result.predict(np.full(result.dataset.test.inputs.shape, "x"))


def test_probabilities_of_a_classifier_trained_on_squares(tiny):
    result = nnjax.fit(tiny("loss=mse", "training.duration=1epochs"))
    np.testing.assert_allclose(result.predict(result.dataset.test.inputs[:4]).sum(axis=1), 1, rtol=1e-5)


@pytest.mark.slow
def test_a_run_is_read_back(tiny, tmp_path):
    result = nnjax.fit(tiny("training.keep=2", "training.checkpoint_every=1epochs"), tmp_path)
    loaded = nnjax.load_run(tmp_path)
    assert (loaded.config, loaded.metrics, loaded.history, loaded.status) == (
        result.config,
        result.metrics,
        result.history,
        result.status,
    )
    inputs = result.dataset.test.inputs
    np.testing.assert_array_equal(loaded.predict(inputs), result.predict(inputs))
    np.testing.assert_array_equal(nnjax.load_run(str(tmp_path), "last").predict(inputs), result.predict(inputs))
    assert nnjax.load_run(tmp_path, 3).evaluate("test") != result.metrics["test"]
    with pytest.raises(nnjax.DataError, match="no checkpoint of step 4"):
        nnjax.load_run(tmp_path, 4)
    with pytest.raises(nnjax.ConfigError, match="checkpoint=bset: must be one of tested, last, best, or a step"):
        nnjax.load_run(tmp_path, "bset")
    assert loaded.summary == {**result.summary, "seconds": loaded.summary["seconds"]}
    with pytest.raises(nnjax.ConfigError, match="run=nowhere: no such folder"):
        nnjax.load_run("nowhere")


def test_pictures_are_answered_from_a_list_and_from_the_home_folder(trained, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    pixels = (trained.dataset.test.inputs[0, :, :, 0] * 15.9375).astype(np.uint8)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    assert trained.answer("~/a.png").label == trained.answers([tmp_path / "a.png"])[0].label
    for one in ("photo.png", tmp_path / "a.png", b"abc"):
        with pytest.raises(InputError, match=r"^pictures: is one picture; must be a list of them, or call answer$"):
            trained.answers(one)
