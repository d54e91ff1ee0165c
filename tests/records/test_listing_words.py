"""The words of `experiments.runs`: conditions, folders, keys of its own, and Hydra's flags."""

import pytest

from nnjax.cli.compose import compose_config
from nnjax.config.errors import ConfigError
from nnjax.config.runs_options import RunsConfig
from nnjax.records.listing_words import listing_overrides


def read(*words):
    return compose_config("runs", listing_overrides(words), RunsConfig)


def test_words_are_conditions_folders_or_keys():
    config = read("model=cnn", "outputs/sweeps", "test_accuracy>0.98", "limit=3", "outputs/a=b", "status!=failed")
    assert config.where == ("model=cnn", "test_accuracy>0.98", "status!=failed")
    assert config.runs == ("outputs/sweeps", "outputs/a=b")
    assert config.limit == 3


def test_without_words_everything_is_as_in_the_file():
    config = read()
    assert (config.runs, config.where, config.sort, config.columns) == (("outputs",), (), ("-started",), ())


def test_a_folder_whose_name_is_a_condition_is_a_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "0_seed=3").mkdir()
    (tmp_path / "seed=3").mkdir()
    assert read("seed=3", "0_seed=3", "seed=4").runs == ("seed=3", "0_seed=3")
    assert read("seed=3", "seed=4").where == ("seed=4",)


def test_lists_need_no_brackets():
    config = read("sort=model,-test_accuracy", "columns=+activation, name", "tag=best,-draft", "where=['a=1','b=2']")
    assert config.sort == ("model", "-test_accuracy")
    assert config.columns == ("+activation", "name")
    assert config.tag == ("best", "-draft")
    assert config.where == ("a=1", "b=2")


@pytest.mark.parametrize("text", ["a 'b' \"c\" \\", "{x: ${y}} [z], k=v", "über", "null and void", "-", "3"])
def test_a_condition_and_a_note_may_hold_any_letters(text):
    config = read(f"notes~{text}", f"note={text}")
    assert (config.where, config.note) == ((f"notes~{text}",), text)


def test_a_note_may_be_empty_or_none():
    assert (read("note=").note, read("note=''").note, read("note=null").note) == ("", "", None)


def test_flags_and_their_values_stay():
    assert listing_overrides(["--cfg", "job", "seed=3"]) == ["--cfg", "job", "where=['seed=3']"]
    assert listing_overrides(["--help"]) == ["--help"]
    assert listing_overrides(["hydra.verbose=true"]) == ["hydra.verbose=true"]


@pytest.mark.parametrize("words", [["-m"], ["--multirun", "seed=1"], ["where=[a=1]", "b=2"], ["runs=[a]", "b"]])
def test_what_cannot_be_meant_is_refused(words):
    with pytest.raises(ConfigError, match=r"\(set on the command line\)$"):
        listing_overrides(words)
