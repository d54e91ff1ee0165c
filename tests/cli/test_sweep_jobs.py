"""The jobs of a sweep: those that Hydra would launch, and the sweeps that files bring."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hydra._internal.hydra import Hydra
from hydra.core.global_hydra import GlobalHydra
from hydra.core.plugins import Plugins
from hydra.types import RunMode
from listed_jobs import expand

import nnjax.cli.job  # noqa: F401  (the resolver that names the folders)
from nnjax.cli.compose import compose, conf_dir, config_loader
from nnjax.cli.sweep_jobs import MOST_JOBS, as_job, job_configs
from nnjax.config.errors import ConfigError

Jobs = list[tuple[str, ...]]
STEPS = ("small", "textbook", "large", "uphill", "falling")


def jobs_of(*overrides: str, folders: tuple[Path, ...] = ()) -> Jobs:
    jobs = expand(compose("train", overrides, folders, RunMode.MULTIRUN))
    assert jobs is not None
    return jobs


def refusal(*overrides: str, mode: RunMode = RunMode.MULTIRUN) -> str:
    with pytest.raises(ConfigError) as error:
        expand(compose("train", overrides, run_mode=mode))
    return str(error.value).splitlines()[0]


@pytest.fixture
def launched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Jobs]:
    """What Hydra itself launches for some overrides."""
    found: Jobs = []

    def launch(self: Any, job_overrides: Any, initial_job_idx: int) -> list[Any]:
        found.extend(tuple(job) for job in job_overrides)
        return []

    launcher = Plugins.instance().class_name_to_class["hydra._internal.core_plugins.basic_launcher.BasicLauncher"]
    monkeypatch.setattr(launcher, "launch", launch)

    def launched(*overrides: str) -> Jobs:
        found.clear()
        hydra = Hydra("train", config_loader())
        GlobalHydra.instance().initialize(hydra)
        try:
            hydra.multirun("train", lambda config: None, [*overrides, "hydra.mode=MULTIRUN", f"hydra.sweep.dir={tmp_path}"])
        finally:
            GlobalHydra.instance().clear()
        return list(found)

    return launched


@pytest.mark.slow
@pytest.mark.parametrize(
    "overrides",
    [
        ["seed=0,1", "activation=relu,tanh"],
        ["seed=choice(3,1,2)"],
        ["seed=range(4)"],
        ["seed=range(10,1,-4)"],
        ["optimizer.learning_rate=range(0.1,0.5,0.15)"],
        ["optimizer.learning_rate=float(range(1,4))"],
        ["seed=int(1.5,2.5)", "report.figures=bool(0,1)"],
        ["model.dropout=float(0)", "seed=tag(a,b,choice(1,2))"],
        ["seed=sort(3,1,2)", "activation=sort(tanh,relu,reverse=true)"],
        ["seed=sort(range(3,0,-1))"],
        ["data=mnist", "data.directory='a b','c,d=e',\"it's\""],
        ["data=mnist", "data.directory=null,a"],
        ["data=mnist", "data.directory=str(1,true)"],
        ["model=fnn", "model.hidden=[8],[16,8],[]"],
        ["model=fnn", "training.stop={patience:2,loss_below:null},{patience:3}"],
        ["training.duration=2epochs,3steps", "+training.more=1,2"],
        ["optimizer=glob(*)"],
        ["optimizer=glob(m*)", "seed=range(2)", "activation=choice(relu,tanh)"],
        ["optimizer=glob([adam*,s*])"],
        ["optimizer=glob(*,exclude=muon*)"],
        ["optimizer=glob(*,exclude=[a*,muon*])"],
        ["optimizer=glob(include=[a*,s*],exclude='adamw')"],
        ["experiment=glob(mnist_?nn)"],
        ["experiment=learning_rates", "seed=0"],
        ["seed=7"],
    ],
)
def test_the_jobs_are_those_that_hydra_launches(launched: Callable[..., Jobs], overrides: list[str]) -> None:
    assert jobs_of(*overrides) == launched(*overrides)


@pytest.mark.parametrize("values", ["shuffle(1,2,3,4)", "shuffle(range(1,5))", "shuffle(choice(1,2,3,4))"])
def test_a_shuffle_keeps_all_values(values: str) -> None:
    assert sorted(jobs_of(f"seed={values}")) == [(f"seed={seed}",) for seed in range(1, 5)]


@pytest.mark.slow
def test_a_glob_knows_what_an_option_is(tmp_path: Path) -> None:
    (tmp_path / "optimizer/inner.yaml").mkdir(parents=True)
    (tmp_path / "data/mine").mkdir(parents=True)
    for name in ("mine.yaml", "_base.yaml", ".mine.yaml", "mine.yaml.bak", "README.md", "notes.yml"):
        (tmp_path / "optimizer" / name).write_text("{}")
    for name in ("first.yaml", "second.yaml"):
        (tmp_path / "data/mine" / name).write_text("a: 1")
    folders = (conf_dir(), tmp_path)
    names = [job[0].partition("=")[2] for job in jobs_of("optimizer=glob(*)", folders=folders)]
    assert names == ["adam", "adamw", "lion", "mine", "muon", "muon_sgd", "sgd", "textbook"]
    assert jobs_of("optimizer=glob(_*)", folders=folders) == [("optimizer=_base",)]
    nested = jobs_of("+data/mine=glob(*)", folders=folders)
    assert nested == [("+data/mine=first",), ("+data/mine=second",)]


def test_patterns_may_be_quoted() -> None:
    assert jobs_of("optimizer=glob(['a*',\"s*\"],exclude=['adamw'])") == [("optimizer=adam",), ("optimizer=sgd",)]


def test_sweeps_stand_among_other_values() -> None:
    assert jobs_of("optimizer=glob(adam*),sgd") == [("optimizer=adam",), ("optimizer=adamw",), ("optimizer=sgd",)]
    assert jobs_of("seed=range(2),7") == [("seed=0",), ("seed=1",), ("seed=7",)]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("optimizer=glob(x*)", "no option of this group matches; allowed: adam, adamw,"),
        ("optimizer=glob(*,exclude=*)", "no option of this group matches; allowed: adam, adamw,"),
        ("seed=glob(*)", "glob() chooses among the options of a group, and seed is none; groups: activation,"),
        ("optimizer=sort(glob(*))", "glob() cannot stand inside another function"),
        ("seed=interval(0,1)", "list the values, as in seed=1,2,3, or write seed=range(START,STOP,STEP)"),
        ("seed=tag(t,interval(0,1))", "list the values, as in seed=1,2,3"),
        ("seed=range(0,3,0)", "a range needs a step other than 0"),
        ("optimizer.learning_rate=range(0.1,1,0.0)", "a range needs a step other than 0"),
        ("seed=range(3,0)", "holds no value"),
        ("seed=range(10000000000000)", f"makes more than {MOST_JOBS:,} jobs"),
        ("seed=shuffle(range(10000000000000))", f"makes more than {MOST_JOBS:,} jobs"),
        ("seed=choice()", "empty choice is not legal"),
        ("seed=int(abc)", "invalid literal for int()"),
        ("seed=rnge(3)", "no such function; did you mean range? allowed: bool, choice,"),
        ("seed=json_str(3)", "no such function;"),
        ("model.hidden=[range(3)]", "a list holds values, and a sweep is none"),
        ("training.stop={patience: choice(1,2)}", "a list holds values, and a sweep is none"),
        ("hydra.sweeper.params.seed=0,1", "belongs in a file; write -m seed=0,1 "),
        ("hydra.sweeper.params.seed='0,1'", "belongs in a file; write -m seed=0,1 "),
        ("hydra.sweeper.params={seed: '0,1'}", "belongs in a file; write -m seed=0,1 "),
        ("hydra.verbose=true,false", "one value of Hydra's own settings holds for a whole sweep"),
        ("hydra/launcher=glob(*)", "one value of Hydra's own settings holds for a whole sweep"),
    ],
)
def test_values_that_cannot_be_listed_are_told(override: str, message: str) -> None:
    assert refusal(override).startswith(f"{override}: {message}")


def test_a_key_is_swept_over_once() -> None:
    assert refusal("seed=0,1", "seed=3").startswith("seed=3: seed=0,1 stands there too")
    assert refusal("seed=0", "++seed=1,2").startswith("++seed=1,2: seed=0 stands there too")
    assert jobs_of("seed=0", "seed=3") == [("seed=3",)]
    texts = ["seed=range(101)", "training.seeds=range(1,101)"]
    assert refusal(*texts).startswith(f"training.seeds=range(1,101): makes more than {MOST_JOBS:,} jobs")
    assert refusal("hydra.sweeper.max_batch_size=0", "seed=0,1").startswith("hydra.sweeper.max_batch_size=0: must be null or")


@pytest.mark.parametrize("override", ["optimizer=glob(*)", "seed=range(2)", "seed=1,2", "seed=sort(choice(2,1))"])
def test_several_values_need_a_sweep(override: str) -> None:
    assert refusal(override, mode=RunMode.RUN).startswith(f"{override}: several values for one key; add -m")


@pytest.mark.slow
def test_an_outer_sweep_keeps_the_sweep_of_an_experiment() -> None:
    steps = [(f"step_size={step}", "experiment=learning_rates") for step in STEPS]
    assert jobs_of("experiment=learning_rates,textbook") == [*steps, ("experiment=textbook",)]
    assert jobs_of("experiment=glob([learning*,two*])") == [*steps, ("experiment=two_gpus",)]
    both = jobs_of("experiment=textbook,learning_rates", "seed=0,1")
    assert len(both) == len(set(both)) == 2 + 10
    assert both[:3] == [
        ("experiment=textbook", "seed=0"),
        ("experiment=textbook", "seed=1"),
        ("step_size=small", "experiment=learning_rates", "seed=0"),
    ]


@pytest.mark.slow
@pytest.mark.parametrize("experiment", ["learning_rates", "learning_rates,textbook"])
@pytest.mark.parametrize("steps", ["large", "small,large", "++step_size"])
def test_the_command_line_replaces_the_sweep_of_a_file_and_says_so(experiment: str, steps: str) -> None:
    told: list[str] = []
    given = "step_size=large,small" if steps.startswith("+") else f"step_size={steps}"
    sweep = compose("train", [f"experiment={experiment}", given], run_mode=RunMode.MULTIRUN)
    jobs = list(job_configs(sweep, told.append))
    assert len(jobs) == (experiment.count(",") + 1) * (given.count(",") + 1)
    assert told == [
        f"{given}: replaces the sweep over step_size={','.join(STEPS)} (set in conf/experiment/learning_rates.yaml:16)"
    ]


def experiment_file(folder: Path, name: str, text: str) -> tuple[Path, Path]:
    (folder / "experiment").mkdir(exist_ok=True)
    (folder / f"experiment/{name}.yaml").write_text(f"# @package _global_\n{text}")
    return conf_dir(), folder


def test_sweeps_of_files_are_combined_and_may_nest(tmp_path: Path) -> None:
    experiment_file(tmp_path, "outer", "hydra: {sweeper: {params: {model: 'two_neuron,sweeping', seed: 3}}}\n")
    (tmp_path / "model").mkdir()
    text = "# @package _global_\nmodel: {name: fnn}\nhydra: {sweeper: {params: {model.hidden: '[1],[2,3]'}}}\n"
    (tmp_path / "model/sweeping.yaml").write_text(text)
    assert jobs_of("experiment=outer,textbook", folders=(conf_dir(), tmp_path)) == [
        ("model=two_neuron", "seed=3", "experiment=outer"),
        ("++model.hidden=[1]", "model=sweeping", "++seed=3", "experiment=outer"),  # forced, as the default model has none
        ("++model.hidden=[2,3]", "model=sweeping", "++seed=3", "experiment=outer"),
        ("experiment=textbook",),
    ]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("values", "message"),
    [
        ("interval(0,1)", "seed=interval(0,1): list the values, as in seed=1,2,3"),
        ("'1,'", "seed=1,: cannot be read"),
        ("range(0)", "seed=range(0): holds no value"),
        ("'[1,2'", "seed=[1,2: cannot be read"),
    ],
)
@pytest.mark.parametrize("experiment", ["wrong", "textbook,wrong"])
def test_a_mistake_in_the_sweep_of_a_file_is_located(tmp_path: Path, values: str, message: str, experiment: str) -> None:
    folders = experiment_file(tmp_path, "wrong", f"hydra:\n  sweeper:\n    params:\n      seed: {values}\n")
    with pytest.raises(ConfigError) as error:
        jobs_of(f"experiment={experiment}", folders=folders)
    assert str(error.value).startswith(message)
    assert str(error.value).endswith("experiment/wrong.yaml:5)")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("setting", "key"), [("sweep: {dir: mine}", "sweep.dir=mine"), ("sweeper: {max_batch_size: 2}", "sweeper.max_batch_size=2")]
)
def test_what_one_job_wants_of_the_whole_sweep_is_refused(tmp_path: Path, setting: str, key: str) -> None:
    folders = experiment_file(tmp_path, "own", f"hydra: {{{setting}}}\n")
    assert jobs_of("experiment=own", "seed=0,1", folders=folders) == [
        ("experiment=own", "seed=0"),
        ("experiment=own", "seed=1"),
    ]
    with pytest.raises(ConfigError, match=rf"^hydra\.{key}: a file sets it for one job \(experiment=own\), and it holds for"):
        jobs_of("experiment=textbook,own", folders=folders)


def test_a_job_knows_its_number() -> None:
    sweep = compose("train", ["activation=relu,tanh", "seed=${hydra:job.num}"], run_mode=RunMode.MULTIRUN)
    seen = []
    for number, single in enumerate(job_configs(sweep, print)):
        with as_job(single, number) as folder:
            seen.append((folder[0], single.job.seed))
    assert seen == [("0", 0), ("1", 1)]
