import csv
import io
import warnings

import pytest
from rich.console import Console

from nnjax.reporting.figures.search_figures import draw_parallel_coordinates, draw_search
from nnjax.reporting.search_tables import (
    best_table,
    counts_line,
    importance_table,
    number_text,
    short_names,
    trial_line,
    write_rows,
)

KEYS = {"optimizer.learning_rate": True, "model.hidden": False, "activation": False}


def row(trial, error=0.25, status="completed", **more):
    values = {"optimizer.learning_rate": 10 ** -(1 + trial % 4), "model.hidden": "[8]", "activation": "relu"}
    return {
        "trial": trial,
        "status": status,
        "error": error,
        **values,
        "seconds": 1.25,
        "parameters": 1200,
        "reason": "",
    } | more


def shown(table):
    console = Console(width=120, file=io.StringIO())
    console.print(table)
    return console.file.getvalue()


def test_the_line_of_a_trial():
    rest = "learning_rate=0.01  1.2 s"
    line = trial_line(row(1), ["error"], ["optimizer.learning_rate"], row(1))
    assert line == f"trial   1  error 0.25 (the best)  {rest}"
    line = trial_line(row(1), ["error"], ["optimizer.learning_rate"], row(0, error=0.125))
    assert line == f"trial   1  error 0.25 (best 0.125)  {rest}"
    line = trial_line(row(1, status="pruned", reason="worse"), ["error"], ["optimizer.learning_rate"], None)
    assert line == f"trial   1  pruned: worse  {rest}"
    line = trial_line(row(1, seconds=None, status="refused"), ["error"], ["optimizer.learning_rate"], None)
    assert line == "trial   1  refused  learning_rate=0.01"
    assert trial_line(row(1), ["error", "parameters"], [], None) == "trial   1  error 0.25, parameters 1200    1.2 s"


def test_keys_are_shown_by_their_last_part_unless_two_have_it():
    assert short_names(["optimizer.learning_rate", "activation", "model.name", "loss.name"]) == {
        "optimizer.learning_rate": "learning_rate",
        "activation": "activation",
        "model.name": "model.name",
        "loss.name": "loss.name",
    }


def test_the_tables():
    table = shown(best_table([row(number) for number in range(12)], ["error"], list(KEYS)))
    assert "learning rate" in table
    assert "1,200" in table
    assert len([line for line in table.splitlines() if "0.25" in line]) == 10
    assert counts_line([row(0), row(1), row(2, status="pruned")]) == "3 trials: 2 completed, 1 pruned"
    assert "0.75" in shown(importance_table({"model.hidden": 0.75, "activation": 0.25}))
    values = (0.123456, 7, None, "[8]", 19210.0, 1234.5, 8.0)
    assert [number_text(value) for value in values] == ["0.1235", "7", "null", "[8]", "19,210", "1234", "8"]


def test_the_file_has_every_column(tmp_path):
    write_rows([row(0, status="running"), row(1, loss=0.5)], tmp_path / "search.csv")
    with (tmp_path / "search.csv").open() as file:
        first, second = csv.DictReader(file)
    assert (first["loss"], second["loss"]) == ("", "0.5")
    assert second["optimizer.learning_rate"] == "0.01"


CASES = {
    "many": [row(number, error=0.5 / (1 + number), activation="relu" if number % 2 else "tanh") for number in range(40)],
    "equal": [row(0), row(4)],
    "one": [row(0)],
    "pruned": [row(0), row(1, error=None, status="pruned"), row(2, error=None, status="diverged")],
}


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_the_figures_are_drawn(tmp_path, name):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        draw_search(CASES[name], ["error"], KEYS, {"activation": 0.7} if name == "many" else {}, tmp_path / "search.png")
        draw_search(CASES[name], ["error", "parameters"], KEYS, {}, tmp_path / "pair.png")
        draw_parallel_coordinates(CASES[name], "error", KEYS, tmp_path / "lines.png")
    for path in tmp_path.glob("*.png"):
        assert path.stat().st_size > 5000
