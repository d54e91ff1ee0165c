"""Tolerances: an answer that is rounded at each step, at some, or at the last one alone lies within the printed tolerance."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from worksheet_configs import SHAPES, drawn_of

from nnjax.worksheets.hand_solution import solve
from nnjax.worksheets.rounding import Bounded, round_half_up, rounded, within
from nnjax.worksheets.sheet_parts import rounded_answer


def parsed(text):
    return float(text.replace("−", "-") or 0)


@pytest.mark.slow
@given(st.sampled_from(SHAPES), st.integers(0, 2**31), st.integers(3, 6), st.randoms(use_true_random=False))
@settings(max_examples=60, deadline=None)
def test_who_rounds_is_within_the_tolerance(shape, seed, places, random):
    (drawn,) = drawn_of(*shape, f"round_to={places}", seed=seed)
    exact, bounds = solve(drawn.exercise), solve(drawn.exercise, within(places))
    share = random.random()

    def at_some_steps(found):
        return rounded(places)(found) if random.random() < share else found

    for keep in (rounded(places), at_some_steps):
        for key, found in solve(drawn.exercise, keep).items():
            assert bounds[key].value == exact[key].value
            centre, tolerance = map(parsed, rounded_answer(exact[key].value, bounds[key].error, places))
            answer = round_half_up(found.value, places)
            assert abs(answer - centre) <= tolerance + 1e-9, (key, answer, centre, tolerance)


@pytest.mark.slow
@given(st.sampled_from(SHAPES), st.integers(0, 2**31))
@settings(max_examples=30, deadline=None)
def test_tolerances_are_small_enough_to_tell_a_slip(shape, seed):
    (drawn,) = drawn_of(*shape, seed=seed)
    errors = [found.error for (iteration, *_), found in solve(drawn.exercise, within(4)).items() if iteration == 1]
    assert max(errors) < 0.005


@pytest.mark.parametrize(
    ("value", "error", "answer"),
    [
        (0.76, 0.0, ("0.7600", "")),
        (-0.0784, 0.0, ("−0.0784", "")),
        (0.12345, 0.00005, ("0.1235", "0.0001")),  # a tie, which some round down
        (0.12344, 0.00005, ("0.1234", "")),
        (0.12344, 0.00021, ("0.1234", "0.0002")),
        (-0.00001, 0.00005, ("0.0000", "")),
    ],
)
def test_the_printed_tolerance(value, error, answer):
    assert rounded_answer(value, error, 4) == answer


def test_what_is_exact_needs_no_tolerance():
    assert within(4)(Bounded(0.1 + 0.2)) == Bounded(0.1 + 0.2)
    assert within(4)(Bounded(0.12345)).error == 0.00005
    assert round_half_up(0.00125, 4) == 0.0013
    assert round_half_up(-0.00125, 4) == -0.0013
