"""Hydra's private modules are imported in one place, and each name there takes the calls that nnjax makes."""

import ast
import inspect
import logging
from pathlib import Path
from types import SimpleNamespace

import pytest
from hydra.core.config_loader import ConfigLoader
from hydra.types import HydraContext, RunMode
from omegaconf import OmegaConf

from nnjax.cli import hydra_internals as internals
from nnjax.cli.compose import conf_dir

ROOT = Path(__file__).parents[2]
PUBLIC = {"hydra", "hydra.types", "hydra.errors", "hydra.plugins", "hydra.utils"} | {
    f"hydra.core.{name}"
    for name in ("config_loader", "config_search_path", "config_store", "global_hydra", "hydra_config", "plugins")
}
OTHERS = [
    path
    for folder in ("nnjax", "experiments", "benchmarks")
    for path in sorted((ROOT / folder).rglob("*.py"))
    if path.name != "hydra_internals.py"
]


def hydra_modules_of(path):
    """The modules of Hydra that a file imports or takes names from."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            names = {f"{node.module}.{alias.name}" for alias in node.names} if node.module == "hydra" else {node.module}
        elif isinstance(node, ast.Import):
            names = {alias.name for alias in node.names}
        else:
            continue
        yield from (name for name in names if name.split(".")[0] == "hydra")


@pytest.mark.slow
def test_only_one_module_imports_what_is_private_in_hydra():
    taken = {(path.relative_to(ROOT).as_posix(), name) for path in OTHERS for name in hydra_modules_of(path)}
    assert any(name == "hydra.types" for _, name in taken)  # the search finds imports
    assert {(path, name) for path, name in taken if name not in PUBLIC} == set()


def test_only_one_module_names_what_is_private_in_hydra():
    for path in OTHERS:
        assert "hydra._internal" not in path.read_text(), path


@pytest.fixture(scope="module")
def loader():
    return internals.new_config_loader([conf_dir()])


def test_every_name_is_there():
    for name in internals.__all__:
        assert getattr(internals, name) is not None, name


@pytest.mark.parametrize(
    ("function", "arguments", "keywords"),
    [
        (internals.Hydra, ("train", object()), {}),
        (internals.Hydra.run, (object(), "train", print, []), {}),
        (internals.Hydra.compose_config, (object(),), {"config_name": "", "overrides": [], "run_mode": RunMode.RUN}),
        (internals.Hydra.compose_config, (object(),), {"with_log_configuration": True}),
        (internals.Callbacks, ({},), {}),
        (internals.configure_log, ({}, False), {}),
        (internals.create_functions, (), {}),
        (internals.OverridesParser.create, (object(),), {}),
        (internals.get_args_parser, (), {}),
        (internals.utils.run_and_report, (print,), {}),
        (internals.create_config_search_path, ("conf",), {}),
        (internals.ConfigLoaderImpl, (object(),), {}),
        (internals.version.setbase, ("1.3",), {}),
        (internals.setup_globals, (), {}),
        (internals.QuotedString, ("text", internals.Quote.single), {}),
    ],
)
def test_every_function_takes_the_arguments_that_it_is_given(function, arguments, keywords):
    inspect.signature(function).bind_partial(*arguments, **keywords)


def test_a_loader_has_what_composing_calls(loader):
    assert isinstance(loader, ConfigLoader)
    config = loader.load_configuration("train", ["seed=7"], RunMode.RUN)
    assert config.seed == 7
    assert config.hydra.runtime.choices.model == "cnn"
    assert config.hydra.overrides.task == ["seed=7"]
    assert config.hydra.sweeper._target_ == internals.BASIC_SWEEPER
    assert config.hydra.launcher._target_.startswith(internals.OWN_PLUGINS)
    found = loader.compute_defaults_list("train", ["model=fnn"], RunMode.RUN)
    assert any(default.config_path == "model/fnn" and default.package == "model" for default in found.defaults)
    assert found.overrides.known_choices["model"] == "fnn"
    assert found.overrides.override_metadata["model"].external_override
    assert "train" not in loader.list_groups("")
    assert {"cnn", "fnn"} <= set(internals.group_options(loader, "model"))
    assert internals.group_options(loader, "model/fnn") == []
    assert [source.scheme() for source in loader.get_sources()].count("file") == 1


def test_of_two_folders_the_first_counts(tmp_path):
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "fnn.yaml").write_text("name: mine\n")
    (tmp_path / "model" / "own.yaml").write_text("name: own\n")
    loader = internals.new_config_loader([conf_dir(), tmp_path])
    assert internals.load_file(loader, "model/fnn").config.name == "fnn"
    assert internals.load_file(loader, "model/own").config.name == "own"


def test_a_file_is_read_as_it_is_written(loader):
    file = internals.load_file(loader, "model/fnn")
    assert file.path.startswith("file://")
    assert file.config.name == "fnn"
    shipped = internals.load_file(loader, "hydra/job_logging/default")
    assert not shipped.path.startswith("file://")
    assert OmegaConf.to_container(shipped.config, resolve=False)
    assert internals.load_file(loader, "model/none_of_this_name") is None


def test_an_override_has_what_checking_asks(loader):
    def read(text):
        override = internals.OverridesParser.create(loader).parse_override(text)
        override.config_loader = loader
        return override

    plain = read("++model.hidden=[1,2]")
    assert (plain.key_or_group, plain.value(), plain.input_line) == ("model.hidden", [1, 2], "++model.hidden=[1,2]")
    assert (plain.get_key_element(), plain.get_value_element_as_str()) == ("++model.hidden", "[1,2]")
    assert plain.get_value_string() == "[1,2]"
    flags = (plain.is_add(), plain.is_force_add(), plain.is_delete(), plain.is_hydra_override(), plain.is_sweep_override())
    assert flags == (False, True, False, False, False)
    assert read("model@other=fnn").package == "other"
    choices = read("seed=1,2").value()
    assert isinstance(choices, internals.ChoiceSweep)
    assert isinstance(choices, internals.Sweep)
    assert (choices.list, choices.shuffle) == ([1, 2], False)
    spread = read("seed=range(3)").value()
    assert isinstance(spread, internals.RangeSweep)
    assert list(spread.range()) == [0, 1, 2]
    glob = read("model=glob(*,exclude='c*')").value()
    assert isinstance(glob, internals.Glob)
    assert (glob.include, glob.exclude) == (["*"], ["c*"])
    assert internals.Transformer.str(1e-3) == "0.001"
    assert internals.QuotedString("it's", internals.Quote.double).with_quotes() == '"it\'s"'
    assert {"range", "choice", "glob"} <= set(internals.create_functions().functions)


def test_the_parser_has_the_flags_that_a_command_asks_for():
    given = internals.get_args_parser().parse_args([])
    asked = ("overrides", "help", "hydra_help", "shell_completion", "config_name", "config_dir", "config_path")
    asked += ("multirun", "cfg", "info", "package", "experimental_rerun")
    assert all(hasattr(given, name) for name in asked)


def test_a_job_gets_the_context_that_a_launcher_wants(loader):
    context = HydraContext(config_loader=loader, callbacks=internals.Callbacks(OmegaConf.create()))
    context.callbacks.on_job_start(config=OmegaConf.create(), task_function=print)


def test_logging_is_set_up(loader):
    config = loader.load_configuration("train", [], RunMode.RUN)
    root = logging.getLogger()
    before = SimpleNamespace(handlers=root.handlers[:], level=root.level)
    try:
        internals.configure_log(config.hydra.hydra_logging, config.hydra.verbose)
    finally:
        root.handlers[:] = before.handlers
        root.setLevel(before.level)


def test_reports_are_wrapped_and_given_back():
    seen = []
    before = internals.utils.run_and_report

    def wrap(function):
        seen.append("wrapped")
        return function()

    with internals.wrapped_reports(wrap):
        assert internals.run_and_report(lambda: 7) == 7
    assert seen == ["wrapped"]
    assert internals.utils.run_and_report is before
    with pytest.raises(KeyError), internals.wrapped_reports(wrap):
        raise KeyError
    assert internals.utils.run_and_report is before
