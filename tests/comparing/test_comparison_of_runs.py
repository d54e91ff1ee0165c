import math
from dataclasses import replace

import numpy as np
import pytest
from made_records import keep, made
from statsmodels.stats.multitest import multipletests

from nnjax.comparing.comparison import compare, estimate
from nnjax.comparing.groups import group_runs
from nnjax.comparing.kept_predictions import read_predictions, write_predictions
from nnjax.comparing.power import seeds_needed
from nnjax.config.errors import ConfigError

SPREAD = (0.0, 0.011, -0.008, 0.004, -0.006)


def setting(folder, hidden, mean, seeds=range(5), noise=SPREAD, **summary):
    """Runs of one setting."""
    return [
        made(
            folder,
            f"h{hidden}s{seed}",
            seed=seed,
            accuracy=mean + noise[seed % 5],
            settings={"model.hidden": [hidden]},
            **summary,
        )
        for seed in seeds
    ]


def compared(records, *arguments, **options):
    return compare(group_runs(records), *arguments, **options)


def test_a_difference_beyond_the_noise_is_one(tmp_path):
    other_noise = (0.003, 0.001, -0.01, 0.009, 0.0)
    found = compared(setting(tmp_path, 8, 0.8) + setting(tmp_path, 16, 0.9, noise=other_noise))
    (pair,) = found.pairs
    assert (pair.first, pair.second, pair.verdict, pair.needed) == ("A", "B", "worse", None)
    assert (found.metric, found.higher_is_better, found.order) == ("test_accuracy", True, ("B", "A"))
    assert pair.test.paired
    assert pair.adjusted_p == pair.test.p < 0.001


def test_a_smaller_loss_is_the_better_one(tmp_path):
    records = [
        made(tmp_path, f"{h}{s}", seed=s, loss=h / 10 + SPREAD[s] * (1 + h), settings={"model.hidden": [h]})
        for h in (1, 2)
        for s in range(5)
    ]
    found = compared(records, "test_loss")
    assert (found.pairs[0].verdict, found.order) == ("better", ("A", "B"))


def test_a_difference_within_the_noise_says_how_many_seeds_would_tell(tmp_path):
    noise = (0.01, -0.012, 0.003, 0.012, -0.004)
    (pair,) = compared(setting(tmp_path, 8, 0.9) + setting(tmp_path, 16, 0.902, noise=noise)).pairs
    assert pair.verdict == "unclear"
    assert pair.needed > 5


def test_more_seeds_are_named_than_there_are(tmp_path):
    first = setting(tmp_path, 8, 0.9, seeds=[0, 1], noise=(0, 1e-6, 0, 0, 0))
    second = setting(tmp_path, 16, 0.854, seeds=[2, 3], noise=(0, 0, -0.0042, 0.0042, 0))
    (pair,) = compared(first + second).pairs
    assert (pair.verdict, pair.test.n, pair.needed) == ("unclear", (2, 2), 3)


def test_more_pairs_take_more_seeds(tmp_path):
    noise = (0.01, -0.012, 0.003, 0.012, -0.004)
    two = setting(tmp_path, 8, 0.9) + setting(tmp_path, 16, 0.902, noise=noise)
    alone, among = compared(two).pairs[0], compared(two + setting(tmp_path, 32, 0.9015, noise=noise[::-1])).pairs[0]
    assert alone.test == among.test
    assert alone.needed == seeds_needed(alone.test.difference, alone.test.std, paired=True)
    assert among.needed == seeds_needed(alone.test.difference, alone.test.std, paired=True, alpha=0.05 / 3) > alone.needed


def test_several_pairs_are_corrected(tmp_path):
    noises = [SPREAD, SPREAD[::-1], (0.002, 0.0, 0.013, -0.005, 0.007)]
    records = [record for n, noise in enumerate(noises) for record in setting(tmp_path, n + 1, 0.9 + n * 0.008, noise=noise)]
    found = compared(records)
    assert [(pair.first, pair.second) for pair in found.pairs] == [("A", "B"), ("A", "C"), ("B", "C")]
    known = multipletests([pair.test.p for pair in found.pairs], method="holm")[1]
    assert [pair.adjusted_p for pair in found.pairs] == pytest.approx(known)
    known = multipletests([pair.test.permutation_p for pair in found.pairs], method="holm")[1]
    assert [pair.adjusted_permutation_p for pair in found.pairs] == pytest.approx(known)


def test_other_seeds_are_compared_by_welchs_test(tmp_path):
    (pair,) = compared(setting(tmp_path, 8, 0.8) + setting(tmp_path, 16, 0.9, seeds=range(5, 9))).pairs
    assert (pair.test.paired, pair.test.n, pair.verdict) == (False, (5, 4), "worse")
    (pair,) = compared(setting(tmp_path, 8, 0.8) + setting(tmp_path, 16, 0.9, seeds=(3, 4, 5))).pairs
    assert not pair.test.paired  # a pairing would leave out a result
    (pair,) = compared(setting(tmp_path, 8, 0.8) + setting(tmp_path, 16, 0.9, seeds=(3, 4))).pairs
    assert (pair.test.paired, pair.test.n) == (False, (5, 2))  # here, too


def test_results_are_paired_by_seed_whatever_the_order_of_the_runs(tmp_path):
    seeds = (3, 0, 4, 2, 1)
    first = setting(tmp_path, 8, 0.8)
    second = setting(tmp_path, 16, 0.9, seeds=seeds)  # the same noise by seed
    (pair,) = compared(first + second).pairs
    assert (pair.test.paired, pair.test.std) == (True, 0)
    third = setting(tmp_path, 32, 0.9, seeds=(6, 5, *seeds))
    (pair,) = compared(first + third).pairs
    assert (pair.test.paired, pair.test.n) == (False, (5, 7))


def test_the_difference_is_that_of_the_means_and_seeds_without_a_partner_are_named(tmp_path):
    luck = [made(tmp_path, f"more{n}", seed=n, accuracy=0.95, settings={"model.hidden": [16]}) for n in (5, 6, 7)]
    records = setting(tmp_path, 8, 0.85) + setting(tmp_path, 16, 0.84, noise=SPREAD[::-1]) + luck
    found = compared(records)
    means = [estimate(group, "test_accuracy")[0].mean for group in found.grouping.groups]
    assert found.order == ("B", "A")
    assert found.pairs[0].test.difference == pytest.approx(means[0] - means[1])
    assert found.pairs[0].test.difference < 0
    (note,) = [note for note in found.notes if "paired" in note]
    assert note.endswith("both need the same seeds: A and B (only B has seeds 5, 6, 7)")
    (note,) = [note for note in compared(records[1:]).notes if "paired" in note]
    assert note.endswith("A and B (only B has seeds 0, 5, 6, 7)")
    (note,) = [note for note in compared([*records[:6], *luck]).notes if "paired" in note]
    assert note.endswith("A and B (only A has seeds 1, 2, 3, 4; only B has seeds 5, 6, 7)")


@pytest.mark.parametrize("seeds", [range(5), range(5, 9)])
def test_groups_with_the_same_seeds_or_without_a_common_one_need_no_such_note(tmp_path, seeds):
    notes = compared(setting(tmp_path, 8, 0.8) + setting(tmp_path, 16, 0.9, seeds=seeds)).notes
    assert not any("paired" in note for note in notes)


def test_a_seed_that_diverged_has_no_partner(tmp_path):
    lost = made(tmp_path, "lost", seed=4, status="diverged", settings={"model.hidden": [16]})
    found = compared([*setting(tmp_path, 8, 0.8), *setting(tmp_path, 16, 0.9, seeds=range(4)), lost])
    assert (found.pairs[0].test.paired, found.pairs[0].test.n) == (False, (5, 4))
    assert any("A and B (only A has seed 4)" in note for note in found.notes)


def test_one_seed_says_nothing_about_the_noise(tmp_path):
    found = compared(setting(tmp_path, 8, 0.8, seeds=[0]) + setting(tmp_path, 16, 0.9))
    assert (found.pairs[0].verdict, found.pairs[0].needed) == ("unknown", None)
    group = found.grouping.groups[0]
    (interval, over), examples = estimate(group, "test_accuracy"), 100
    assert (over, interval.n) == ("examples", examples)
    assert interval.low < 0.8 < interval.high
    assert estimate(group, "test_loss")[1] == "none"
    assert estimate(found.grouping.groups[1], "test_accuracy")[1] == "seeds"


def test_results_that_do_not_vary_are_equal_or_decided_by_permutation(tmp_path):
    still = (0, 0, 0, 0, 0)
    assert (
        compared(setting(tmp_path, 8, 0.8, noise=still) + setting(tmp_path, 16, 0.8, noise=still)).pairs[0].verdict == "equal"
    )
    (pair,) = compared(setting(tmp_path, 8, 0.8, noise=still) + setting(tmp_path, 16, 0.9, noise=still)).pairs
    assert math.isnan(pair.adjusted_p)
    assert pair.verdict == "unclear"  # five seeds: no permutation is that rare
    assert pair.needed is None


@pytest.mark.parametrize(("against", "pairs"), [("all", 21), ("auto", 6), ("first", 6), ("c", 6), ("G", 6)])
def test_against_whom(tmp_path, against, pairs):
    records = [record for h in range(1, 8) for record in setting(tmp_path, h, 0.8 + h / 100, seeds=[0, 1])]
    found = compared(records, "auto", against)
    assert len(found.pairs) == pairs
    if against == "c":
        assert {pair.second for pair in found.pairs} == {"C"}
    assert any("against=all" in note for note in found.notes) == (against == "auto")


def test_an_unknown_letter_and_an_unknown_metric_are_refused_with_what_there_is(tmp_path):
    records = [*setting(tmp_path, 8, 0.8, seeds=[0]), *setting(tmp_path, 16, 0.9, seeds=[0])]
    with pytest.raises(ConfigError, match=r"^against=Z: must be auto, all, first, or the letter of a group, A to B$"):
        compared(records, "auto", "Z")
    with pytest.raises(
        ConfigError, match=r"^metric=test_acuracy: no run has it; did you mean test_accuracy\?; results: test_accuracy, "
    ):
        compared(records, "test_acuracy")
    with pytest.raises(ConfigError, match=r"runs: none of the runs has ended with a result\n.*: running; left out"):
        compared([made(tmp_path, "r", status="running")])


# --- what may be ranked ---


def test_runs_tested_on_different_data_are_not_ranked(tmp_path):
    records = setting(tmp_path, 8, 0.8) + setting(tmp_path, 16, 0.9, test_hash="sha256:beef")
    with pytest.raises(ConfigError, match=r"^runs: tested on different data \(A feed…, B beef…\), .*rank=false$"):
        compared(records)
    shown = compared(records, rank=False)
    assert (shown.ranked, shown.pairs, shown.networks, shown.order) == (False, (), (), ("A", "B"))


def test_the_same_test_after_another_training_split_is_ranked_but_not_by_validation(tmp_path):
    records = setting(tmp_path, 8, 0.8) + setting(tmp_path, 16, 0.9, noise=SPREAD[::-1], data_hash="sha256:other")
    assert compared(records).pairs[0].verdict == "worse"
    assert compared(records, "train_accuracy").pairs
    with pytest.raises(ConfigError, match="measured on different data"):
        compared(records, "validation_accuracy")


def test_runs_of_an_earlier_version_are_ranked_by_the_hash_of_all_their_data(tmp_path):
    older = setting(tmp_path, 8, 0.8, test_hash=None)
    assert compared(older + setting(tmp_path, 16, 0.9)).pairs
    with pytest.raises(ConfigError, match="tested on different data"):
        compared(older + setting(tmp_path, 16, 0.9, data_hash="sha256:other"))


def test_runs_that_did_not_record_their_data_are_ranked_with_a_doubt_if_their_settings_agree(tmp_path):
    oldest = setting(tmp_path, 8, 0.8, test_hash=None, data_hash=None)
    found = compared(oldest + setting(tmp_path, 16, 0.9))
    assert any(note.startswith("h8s0, h8s1 and 3 more: the data's content is not recorded") for note in found.notes)
    other = made(tmp_path, "other", settings={"data.name": "mnist"})
    with pytest.raises(ConfigError, match="tested on different data"):
        compared([*oldest, other])


def test_results_of_the_training_are_ranked_for_the_same_task_alone(tmp_path):
    records = setting(tmp_path, 8, 0.8) + setting(tmp_path, 16, 0.9, test_hash="sha256:beef")
    with pytest.raises(ConfigError, match="tested on different data"):
        compared(records, "train_accuracy")


def test_a_network_without_the_result_does_not_decide_what_is_ranked(tmp_path):
    records = setting(tmp_path, 8, 0.8) + setting(tmp_path, 16, 0.9, noise=SPREAD[::-1], data_hash="sha256:other")
    lost = made(
        tmp_path, "lost", seed=5, status="diverged", settings={"model.hidden": [16]}, test_hash=None, data_hash="sha256:other"
    )
    assert compared([*records, lost]).pairs[0].verdict == "worse"  # without a test, it has no hash of the test
    alone = [lost, records[5]]
    assert estimate(compared(alone).grouping.groups[0], "test_accuracy")[1] == "examples"


SERIES = {"data.holdout": 9, "data.transform": "log", "data.difference": 1, "data.normalize": True, "data.limit_train": None}


@pytest.mark.parametrize(
    ("changed", "is_ranked"),
    [
        ({"data.transform": "none"}, False),
        ({"data.limit_train": 50}, False),
        ({"data.limit_train": 50, "data.normalize": False}, None),
        ({"model.hidden": [3]}, True),
    ],
)
def test_losses_of_a_series_are_ranked_in_one_unit_alone(tmp_path, changed, is_ranked):
    plain = {"data.normalize": False} if is_ranked is None else {}
    records = [
        made(tmp_path, "a", settings=SERIES | plain, forecast={"rmse": 1.0}),
        made(tmp_path, "b", settings=SERIES | changed, forecast={"rmse": 2.0}),
    ]
    assert compared(records).metric == "forecast_rmse"
    if is_ranked is False:
        with pytest.raises(
            ConfigError, match=r"^metric=test_loss: A has transform=log .*, B .*: series in different units, .*rank"
        ):
            compared(records, "test_loss")
    else:
        assert compared(records, "test_loss").pairs


@pytest.mark.parametrize(
    ("changed", "is_ranked"),
    [
        ({}, False),
        ({"data.normalize": False}, True),  # the values have the series' own unit
        ({"data.season": 6}, True),  # the hash covers the season, which scales nothing
        (None, True),  # the data's content is not recorded
    ],
)
def test_losses_of_a_series_are_ranked_where_the_same_rows_scale_it(tmp_path, changed, is_ranked):
    """Two files may differ in the rows that scale the series, and hold out the same ones."""
    settings = SERIES | {"data.season": 12, "data.normalize": (changed or {}).get("data.normalize", True)}
    other = None if changed is None else "sha256:other"
    records = [
        made(tmp_path, "a", settings=settings, forecast={"rmse": 1.0}),
        made(
            tmp_path, "b", settings=settings | {"model.hidden": [3]} | (changed or {}), forecast={"rmse": 2.0}, data_hash=other
        ),
    ]
    assert compared(records).metric == "forecast_rmse"
    for metric in ("test_loss", "train_loss"):
        if is_ranked:
            assert compared(records, metric).pairs
        else:
            with pytest.raises(ConfigError, match=rf"^metric={metric}: A has the data dada…, B the data other…: series .*rank"):
                compared(records, metric)


def test_losses_of_different_functions_are_not_ranked(tmp_path):
    records = [made(tmp_path, "a"), made(tmp_path, "b", settings={"loss.label_smoothing": 0.1})]
    assert compared(records).pairs
    with pytest.raises(ConfigError, match=r"^metric=test_loss: A has name=cross_entropy label_smoothing=0.0, B .*rank=false$"):
        compared(records, "test_loss")


# --- what a reader has to know ---


def test_a_choice_by_the_test_split_is_said_and_what_the_validation_split_chooses(tmp_path):
    records = [made(tmp_path, f"{h}", accuracy=0.8 + h / 100, settings={"model.hidden": [h]}) for h in (1, 2, 3)]
    notes = " ".join(compared(records).notes)
    assert "the test split was looked at for 3 settings" in notes
    assert "validation_accuracy chooses C" in notes
    assert "looked at" not in " ".join(compared(records, "validation_accuracy").notes + compared(records[:2]).notes)


def test_the_validation_split_chooses_the_smallest_loss(tmp_path):
    records = [made(tmp_path, f"{h}", loss=1 / h, settings={"model.hidden": [h]}) for h in (3, 1, 2)]
    (note,) = [note for note in compared(records, "test_loss").notes if "looked at" in note]
    assert "validation_loss chooses A" in note


@pytest.mark.parametrize(
    ("shares", "said"),
    [
        ((0.8, 0.9, 0.9), "validation_accuracy cannot choose between B and C; more"),
        ((0.9, 0.90004, 0.89996), "validation_accuracy cannot choose between A, B and C; more"),  # shown as equal
        ((0.9,) * 9, "validation_accuracy cannot choose between 9 groups; more"),
        ((0.9, 0.9001, 0.9), "validation_accuracy chooses B, and the test result of B"),
    ],
)
def test_a_tie_on_the_validation_split_chooses_nothing(tmp_path, shares, said):
    records = [
        made(tmp_path, f"{n}", settings={"model.hidden": [n]}, validation={"accuracy": share}) for n, share in enumerate(shares)
    ]
    (note,) = [note for note in compared(records, "test_accuracy").notes if "looked at" in note]
    assert said in note


def test_a_validation_loss_that_cannot_be_ranked_chooses_nothing(tmp_path):
    smoothing = [
        made(tmp_path, f"{n}", settings={"loss.label_smoothing": n / 10}, validation={"loss": 0.1 * n}) for n in range(3)
    ]
    other = [made(tmp_path, f"v{n}", settings={"model.hidden": [n]}, data_hash=f"sha256:{n}") for n in range(3)]
    for records in (smoothing, other):
        (note,) = [note for note in compared(records, "test_accuracy").notes if "looked at" in note]
        assert note.endswith("choose by a validation split, and test what it chose")


def test_one_group_alone_other_machines_and_unrecorded_settings_are_said(tmp_path):
    alone = compared(setting(tmp_path, 8, 0.8))
    assert [note for note in alone.notes if "nothing is compared" in note]
    host = {"cpu": "A CPU"}
    records = [
        made(tmp_path, "a", platform="cpu", num_devices=2, host=host),
        made(tmp_path, "b", platform="gpu", num_devices=1, host=host, settings={"model.hidden": [9], "training.ema": 0.5}),
    ]
    notes = " ".join(compared(records).notes)
    assert "time and memory cannot be compared (1 × gpu, A CPU, 2 × cpu, A CPU)" in notes
    assert "taken as equal: training.ema" in notes
    assert "machines" not in " ".join(compared([records[0], made(tmp_path, "c", seed=1)]).notes)  # one did not record it


def test_settings_without_a_validation_split_are_named(tmp_path):
    records = [made(tmp_path, f"{h}", settings={"model.hidden": [h]}, validation_examples=h - 1) for h in (1, 2)]
    (note,) = [note for note in compared(records).notes if "without a validation split" in note]
    assert note.startswith("A: ")
    assert not any("validation split" in note for note in compared(records[:1]).notes)  # nothing is chosen


def test_diverged_networks_and_other_code_are_said(tmp_path):
    records = [
        made(tmp_path, "a"),
        made(tmp_path, "b", seed=1, status="diverged"),
        made(tmp_path, "c", seed=2, git={"commit": "abc"}),
    ]
    notes = " ".join(compared(records).notes)
    assert "A: 1 of 3 networks diverged" in notes
    assert "different versions of the code" in notes


# --- networks on the same examples ---


def test_networks_of_the_same_seed_are_compared_on_their_answers(tmp_path):
    records = [
        keep(made(tmp_path, f"{h}{s}", seed=s, settings={"model.hidden": [h]}), wrong=range(s, s + h))
        for h in (20, 5)
        for s in (0, 1)
    ]
    found = compared(records).networks
    assert [(pair.first, pair.second, pair.seeds) for pair in found] == [("A", "B", (0, 0)), ("A", "B", (1, 1))]
    assert [(pair.test.first, pair.test.second, pair.test.both, pair.test.neither) for pair in found] == [(0, 15, 80, 5)] * 2
    assert found[0].adjusted_p == pytest.approx(2 * found[0].test.p)


def test_two_networks_of_other_seeds_are_compared_if_they_are_alone(tmp_path):
    one, other, third = (keep(made(tmp_path, f"{n}", seed=n, settings={"model.hidden": [n % 2]}), wrong=[n]) for n in range(3))
    assert [pair.seeds for pair in compared([one, other]).networks] == [(0, 1)]
    assert compared([one, other, third]).networks == ()


def test_answers_to_another_test_split_with_the_same_classes_are_not_compared(tmp_path):
    records = [keep(made(tmp_path, f"{h}", settings={"model.hidden": [h]}), wrong=[1]) for h in (1, 2)]
    kept = read_predictions(records[1].folder)
    write_predictions(records[1].folder, replace(kept, test_hash="sha256:other"))
    found = compared(records)
    assert found.networks == ()
    assert any("answers are to other examples" in note for note in found.notes)
    write_predictions(records[1].folder, replace(kept, test_hash=None))
    assert len(compared(records).networks) == 1


def test_trials_have_answers_of_their_own(tmp_path):
    rows = [{"trial": n, "seed": n // 3, "learning_rate": n % 3 + 1, "diverged": None, "test_accuracy": 0.9} for n in range(6)]
    record = keep(made(tmp_path, "many", trials=rows), wrong=[3], trials=6)
    kept = read_predictions(record.folder)
    predicted = np.tile(kept.targets, (6, 1))
    for trial in range(6):
        predicted[trial, : trial * 10] += 1  # the trial's own number of mistakes
    write_predictions(record.folder, replace(kept, predicted=predicted, diverged=(4,)))
    found = compared([record]).networks
    counts = {(pair.first, pair.second, pair.seeds): (pair.test.first, pair.test.second, pair.test.neither) for pair in found}
    assert counts == {
        ("A", "B", (0, 0)): (10, 0, 0),  # with seed 1, B diverged
        ("A", "C", (0, 0)): (20, 0, 0),
        ("A", "C", (1, 1)): (20, 0, 30),
        ("B", "C", (0, 0)): (10, 0, 10),
    }


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda record: (record.folder / "test_predictions.safetensors").unlink(), "no answers to the test examples were kept"),
        (lambda record: (record.folder / "test_predictions.safetensors").write_bytes(b"no"), "is damaged"),
        (lambda record: keep(record, [1], step=9), "of another step"),
        (lambda record: keep(record, [1], count=50), "answers are to other examples"),
    ],
)
def test_answers_that_cannot_be_used_are_named(tmp_path, spoil, reason):
    records = [keep(made(tmp_path, f"{h}", settings={"model.hidden": [h]}), wrong=[1]) for h in (1, 2)]
    spoil(records[1])
    found = compared(records)
    assert found.networks == ()
    assert any(reason in note for note in found.notes)
    assert all("\n" not in note for note in found.notes)
