import io
import itertools
import re
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nnjax.reporting import progress_bar as module
from nnjax.reporting.console import RunConsole
from nnjax.reporting.progress_bar import Progress

METRICS = {"loss": 0.1234, "accuracy": 0.971}


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def clock(monkeypatch):
    clock = SimpleNamespace(now=0.0)
    monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: clock.now))
    return clock


def records_shown(total, every, first=0, steps_per_epoch=1):
    """The steps (or epochs) of a run's printed lines; evaluations come every `every` steps and take no time."""
    shown = io.StringIO()
    with Progress(RunConsole(None, file=shown), total, steps_per_epoch, first) as progress:
        for step in range((first // every + 1) * every, total + 1, every):
            progress.record(step, step / steps_per_epoch, {"train": METRICS})
    return [int(re.match(r"(?:epoch|step) +(\d+)", line)[1]) for line in shown.getvalue().splitlines()]


def test_one_line_holds_every_split():
    shown = io.StringIO()
    with Progress(RunConsole(None, file=shown), total_steps=1800, steps_per_epoch=60) as progress:
        progress.record(180, 3.0, {"train": METRICS, "validation": {"loss": 2e-5, "accuracy": 1.0}})
    assert shown.getvalue() == "epoch  3/30  train loss 0.1234 acc 97.10%  validation loss 2.00e-05 acc 100.00%\n"


def test_evaluations_between_epochs_count_steps():
    shown = io.StringIO()
    with Progress(RunConsole(None, file=shown), total_steps=2, steps_per_epoch=100) as progress:
        progress.record(1, 0.01, {"train": {"loss": 2.3}})
        progress.record(2, 0.02, {"train": {"loss": float("nan")}})
    assert shown.getvalue().splitlines() == ["step 1/2  train loss 2.3000", "step 2/2  train loss    nan"]


@given(evaluations=st.integers(1, 3000), every=st.integers(1, 50))
def test_records_are_thinned_evenly(evaluations, every):
    shown = records_shown(evaluations * every, every)
    assert len(shown) <= 42
    assert shown[0] == every
    assert shown[-1] == evaluations * every
    if evaluations <= 40:
        assert len(shown) == evaluations
    assert len({later - earlier for earlier, later in itertools.pairwise(shown[1:-1])}) <= 1


def test_a_resumed_run_shows_the_same_records():
    whole, resumed = records_shown(1000, 1), records_shown(1000, 1, first=600)
    assert set(whole) - set(range(601)) <= set(resumed)


def test_records_that_come_slowly_are_all_shown(clock):
    shown = io.StringIO()
    with Progress(RunConsole(None, file=shown), 200, 1) as progress:
        for epoch in range(1, 201):
            clock.now += 6
            progress.record(epoch, epoch, {"train": METRICS})
    assert len(shown.getvalue().splitlines()) == 200


def test_the_last_record_is_shown_where_a_run_ends_early():
    shown = io.StringIO()
    with Progress(RunConsole(None, file=shown), 1000, 1) as progress:
        for epoch in range(1, 334):
            progress.record(epoch, epoch, {"train": METRICS})
    assert shown.getvalue().splitlines()[-1].startswith("epoch  333/1000")


def test_without_a_terminal_a_line_stands_for_the_bar_every_ten_seconds(clock, tmp_path):
    shown = io.StringIO()
    with RunConsole(tmp_path / "train.log", file=shown) as console, Progress(console, 1000, 100) as progress:
        for step in range(10, 510, 10):
            clock.now += 1.0
            progress.update(step, METRICS, 12_345.0)
    lines = shown.getvalue().splitlines()
    assert len(lines) == 5
    assert lines[0] == (
        "epoch  2/10  step  100/1000  loss 0.1234  acc 97.10%  12.3k examples/s  1:30 left"  # 900 steps at 10 a second
    )
    assert "\x1b" not in shown.getvalue()
    assert [line[21:] for line in (tmp_path / "train.log").read_text().splitlines()] == lines


def test_a_terminal_gets_a_bar_and_the_log_only_the_records(tmp_path, monkeypatch):
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "120")
    shown = Terminal()
    with RunConsole(tmp_path / "train.log", file=shown) as console, Progress(console, 100, 10, first_step=50) as bar:
        bar.update(60, METRICS, 900.0)
        bar.record(60, 6.0, {"train": METRICS})
        bar.update(70, METRICS, 900.0)
        bar._bar.refresh()
    text = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", shown.getvalue())
    assert "starting" in text
    assert re.search(r"8/10 [━╸╺]+ +70% loss 0.1234  acc 97.10%  900 examples/s", text)
    assert len((tmp_path / "train.log").read_text().splitlines()) == 1


def test_an_exception_leaves_the_terminal_as_it_was(monkeypatch):
    monkeypatch.setenv("TERM", "xterm-256color")
    shown = Terminal()
    with pytest.raises(KeyboardInterrupt), Progress(RunConsole(None, file=shown), 100, 10):
        raise KeyboardInterrupt
    assert shown.getvalue().count("\x1b[?25l") == shown.getvalue().count("\x1b[?25h") == 1  # cursor hidden, shown
