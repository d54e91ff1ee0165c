import json
import multiprocessing

import optuna
import pytest
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend

from nnjax.config.errors import DataError, StorageError
from nnjax.searching.journal import JournalFile


def entries(path):
    return list(JournalFile(path).read_logs(0))


def test_entries_come_back_in_order_from_any_one(tmp_path):
    journal = JournalFile(tmp_path / "journal.log")
    journal.append_logs([{"n": 0}, {"n": 1}])
    journal.append_logs([{"n": 2}])
    assert entries(tmp_path / "journal.log") == [{"n": 0}, {"n": 1}, {"n": 2}]
    assert list(journal.read_logs(2)) == [{"n": 2}]
    assert list(journal.read_logs(3)) == []


@pytest.mark.parametrize("kept", range(1, 9))
def test_half_a_line_of_a_killed_process_is_cut_off(tmp_path, kept):
    path = tmp_path / "journal.log"
    journal = JournalFile(path)
    journal.append_logs([{"n": 0}])
    path.write_bytes(path.read_bytes() + b'{"n": 1}\n'[:kept])
    assert entries(path) == [{"n": 0}]
    journal.append_logs([{"n": 2}])
    assert list(journal.read_logs(0)) == [{"n": 0}, {"n": 2}]
    assert path.read_text() == '{"n":0}\n{"n":2}\n'


def test_half_of_a_first_line_is_cut_off(tmp_path):
    path = tmp_path / "journal.log"
    path.write_text('{"n"')
    JournalFile(path).append_logs([{"n": 1}])
    assert entries(path) == [{"n": 1}]


def test_half_a_line_longer_than_a_block_is_cut_off(tmp_path):
    path = tmp_path / "journal.log"
    JournalFile(path).append_logs([{"n": 0}])
    path.write_text(path.read_text() + "x" * 10_000)
    JournalFile(path).append_logs([{"n": 1}])
    assert entries(path) == [{"n": 0}, {"n": 1}]


@pytest.mark.parametrize("line", ["{", "7", "\x00"])
def test_a_damaged_line_is_named(tmp_path, line):
    path = tmp_path / "journal.log"
    path.write_text(f'{{"n": 0}}\n{line}\n{{"n": 1}}\n')
    with pytest.raises(DataError, match=r"journal\.log:2: is damaged"):
        entries(path)


def test_a_folder_that_is_gone_is_named(tmp_path):
    journal = JournalFile(tmp_path / "journal.log")
    (tmp_path / "journal.log").unlink()
    with pytest.raises(StorageError, match=r"journal\.log: cannot be written"):
        journal.append_logs([{"n": 0}])


def append_many(path, name):
    journal = JournalFile(path)
    for number in range(50):
        journal.append_logs([{"name": name, "number": number, "text": "x" * 500}])


@pytest.mark.slow
def test_processes_append_without_mixing_their_lines(tmp_path):
    path = tmp_path / "journal.log"
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=append_many, args=(path, name)) for name in "ab"]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    found = entries(path)
    for name in "ab":
        assert [entry["number"] for entry in found if entry["name"] == name] == list(range(50))


def test_optuna_s_own_backend_reads_the_file(tmp_path):
    path = tmp_path / "journal.log"
    ours = optuna.create_study(storage=JournalStorage(JournalFile(path)), study_name="s")
    ours.add_trial(optuna.create_trial(value=0.25))
    theirs = optuna.load_study(storage=JournalStorage(JournalFileBackend(str(path))), study_name="s")
    assert [trial.value for trial in theirs.trials] == [0.25]
    assert all(json.loads(line) for line in path.read_text().splitlines())
