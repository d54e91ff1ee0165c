"""Rows for a run are read by the rules of its data: a series has to be in order."""

import os
from dataclasses import replace
from threading import Thread

import numpy as np
import pytest

import nnjax
from nnjax.api.predicting import _series_facts
from nnjax.api.run_rows import rows_of_run
from nnjax.config.errors import DataError
from nnjax.data.series_file import AIRLINE_FILE
from nnjax.serving.facts import InputFacts, ModelFacts

HEADER, *MONTHS = AIRLINE_FILE.read_text().splitlines()


@pytest.fixture(scope="module")
def airline():
    """The options of the airline series, and facts of a model of it."""
    dataset = nnjax.load_data(nnjax.compose("model=rnn", "data=airline"))
    series = _series_facts(dataset, lambda inputs: np.zeros((1, len(inputs), 1), np.float32))
    inputs = InputFacts(dataset.spec.input_shape, "float32")
    return dataset.options, ModelFacts("a", "regression", inputs, (), 1, 1, False, (1.0,), series, {}, None, {})


def written(folder, lines):
    path = folder / "new.csv"
    path.write_text("\n".join(lines))
    return path


def test_the_row_that_is_answered_has_its_date(airline, tmp_path):
    data, facts = airline
    whole, plain = written(tmp_path, [HEADER, *MONTHS]), [month.partition(",")[2] for month in MONTHS]
    rows = rows_of_run(data, whole)
    assert (rows.following, rows.notes) == ("1961-01", ())
    inputs = rows.read(facts)
    listed = rows_of_run(data, written(tmp_path, plain))
    assert listed.following == "the next row"
    np.testing.assert_array_equal(listed.read(facts), inputs)
    blank = rows_of_run(data, written(tmp_path, [HEADER, *MONTHS, "1961-01,", "1961-02,"]))
    assert blank.following == "1961-01"
    np.testing.assert_array_equal(blank.read(facts), inputs)


def test_rows_from_a_pipe_are_read_once(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    writer = Thread(target=(tmp_path / "pipe").write_text, args=("c,d\n1,2\n",))
    writer.start()
    rows = rows_of_run(nnjax.compose("model=fnn", "data=digits").data, tmp_path / "pipe")
    writer.join()
    facts = ModelFacts("a", "regression", InputFacts((2,), "float32"), (), 1, 1, False, (1.0,), None, {}, None, {})
    assert rows.read(facts).tolist() == [[1, 2]]
    assert rows.note(facts).endswith(
        "pipe: its columns are taken by their places, not by their names: the model has no names for them"
    )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda rows: rows[::-1], "line 3: month 1960-11 comes after 1960-12"),
        (lambda rows: rows[:50] + rows[51:], "line 52: month goes from 1953-02 to 1953-04; 1953-03 is missing"),
        (lambda rows: [*rows[:50], *rows[49:]], "line 52: month "),
        (lambda rows: rows[::12], "its rows are 1 year apart, and 1 month in the run's data"),
    ],
)
def test_rows_out_of_order_are_refused(airline, tmp_path, change, message):
    data, _ = airline
    path = written(tmp_path, [HEADER, *change(MONTHS)])
    with pytest.raises(DataError) as caught:
        rows_of_run(replace(data, window=1, difference=1), path)
    assert str(caught.value).startswith(f"rows={path}: {message}")


def test_a_file_that_is_not_there(airline, tmp_path):
    with pytest.raises(DataError, match=r"^rows=.*none.csv: is missing"):
        rows_of_run(airline[0], tmp_path / "none.csv")


def test_a_pipe_is_read_once_and_a_series_is_not(airline, tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(DataError, match=r"^rows=.*pipe: is a pipe; must be a file"):
        rows_of_run(airline[0], tmp_path / "pipe")
