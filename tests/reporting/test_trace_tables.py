import csv
import json
import math
from functools import cache

import pytest
from rich.console import Console

from nnjax.reporting.trace_files import COLUMNS, write_trace_files
from nnjax.reporting.trace_tables import MAX_ROWS, checks_table, losses_table, number_text, trace_tables


def a_row(iteration=1, phase="forward", layer=1, neuron="a", quantity="z", symbol="z_a", value=0.76, example=1, **more):
    row = {"iteration": iteration, "example": example, "phase": phase, "layer": layer, "neuron": neuron, "input": None}
    row |= {"quantity": quantity, "symbol": symbol, "formula": "w_a1 x1 + w_a0", "numbers": "0.16 + 0.6", "value": value}
    return row | more


ELSEWHERE = "trace.html and trace.csv; show=all prints them here"


def a_check(what="hand formula", iteration=1, agrees=True, note="", difference=1e-17, compared=6):
    numbers = {"largest_difference": difference, "relative": difference, "compared": compared, "of": 6}
    return {"iteration": iteration, "what": what, "agrees": agrees, "note": note, **numbers}


def a_trace(rows=None, iterations=1, checks=None, remarks=(), batch_size=1):
    every = [a_row(number) for number in range(1, iterations + 1)]
    return {
        "title": "two_neuron on textbook",
        "settings": {
            "loss": "half_mse",
            "precision": "float64",
            "learning_rate_rule": "new weight = weight + learning rate × gradient",
            "batch_size": batch_size,
            "iterations": iterations,
            "recorded": iterations,
        },
        "network": {"inputs": ["x1"], "layers": []},
        "examples": [],
        "iterations": [
            {
                "number": number,
                "learning_rate": -0.6,
                "loss": 0.5 / number,
                "loss_after": 0.5 / (number + 1),
                "weights": [],
                "biases": [],
                "remarks": list(remarks),
            }
            for number in range(1, iterations + 1)
        ],
        "final": {"loss": 0.1},
        "rows": every if rows is None else rows,
        "checks": [a_check()] if checks is None else checks,
        "exchange": None,
        "stopped": None,
    }


def printed(*parts, width=80):
    console = Console(width=width, highlight=False, markup=False, color_system=None)
    with console.capture() as capture:
        for part in parts:
            console.print(part)
    return capture.get()


@cache
def screen(width=80, **options):
    return printed(*trace_tables(a_trace(**options)), width=width)


@pytest.mark.parametrize("width", [80, 120])
def test_an_operation_a_line_with_its_formula_and_numbers(width):
    (line,) = [line for line in screen(width).splitlines() if "z_a" in line]
    assert " ".join(line.split()) == "1 a z_a w_a1 x1 + w_a0 0.16 + 0.6 0.76"
    assert all(len(line) <= width for line in screen(width).splitlines())


def test_a_table_for_each_phase():
    phases = ["forward", "error", "backward", "adjust", "update"]
    rows = [a_row(phase=phase, layer=None if phase == "error" else 1, neuron=None) for phase in phases]
    lines = [line.strip() for line in printed(*trace_tables(a_trace(rows))).splitlines()]
    assert [line for line in lines if line in phases] == phases
    heads = [line.split() for line in lines if line.startswith(("layer", "symbol"))]
    assert heads[0] == ["layer", "neuron", "symbol", "formula", "with", "numbers", "value"]
    assert heads[1] == ["symbol", "formula", "with", "numbers", "value"]


def test_examples_are_told_apart_in_a_batch():
    rows = [a_row(example=1, value=0.1), a_row(example=2, value=0.2)]
    text = printed(*trace_tables(a_trace(rows, batch_size=2)))
    found = [line.split() for line in text.splitlines() if "z_a" in line]
    assert [(line[2], line[-1]) for line in found] == [("1", "0.1"), ("2", "0.2")]


def test_long_numbers_fold_and_lose_nothing():
    long = " + ".join(["0.1234567891"] * 5)
    text = printed(*trace_tables(a_trace([a_row(numbers=long)])))
    assert text.count("0.1234567891") == 5
    assert "…" not in text


def test_an_iteration_too_long_is_summed_up_and_says_where_it_is():
    rows = [a_row(symbol=f"z_{i}", value=float(i)) for i in range(MAX_ROWS + 1)]
    text = printed(*trace_tables(a_trace(rows)))
    assert f"{MAX_ROWS + 1} rows, one an operation: too many to show here; all of them are in {ELSEWHERE}" in " ".join(
        text.split()
    )
    assert ["1", "z", "0", str(MAX_ROWS)] in [line.split() for line in text.splitlines()]
    assert "z_5" not in text
    assert "z_5" in printed(*trace_tables(a_trace(rows[:MAX_ROWS])))
    assert "z_5" in printed(*trace_tables(a_trace(rows), show_all=True))


def test_of_many_iterations_the_first_ones_and_the_last_are_shown():
    text = screen(iterations=30)
    assert [number for number in range(1, 31) if f"Iteration {number}:" in text] == [*range(1, 10), 30]
    assert f"… iterations 10 to 29 are in {ELSEWHERE}" in " ".join(text.split())
    assert "Recorded" not in text
    numbers = [
        line.split()[0] for line in printed(losses_table(a_trace(iterations=30)["iterations"])).splitlines()[3:] if line.split()
    ]
    assert numbers == [*map(str, range(1, 10)), "…", "30"]
    text = printed(*trace_tables(a_trace(iterations=30), show_all=True))
    assert all(f"Iteration {number}:" in text for number in range(1, 31))
    assert "…" not in text


def test_sparse_records_are_named():
    trace = a_trace(iterations=12)
    trace["settings"] |= {"iterations": 500, "recorded": 12}
    trace["iterations"][-1]["number"] = trace["rows"][-1]["iteration"] = 500
    text = " ".join(printed(*trace_tables(trace)).split())
    assert "Recorded: 12 of 500 iterations: each of the first 100, then ever fewer" in text
    assert f"… iterations 10 to 11 are in {ELSEWHERE}" in text
    trace["iterations"][-2]["number"] = trace["rows"][-2]["iteration"] = 400
    assert f"… 2 of iterations 10 to 400 are in {ELSEWHERE}" in " ".join(printed(*trace_tables(trace)).split())


def test_remarks_are_shown_with_their_iteration():
    assert "Iteration 1: The step overshoots." in screen(remarks=("The step overshoots.",))


def test_the_checks_in_a_line_each_over_all_iterations():
    checks = [a_check(difference=1e-17), a_check(iteration=2, difference=3e-16), a_check("finite differences", note="a sample")]
    lines = [" ".join(line.split()) for line in printed(checks_table(checks), width=100).splitlines()]
    assert "hand formula 2 12 3.0e-16 yes" in lines
    assert "finite differences 1 6 1.0e-17 yes; a sample" in lines


def test_what_does_not_agree_is_said_aloud():
    text = printed(checks_table([a_check(), a_check(iteration=4, agrees=False, difference=0.1)]), width=100)
    assert "NO, in iteration 4" in text
    assert "yes" not in text


def test_what_could_not_be_compared_is_no_yes():
    text = printed(checks_table([a_check(agrees=None, compared=0)]), width=100)
    assert "nothing to compare" in text
    assert "yes" not in text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.1 + 0.2, "0.3"),
        (-0.0784, "−0.0784"),
        (1.0173802589184, "1.0173802589"),
        (4.4e-6, "4.4e−06"),
        (0.0, "0"),
        (None, "nan"),
    ],
)
def test_numbers(value, text):
    assert number_text(value) == text


# --- files ---------------------------------------------------------------------------------------------------------


def test_the_files_hold_the_trace(tmp_path):
    trace = a_trace([a_row(), a_row(quantity="y", symbol="y_a", value=0.1 + 0.2, numbers="max(0, −1,5)")])
    paths = write_trace_files(tmp_path, trace)
    assert [path.name for path in paths] == ["trace.html", "trace.csv", "trace.json"]
    assert {path.name for path in tmp_path.iterdir()} == {"trace.html", "trace.csv", "trace.json"}
    assert json.loads((tmp_path / "trace.json").read_text(encoding="utf-8")) == trace
    with (tmp_path / "trace.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == list(COLUMNS)
    assert [row["numbers"] for row in rows] == ["0.16 + 0.6", "max(0, −1,5)"]
    assert float(rows[1]["value"]) == 0.1 + 0.2  # to the last bit
    assert rows[0]["input"] == ""


def test_trace_json_has_a_row_a_line(tmp_path):
    write_trace_files(tmp_path, a_trace([a_row(), a_row(symbol="y_a")]))
    lines = (tmp_path / "trace.json").read_text(encoding="utf-8").splitlines()
    (line,) = [line for line in lines if '"y_a"' in line]
    assert json.loads(line.strip().rstrip(","))["symbol"] == "y_a"


def test_numbers_that_are_not_finite_do_not_break_the_json(tmp_path):
    trace = a_trace([a_row(value=math.inf)])
    trace["final"]["loss"] = math.nan
    write_trace_files(tmp_path, trace)
    found = json.loads((tmp_path / "trace.json").read_text(encoding="utf-8"))
    assert found["final"]["loss"] is None
    assert found["rows"][0]["value"] is None
