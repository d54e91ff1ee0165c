"""Runs by the words of a command line: folders, sweeps, patterns, and what is answered where there is none."""

import pytest
from made_runs import write_run

from nnjax.config.errors import ConfigError
from nnjax.records import find
from nnjax.records.find import find_folders, find_records, run_folders


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A project with two runs, a sweep of two, and the folders of other verbs."""
    monkeypatch.setattr(find, "project_root", lambda: tmp_path)
    monkeypatch.setattr("nnjax.records.find.shown_path", lambda path: str(path.relative_to(tmp_path)))
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    outputs = tmp_path / "outputs"
    write_run(outputs / "train/2026-11-23/14-05-09_fnn_digits")
    write_run(outputs / "train/2026-11-24/08-00-00_cnn_mnist")
    write_run(outputs / "sweeps/2026-11-23/15-00-00/0_seed-0")
    write_run(outputs / "sweeps/2026-11-23/15-00-00/1_seed-1", summary=False)
    (outputs / "sweeps/2026-11-23/15-00-00/multirun.yaml").write_text("seed: 0,1\n")
    for verb, text in {"evaluate": "run: outputs\n", "trace": "model: {name: fnn}\niterations: 3\n"}.items():
        folder = outputs / verb / "2026-11-23/16-00-00"
        (folder / ".hydra").mkdir(parents=True)
        (folder / "config.yaml").write_text(text)
        (folder / ".hydra" / "config.yaml").write_text("rerun: null\n")
    write_run(outputs / "verify/2026-11-23/17-00-00/killed")  # a training that a verb makes for itself
    (outputs / "verify/2026-11-23/17-00-00/config.yaml").write_text("check: resume\n")
    write_run(outputs / "trash/2026-11-25_00-00-00/train/2026-11-22/old")
    write_run(outputs / ".hidden/run")
    return tmp_path


def names(*words):
    return [record.name for record in find_records(words)]


def test_all_outputs_are_the_trainings_alone(project):
    expected = ["0_seed-0", "1_seed-1", "14-05-09_fnn_digits", "08-00-00_cnn_mnist"]
    assert names("outputs") == expected
    assert names(str(project / "outputs"), "outputs/train") == expected  # each once


def test_a_folder_is_a_run_a_sweep_or_anything_above(project):
    assert names("outputs/train/2026-11-24/08-00-00_cnn_mnist") == ["08-00-00_cnn_mnist"]
    assert names("outputs/sweeps/2026-11-23/15-00-00/") == ["0_seed-0", "1_seed-1"]
    assert names("outputs/train/2026-11-24", "outputs/sweeps") == ["08-00-00_cnn_mnist", "0_seed-0", "1_seed-1"]


def test_patterns(project):
    assert names("outputs/train/*/*_cnn_*") == ["08-00-00_cnn_mnist"]
    assert names("outputs/**/*seed-[1]") == ["1_seed-1"]
    assert len(names("outputs/**")) == 5  # ** names every folder, that of the killed training, too
    assert names("outputs/trash/*") == ["old"]  # named on purpose


def test_the_jobs_of_a_sweep_come_in_the_order_of_their_numbers(project):
    for number in (2, 10, 100):
        write_run(project / f"outputs/sweeps/2026-11-24/15-00-00/{number}_seed-{number}")
    write_run(project / "outputs/sweeps/2026-11-24/15-00-00/²")
    expected = ["2_seed-2", "10_seed-10", "100_seed-100", "²"]
    assert names("outputs/sweeps/2026-11-24") == names("outputs/sweeps/2026-11-24/*/*") == expected
    assert [path.name for path in run_folders(project / "outputs/sweeps/2026-11-24")] == expected


def test_a_folder_that_looks_like_a_pattern_is_a_folder(project):
    write_run(project / "outputs/odd[1]/run")
    assert names("outputs/odd[1]") == ["run"]


def test_the_current_folder_comes_before_the_projects(project):
    write_run(project / "elsewhere/outputs/mine")
    assert names("outputs") == ["mine"]


def test_a_run_that_lost_its_config_is_found_by_its_metrics(project):
    folder = project / "outputs/train/2026-11-24/08-00-00_cnn_mnist"
    (folder / "config.yaml").write_text("\0")
    assert names("outputs/train/2026-11-24") == ["08-00-00_cnn_mnist"]
    (folder / "config.yaml").unlink()
    assert names("outputs/train/2026-11-24") == ["08-00-00_cnn_mnist"]


def test_links_are_not_followed_below_a_folder(project):
    (project / "outputs/train/loop").symlink_to(project / "outputs", target_is_directory=True)
    assert len(names("outputs")) == 4
    assert len(names("outputs/train/loop")) == 4  # a link that a person names is theirs


@pytest.mark.parametrize(
    ("word", "line"),
    [
        (
            "outputs/train/2026-11-24/08-00-00_cnn_mist",
            "no such folder; did you mean outputs/train/2026-11-24/08-00-00_cnn_mnist?",
        ),
        ("outptus", "no such folder; did you mean outputs?"),
        ("outputs/evaluate", "holds no run; did you mean outputs/"),
        ("outputs/train/*/nothing*", "no folder matches; did you mean outputs/train?"),
        ("outputs/train/2026-11-23/14-05-09_fnn_digits/.hydra", "holds no run; did you mean outputs/train/"),
        ("zzz", "no such folder"),
        ("a**b", "no folder matches"),
        ("nul\0l", "a name cannot hold a NUL character"),
    ],
)
def test_a_word_without_a_run_is_answered_with_the_nearest(project, word, line):
    with pytest.raises(ConfigError) as caught:
        find_folders(word)
    assert line in str(caught.value)
    assert str(caught.value).startswith("runs=")
    assert "\n" not in str(caught.value)


def test_the_runs_below_a_search_are_listed(project):
    folder = project / "outputs/search/2026-11-23/18-00-00"
    write_run(folder / "trials/0")
    (folder / "config.yaml").write_text("model: {name: fnn}\nsearch: {trials: 3}\nresume: null\n")
    assert [run.name for run in run_folders(folder)] == ["0"]
