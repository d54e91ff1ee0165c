"""Jobs that share a composition have the config, and the folder, that Hydra composes for each by itself."""

import pytest
from hydra.types import RunMode
from omegaconf import OmegaConf

import nnjax.cli.job  # noqa: F401  (the resolver that names the folders)
from nnjax.cli import sweep_templates
from nnjax.cli.compose import compose, conf_dir
from nnjax.cli.sweep_jobs import as_job, job_configs
from nnjax.cli.sweep_templates import Templates


def facts(single, number):
    """Everything that follows from a job's composition."""
    with as_job(single, number) as folder:
        hydra = OmegaConf.to_container(single.hydra, resolve=False)
        values = OmegaConf.to_container(single.job, resolve=True)
        whole = OmegaConf.to_container(single.hydra._get_root(), resolve=False)
    whole.pop("hydra")
    return folder, values, whole, single.overrides, hydra["overrides"], hydra["job"], hydra["runtime"]["choices"]


@pytest.mark.slow
@pytest.mark.parametrize(
    "overrides",
    [
        ["seed=0,1,2", "optimizer.learning_rate=1e-3,2e-3"],
        ["model=fnn", "model.hidden=[8],[16,8],[],[8]", "seed=0,1"],
        ["model=fnn,cnn", "seed=0,1"],
        ["training.stop={patience:2,loss_below:null},{patience:3}", "seed=1,2"],
        ["training.stop.patience=null,3,4", "training.duration=2epochs,3steps"],
        ["model.blocks.0.kernel=3,5", "model.blocks.1.features=8,4"],
        ["++model.dropout=0.1,0.2", "+training.more=1,2"],
        ["data=mnist", "data.directory=null,'a b',\"it's\",'x=y,z'"],
        ["seed=1,2", "training.duration=${seed}steps"],
        ["seed=${hydra:job.num}", "training.evaluate_every=1epochs,2epochs"],
        ["experiment=learning_rates,textbook", "seed=3,4"],
        ["report.figures=true,false", "hydra.sweep.subdir=${seed}_${hydra.job.num}", "seed=5,6"],
        ["optimizer.learning_rate=1e-3,.inf", "~training.keep", "seed=0,1"],
        ["model=fnn,cnn,rnn", "activation=relu,tanh", "optimizer=adam,sgd,muon", "optimizer.learning_rate=1e-3,2e-3"],
        ["model=fnn,rnn,cnn,two_neuron", "optimizer=adam,sgd"],  # the activation and the data that a model brings
        ["data=digits,mnist,airline", "optimizer=adam,sgd", "training.keep=1,2"],
        ["optimizer=adam,sgd,lion", "optimizer.momentum=0.9,0.5"],  # unknown to two of them
        ["optimizer=sgd,adam", "++optimizer.more=1,2", "seed=0"],
        ["optimizer=adam,adamw", "~optimizer.weight_decay", "seed=0,1"],
        ["schedule=cosine,constant,step", "loss=cross_entropy,mse", "debug=off,fast", "step_size=none,falling"],
        ["experiment=mnist_fnn,none,mnist_cnn", "optimizer=sgd,adam", "schedule=cosine,step", "seed=0,1"],
    ],
)
def test_a_job_is_what_hydra_composes(overrides):
    sweep = compose("train", overrides, run_mode=RunMode.MULTIRUN)
    seen = []
    for number, single in enumerate(job_configs(sweep, print)):
        seen.append((facts(single, number), single.overrides))
    assert len(seen) > 1
    for number, (found, given) in enumerate(seen):
        assert found == facts(compose("train", given), number)


def test_a_sweep_over_values_is_composed_once(monkeypatch):
    calls = []
    monkeypatch.setattr(sweep_templates, "compose", lambda *args, **loader: calls.append(args) or compose(*args, **loader))
    sweep = compose("train", ["model=cnn,fnn", "seed=range(50)", "data.validation=0.1,0.2"], run_mode=RunMode.MULTIRUN)
    seeds = [single.job.seed for single in job_configs(sweep, print)]
    assert seeds == [seed for _ in range(2) for seed in range(50) for _ in range(2)]
    assert len(calls) == 1  # the models' files set values of their own group only


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("experiment/mine", "# @package _global_\noptimizer: {learning_rate: 0.5}\n"),
        ("experiment/mine", "# @package optimizer\nlearning_rate: 0.5\n"),
        ("experiment/mine", "# @package _global_\ndefaults: [{override /schedule: '${optimizer}_like'}]\n"),
        ("optimizer/mine", "defaults: [adam]\nlearning_rate: 0.5\n"),
        ("optimizer/mine", "# @package _global_\noptimizer: {name: sgd}\nseed: 8\n"),
    ],
)
def test_an_option_that_other_files_depend_on_is_not_exchanged(name, text, tmp_path):
    files = {name: text, "schedule/adam_like": "name: constant\n", "schedule/sgd_like": "name: step\n", "experiment/mine": ""}
    for file, content in {"experiment/mine": "", "optimizer/mine": "name: adam\n", **files, name: text}.items():
        (tmp_path / file).parent.mkdir(exist_ok=True)
        (tmp_path / f"{file}.yaml").write_text(content)
    chosen = ["experiment=mine", "optimizer=sgd,mine,adam"]
    if "${" in text:
        chosen[1] = "optimizer=sgd,adam"
    sweep = compose("train", [*chosen, "seed=1,2"], (conf_dir(), tmp_path), RunMode.MULTIRUN)
    found = [(facts(single, number), single.overrides) for number, single in enumerate(job_configs(sweep, print))]
    for number, (seen, given) in enumerate(found):
        assert seen == facts(compose("train", given, (conf_dir(), tmp_path)), number)


def test_the_last_value_counts_whatever_stood_there_before():
    templates = Templates("train", [], ())

    def hidden(value):
        single = templates.compose(["model=fnn", f"model.hidden.0={value}"])
        return OmegaConf.to_container(single.job.model.hidden)

    assert [hidden(value) for value in ("3", "[]", "4", "[5]", "3")] == [[3], [[]], [4], [[5]], [3]]
    assert templates.compose(["seed=1"]).job.seed == 1


def test_a_key_that_only_one_option_holds_has_a_plus_sign_with_the_other_alone():
    templates = Templates("train", [], ())
    texts = [["optimizer=adam", "optimizer.momentum=0.5"], ["optimizer=sgd", "optimizer.momentum=0.5"]]
    assert templates.compose(texts[0]).overrides == ("optimizer=adam", "++optimizer.momentum=0.5")
    assert templates.compose(texts[1]).overrides == ("optimizer=sgd", "optimizer.momentum=0.5")
