"""The tables of a comparison: who is the better one, by which numbers."""

import math

import pytest
from made_records import keep, made

from nnjax.api.comparison_rows import read_all_curves, rows_of_groups, rows_of_networks, rows_of_pairs
from nnjax.api.comparison_sheets import sheets_of
from nnjax.comparing.comparison import compare
from nnjax.comparing.groups import group_runs

NOISE = {8: (0.0, 0.011, -0.008, 0.004), 16: (0.002, -0.001, 0.006, -0.003), 32: (0.004, 0.0, -0.003, 0.001)}


def runs(folder, means, *, wrong=None, **options):
    """Runs of settings with four seeds each; `wrong` counts each setting's mistakes."""
    records = []
    for hidden, mean in means.items():
        for seed, noise in enumerate(NOISE[hidden]):
            value = {"accuracy": mean + noise} if options.get("loss") is None else {"loss": mean + noise}
            record = made(folder, f"{hidden}_{seed}", seed=seed, settings={"model.hidden": [hidden]}, **value)
            records.append(keep(record, range(wrong[hidden])) if wrong else record)
    return records


def tables(comparison):
    """By title, each table's rows as text by column."""
    return {
        sheet.title: [
            dict(zip([column.name for column in sheet.columns], [cell.text for cell in row], strict=True)) for row in sheet.rows
        ]
        for sheet in sheets_of(comparison, read_all_curves(comparison))
    }


@pytest.mark.parametrize(("means", "better"), [({8: 0.9, 16: 0.8}, "A"), ({8: 0.8, 16: 0.9}, "B")])
def test_the_better_group_is_named(tmp_path, means, better):
    found = tables(compare(group_runs(runs(tmp_path, means))))
    (row,) = found["Differences in test accuracy, over the seeds"]
    assert row["verdict"] == f"{better} is better"
    assert row["difference"].startswith("+" if better == "A" else "−")
    assert next(iter(found["Results by test accuracy"]))[""] == better


@pytest.mark.parametrize(("means", "better"), [({8: 0.9, 16: 0.8}, "B"), ({8: 0.8, 16: 0.9}, "A")])
def test_the_group_with_the_smaller_loss_is_the_better_one(tmp_path, means, better):
    found = tables(compare(group_runs(runs(tmp_path, means, loss=True)), "test_loss"))
    (row,) = found["Differences in test loss, over the seeds"]
    assert row["verdict"] == f"{better} is better"
    assert next(iter(found["Results by test loss"]))[""] == better


@pytest.mark.parametrize(
    ("wrong", "verdict"), [({8: 9, 16: 30}, "A's network is better"), ({8: 30, 16: 9}, "B's network is better")]
)
def test_the_better_network_is_named(tmp_path, wrong, verdict):
    rows = tables(compare(group_runs(runs(tmp_path, {8: 0.8, 16: 0.9}, wrong=wrong))))["Networks on the same test examples"]
    assert [row["verdict"] for row in rows] == [verdict] * 4
    assert [(row["only first"], row["only second"], row["both"], row["neither"]) for row in rows] == [
        ("21", "0", "70", "9") if verdict[0] == "A" else ("0", "21", "70", "9")
    ] * 4


def test_a_network_that_is_better_by_itself_may_not_be_so_among_several(tmp_path):
    records = runs(tmp_path, {8: 0.8, 16: 0.9}, wrong={8: 9, 16: 2})
    comparison = compare(group_runs(records))
    assert [pair.test.p < 0.05 < pair.adjusted_p for pair in comparison.networks] == [True] * 4
    assert {row["verdict"] for row in tables(comparison)["Networks on the same test examples"]} == {"within the noise"}
    assert [row["p_holm"] > row["p"] for row in rows_of_networks(comparison)] == [True] * 4


def test_the_rows_hold_both_p_values(tmp_path):
    rows = rows_of_pairs(compare(group_runs(runs(tmp_path, {8: 0.8, 16: 0.81, 32: 0.9}))))
    assert len(rows) == 3
    assert max(row["p_holm"] / row["p"] for row in rows) == pytest.approx(3)
    assert max(row["permutation_p_holm"] / row["permutation_p"] for row in rows) > 1


def test_the_best_of_a_group_is_that_of_its_figures(tmp_path):
    best = {"accuracy": max, "loss": min}
    values = {"a": (0.3, 0.7, 0.5), "b": (0.9, 0.4, 0.6), "lost": (0.1, 0.99, 0.01)}
    records = []
    for seed, (name, curve) in enumerate(values.items()):
        record = made(tmp_path, name, seed=seed, status="diverged" if name == "lost" else "completed")
        lines = (
            f'{{"step": {step}, "split": "validation", "loss": {value}, "accuracy": {value}}}\n'
            for step, value in enumerate(curve)
        )
        (record.folder / "metrics.jsonl").write_text("".join(lines))
        records.append(record)
    for metric, pick in best.items():
        (row,) = tables(compare(group_runs(records), f"test_{metric}"))[f"Results by test {metric}"]
        mean = (pick(values["a"]) + pick(values["b"])) / 2
        shown = f"{100 * mean:.2f}%" if metric == "accuracy" else str(mean)
        assert row[f"best validation {metric}"].rstrip("0") == shown.rstrip("0")
        assert row["diverged"] == "1"


def test_a_group_without_a_known_memory_or_interval_has_none(tmp_path):
    comparison = compare(group_runs([made(tmp_path, "a", peak_rss_mb=None, test_examples=None)]))
    (row,) = tables(comparison)["Results by test accuracy"]
    assert row["95 % interval"] == "—"
    assert "memory" not in row
    (row,) = rows_of_groups(comparison)
    assert (row["test_accuracy_interval"], math.isnan(row["test_accuracy_low"])) == ("none", True)
