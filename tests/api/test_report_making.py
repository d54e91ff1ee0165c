"""The page of a sweep, from the folders of its jobs."""

import shutil
from dataclasses import replace
from html import unescape

import pytest
from made_runs import write_run

from nnjax.api.report_making import make_report
from nnjax.cli.sweep_file import StoredJob, SweepFile, read_sweep, write_sweep
from nnjax.cli.sweep_results import JobResult, write_outcome
from nnjax.config.report_options import ReportConfig
from nnjax.records import find
from nnjax.reporting.console import RunConsole


@pytest.fixture
def sweep(tmp_path):
    """A sweep of three jobs, whose first one was trained anew, and whose last one ended before its training."""
    folder = tmp_path / "sweep"
    for number, name in enumerate(("0_a", "0_a_2", "1_a")):
        write_run(folder / name)
        write_outcome(JobResult(int(name[0]), (f"seed={number}",), folder / name, 0, None, None), folder / name)
    (folder / "2_a").mkdir()
    write_outcome(JobResult(2, ("seed=two",), None, 2, "seed=two: must be a number", None), folder / "2_a")
    jobs = tuple(StoredJob((), name) for name in ("0_a_2", "1_a", "2_a"))
    write_sweep(SweepFile("train", ("model=fnn", "seed=0,1"), (), True, jobs), folder)
    return folder


@pytest.fixture
def page(tmp_path):
    """Returns the text of the page that a config asks for."""

    def made(sweep):
        with RunConsole(None) as console:
            make_report(ReportConfig(run=None, sweep=str(sweep), compare=(), measure="auto"), tmp_path, console)
        return (tmp_path / "report.html").read_text(encoding="utf-8")

    return made


def test_a_job_that_was_trained_anew_is_one_run_and_the_old_one_is_no_job_that_failed(sweep, page):
    text = page(sweep)
    assert "2 runs, " in text
    assert "2 of 3 completed" in text
    assert "Job 2 (seed=two): config error: seed=two: must be a number" in text
    assert "Job 0" not in text
    assert "1 run left out, since a resume of the sweep trained the same jobs anew" in text


def test_a_sweep_whose_jobs_are_all_still_to_be_trained_anew_has_a_page(sweep, page):
    write_sweep(SweepFile("train", ("seed=0,1",), (), True, (StoredJob((), "0_a_2_2"), StoredJob((), "1_a_2"))), sweep)
    text = page(sweep)
    assert "2 runs, " in text
    assert "1 run left out" in text
    assert "Job 2 (seed=two): config error" in text


def test_the_command_of_a_sweep_names_its_folder_of_configs_from_wherever_it_is_read(sweep, page, tmp_path, monkeypatch):
    stored = replace(read_sweep(sweep), config_dir="/my configs", keep_going=False)
    write_sweep(stored, sweep)
    monkeypatch.setattr(find, "project_root", lambda: tmp_path)
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    command = "experiments.train -m model=fnn seed=0,1 --config-dir '/my configs'"
    assert command in unescape(page("sweep"))


def test_several_folders_have_no_command(sweep, page):
    assert "Train it again" in page(f"{sweep.parent}/swee[p]")
    shutil.copytree(sweep, sweep.parent / "sweet")
    assert "Train it again" not in page(f"{sweep.parent}/swee[pt]")
