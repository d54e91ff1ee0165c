import csv
import json
from pathlib import Path

import pytest
from small_runs import TINY

import nnjax
from experiments.search import search
from nnjax.api import search_run
from nnjax.cli.compose import compose_config
from nnjax.cli.runs import write_config
from nnjax.config.errors import ConfigError, DataError, UserError
from nnjax.config.search_options import SearchConfig
from nnjax.searching.study import SearchStudy

RATE = "optimizer.learning_rate"
SPACE = f"search.space=[{{key: {RATE}, low: 1e-3, high: 0.1, log: true}},{{key: activation, choices: [relu,tanh]}}]"
SMALL = (*TINY, SPACE, "search.trials=5", "search.startup=2", "search.generation=5", "search.rates=5")


def configured(*overrides):
    return compose_config("search", [*SMALL, *overrides], SearchConfig)


def searched(folder, *overrides):
    folder.mkdir(parents=True)
    config = configured(*overrides)
    write_config(config, folder)
    return search(config, folder)


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    folder = tmp_path_factory.mktemp("searches") / "one"
    return folder, searched(folder)


def rows_of(folder):
    with (folder / "search.csv").open() as file:
        return list(csv.DictReader(file))


@pytest.mark.slow
def test_a_search_leaves_its_trials_and_the_best_setting(found):
    folder, summary = found
    assert json.loads((folder / "summary.json").read_text()) == json.loads(json.dumps(summary))
    assert (summary["status"], summary["verb"], summary["counts"]) == ("completed", "search", {"completed": 5})
    assert summary["data_hash"].startswith("sha256:")
    rows = rows_of(folder)
    best = min(rows, key=lambda row: float(row["error"]))
    assert summary["best"]["error"] == float(best["error"])
    assert {row["together"] for row in rows} == {"5"}
    config = nnjax.compose("experiment=best", config_dir=folder / "found")
    assert config.optimizer.learning_rate == summary["best"]["settings"][RATE]
    assert config.activation.name == summary["best"]["settings"]["activation"]
    result = nnjax.fit(config)
    assert 1 - result.metrics["validation"]["accuracy"] == pytest.approx(summary["best"]["error"])
    for path in summary["figures"]:
        assert Path(path).read_bytes().startswith(b"\x89PNG")
    assert not (folder / "checkpoints").exists()


@pytest.mark.slow
def test_a_search_that_other_code_goes_on_with_says_so(tmp_path, monkeypatch, capsys):
    searched(tmp_path / "one", "search.trials=1", "search.generation=1", "search.rates=1")
    assert "the code has changed" not in capsys.readouterr().out
    config = configured("search.trials=2", "search.generation=1", "search.rates=1", f"resume={tmp_path / 'one'}")
    monkeypatch.setattr(search_run, "code_version", lambda: "another")
    (tmp_path / "one/workers/a").mkdir(parents=True)
    search(config, tmp_path / "one/workers/a")
    printed = capsys.readouterr().out
    assert "warning: the code has changed since this search began: trials of different code are compared" in printed


@pytest.mark.slow
def test_it_is_the_same_search_a_second_time(found, tmp_path):
    folder, summary = found
    again = searched(tmp_path / "again")
    assert again["best"] == summary["best"]
    volatile = ("seconds",)
    strip = lambda rows: [{key: value for key, value in row.items() if key not in volatile} for row in rows]  # noqa: E731
    assert strip(rows_of(tmp_path / "again")) == strip(rows_of(folder))


@pytest.mark.slow
def test_more_trials_go_on_from_the_folder(tmp_path, capsys):
    searched(tmp_path / "one", "search.trials=2", "search.generation=1", "search.rates=1", "report.figures=false")
    worker = tmp_path / "one/workers/now"
    worker.mkdir(parents=True)
    more = ["search.trials=3", "search.generation=1", "search.rates=1", f"resume={tmp_path / 'one'}", "report.figures=false"]
    summary = search(configured(*more), worker)
    assert [row["worker"] for row in rows_of(tmp_path / "one")] == [".", ".", "workers/now"]
    assert summary["counts"] == {"completed": 3}
    assert "experiment=best" in capsys.readouterr().out
    assert (worker / "search.log").exists()


@pytest.mark.slow
def test_other_data_is_refused(found):
    folder, _ = found
    worker = folder / "workers/other"
    worker.mkdir(parents=True)
    config = configured("data.limit_train=81", f"resume={folder}")
    with pytest.raises(DataError, match="data=digits: its content is not that of the search in"):
        search(config, worker)


def test_it_ends_when_its_time_is_over(tmp_path, capsys):
    summary = searched(tmp_path / "one", "search.seconds=1e-9", "report.figures=false")
    assert (summary["status"], summary["best"], summary["counts"]) == ("stopped_early", None, {})
    assert "1e-09 seconds are over (search.seconds)" in capsys.readouterr().out


def test_a_search_without_a_result_says_why(tmp_path):
    space = "search.space=[{key: training.global_batch_size, choices: [71, 72]}]"  # of 72 training examples
    overrides = (space, "search.generation=1", "search.rates=1", "search.trials=2", "report.figures=false")
    diverges = ("optimizer=sgd", "optimizer.learning_rate=1e30", "loss=mse", "search.objectives=[loss]")
    with pytest.raises(UserError, match="no trial completed; the first one: the validation loss became"):
        searched(tmp_path / "one", *overrides, *diverges)
    assert json.loads((tmp_path / "one/summary.json").read_text())["counts"] == {"diverged": 2}


def test_a_choice_that_does_not_go_with_the_experiment_is_refused_before_the_data_is_read(tmp_path):
    space = "search.space=[{key: training.global_batch_size, choices: [24, 500]}]"
    with pytest.raises(ConfigError) as caught:
        searched(tmp_path / "one", space, "search.rates=1")
    told = "search.space.0: training.global_batch_size=500 does not go with the experiment: data.limit_train=80: leaves 72"
    assert str(caught.value).startswith(told)
    assert not (tmp_path / "one/journal.log").exists()


def test_a_file_of_the_user_s_names_the_ranges(tmp_path):
    (tmp_path / "search").mkdir()
    text = "defaults: [default]\nspace:\n  - {key: model.dropout, low: 0.0, high: 0.4}\ntrials: 3\n"
    (tmp_path / "search/mine.yaml").write_text(text)
    from nnjax.cli.compose import conf_dir

    config = compose_config("search", ["model=fnn", "search=mine"], SearchConfig, (conf_dir(), tmp_path))
    assert (config.search.trials, config.search.space[0].key) == (3, "model.dropout")


@pytest.mark.slow
def test_several_objectives_keep_the_trials_that_no_other_one_beats(tmp_path):
    space = "search.space=[{key: model.hidden, choices: [[2],[8],[64]]}]"
    overrides = ("search.objectives=[error,parameters]", "search.pruner=none", "search.sampler=grid", "search.rates=1")
    summary = searched(tmp_path / "one", space, *overrides)
    assert summary["counts"] == {"completed": 3}
    assert set(summary["best"]) == {"trial", "settings", "error", "parameters"}


def test_the_trials_of_a_process_that_breaks_are_left_to_the_next_one(tmp_path, monkeypatch):
    from nnjax.api.search_training import TrialTrainer

    def broken(self, config, group, report):
        raise RuntimeError("a fault of ours")

    monkeypatch.setattr(TrialTrainer, "_outcomes", broken)
    with pytest.raises(RuntimeError, match="a fault of ours"):
        searched(tmp_path / "one")
    study = SearchStudy(tmp_path / "one", "workers/a", configured(), 2)
    assert [record.status for record in study.records()] == ["running"] * 5
    assert len(study.ask()) == 5
    assert [record.status for record in study.records()] == ["interrupted"] * 5 + ["running"] * 5
