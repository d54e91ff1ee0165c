"""What a series must hold for its windows, its held-out end, a season and a batch."""

import pytest

from nnjax.cli.compose import compose_train
from nnjax.config.errors import DataError, IncompatibleError

SIZES = ["data.window=4", "data.holdout=3", "data.season=2", "data.difference=1", "training.global_batch_size=2"]

CONSTANT = "sales is 5 in every row before the held-out ones; there is nothing to learn"
SAME = "the change over data.difference=1 is always the same"


@pytest.fixture
def compose(tmp_path, monkeypatch):
    """Composes `data=series` with a file, named my.csv, of these values."""
    monkeypatch.chdir(tmp_path)

    def compose(values, *overrides):
        (tmp_path / "my.csv").write_text("\n".join(["sales", *map(str, values)]) + "\n")
        return compose_train(["model=fnn", "data=series", f"data.file={tmp_path / 'my.csv'}", *SIZES, *overrides])

    return compose


def test_just_enough_values(compose):
    values = [1, 4, 2, 8, 5, 7, 1, 4, 2, 8]
    assert compose(values)
    with pytest.raises(DataError) as raised:
        compose(values[:-1])
    assert str(raised.value) == (
        "data.file=my.csv: has 9 values; needs at least 10: data.window=4 + data.difference=1 + data.holdout=3 + "
        "training.global_batch_size=2; make one of these smaller"
    )


@pytest.mark.parametrize(
    ("values", "overrides", "reason"),
    [
        (
            [5] * 9 + [1, 2, 3],
            ["data.difference=0"],
            CONSTANT,
        ),
        ([5] * 9 + [1, 2, 3], [], CONSTANT),
        ([5] * 9 + [1, 2, 3], ["data.window=100"], CONSTANT),
        (
            [0.1 * number for number in range(12)],
            [],
            f"sales: before the held-out values {SAME}; there is nothing to learn: make data.difference smaller",
        ),
        (
            [2**number for number in range(12)],
            ["data.transform=log"],
            f"sales: before the held-out values {SAME}; there is nothing to learn: make data.difference smaller",
        ),
    ],
)
def test_a_constant_is_no_series(compose, values, overrides, reason):
    with pytest.raises(DataError) as raised:
        compose(values, *overrides)
    assert str(raised.value) == f"data.file=my.csv: {reason}"


def test_one_value(compose):
    with pytest.raises(DataError, match=r"my\.csv: has 1 value; needs at least 10: "):
        compose([7])


@pytest.mark.parametrize(
    ("value", "overrides", "reason"),
    [
        (1e302, [], "line 6: sales is 1e+302; must be at most 1e+100: write it in a larger unit"),
        (-1e302, [], "line 6: sales is -1e+302; must be at most 1e+100: write it in a larger unit"),
        (
            1e30,
            ["data.normalize=false"],
            "line 6: sales is 1e+30; must be at most 1e+18: write it in a larger unit, or say data.normalize=true",
        ),
    ],
)
def test_a_number_whose_square_is_none(compose, value, overrides, reason):
    values = [1, 4, 2, 8, value, 7, 1, 4, 2, 8]
    with pytest.raises(DataError) as raised:
        compose(values, *overrides)
    assert str(raised.value) == f"data.file=my.csv: {reason}"
    assert compose([1e-3 * entry for entry in values] if abs(value) < 1e100 else [1e90 * (entry % 9) for entry in values])


def test_the_difference_follows_the_season(compose):
    assert compose_train(["data=airline", "model=fnn", "data.season=7"]).data.difference == 7


AIRLINE = [
    (
        ["data.window=100"],
        "data=airline: has 144 values; needs at least 152: data.window=100 + data.difference=12 + data.holdout=24 + "
        "training.global_batch_size=16; make one of these smaller",
    ),
    (
        ["data.season=121", "data.difference=0"],
        "data.season=121: must be at most 120, the values before the held-out ones (set on the command line)",
    ),
    (
        ["data.limit_test=12"],
        "data.limit_test=12: has no use for a series; choose null, and data.holdout (set on the command line)",
    ),
    (
        ["data.validation=0.9"],
        "data.validation=0.9: leaves 9 windows to train on, less than one batch of 16; choose a smaller share",
    ),
    (
        ["data.limit_train=15", "data.validation=0.1"],
        "data.limit_train=15: leaves 13 examples to train on, less than one batch of 16; choose a larger one",
    ),
]


@pytest.mark.slow
@pytest.mark.parametrize(("overrides", "message"), AIRLINE)
def test_what_does_not_fit_the_airline_series_is_a_mistake_in_the_config(overrides, message):
    with pytest.raises(IncompatibleError) as raised:
        compose_train(["model=fnn", "data=airline", *overrides])
    assert str(raised.value).startswith(message)
