"""A later loss of speed shows: each result stands beside the one before it on the same processor."""

from benchmarks.contestants import OURS
from benchmarks.history import section
from benchmarks.results import every, save


def result(day, cpu, ours, torch=(50.0, 60.0), **options):
    def entry(speeds, family):
        return {"title": family, "family": family, "cold": [2.0], "warm": [1.0], "turns": [[speed, 1.0] for speed in speeds]}

    contestants = {OURS: entry(ours, "nnjax")} | ({"torch": entry(torch, "PyTorch")} if torch else {})
    task = {"title": "FNN", "flops": 10**9, "roofs": {"matmul_jax": [[1000, 1.0]]}, "contestants": contestants}
    versions = {"jaxlib": "0.10.2"} | ({"torch": "2.13"} if torch else {})
    return {
        "about": {
            "date": f"2026-11-{day:02}T12:00:00+00:00",
            "host": {"cpu": cpu, "cpu_cores": 2},
            "versions": versions,
            "git": {"commit": f"{day:02}" * 20, "dirty": day == 4},
        },
        "options": {"cores": 2, "quick": False} | options,
        "load": {"busy": cpu == "busy"},
        "tasks": {"fnn": task},
    }


def rows(*results):
    return [line.split(" | ") for line in section(results).splitlines()[4:]]


def test_slower_and_faster_are_said_of_the_same_processor_and_only_beyond_the_rounds():
    found = rows(
        result(1, "EPYC", (100.0, 110.0)),
        result(2, "Xeon", (40.0, 50.0)),
        result(3, "EPYC", (105.0, 130.0)),
        result(4, "EPYC", (80.0, 90.0)),
        result(5, "Xeon", (60.0, 70.0)),
    )
    assert [row[0].strip("| ") for row in found] == [f"2026-11-{day:02}" for day in (5, 4, 3, 2, 1)]
    assert [row[-1].strip("| ") for row in found] == [
        "faster: +44 %",
        "**slower: −28 %**",
        "within the rounds: +12 %",
        "first",
        "first",
    ]
    assert found[1][3] == "0404040404 and changes"


def test_a_row_holds_what_was_measured():
    (row,) = rows(result(1, "EPYC", (100.0, 120.0)))
    assert row[1:] == [
        "EPYC, 2 cores",
        "0.10.2",
        "0101010101",
        "110 [100 .. 120]",
        "2 [2 .. 2]",
        "2.13",
        f"{100 * 110 * 10**9 / (1000 * 2 * 2048**3):.0f} %",
        "2.0 s",
        "1.0 s",
        "first |",
    ]
    (row,) = rows(result(1, "EPYC", (100.0, 120.0), torch=None))
    assert row[5:7] == ["", ""]


def test_quick_looks_and_busy_machines_do_not_count():
    assert section([result(1, "busy", (1.0, 1.0)), result(2, "EPYC", (1.0, 1.0), quick=True)]) == ""
    found = rows(
        result(1, "EPYC", (100.0, 100.0)), result(2, "EPYC", (1.0, 1.0), quick=True), result(3, "EPYC", (100.0, 100.0))
    )
    assert [row[-1] for row in found] == ["within the rounds: +0 % |", "first |"]


def test_all_results_of_a_kind_are_read_the_oldest_first(tmp_path):
    for day in (3, 1, 2):
        save("comparison", result(day, "EPYC", (1.0, 1.0)), tmp_path)
    save("seeds", result(1, "EPYC", (1.0, 1.0)), tmp_path)
    assert [each["about"]["date"][8:10] for each in every("comparison", tmp_path)] == ["01", "02", "03"]
    assert every("scaling", tmp_path) == []


def test_a_task_that_failed_has_no_table_and_no_change_has_no_sign():
    failed = result(1, "EPYC", (1.0,))
    failed["tasks"]["fnn"]["contestants"][OURS] = {"failed": "it differs"}
    assert section([failed]) == ""
    rounds = result(1, "EPYC", (10.0, 9.9)), result(2, "EPYC", (10.01, 9.88))
    assert rows(*rounds)[0][-1].strip("| ") == "within the rounds: +0 %"
