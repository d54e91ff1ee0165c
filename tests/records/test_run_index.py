"""The index of runs: it says what the folders say, whatever happens to it."""

import json
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from made_runs import CONFIG, write_run
from test_record import locked_elsewhere

from nnjax.records import run_index
from nnjax.records.labels import change_labels
from nnjax.records.record import read_record
from nnjax.records.run_facts import facts_of
from nnjax.records.run_index import index_file, read_rows


@pytest.fixture
def outputs(tmp_path, monkeypatch):
    """Four runs, and a cache of their own."""
    monkeypatch.setenv("NNJAX_CACHE", str(tmp_path / "cache"))
    for seed, status in enumerate(("completed", "completed", "diverged")):
        config = replace(CONFIG, seed=seed)
        write_run(tmp_path / f"outputs/train/2026-11-23/{seed}", config=config, status=status, accuracy=0.9 + seed / 100)
    write_run(tmp_path / "outputs/train/2026-11-24/3", summary=False)
    (tmp_path / "outputs/evaluate/2026-11-24").mkdir(parents=True)
    (tmp_path / "outputs/evaluate/2026-11-24/config.yaml").write_text("run: x\n")
    return tmp_path / "outputs"


@pytest.fixture
def read(monkeypatch):
    """The folders whose files were read, since the list was emptied."""
    found = []
    real = run_index.stored_record

    def counted(folder):
        found.append(folder.name)
        return real(folder)

    monkeypatch.setattr(run_index, "stored_record", counted)
    return found


def rows(folder):
    return [dict(row) for row in read_rows([folder])]


def truth(folder):
    return [facts_of(read_record(run)) for run in sorted(folder.glob("train/*/*"))]


def test_the_rows_are_the_facts_of_the_folders(outputs, read):
    assert rows(outputs) == truth(outputs)
    assert read == ["0", "1", "2", "3"]
    read.clear()
    assert rows(outputs) == truth(outputs)
    assert read == ["3"]  # without a result, a run is read each time


def test_what_changed_is_read_again_and_nothing_else(outputs, read):
    rows(outputs)
    run = outputs / "train/2026-11-23/1"
    for change in (
        lambda: change_labels(run, tags=["best"]),
        lambda: (run / "summary.json").write_text((run / "summary.json").read_text().replace('"steps": 60', '"steps": 61')),
        lambda: (run / "config.yaml").write_text((run / "config.yaml").read_text().replace("seed: 1", "seed: 9")),
    ):
        change()
        read.clear()
        assert rows(outputs) == truth(outputs)
        assert read == ["1", "3"]
    assert rows(outputs)[1]["seed"] == 9


def test_runs_come_and_go(outputs):
    rows(outputs)
    write_run(outputs / "train/2026-11-25/4")
    os.rename(outputs / "train/2026-11-23/0", outputs / "train/2026-11-25/5")  # noqa: PTH104
    assert [row["name"] for row in rows(outputs)] == ["1", "2", "3", "4", "5"]
    assert rows(outputs) == truth(outputs)


def test_a_part_of_the_outputs_shares_their_index(outputs, read, monkeypatch):
    monkeypatch.setattr(run_index, "project_root", lambda: outputs.parent)
    day = outputs / "train/2026-11-23"
    read_rows([day / "0", day / "1"])
    assert read == ["0", "1"]
    assert rows(outputs) == truth(outputs)
    assert read == ["0", "1", "2", "3"]
    read.clear()
    assert [row["name"] for row in read_rows([day, outputs / "train"])] == ["0", "1", "2", "3"]
    assert read == ["3"]
    os.rename(day / "0", outputs / "train/2026-11-24/0")  # noqa: PTH104
    read_rows([outputs / "train/2026-11-24"])
    assert rows(outputs) == truth(outputs)
    assert list(index_file(outputs).parent.iterdir()) == [index_file(outputs)]


def test_runs_elsewhere_share_the_index_of_the_folder_around_them(outputs):
    runs = [outputs / "train/2026-11-23" / name for name in "012"]
    assert [row["name"] for row in read_rows(runs)] == ["0", "1", "2"]
    assert list(index_file(outputs).parent.iterdir()) == [index_file(runs[0].parent)]


def test_a_run_becomes_another_verbs_folder_and_back(outputs):
    rows(outputs)
    config = outputs / "train/2026-11-23/0/config.yaml"
    text = config.read_text()
    (outputs / "train/2026-11-23/0/metrics.jsonl").unlink()
    config.write_text("run: x\n")
    assert [row["name"] for row in rows(outputs)] == ["1", "2", "3"]
    config.write_text(text)
    assert [row["name"] for row in rows(outputs)] == ["0", "1", "2", "3"]


@pytest.mark.parametrize("damage", ["empty", "cut", "flipped", "json", "version", "other", "folder", "link"])
def test_a_damaged_index_is_made_anew(outputs, read, damage):
    expected = rows(outputs)
    path = index_file(outputs)
    content = path.read_bytes()
    if damage == "empty":
        path.write_bytes(b"")
    elif damage == "cut":
        path.write_bytes(content[: len(content) // 2])
    elif damage == "flipped":
        path.write_bytes(content.replace(b"diverged", b"completD"))
    elif damage == "json":
        path.write_text("[]")
    elif damage == "version":
        path.write_bytes(resealed(content, version=0))
    elif damage == "other":
        path.write_bytes(resealed(content, folder="/elsewhere"))
    elif damage == "folder":
        path.unlink()
        path.mkdir()
    else:
        (path.parent / "other").write_bytes(content)
        path.unlink()
        path.symlink_to("other")
    read.clear()
    assert rows(outputs) == expected
    assert read == ["0", "1", "2", "3"]
    read.clear()
    assert rows(outputs) == expected
    assert read == (["0", "1", "2", "3"] if damage == "folder" else ["3"])


def resealed(content, **changes):
    """An index with other entries and the checksum that goes with them."""
    changed = json.dumps(json.loads(content.partition(b"\n")[2]) | changes).encode()
    return run_index.hashlib.sha256(changed).hexdigest().encode() + b"\n" + changed


def test_an_index_that_cannot_be_written_is_done_without(outputs, monkeypatch, tmp_path):
    (tmp_path / "file").touch()
    monkeypatch.setenv("NNJAX_CACHE", str(tmp_path / "file"))
    assert rows(outputs) == truth(outputs)


def test_many_may_read_and_write_it_at_once(outputs):
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: rows(outputs), range(24)))
    expected = truth(outputs)  # of which none is running: asking locks nobody out
    assert all(each == expected for each in found)
    assert list(index_file(outputs).parent.iterdir()) == [index_file(outputs)]  # nothing half-written stays


@pytest.mark.slow
def test_whether_a_run_is_running_is_never_stored(outputs):
    rows(outputs)
    run = outputs / "train/2026-11-23/0"
    with locked_elsewhere(run):
        assert rows(outputs)[0]["status"] == "running"
        change_labels(run, tags=["x"])
        assert rows(outputs)[0]["status"] == "running"
    assert rows(outputs)[0]["status"] == "completed"


def test_a_killed_session_after_a_result_is_noticed_without_a_change_of_the_files(outputs):
    run = outputs / "train/2026-11-23/0"
    os.utime(run / "config.yaml")
    assert rows(outputs)[0]["status"] == "completed"
    (run / "checkpoints/80-0123456789abcdef.safetensors").touch()
    assert rows(outputs)[0]["status"] == "unfinished"


def test_settings_are_kept_once_for_all_runs(outputs):
    rows(outputs)
    stored = json.loads(index_file(outputs).read_bytes().partition(b"\n")[2])
    names = [name for name, _ in stored["pool"]]
    assert names.count("model") == 1
    assert names.count("seed") == 3


def test_a_row_has_settings_and_facts_under_one_name(outputs):
    row = read_rows([outputs])[0]
    assert row["optimizer.learning_rate"] == CONFIG.optimizer.learning_rate
    assert row.get("optimizer.none") is None
    assert row.get("none.at.all") is None
    assert len(row) == len(list(row)) == len(dict(row))


def test_progress_counts_what_has_to_be_read(outputs):
    asked = []

    def track(paths):
        asked.append(len(paths))
        return paths

    read_rows([outputs], track)
    read_rows([outputs], track)
    assert asked == [4, 1]


def test_names_that_are_no_text_are_listed(outputs):
    name = os.fsdecode(b"caf\xe9")
    write_run(outputs / "train/2026-11-25" / name)
    assert rows(outputs)[-1] == truth(outputs)[-1]
    assert rows(outputs)[-1]["name"] == name


def test_a_value_that_json_has_no_form_for_is_kept_as_text(outputs):
    config = outputs / "train/2026-11-23/0/config.yaml"
    config.write_text(config.read_text() + "extra: 2026-11-23\nother: .nan\n")
    rows(outputs)
    assert rows(outputs)[0]["extra"] == "2026-11-23"
