"""The parts of a run's wall time add up to it."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nnjax.reporting.accounting import goodput, lost_seconds

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


def test_communication_is_no_more_than_the_time_of_the_steps():
    split = goodput({"train": 3.0, "total": 4.0}, communication=5.0)
    assert (split["goodput"], split["communication"], split["steps"]) == (0.0, 3.0, 0.0)


def test_steps_after_the_checkpoint_are_lost():
    lines = [{"step": 10, "seconds": 3.0}, {"step": 20, "seconds": 5.5}, {"step": 30, "seconds": 7.25}]
    lines.append({"step": 35, "seconds": float("inf")})
    records = b"\n".join(json.dumps(line).encode() for line in lines) + b'\n{"step": 40, "seco'
    assert lost_seconds(records, step=20, seconds=6.0) == 1.25
    assert lost_seconds(records, step=30, seconds=7.0) == 0
    assert lost_seconds(b"\xff[[[\n", step=0, seconds=7.0) == 0
