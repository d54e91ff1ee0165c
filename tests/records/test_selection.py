"""The order of runs, and keys that no run has."""

import pytest

from nnjax.config.errors import ConfigError
from nnjax.records.conditions import parse_condition
from nnjax.records.selection import check_keys, check_values, chosen, in_order

ROWS = [
    {"name": "a", "test_accuracy": 0.5, "training.duration": "10epochs"},
    {"name": "b", "training.duration": "9epochs"},
    {"name": "c", "test_accuracy": 0.9, "training.duration": "10epochs"},
    {"name": "d", "test_accuracy": 0.7, "training.duration": "9epochs"},
]


def order(*keys):
    return "".join(row["name"] for row in in_order(ROWS, keys))


def test_runs_are_sorted_and_those_without_the_fact_come_last():
    assert order("test_accuracy") == "adcb"
    assert order("-test_accuracy") == "cdab"
    assert order() == "abcd"
    assert order("none") == "abcd"


def test_the_first_key_counts_most_and_numbers_in_texts_are_numbers():
    assert order("training.duration") == "bdac"
    assert order("training.duration", "-test_accuracy") == "dbca"


def test_numbers_come_before_texts():
    rows = [{"x": "auto"}, {"x": 3}, {"x": [1, 2]}, {"x": False}]
    assert [row["x"] for row in in_order(rows, ["x"])] == [False, 3, [1, 2], "auto"]


@pytest.mark.parametrize("text", ["3²", "²", "٣", "9" * 5000])  # digits that int() refuses, or reads
def test_any_letters_have_a_place(text):
    assert in_order([{"x": text}, {"x": "3a"}], ["x"]) != []


def test_all_conditions_must_hold():
    conditions = [parse_condition("test_accuracy>0.6"), parse_condition("training.duration=9epochs")]
    assert [row["name"] for row in chosen(ROWS, conditions)] == ["d"]


def test_a_key_that_no_run_has_is_refused_with_the_nearest():
    check_keys(["test_accuracy", "forecast_rmse", "tags"], ROWS, "where")
    for key, near in (("test_acuracy", "test_accuracy"), ("duration", "training.duration"), ("sort_", "sort")):
        with pytest.raises(ConfigError, match=f"^sort={key}: no run has such a fact or setting; did you mean {near}\\?"):
            check_keys([key], ROWS, "sort", ["sort"])
    with pytest.raises(ConfigError, match=r"^where=zzzz: no run has such a fact or setting\n  facts: name, folder, status"):
        check_keys(["zzzz"], ROWS, "where")
    check_keys(["zzzz"], [], "where")  # of no runs, nothing is known


@pytest.mark.parametrize(
    ("text", "example"),
    [
        ("seconds>5s", "seconds>9.5"),
        ("seconds!=1min", "seconds!=9.5"),
        ("peak_rss_mb=300MB", "peak_rss_mb=380"),
        ("training.duration>5", "training.duration>10epochs"),
        ("training.duration<=5steps", "training.duration<=10epochs"),
        ("started<3", "started<2026-11-23"),
        ("status>3", "status=completed"),
    ],
)
def test_a_value_of_another_kind_than_all_runs_have_is_refused_with_that_of_a_run(text, example):
    rows = [
        {"training.duration": "10epochs", "seconds": 9.5, "peak_rss_mb": 380, "started": "2026-11-23", "status": "completed"},
        {"seconds": None},
    ]
    with pytest.raises(ConfigError, match=f"^where={text}: the value must be like those of the runs, such as {example}$"):
        check_values([parse_condition(text)], rows)
    check_values([parse_condition(example)], rows)


@pytest.mark.parametrize(
    "text", ["test_accuracy>60%", "test_accuracy=90%,null", "training.duration!=5steps", "name~5s", "x=5s"]
)
def test_a_value_that_a_run_may_have_is_allowed(text):
    check_values([parse_condition(text)], ROWS)


def test_of_runs_with_several_kinds_of_values_one_is_enough():
    rows = [*ROWS, {"training.duration": "5steps"}]
    check_values([parse_condition("training.duration>2steps"), parse_condition("training.duration>2epochs")], rows)
