from dataclasses import replace

import pytest
from made_records import made

from nnjax.comparing.groups import RATE, group_runs, letter


def test_settings_that_change_no_result_make_no_groups(tmp_path):
    values = [
        {"data.placement": "host"},
        {"data.placement": "device"},
        {"training.planned": "2epochs"},
        {"training.planned": None},
    ]
    common = {"data.placement": "auto", "training.planned": None}
    records = [made(tmp_path, f"r{seed}", seed=seed, settings=common | own) for seed, own in enumerate(values)]
    assert len(group_runs(records).groups) == 1
    longer = made(tmp_path, "r4", seed=4, settings=common | {"training.planned": "4epochs"})
    assert len(group_runs([*records, longer]).groups) == 2


def test_runs_that_differ_in_their_seed_alone_are_a_group(tmp_path):
    records = [
        made(tmp_path, f"{h}{s}", seed=s, accuracy=0.8 + s / 100, settings={"model.hidden": [h]})
        for s in (0, 1)
        for h in (8, 16)
    ]
    found = group_runs(records)
    assert [(group.letter, group.name) for group in found.groups] == [("A", "hidden=[8]"), ("B", "hidden=[16]")]
    assert found.groups[0].by_seed("test_accuracy") == {0: 0.8, 1: 0.81}
    assert found.groups[1].records == (records[1], records[3])
    assert (found.differing, found.left_out) == (("model.hidden",), ())


def test_where_a_run_writes_and_what_it_keeps_makes_no_group(tmp_path):
    changed = {"training.keep": 5, "report.figures": False}
    assert len(group_runs([made(tmp_path, "a"), made(tmp_path, "b", seed=1, settings=changed)]).groups) == 1


def test_runs_that_recorded_a_setting_differently_are_not_merged_by_an_older_run(tmp_path):
    old = made(tmp_path, "old", seed=0)
    new = [made(tmp_path, f"ema{n}", seed=n, settings={"training.ema": n / 2, "training.planned": None}) for n in (1, 2)]
    found = group_runs([old, *new])
    assert [[record.name for record in group.records] for group in found.groups] == [["old"], ["ema1"], ["ema2"]]
    assert found.differing == ("training.ema",)
    assert found.unrecorded == ("training.planned",)
    assert (len(group_runs([old, new[0]]).groups), group_runs([old, new[0]]).unrecorded[0]) == (1, "training.ema")


def test_equal_settings_for_other_data_make_other_groups(tmp_path):
    files = [made(tmp_path, f"{n}", seed=n, data_hash=f"sha256:{n // 2}abcdef0123456789") for n in range(4)]
    found = group_runs(files)
    assert [group.by_seed("test_accuracy").keys() for group in found.groups] == [{0, 1}, {2, 3}]
    assert [group.name for group in found.groups] == ["data_hash=0abcdef01234", "data_hash=1abcdef01234"]
    assert len(group_runs([files[0], made(tmp_path, "unknown", seed=9, data_hash=None)]).groups) == 1


def test_files_of_unknown_content_are_the_same_if_their_names_are(tmp_path):
    def run(name, seed, **more):
        return made(tmp_path, name, seed=seed, settings={"data.file": name[0]}, **more)

    unknown = [run(name, seed, data_hash=None, test_hash=None) for seed, name in enumerate(("a0", "a1", "b2"))]
    assert [len(group.networks) for group in group_runs(unknown).groups] == [2, 1]
    assert len(group_runs([run("a3", 3), run("b4", 4)]).groups) == 1  # their content is known, and the same


def test_a_seed_that_was_trained_twice_makes_groups_by_the_code(tmp_path):
    newer = {"git": {"commit": "fedcba9876543210", "dirty": True}}
    records = [made(tmp_path, f"old{s}", seed=s) for s in (0, 1)] + [made(tmp_path, f"new{s}", seed=s, **newer) for s in (0, 1)]
    found = group_runs([records[0], records[2], records[1], records[3]])
    assert [[record.name for record in group.records] for group in found.groups] == [["old0", "old1"], ["new0", "new1"]]
    assert [group.name for group in found.groups] == ["old0", "new0"]
    assert found.groups[1].code == "fedcba9876+changes, nnjax 0.2.0, jax 0.10.2"


def test_a_seed_that_was_trained_twice_with_the_same_code_makes_groups_by_order(tmp_path):
    records = [made(tmp_path, name, seed=seed) for name, seed in (("a", 0), ("b", 0), ("c", 1))]
    assert [[record.name for record in group.records] for group in group_runs(records).groups] == [["a", "c"], ["b"]]


def test_the_trials_of_a_run_are_networks_and_its_learning_rates_groups(tmp_path):
    rows = [
        {
            "trial": n,
            "seed": n % 2,
            "learning_rate": rate,
            "steps": 9,
            "diverged": None,
            "test_loss": 0.1 * n,
            "test_accuracy": 0.9,
        }
        for n, rate in enumerate((0.1, 0.1, 0.5, 0.5))
    ]
    rows[3] |= {"diverged": 7, "test_loss": None, "test_accuracy": 0.1}  # of outputs that mean nothing
    found = group_runs([made(tmp_path, "many", trials=rows)])
    assert [group.name for group in found.groups] == ["learning_rate=0.1", "learning_rate=0.5"]
    assert found.groups[0].by_seed("test_loss") == {0: 0.0, 1: 0.1}
    assert found.groups[1].by_seed("test_loss") == {0: 0.2}
    assert found.groups[1].values("test_accuracy") == [0.9]
    assert found.groups[1].num_diverged == 1
    assert [network.trial for network in found.groups[1].networks] == [2, 3]


@pytest.mark.parametrize("change", [{"diverged": 3, "test_loss": 0.7}, {"test_loss": None}])
def test_a_trial_diverged_if_its_loss_was_once_not_finite_or_is_not_at_the_end(tmp_path, change):
    row = {"trial": 0, "seed": 0, "learning_rate": 0.01, "diverged": None, "test_loss": 0.1, "test_accuracy": 0.5}
    found = group_runs([made(tmp_path, "many", trials=[row, {**row, "trial": 1, "seed": 1, **change}])])
    assert (found.groups[0].num_diverged, found.groups[0].values("test_accuracy")) == (1, [0.5])


def test_single_runs_join_the_trials_of_the_same_settings(tmp_path):
    rows = [{"trial": n, "seed": n, "learning_rate": 0.01, "diverged": None, "test_loss": 0.1} for n in (0, 1)]
    found = group_runs([made(tmp_path, "many", trials=rows), made(tmp_path, "one", seed=2)])
    assert sorted(found.groups[0].by_seed("test_loss")) == [0, 1, 2]


@pytest.mark.parametrize("seeds", [1, 2])
def test_a_single_rate_that_is_varied_counts_in_place_of_the_optimizers(tmp_path, seeds):
    rows = [{"trial": n, "seed": n, "learning_rate": 0.5, "diverged": None, "test_loss": 0.1} for n in range(seeds)]
    vary = {"training.vary": {"learning_rate": [0.5]}}
    varied = made(tmp_path, "varied", settings=vary, trials=rows if seeds > 1 else None)
    found = group_runs([varied, made(tmp_path, "plain", seed=7), made(tmp_path, "same", seed=8, settings={RATE: 0.5})])
    assert [group.name for group in found.groups] == ["learning_rate=0.5", "learning_rate=0.01"]
    assert [record.name for record in found.groups[0].records] == ["varied", "same"]


@pytest.mark.parametrize("status", ["running", "unfinished", "preempted", "failed", "damaged"])
def test_a_run_without_a_result_is_left_out_and_named(tmp_path, status):
    found = group_runs([made(tmp_path, "a"), made(tmp_path, "b", seed=1, status=status)])
    assert [record.name for record in found.groups[0].records] == ["a"]
    assert [line.partition("/b: ")[2] for line in found.left_out] == [f"{status}; left out"]


def test_runs_whose_settings_cannot_be_read_are_not_taken_together(tmp_path):
    lost = [replace(made(tmp_path, name, seed=seed), config={}, problems=("why",)) for seed, name in enumerate("ab")]
    found = group_runs([*lost, made(tmp_path, "c")])
    assert [record.name for record in found.groups[0].records] == ["c"]
    assert [line.partition(": ")[2] for line in found.left_out] == ["its settings are unknown; left out (why)"] * 2


def test_a_diverged_run_counts_as_one_without_a_result(tmp_path):
    found = group_runs([made(tmp_path, "a"), made(tmp_path, "b", seed=1, status="diverged")])
    assert (found.groups[0].num_diverged, found.groups[0].values("test_accuracy")) == (1, [0.9])


def test_runs_whose_results_are_damaged_have_those_that_are_numbers(tmp_path):
    found = group_runs([made(tmp_path, "a", test={"loss": "low", "accuracy": True}, validation=[1], train=None)])
    assert found.groups[0].networks[0].results == {}


def test_of_a_forecast_its_errors_are_results(tmp_path):
    found = group_runs([made(tmp_path, "a", forecast={"rmse": 2.0, "mae": 1.0, "horizon": 12, "first": 3})])
    names = [name for name in found.groups[0].networks[0].results if name.startswith("forecast_")]
    assert names == ["forecast_rmse", "forecast_mae"]


def test_letters():
    assert [letter(place) for place in (0, 25, 26, 27, 52, 702)] == ["A", "Z", "AA", "AB", "BA", "AAA"]
