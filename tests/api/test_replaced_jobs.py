"""Jobs that a resumed sweep trained anew."""

import shutil

import pytest
from made_runs import write_run

from nnjax.api.replaced_jobs import replaced_runs, without_replaced
from nnjax.api.runs_report import runs_page
from nnjax.cli.sweep_file import StoredJob, SweepFile, write_sweep
from nnjax.records.find import find_records


def sweep_of(folder, *jobs):
    """Writes the list of a sweep's jobs."""
    write_sweep(SweepFile("train", ("seed=0,1",), (), False, tuple(StoredJob((), job) for job in jobs)), folder)


@pytest.fixture
def sweep(tmp_path):
    """A sweep whose first job was trained anew twice, and whose third one failed before; with a run that was copied into it."""
    for name in ("0_s", "0_s_2", "0_s_2_2", "1_s", "2_s", "2_s_2", "mine"):
        write_run(tmp_path / "sweep" / name)
    sweep_of(tmp_path / "sweep", "0_s_2_2", "1_s", "2_s_2")
    return tmp_path / "sweep"


def kept(*words):
    words = [str(word) for word in words]
    records, lines = without_replaced(find_records(words), words)
    return [record.name for record in records], lines


def test_only_the_newest_run_of_a_job_counts_and_the_others_are_said(sweep):
    names, (line,) = kept(sweep)
    assert names == ["0_s_2_2", "1_s", "2_s_2", "mine"]
    assert line.startswith("3 runs left out, since a resume of the sweep trained the same jobs anew: ")
    assert "0_s, " in line
    assert kept(sweep.parent)[0] == kept(f"{sweep}/*")[0] == names
    page = runs_page("Sweep", without_replaced(find_records([str(sweep)]), [])[0], refuse=False, left_out=(line,))
    assert page.subtitle.startswith("4 runs")
    (note, *_) = next(section for section in page.sections if section.title == "To know").blocks
    assert note.text == line


def test_a_run_that_is_named_by_its_own_folder_counts(sweep):
    assert kept(sweep / "0_s", f"{sweep}/1_s/") == (["0_s", "1_s"], ())


def test_of_two_sweeps_the_run_that_is_named_counts(sweep, tmp_path):
    """Sweeps of one command name their jobs' folders alike."""
    shutil.copytree(sweep, tmp_path / "other")
    names, (line,) = kept(sweep, tmp_path / "other/0_s")
    assert sorted(names) == ["0_s", "0_s_2_2", "1_s", "2_s_2", "mine"]
    assert line.startswith("3 runs left out")


def test_a_job_that_the_resume_has_not_begun_keeps_its_run(sweep):
    shutil.rmtree(sweep / "2_s_2")
    shutil.rmtree(sweep / "0_s_2_2")
    assert kept(sweep)[0] == ["0_s_2", "1_s", "2_s", "mine"]


def test_a_folder_below_a_replaced_job_is_replaced(sweep):
    below = [sweep / job / "trials" / "0" for job in ("0_s", "0_s_2_2", "mine")]
    assert replaced_runs(below) == {below[0]}


@pytest.mark.parametrize("content", [None, "{}"])
def test_without_a_list_that_can_be_read_all_runs_count(sweep, content):
    (sweep / "sweep.json").unlink()
    if content:
        (sweep / "sweep.json").write_text(content)
    assert kept(sweep) == (["0_s", "0_s_2", "0_s_2_2", "1_s", "2_s", "2_s_2", "mine"], ())


def test_a_sweep_that_was_moved_is_read_where_it_is(sweep, tmp_path):
    moved = shutil.move(sweep, tmp_path / "moved")
    assert kept(moved)[0] == ["0_s_2_2", "1_s", "2_s_2", "mine"]
