from collections.abc import Sequence
from pathlib import Path

import pytest
from hydra.errors import HydraException
from hydra.types import RunMode
from listed_jobs import expand

import nnjax.data
from nnjax.cli import compose as compose_module
from nnjax.cli.compose import compose, compose_config, compose_train, conf_dir, config_loader, project_root
from nnjax.cli.help import help_text
from nnjax.cli.overrides import translate
from nnjax.config.compare_options import CompareConfig
from nnjax.config.errors import ConfigError, IncompatibleError
from nnjax.config.export_options import ExportConfig
from nnjax.config.forecast_options import ForecastConfig
from nnjax.config.netlab_options import NetlabConfig
from nnjax.config.options import CNN, FNN, NeuronLayer, Neurons
from nnjax.config.predict_options import PredictConfig
from nnjax.config.report_options import ReportConfig
from nnjax.config.runs_options import RunsConfig
from nnjax.config.schema import (
    AutopsyConfig,
    EvaluateConfig,
    NeuronConfig,
    PrepareConfig,
    TraceConfig,
    TrainConfig,
    VerifyConfig,
)
from nnjax.config.search_options import SearchConfig
from nnjax.config.serve_options import ServeConfig
from nnjax.config.traffic_options import TrafficConfig
from nnjax.config.training_options import SGD
from nnjax.config.types import Duration
from nnjax.config.worksheet_options import WorksheetConfig

OPTIONS = sorted(
    path.relative_to(conf_dir()).with_suffix("").as_posix().replace("/", "=")
    for path in conf_dir().glob("*/*.yaml")
    if path.parent.name != "hydra"
)
ROOTS = {
    "train": TrainConfig,
    "verify": VerifyConfig,
    "autopsy": AutopsyConfig,
    "evaluate": EvaluateConfig,
    "forecast": ForecastConfig,
    "predict": PredictConfig,
    "serve": ServeConfig,
    "export": ExportConfig,
    "prepare": PrepareConfig,
    "runs": RunsConfig,
    "neuron": NeuronConfig,
    "trace": TraceConfig,
    "netlab": NetlabConfig,
    "search": SearchConfig,
    "traffic": TrafficConfig,
    "report": ReportConfig,
    "compare": CompareConfig,
    "worksheet": WorksheetConfig,
}
A_SERIES = Path(nnjax.data.__file__).parent / "airline_passengers.csv"
NEEDS = {
    "data=textbook": ["model=two_neuron"],
    "search=fnn": ["model=fnn"],
    "search=mnist_fnn": ["model=fnn"],
    "training=textbook": ["model=two_neuron"],
    "data=airline": ["model=rnn"],
    "link=custom": ["link.bandwidth=1e9", "link.latency=1e-3"],
    "device=measured": ["device.step_time=0.03"],
    "device=custom": ["device.peak_flops=1e12", "device.flops_share=0.3"],
    "data=series": ["model=rnn", f"data.file={A_SERIES}", "data.column=passengers"],
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def message(overrides: list[str], *directories: Path, verb: str = "train", schema: type = TrainConfig) -> str:
    """The first line of the error that a config gives."""
    with pytest.raises(ConfigError) as caught:
        compose_config(verb, overrides, schema, (conf_dir(), *directories))
    return str(caught.value).splitlines()[0]


@pytest.mark.slow
@pytest.mark.parametrize("option", OPTIONS)
def test_every_option_composes(option: str) -> None:
    group, _, name = option.partition("=")
    needs = ["model=two_neuron"] if option.startswith("step_size=") else NEEDS.get(option, [])
    verb, schema = ("traffic", TrafficConfig) if group in ("link", "device") else ("train", TrainConfig)
    if "search" in option:  # search=NAME, and experiment=search_NAME
        verb, schema = "search", SearchConfig
    config = compose_config(verb, [option, *needs], schema)
    assert getattr(getattr(config, group, None), "name", name) == name


PREPARED = ("mnist", "fashion_mnist", "cifar10", "cifar100")


@pytest.mark.slow
@pytest.mark.parametrize("data", [option.partition("=")[2] for option in OPTIONS if option.startswith("data=")])
def test_a_dataset_of_tfds_can_be_prepared_and_no_other(data: str) -> None:
    shown = help_text(compose("prepare", []), PrepareConfig, "nnjax prepare")
    assert (f"{data}," in shown or f"*{data}\n" in shown) == (data in PREPARED)
    if data in PREPARED:
        assert compose_config("prepare", [f"data={data}"], PrepareConfig).data.name == data
    else:
        told = message([f"data={data}"], verb="prepare", schema=PrepareConfig)
        assert told == f"data={data}: must be one of {', '.join(PREPARED)} (set on the command line)"


def test_every_root_file_has_a_schema_here() -> None:
    assert {path.stem for path in conf_dir().glob("*.yaml")} == ROOTS.keys()
    assert compose_config("evaluate", ["run=here"], EvaluateConfig) == EvaluateConfig("here", "tested")
    assert compose_config("prepare", [], PrepareConfig).archives is None


@pytest.mark.slow
@pytest.mark.parametrize("verb", ROOTS)
def test_the_help_of_every_verb_fits_a_narrow_terminal(verb: str) -> None:
    lines = help_text(compose(verb, []), ROOTS[verb], f"python -m experiments.{verb}").splitlines()
    assert f"python -m experiments.{verb}" in lines[0]
    assert max(map(len, lines)) <= 100


def test_the_typed_config_holds_what_was_asked_for() -> None:
    config = compose_train(["model=fnn", "model.hidden=[512,256]", "optimizer=sgd", "training.duration=5 epochs"])
    assert isinstance(config.model, FNN)
    assert config.model.hidden == (512, 256)
    assert isinstance(config.optimizer, SGD)
    assert config.training.duration == Duration(5, "epochs")


def test_what_the_command_line_chooses_stays() -> None:
    assert compose_train(["data=mnist"]).training.global_batch_size == 128
    assert compose_train(["data=mnist", "training=default"]).training.global_batch_size == 64


def test_an_item_of_a_list_can_be_given_what_its_file_leaves_out() -> None:
    model = compose_train(["model=cnn", "model.blocks.1.kernel=5", "seed=3"]).model
    assert isinstance(model, CNN)
    assert [block.kernel for block in model.blocks] == [3, 5]


def test_values_that_do_not_go_together_are_told_apart() -> None:
    with pytest.raises(IncompatibleError, match=r"^model=cnn: needs images"):
        compose_train(["model=cnn", "data=textbook"])


@pytest.mark.slow
@pytest.mark.parametrize("prefix", ["", "+", "++"])
def test_an_unknown_key_is_refused_from_every_side(prefix: str) -> None:
    assert message([f"{prefix}optimizer.lr=1"]) == (
        "optimizer.lr=1: unknown key; did you mean optimizer.learning_rate? (set on the command line)"
    )
    assert message([f"{prefix}trainig.duration=5epochs"]).startswith("trainig.duration=5epochs: unknown key; did you mean")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("overrides", "expected"),
    [
        ("model=cnnn", "model=cnnn: no such option; did you mean cnn? allowed: airbench, cnn, fnn, neurons, rnn, two_neuron"),
        ("model=3", "model=3: no such option; allowed: airbench, cnn, fnn, neurons, rnn, two_neuron"),
        ("model=null", "model=null: no such option; allowed: airbench, cnn"),
        ("model=[cnn,fnn]", "model=['cnn', 'fnn']: no such option;"),
        ("+model=cnn", "+model=cnn: a group is chosen without a plus; write model=cnn"),
        ("++model=cnn", "++model=cnn: a group is chosen without a plus; write model=cnn"),
        ("~model", "model: missing; must be one of two_neuron, neurons, fnn, cnn, airbench, rnn"),
        ("model@elsewhere=cnn", "model@elsewhere=cnn: unknown key"),
        ("modle=cnn", "modle=cnn: unknown key; did you mean model"),
        ("model/cnn=3", "model/cnn=3: unknown key"),
        ("hydra/launcher=nowhere", "hydra/launcher=nowhere: no such option; allowed: basic"),
        ("hydra.run.dri=x", "hydra.run.dri=x: unknown key"),
        ("hydra.launcher._target_=os.system", "hydra.launcher._target_=os.system: no plugin"),
        ("+hydra.callbacks.mine._target_=os.system", "hydra.callbacks="),
        ("seed=", "seed=: the value is missing"),
        ("resume=", "resume=: the value is missing"),
        ("model=", "model=: the value is missing"),
        ("mnist", "mnist: no key=value; did you mean data=mnist?"),
        ("nothing", "nothing: no key=value (set"),
        ("model.hidden=[1,2", "model.hidden=[1,2: cannot be read"),
        ("seed=1,2", "seed=1,2: several values for one key; add -m to run each of them, or write seed=[…] for a list"),
        ("model=cnn,fnn", "model=cnn,fnn: several values for one key; add -m to run each of them (set"),
        ("+seed=3", "+seed=3: the key is there already; write seed=3"),
        ("~training.keep", "training.keep: missing; must be a whole number"),
        ("~nothing", "~nothing: unknown key"),
        ("~seed=3", "~seed=3: it has another value"),
        ("seed=${sed}", "seed=${sed}: Interpolation key 'sed' not found"),
        ("training.stop.patience=${oc.env:NO_SUCH}", "training.stop.patience=${oc.env:NO_SUCH}: KeyError"),
        ("model.hidden=[1,${sed}] model=fnn", "model.hidden.1=${sed}: Interpolation key"),
        ("model.blocks.7.pool=1", "model.blocks.7.pool=1: the list has no such item"),
        ("model.blocks.x.pool=1", "model.blocks.x.pool=1: the list has no such item"),
        ("~model.dense.0", "~model.dense.0: write the whole list, without it"),
        ("model.hidden=[5] model=fnn ~nothing", "~nothing: unknown key"),
        ("hydra.job.env_copy=[NO_SUCH]", "hydra.job.env_copy=[NO_SUCH]: 'NO_SUCH'"),
        ("hydra.launcher=null", "hydra.launcher._target_=None: no plugin"),
        ("hydra.searchpath=[pkg://this]", "hydra.searchpath=pkg://this: must be a folder"),
        ("seed.deep=1", "seed={deep:1}: must be a whole number"),
    ],
)
def test_a_bad_override_is_named_and_located(overrides: str, expected: str) -> None:
    line = message(overrides.split())
    assert line.startswith(expected)
    places = ("(set on the command line)", "(see the command line)")
    assert line.endswith(places) or line.startswith("hydra.")


LAYERS = (NeuronLayer(2, bias=False, activation="tanh"), NeuronLayer(1, biases=(1e-3,)))


@pytest.mark.parametrize(
    "text",
    [
        'model.layers=[{"size":2,"bias":false,"activation":"tanh"},{"size":1,"biases":[1e-3]}]',
        'model.layers=[ {"size" : 2, "bias": false, "activation": "t\\u0061nh"} ,\n{"size":1,"biases":[0.001]}]',
        '++model.layers=[{"size":2,"bias":false,"activation":"tanh"},{"size":1,"biases":[1E-3]}]',
        'model={"layers":[{"size":2,"bias":false,"activation":"tanh"},{"size":1,"biases":[1e-3]}]}',
        "model.layers=[{size: 2, bias: false, activation: tanh}, {size: 1, biases: [1e-3]}]",
    ],
)
def test_a_value_may_be_json(text: str) -> None:
    model = compose_train(["model=neurons", "data=textbook", text]).model
    assert isinstance(model, Neurons)
    assert model.layers == LAYERS


def test_a_sweep_may_be_over_json() -> None:
    text = 'model.layers=[{"size":2},{"size":1}],[{"size": 3}, {"size": 1, "bias": false}]'
    jobs = expand(compose("train", ["model=neurons", text], run_mode=RunMode.MULTIRUN))
    assert jobs is not None
    found = [compose_train(["data=textbook", *job]).model for job in jobs]
    assert [[layer.size for layer in model.layers] for model in found if isinstance(model, Neurons)] == [[2, 1], [3, 1]]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("[{'size':2,'bias':True}]", "cannot be read; keys stand without quotes: 'model.layers=[{size:2,bias:true}]'"),
        ('[{"size":2, wide:"a\'b"}]', "keys stand without quotes: 'model.layers=[{size:2, wide:\"a'\"'\"'b\"}]'"),
        ('[{"size":2,"size":3}]', "cannot be read; keys stand without quotes"),  # which of them is a person's choice
        ('choice([{"size":2}])', "cannot be read; keys stand without quotes: 'model.layers=choice([{size:2}])'"),
        ('[{"size":2}', "cannot be read; check its brackets"),
        ('[{"a b":2}]', "cannot be read; check its brackets"),
        ("{size: 2}", "must be a list; write model.layers=[{size: 2}]"),
        ('{"size": 2}', "must be a list; write model.layers=[{size:2}]"),
        ('[{"size":2,"activation":"x\'y\\"z\\\\"}]', "must be one of relu"),
    ],
)
def test_what_is_nearly_json_is_told_how_to_be_written(value: str, reason: str) -> None:
    assert reason in message(["model=neurons", "data=textbook", f"model.layers={value}"])


def test_the_override_that_fails_is_found_by_halving() -> None:
    texts = [f"seed={number}" for number in range(64)]
    tried = []

    def composes(some: Sequence[str]) -> bool:
        tried.append(len(some))
        return texts[37] not in some

    error = translate(HydraException("odd"), texts, config_loader(), composes)
    assert str(error) == "seed=37: odd (set on the command line)"
    assert len(tried) <= 8


def test_an_overlay_sets_keys_of_the_root(folder: Path) -> None:
    (folder / "experiment").mkdir()
    text = "seed: 3\nresume: a\nrerun: b\nhydra: {run: {dir: own}}\n"
    (folder / "experiment/mine.yaml").write_text(f"# @package _global_\n{text}")
    composition = compose("train", ["experiment=mine"], (conf_dir(), folder))
    values = composition.values(TrainConfig)
    assert (values["seed"], values["resume"], values["rerun"], composition.hydra.run.dir) == (3, "a", "b", "own")
    assert composition.describe("seed") == "experiment/mine.yaml:2"


def test_no_experiment_is_an_experiment_too() -> None:
    assert compose_train(["experiment=null"]) == compose_train(["experiment=none"]) == compose_train()
    sweep = compose("train", ["experiment=null,mnist_fnn"], run_mode=RunMode.MULTIRUN)
    assert expand(sweep) == [("experiment=none",), ("experiment=mnist_fnn",)]


BAD_FILES = {
    "typo": ("training:\n  durration: 5epochs\n", "training.durration=5epochs: unknown key; did you mean training.duration?"),
    "range": ("optimizer:\n  learning_rate: -1\n", "optimizer.learning_rate=-1: must be a number greater than 0"),
    "whole": ("seed: 0\ntraining: 5\n", "training=5: must be a group"),
    "group": ("defaults:\n  - override /modle: cnn\n", "modle=cnn: no such group; did you mean model? allowed: activation,"),
    "option": ("defaults:\n  - override /optimizer: adamm\n", "optimizer=adamm: no such option; did you mean adam? allowed:"),
    "code": ("optimizer:\n  _target_: os.system\n", "optimizer._target_=os.system: unknown key"),
    "word": ("on: 4\n", "True=4: unknown key"),
    "item": ("model:\n  blocks:\n    - {features: 8}\n    - {fetures: 8}\n", "model.blocks.1.fetures=8: unknown key"),
}


@pytest.mark.slow
@pytest.mark.parametrize(("name", "line"), list(zip(BAD_FILES, (3, 3, 3, 3, 3, 3, 2, 5), strict=True)))
def test_a_mistake_in_a_file_is_named_and_located(folder: Path, name: str, line: int) -> None:
    text, expected = BAD_FILES[name]
    (folder / "experiment").mkdir()
    (folder / f"experiment/{name}.yaml").write_text(f"# @package _global_\n{text}")
    told = message([f"experiment={name}"], folder)
    assert told.startswith(expected)
    assert told.endswith(f"(set in experiment/{name}.yaml:{line})")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("training:\n  keep: [2\nseed: 1\n", "experiment/mine.yaml:4: no valid YAML: "),
        ("seed: 1\nseed: 2\n", "experiment/mine.yaml:3: no valid YAML: found duplicate key seed"),
        ("- 1\n", "experiment/mine.yaml: ConfigTypeError raised while composing config: Cannot merge"),
        (
            "defaults:\n  - override /loss: mse\n  - model: cnn\n",
            "experiment/mine.yaml: Override 'loss : mse' is defined before",
        ),
        ("hydra:\n  callbacks:\n    mine: {_target_: os.system}\n", "hydra.callbacks="),
        ("hydra:\n  job_logging:\n    formatters: {mine: {(): os.getcwd}}\n", "hydra.job_logging: may name code"),
        ("hydra:\n  hydra_logging:\n    handlers: {mine: {class: logging.os.system}}\n", "hydra.hydra_logging: may name code"),
        ("defaults:\n  - override /hydra/job_logging: mine\n", "hydra.job_logging: may name code"),
    ],
)
def test_a_file_that_cannot_be_composed_is_named(folder: Path, text: str, expected: str) -> None:
    (folder / "experiment").mkdir()
    (folder / "experiment/mine.yaml").write_text(f"# @package _global_\n{text}")
    (folder / "hydra/job_logging").mkdir(parents=True)
    (folder / "hydra/job_logging/mine.yaml").write_text("version: 1\nroot: null\n")
    assert message(["experiment=mine"], folder).startswith(expected)


def test_an_experiment_says_that_it_is_one(folder: Path) -> None:
    (folder / "experiment").mkdir()
    (folder / "experiment/mine.yaml").write_text("seed: 3\n")
    assert message(["experiment=mine"], folder) == (
        "experiment=mine: experiment/mine.yaml must begin with the line '# @package _global_', as it sets keys of all groups "
        "(set on the command line)"
    )


def test_a_group_that_the_schema_does_not_know_is_refused(folder: Path) -> None:
    for group, text in {"experiment": "# @package _global_\ndefaults:\n  - /optimiser: mine\n", "optimiser": "lr: 3\n"}.items():
        (folder / group).mkdir()
        (folder / f"{group}/mine.yaml").write_text(text)
    told = message(["experiment=mine"], folder)
    assert told == "optimiser.lr=3: unknown key; did you mean optimizer.learning_rate? (set in optimiser/mine.yaml:1)"


def test_configs_are_not_looked_for_in_packages(folder: Path) -> None:
    (folder / "trap").mkdir()
    (folder / "trap/__init__.py").write_text("raise AssertionError('was imported')\n")
    for searchpath in ("[pkg://trap]", "['${oc.env:WHERE,\"pkg://trap\"}']"):
        (folder / "mine.yaml").write_text(f"hydra:\n  searchpath: {searchpath}\n")
        assert message([], folder, verb="mine").startswith("hydra.searchpath=pkg://trap: must be a folder")


def test_logging_may_be_chosen_from_what_hydra_ships() -> None:
    for option in ("default", "disabled", "none", "stdout"):
        compose_train([f"hydra/job_logging={option}"])


def test_a_verb_has_only_its_own_groups() -> None:
    assert "training=large: unknown key" in message(["training=large"], verb="prepare", schema=PrepareConfig)
    assert "training.keep=3: unknown key" in message(["training.keep=3"], verb="prepare", schema=PrepareConfig)
    assert "model=fnn: unknown key" in message(["model=fnn", "run=x"], verb="evaluate", schema=EvaluateConfig)


def test_the_folders_are_found_in_a_checkout_and_in_an_installed_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert (conf_dir() / "train.yaml").is_file()
    assert project_root() == conf_dir().parent
    package = tmp_path / "site-packages/nnjax"
    (package / "conf").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(compose_module, "__file__", str(package / "config/compose.py"))
    assert conf_dir() == package / "conf"
    assert project_root() == tmp_path
