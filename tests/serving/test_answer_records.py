import csv
import json

import numpy as np
import pytest

from nnjax.serving.answer_records import answer_record, columns, csv_line, json_line, shortest, value_text
from nnjax.serving.facts import InputFacts, ModelFacts
from nnjax.serving.model import Answer


def facts(task="classification", labels=("cat", 'the "dog", at home', "cow")):
    inputs = InputFacts((2,), "float32")
    count = len(labels) or 2
    return ModelFacts("model", task, inputs, labels, count, 1, True, (1.0,), None, {}, None, {})


CLASSES = Answer(
    np.array([0.2, 0.7, 0.1], np.float32),
    np.array([0, 0.05, 0], np.float32),
    np.zeros((2, 3), np.float32),
    "…",
    0.7,
    ("unlike", "pale"),
)
VALUES = Answer(np.array([1.5, -2e-9], np.float32), np.zeros(2, np.float32), np.zeros((1, 2), np.float32), None, None)


def test_classes_come_by_their_probability():
    record = answer_record("a.png", CLASSES, facts(), top=2, notes=["inverted"])
    assert [each["label"] for each in record["top"]] == ['the "dog", at home', "cat"]
    assert (record["label"], record["probability"]) == ('the "dog", at home', pytest.approx(0.7))
    assert record["spread"] == pytest.approx(0.05)
    assert (record["source"], record["warnings"], record["notes"]) == ("a.png", ["unlike", "pale"], ["inverted"])
    assert len(answer_record("a.png", CLASSES, facts(), top=9)["top"]) == 3


def test_values_of_a_regression():
    record = answer_record("row 1", VALUES, facts("regression", ()), top=3)
    assert record["values"] == pytest.approx([1.5, -2e-9])
    assert "label" not in record


def test_no_class_is_named_where_outputs_are_not_finite():
    nothing = np.full(3, np.nan, np.float32)
    record = answer_record("a.png", Answer(nothing, nothing, nothing[None], None, None, ("why",)), facts(), top=2)
    wanted = {"source": "a.png", "label": None, "probability": None, "spread": None, "top": []}
    assert record == wanted | {"warnings": ["why"], "notes": []}
    names = columns(facts(), 2)
    assert csv_line(record, names) == "a.png,,,,,,why,"
    assert json.loads(json_line(record))["label"] is None


def test_json_is_strict_and_in_one_line():
    record = {"source": "caf\udce9\n.png", "values": [float("nan"), 1.0], "error": None}
    text = json_line(record)
    assert "\n" not in text
    assert text.encode()
    assert json.loads(text) == {"source": "caf\udce9\n.png", "values": [None, 1.0], "error": None}


@pytest.mark.parametrize(("answer", "of"), [(CLASSES, facts()), (VALUES, facts("regression", ()))])
def test_csv_is_read_back(answer, of):
    record = answer_record('a,"b".png', answer, of, top=2)
    names = columns(of, 2)
    (row,) = csv.DictReader([",".join(names), csv_line(record, names)])
    assert row["source"] == 'a,"b".png'
    if of.task == "regression":
        assert [float(row[f"value_{place}"]) for place in (1, 2)] == pytest.approx([1.5, -2e-9])
    else:
        assert (row["label"], row["label_2"], row["warnings"]) == ('the "dog", at home', "cat", "unlike; pale")
        assert float(row["probability_2"]) == pytest.approx(0.2)


def test_an_error_has_a_line_too():
    names = columns(facts(), 3)
    (row,) = csv.DictReader([",".join(names), csv_line({"source": "x.png", "error": "x.png: is damaged"}, names)])
    assert (row["source"], row["error"], row["label"]) == ("x.png", "x.png: is damaged", "")


def test_values_have_the_digits_that_their_type_has():
    assert shortest(np.array([0.1, 1e9, np.nan], np.float32)) == [0.1, 1e9, pytest.approx(np.nan, nan_ok=True)]
    assert shortest(np.array([0.1, 1000000444.04])) == [0.1, 1000000444.04]
    record = {"values": [1000000444.04, 0.1], "spread": [0.0, 0.1234567]}
    assert csv_line(record, ["value_1", "value_2", "spread_2"]) == "1000000444.04,0.1,0.123457"


@pytest.mark.parametrize(
    ("value", "text"),
    [(455.4514, "455.451"), (1000000444.04, "1000000444.04"), (-1234567.0, "-1234567"), (2e-9, "2e-09"), (1e20, "1e+20")],
)
def test_a_large_value_is_told_from_the_next_one(value, text):
    assert value_text(value) == text
