import math

import optuna
import pytest
from searches import RATE, asking_process, kill, search

from nnjax.cli.runs import locked
from nnjax.searching.study import Outcome, SearchStudy


def open_study(folder, config, worker="."):
    (folder / worker).mkdir(parents=True, exist_ok=True)
    return SearchStudy(folder, worker, config, num_evaluations=5)


def error_of(settings):
    return abs(math.log10(settings[RATE]) + 2) + settings["model.dropout"]


def finish(study, asked):
    for trial in asked:
        study.report(trial.number, 1, error_of(trial.settings))
        study.tell(trial.number, Outcome("completed", (error_of(trial.settings),), about={"seconds": 1.0}))


def run(study):
    while asked := study.ask():
        finish(study, asked)


def tried(study, *statuses):
    return [record.settings for record in study.records() if not statuses or record.status in statuses]


def test_a_search_ends_after_its_trials_and_keeps_what_came_of_them(tmp_path):
    study = open_study(tmp_path, search("search.trials=7"))
    run(study)
    records = open_study(tmp_path, search("search.trials=7")).records()
    assert [record.number for record in records] == list(range(7))
    for record in records:
        assert record.status == "completed"
        assert record.values == (record.curve[1],) == (error_of(record.settings),)
        assert (record.about, record.worker) == ({"seconds": 1.0}, ".")
    assert study.ask() == []


def test_more_trials_may_be_asked_for_later(tmp_path):
    run(open_study(tmp_path, search("search.trials=4")))
    study = open_study(tmp_path, search("search.trials=6"))
    run(study)
    assert len(study.records()) == 6


@pytest.mark.slow
@pytest.mark.parametrize("sampler", ["tpe", "random", "cmaes"])
def test_a_search_in_several_processes_one_after_another_asks_for_what_one_alone_does(tmp_path, sampler):
    config = search("search.trials=12", f"search.sampler={sampler}")
    whole = open_study(tmp_path / "whole", config)
    run(whole)
    for number in range(3):
        study = open_study(tmp_path / "parts", config, worker=f"workers/{number}")
        for _ in range(4):
            finish(study, study.ask())
    assert tried(study) == tried(whole)
    assert len({tuple(settings.items()) for settings in tried(whole)}) == 12


def test_another_seed_draws_other_settings(tmp_path):
    one, other = (open_study(tmp_path / str(seed), search(f"search.seed={seed}")) for seed in (0, 1))
    assert one.ask()[0].settings != other.ask()[0].settings


def test_tpe_learns(tmp_path):
    study = open_study(tmp_path, search("search.trials=40", "search.startup=10"))
    run(study)
    values = [record.values[0] for record in study.records()]
    assert sum(values[-10:]) < 0.6 * sum(values[:10])


@pytest.mark.slow
def test_the_settings_of_a_killed_process_are_tried_again_by_the_next_one(tmp_path):
    config = search("search.trials=5", "search.generation=2")
    process, numbers = asking_process(tmp_path, ".", "search.trials=5", "search.generation=2")
    assert numbers == "[0, 1]\n"
    study = open_study(tmp_path, config, "workers/a")
    assert [trial.number for trial in study.ask()] == [2, 3]  # while the other one lives, its trials are its own
    before = tried(study, "running")
    assert [study.is_elsewhere(record) for record in study.records()] == [True, True, False, False]
    kill(process)
    asked = study.ask()
    assert [trial.settings for trial in asked] == before[:2]
    assert [record.status for record in study.records()] == ["interrupted"] * 2 + ["running"] * 4
    assert [trial.number for trial in study.ask()] == [6]  # of five trials, since the interrupted ones count no more


@pytest.mark.slow
def test_a_kill_changes_nothing_of_what_is_tried(tmp_path):
    config = search("search.trials=8")
    whole = open_study(tmp_path / "whole", config)
    run(whole)
    study = open_study(tmp_path / "killed", config, "workers/a")
    for _ in range(4):
        finish(study, study.ask())
    process, _ = asking_process(tmp_path / "killed", "workers/b", "search.trials=8")
    kill(process)
    again = open_study(tmp_path / "killed", config, "workers/c")
    run(again)
    assert tried(again, "completed") == tried(whole)
    assert len(tried(again, "interrupted")) == 1


@pytest.mark.slow
def test_settings_that_end_their_process_each_time_are_given_up(tmp_path):
    overrides = ("search.trials=2",)
    for attempt in range(3):
        process, _ = asking_process(tmp_path, f"workers/{attempt}", *overrides)
        kill(process)
    study = open_study(tmp_path, search(*overrides), "workers/last")
    run(study)
    assert [record.status for record in study.records()] == ["interrupted", "interrupted", "failed", "completed"]
    assert study.records()[2].reason == "its process was ended 3 times"
    assert len({record.settings[RATE] for record in study.records()[:3]}) == 1


def test_a_trial_that_was_not_asked_for_to_its_end_is_no_trial(tmp_path):
    study = open_study(tmp_path, search("search.trials=2"))
    study._study.ask()  # killed before its values were drawn
    run(open_study(tmp_path, search("search.trials=2"), "workers/a"))
    assert [record.status for record in study.records()] == ["interrupted", "completed", "completed"]


@pytest.mark.slow
def test_two_processes_share_a_grid(tmp_path):
    config = search("search.sampler=grid", "search.trials=100", "search.generation=5")
    studies = [open_study(tmp_path, config, f"workers/{name}") for name in "ab"]
    process, _ = asking_process(tmp_path, "workers/dies", "search.sampler=grid", "search.trials=100")
    kill(process)
    with locked(tmp_path / "workers/a"), locked(tmp_path / "workers/b"):
        asked = [trial for study in [*studies, *studies] for trial in study.ask()]
        assert studies[0].ask() == []
    assert len(asked) == len({tuple(trial.settings.items()) for trial in asked}) == 12


def test_trials_of_a_generation_share_all_but_the_learning_rate(tmp_path):
    study = open_study(tmp_path, search("search.generation=6", "search.rates=3"))
    dropouts = [trial.settings["model.dropout"] for trial in study.ask()]
    assert dropouts == [dropouts[0]] * 3 + [dropouts[3]] * 3
    assert dropouts[0] != dropouts[3]
    assert len({record.settings[RATE] for record in study.records()}) == 6


def test_a_trial_that_is_worse_than_others_is_pruned(tmp_path):
    study = open_study(tmp_path, search("search.startup=2", "search.warmup=1", "search.trials=4"))
    for value in (0.1, 0.2):
        (trial,) = study.ask()
        assert not any(study.report(trial.number, evaluation, value) for evaluation in (1, 2, 3))
        study.tell(trial.number, Outcome("completed", (value,)))
    (trial,) = study.ask()
    assert not study.report(trial.number, 1, 0.9)  # the first evaluation is the warm-up
    assert study.report(trial.number, 2, 0.9)
    study.tell(trial.number, Outcome("pruned", reason="worse than others at evaluation 2"))
    (record,) = [record for record in study.records() if record.status == "pruned"]
    assert (record.reason, record.curve, record.values) == ("worse than others at evaluation 2", {1: 0.9, 2: 0.9}, ())


@pytest.mark.parametrize("pruner", ["halving", "hyperband", "none"])
def test_the_other_pruners(tmp_path, pruner):
    study = open_study(tmp_path, search(f"search.pruner={pruner}", "search.trials=9", "search.startup=2"))
    pruned = []
    while asked := study.ask():
        value = 0.1 * (1 + asked[0].number)
        pruned.append(any(study.report(asked[0].number, evaluation, value) for evaluation in range(1, 6)))
        study.tell(asked[0].number, Outcome("pruned") if pruned[-1] else Outcome("completed", (value,)))
    assert any(pruned) == (pruner != "none")


def test_what_diverged_or_failed_counts_and_is_said(tmp_path):
    study = open_study(tmp_path, search("search.trials=3"))
    for outcome in (Outcome("diverged", reason="became nan"), Outcome("failed", reason="no memory"), Outcome("refused")):
        (trial,) = study.ask()
        study.tell(trial.number, outcome)
    assert study.ask() == []
    assert [(record.status, record.reason) for record in study.records()] == [
        *(("diverged", "became nan"), ("failed", "no memory"), ("refused", ""))
    ]


def test_several_objectives(tmp_path):
    config = search("search.objectives=[error,parameters]", "search.pruner=none", "search.trials=14")
    study = open_study(tmp_path, config)
    while asked := study.ask():
        assert not study.report(asked[0].number, 1, 0.5)
        if asked[0].number == 2:
            study.tell(asked[0].number, Outcome("diverged"))
            continue
        study.tell(asked[0].number, Outcome("completed", (error_of(asked[0].settings), 100.0)))
    assert {record.values[1] for record in study.records() if record.values} == {100.0}
    assert set(study.importances()) == {RATE, "model.dropout"}


def test_importances_name_the_key_that_matters(tmp_path):
    study = open_study(tmp_path, search("search.sampler=random", "search.trials=20"))
    assert study.importances() == {}
    while asked := study.ask():
        study.tell(asked[0].number, Outcome("completed", (math.log10(asked[0].settings[RATE]),)))
    found = study.importances()
    assert list(found) == [RATE, "model.dropout"]
    assert found[RATE] > 0.9


def test_the_data_is_noted_once(tmp_path):
    assert open_study(tmp_path, search()).note("data_hash", "sha256:1") == "sha256:1"
    assert open_study(tmp_path, search(), "workers/a").note("data_hash", "sha256:2") == "sha256:1"


def test_nothing_of_optuna_is_printed(tmp_path, capfd):
    run(open_study(tmp_path, search("search.trials=3")))
    assert capfd.readouterr() == ("", "")
    assert optuna.logging.get_verbosity() == optuna.logging.ERROR
