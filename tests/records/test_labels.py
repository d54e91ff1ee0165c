"""Tags and notes in the run's own folder."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from made_runs import write_run

from nnjax.config.errors import ConfigError
from nnjax.records.labels import LABELS_FILE, Labels, change_labels, read_labels
from nnjax.records.record import read_record


def test_tags_and_notes_are_added_and_removed(tmp_path):
    folder = write_run(tmp_path / "run")
    assert read_labels(folder) == Labels()
    change_labels(folder, tags=["draft", "best"], note="too high")
    change_labels(folder, tags=["-draft", "best", "a.b/c"], note="über\n2 lines")
    assert read_labels(folder) == Labels(("a.b/c", "best"), ("too high", "über\n2 lines"))
    record = read_record(folder)
    assert (record.tags, record.notes) == (("a.b/c", "best"), ("too high", "über\n2 lines"))
    assert change_labels(folder, note="") == Labels(("a.b/c", "best"), ())


@pytest.mark.parametrize("tag", ["", "-", "two words", "--best", "_x", "a,b", "x" * 101, "\x1b[31m"])
def test_a_tag_is_a_word(tmp_path, tag):
    folder = write_run(tmp_path / "run")
    with pytest.raises(ConfigError, match="must be a word of letters"):
        change_labels(folder, tags=[tag])
    assert not (folder / LABELS_FILE).exists()


def test_a_long_note_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="10,001 characters; at most 10,000"):
        change_labels(write_run(tmp_path / "run"), note="x" * 10_001)


@pytest.mark.parametrize("content", ["{", "[]", '{"tags": "best"}', '{"tags": [3]}'])
def test_a_damaged_file_is_no_reason_to_lose_it(tmp_path, content):
    folder = write_run(tmp_path / "run")
    (folder / LABELS_FILE).write_text(content)
    with pytest.raises(ConfigError, match=r"labels\.json: is damaged"):
        change_labels(folder, tags=["best"])
    assert (folder / LABELS_FILE).read_text() == content
    [problem] = read_record(folder).problems
    assert "labels.json: is damaged" in problem


def test_of_tags_that_are_given_at_once_none_is_lost(tmp_path):
    folder = write_run(tmp_path / "run")
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: change_labels(folder, tags=[f"t{number}"]), range(40)))
    assert len(read_labels(folder).tags) == 40
