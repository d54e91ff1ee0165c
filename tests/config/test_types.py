import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nnjax.config.types import Bounds, Duration, MemorySize

ends = st.none() | st.floats(-1e6, 1e6)
units = st.sampled_from(["steps", "epochs", "examples", "%"])


@st.composite
def durations(draw: st.DrawFn) -> Duration:
    unit = draw(units)
    whole = st.integers(1, 10**12).map(float)
    values = {"%": st.floats(1e-6, 100), "epochs": st.floats(1e-6, 1e12)}.get(unit, whole)
    return Duration(draw(values), unit)


@pytest.mark.parametrize(
    ("text", "value", "unit"),
    [
        ("10epochs", 10, "epochs"),
        ("1 epoch", 1, "epochs"),
        (" 500 Steps ", 500, "steps"),
        ("1step", 1, "steps"),
        ("50_000examples", 50_000, "examples"),
        ("1e3steps", 1000, "steps"),
        ("1e-3epochs", 0.001, "epochs"),
        ("0.5epochs", 0.5, "epochs"),
        ("2.5%", 2.5, "%"),
        ("100%", 100, "%"),
    ],
)
def test_durations_are_read(text: str, value: float, unit: str) -> None:
    assert Duration.parse(text) == Duration(value, unit)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("10", "a number and a unit"),
        ("", "a number and a unit"),
        ("epochs", "a number and a unit"),
        ("10 minutes", "a number and a unit"),
        ("-1epochs", "a number and a unit"),
        ("1,5epochs", "a number and a unit"),
        ("10epochs 5steps", "a number and a unit"),
        ("infsteps", "a number and a unit"),
        ("0steps", "greater than zero"),
        ("1e999steps", "at most 1e\\+12"),
        ("2.5steps", "a whole number of steps"),
        ("0.5examples", "a whole number of examples"),
        ("101%", "at most 100%"),
    ],
)
def test_what_is_no_duration_is_refused(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        Duration.parse(text)


@given(durations())
def test_a_duration_is_written_as_it_is_read(duration: Duration) -> None:
    assert Duration.parse(str(duration)) == duration


@pytest.mark.parametrize(
    ("text", "steps"),
    [("7steps", 7), ("3epochs", 60), ("0.5epochs", 10), ("640examples", 10), ("1example", 1), ("25%", 50), ("0.01%", 1)],
)
def test_a_duration_in_steps(text: str, steps: int) -> None:
    assert Duration.parse(text).in_steps(steps_per_epoch=20, global_batch_size=64, total_steps=200) == steps


@given(durations(), st.integers(1, 10**4), st.integers(1, 10**4), st.integers(1, 10**6))
def test_steps_are_the_nearest_whole_number_and_at_least_one(
    duration: Duration, per_epoch: int, batch: int, total: int
) -> None:
    steps = duration.in_steps(per_epoch, batch, total)
    factor = {"steps": 1, "epochs": per_epoch, "examples": 1 / batch, "%": total / 100}[duration.unit]
    exact = duration.value * factor
    assert steps >= 1
    assert steps == 1 or math.isclose(steps, exact, rel_tol=1e-12, abs_tol=0.5 + 1e-9)


@given(units, st.integers(1, 100), st.integers(0, 100), st.integers(1, 1000), st.integers(1, 1000))
def test_a_longer_duration_has_no_fewer_steps(unit: str, value: int, more: int, per_epoch: int, batch: int) -> None:
    shorter, longer = (Duration(v, unit).in_steps(per_epoch, batch, total_steps=777) for v in (value, value + more))
    assert shorter <= longer


def test_percents_of_nothing_are_refused() -> None:
    with pytest.raises(ValueError, match="percents"):
        Duration(5, "%").in_steps(20, 64)


@given(ends, ends, ends, ends, st.floats(allow_nan=False, allow_infinity=False) | st.integers())
def test_bounds_hold_to_every_end(
    at_least: float | None, above: float | None, at_most: float | None, below: float | None, value: float
) -> None:
    broken = [
        at_least is not None and value < at_least,
        above is not None and value <= above,
        at_most is not None and value > at_most,
        below is not None and value >= below,
    ]
    assert Bounds(at_least, above, at_most, below).contains(value) is not any(broken)


@given(ends, ends, st.sampled_from([math.nan, math.inf, -math.inf]))
def test_no_bounds_contain_what_is_not_finite(at_least: float | None, below: float | None, value: float) -> None:
    assert not Bounds(at_least=at_least, below=below).contains(value)


def test_bounds_take_integers_that_no_float_holds() -> None:
    assert Bounds(at_least=0).contains(10**400)


@pytest.mark.parametrize(
    ("bounds", "words"),
    [
        (Bounds(above=0), "greater than 0"),
        (Bounds(at_least=0, below=1), "at least 0 and less than 1"),
        (Bounds(at_most=2**32 - 1), "at most 4294967295"),
        (Bounds(), ""),
    ],
)
def test_bounds_in_words(bounds: Bounds, words: str) -> None:
    assert str(bounds) == words


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("12GB", 12 * 10**9),
        ("1.5 TB", 15 * 10**11),
        ("800MiB", 800 * 2**20),
        ("64kb", 64_000),
        ("1_000B", 1000),
        ("2gib", 2**31),
        ("12G", 12 * 10**9),
        ("500 Mi", 500 * 2**20),
    ],
)
def test_sizes_of_memory_are_read(text: str, size: int) -> None:
    assert MemorySize.parse(text).bytes == size
    assert MemorySize.parse(str(MemorySize.parse(text))) == MemorySize.parse(text)


@pytest.mark.parametrize(
    "text", ["12", "GB", "-1GB", "0GB", "1e3GB", "12 GB free", "0.1B", "1PB", "9" * 400 + "GB", "nanGB", "12i", "12GG"]
)
def test_other_texts_are_no_sizes_of_memory(text: str) -> None:
    with pytest.raises(ValueError, match="12GB"):
        MemorySize.parse(text)
