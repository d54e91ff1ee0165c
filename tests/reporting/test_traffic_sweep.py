"""The end of a sweep of traffic reports: each job has its name, its bar and its error."""

import pytest

from nnjax.cli.sweep_results import JobResult
from nnjax.reporting.figures import traffic_sweep_figure
from nnjax.reporting.traffic_sweep import show_traffic_sweep

SUMMARY = {
    **dict.fromkeys(("computing", "communicating", "exposed", "step_time"), 1e-3),
    **dict.fromkeys(("sent_per_step", "wire_per_step"), 1000),
    "utilisation": 0.5,
}


def job(number, *overrides, error=None):
    return JobResult(number, overrides, None, 3 if error else 0, error, None if error else SUMMARY)


@pytest.fixture
def bars(monkeypatch):
    """The jobs of the figure, by name."""
    found = {}
    monkeypatch.setattr(traffic_sweep_figure, "draw_traffic_sweep", lambda jobs, path: found.update(jobs))
    return found


def test_equal_jobs_keep_a_bar_each(tmp_path, bars):
    show_traffic_sweep(tmp_path, [job(0, "link.loss=0", "seed=1"), job(1, "link.loss=0", "seed=1")])
    assert list(bars) == ["link.loss=0 (job 0)", "link.loss=0 (job 1)"]


def test_jobs_are_named_by_what_they_differ_in(tmp_path, bars):
    show_traffic_sweep(tmp_path, [job(0, "link.loss=0", "seed=1"), job(1, "link.loss=0.1", "seed=1")])
    assert list(bars) == ["link.loss=0", "link.loss=0.1"]


def test_a_job_that_failed_has_its_error_below_the_table(tmp_path, bars, capsys):
    show_traffic_sweep(tmp_path, [job(0, "seed=1"), job(1, "seed=2", error="no such file\nmore")])
    printed = capsys.readouterr().out
    assert "job 1 data error: no such file\n" in printed
    assert "more" not in printed
