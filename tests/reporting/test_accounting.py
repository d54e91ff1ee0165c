"""The parts of a run's wall time add up to it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nnjax.reporting.accounting import goodput

PHASES = ("import", "data", "compile", "train", "eval", "checkpoint", "figures", "lost")


@given(st.dictionaries(st.sampled_from(PHASES), st.floats(0, 1e6)), st.floats(0, 1e6), st.floats(0, 1))
def test_the_parts_add_up(phases, other, waiting):
    total = sum(phases.values()) + other
    communication = waiting * phases.get("train", 0.0)
    split = goodput({**phases, "total": total}, communication)
    share = split.pop("goodput")
    assert sum(split.values()) == pytest.approx(total)
    assert split["start_up"] == pytest.approx(phases.get("import", 0.0) + other, abs=1e-6 * total)
    assert share * total == pytest.approx(phases.get("train", 0.0) - communication)


def test_communication_that_was_not_measured_counts_as_steps():
    split = goodput({"train": 3.0, "total": 4.0})
    assert (split["goodput"], split["communication"], split["steps"]) == (0.75, None, 3.0)
