"""A series over HTTP and in a command: its last values go in, its next value comes out, in its unit."""

import json
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from serving_thread import facts_of, running

from nnjax.serving.answer_records import columns, csv_line
from nnjax.serving.answers_command import answer
from nnjax.serving.facts import InputFacts, SeriesFacts
from nnjax.serving.model import Model

MONTHS = np.array([100.0, 110, 121, 133.1, 146.41, 161.051, 177.1561])  # each 1.1 times the last one


def series_model(log, difference):
    """Two networks, which answer the last change in the window, and one spread of 0.5 more."""
    mean, std = (0.25, 2.0)
    series = SeriesFacts("sales", log, difference, mean, std, 12, tuple(MONTHS), (), ((0.0,),))
    inputs = InputFacts(shape=(3, 1), dtype="float32")
    values = {"task": "regression", "labels": (), "num_outputs": 1, "num_trials": 2, "temperatures": (1.0, 1.0)}
    facts = facts_of("sales", inputs=inputs, series=series, **values)
    return Model(facts, lambda given: np.stack([given[:, -1, :], given[:, -1, :] + 0.5]), None)


def next_of(served, body, content_type):
    status, _, answer = served.ask("POST", "/predict", body, {"content-type": content_type})
    assert status == 200, answer
    (one,) = answer["answers"]
    return one["values"][0], one["spread"][0]


@pytest.mark.parametrize(
    ("log", "difference", "levels"),
    [
        (False, 0, MONTHS[-1] + np.array([0, 1])),  # the last value again
        (False, 1, MONTHS[-1] + np.array([16.1051, 16.1051 + 1])),  # as much more again, and one more
        (True, 1, MONTHS[-1] * np.array([1.1, 1.1 * np.e])),  # as much again
        (True, 3, MONTHS[-3] * np.array([1.331, 1.331 * np.e])),  # three months after the third last
    ],
)
def test_the_answer_is_the_next_value_in_its_unit(log, difference, levels):
    with running({"sales": series_model(log, difference)}) as served:
        listed = next_of(served, str({"rows": MONTHS.tolist()}).replace("'", '"'), "application/json")
        text = next_of(served, "sales\n" + "\n".join(map(str, MONTHS)), "text/csv")
    low, high = levels
    np.testing.assert_allclose([listed, text], [((low + high) / 2, (high - low) / 2**0.5)] * 2, rtol=1e-5)


def test_a_command_answers_as_the_server_does(tmp_path, capsys):
    model = series_model(log=True, difference=3)
    file = tmp_path / "new.csv"
    file.write_text("sales\n" + "\n".join(map(str, MONTHS)))
    stored = SimpleNamespace(facts=model.facts, model_apart=lambda: nullcontext(model))
    assert answer(stored, SimpleNamespace(rows=file, inputs=[], explain=None, json=True, top=3)) == 0
    record = json.loads(capsys.readouterr().out)
    with running({"sales": model}) as served:
        value, spread = next_of(served, file.read_text(), "text/csv")
    assert record["source"] == "the next row"
    np.testing.assert_allclose((record["values"][0], record["spread"][0]), (value, spread), rtol=1e-6)


@pytest.mark.parametrize("difference", [0, 1])
def test_values_near_a_thousand_millions_keep_their_digits(tmp_path, monkeypatch, capsys, difference):
    """float32 has a number for each 64 of them."""
    monkeypatch.chdir(tmp_path)
    values = [1_000_000_112, 1_000_000_118, 1_000_000_132, 1_000_000_129.25]
    series = replace(series_model(False, difference).facts.series, mean=values[0] * (1 - difference), std=8.0)
    model = series_model(log=False, difference=difference)
    model = replace(model, facts=replace(model.facts, series=series))
    Path("new.csv").write_text("sales\n" + "\n".join(map(str, values)))
    stored = SimpleNamespace(facts=model.facts, model_apart=lambda: nullcontext(model))
    words = {"rows": Path("new.csv"), "inputs": [], "explain": None, "top": 3}
    expected = values[-1] + difference * (values[-1] - values[-2]) + 2.0  # half of the one spread more
    assert answer(stored, SimpleNamespace(**words, json=True)) == 0
    record = json.loads(capsys.readouterr().out)
    assert record["values"] == [pytest.approx(expected, abs=1e-5)]
    assert record["spread"] == [pytest.approx(8**0.5, abs=1e-5)]
    assert float(csv_line(record, columns(model.facts, 3)).split(",")[1]) == record["values"][0]
    assert answer(stored, SimpleNamespace(**words, json=False)) == 0
    assert capsys.readouterr().out.startswith(f"the next row: {record['values'][0]:.15g} ± 2.8\n")
    with running({"sales": model}) as served:
        assert next_of(served, Path("new.csv").read_text(), "text/csv") == (record["values"][0], record["spread"][0])


def test_a_network_that_learned_nothing_is_said_to_have_no_finite_answer():
    model = series_model(log=True, difference=1)
    model = replace(model, outputs_of=lambda given: np.full((2, len(given), 1), 1e9, np.float32))
    with running({"sales": model}) as served:
        status, _, answer = served.post({"rows": MONTHS.tolist()})
    assert status == 200
    (one,) = answer["answers"]
    assert (one["values"], one["warnings"]) == ([None], ["the network's outputs are no finite numbers"])


@pytest.mark.parametrize(("log", "difference"), [(False, 0), (True, 1), (True, 3)])
def test_the_models_description_says_how_many_values_a_request_needs(log, difference):
    with running({"sales": series_model(log, difference)}) as served:
        needed = served.ask("GET", "/models")[2]["models"][0]["series"]["needed"]
        assert served.post({"rows": [1] * needed})[0] == 200
        assert served.post({"rows": [1] * (needed - 1)})[0] == 422


def test_too_few_values_are_refused():
    with running({"sales": series_model(log=True, difference=1)}) as served:
        status, _, answer = served.post({"rows": [1, 2, 3]})
    assert (status, "must have at least 4" in answer["error"]) == (422, True)


def test_dates_that_are_not_checked_are_noted(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    model = series_model(log=False, difference=0)
    labels = tuple(f"2024-0{month}" for month in range(1, 8))
    model = replace(model, facts=replace(model.facts, series=replace(model.facts.series, labels=labels, dates=("month",))))
    note = "whether its rows go from old to new is not checked: it has no column month, which dated the training's rows"
    text = "day,sales\n" + "\n".join(f"{day},{value}" for day, value in enumerate(MONTHS))
    Path("new.csv").write_text(text)
    stored = SimpleNamespace(facts=model.facts, model_apart=lambda: nullcontext(model))
    words = {"rows": Path("new.csv"), "inputs": [], "explain": None, "top": 3}
    assert answer(stored, SimpleNamespace(**words, json=True)) == 0
    assert json.loads(capsys.readouterr().out)["notes"] == [f"new.csv: {note}"]
    assert answer(stored, SimpleNamespace(**words, json=False)) == 0
    assert capsys.readouterr().err == f"note: new.csv: {note}\n"
    with running({"sales": model}) as served:
        _, _, answered = served.ask("POST", "/predict", text, {"content-type": "text/csv"})
        assert answered["answers"][0]["notes"] == [f"the rows: {note}"]
        reversed_text = "month,sales\n" + "\n".join(f"{label},5" for label in labels[::-1])
        status, _, refused = served.ask("POST", "/predict", reversed_text, {"content-type": "text/csv"})
    assert (status, refused["error"]) == (
        422,
        "the rows, line 3: month 2024-06 comes after 2024-07; rows must go from old to new",
    )
