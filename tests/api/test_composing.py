import sys

import hydra
import pytest
from hydra import version
from hydra.core.config_store import ConfigStore
from hydra.core.global_hydra import GlobalHydra
from omegaconf import OmegaConf
from omegaconf.basecontainer import BaseContainer

import nnjax
from nnjax.cli.compose import compose_train, conf_dir


def test_it_is_the_config_of_the_command(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    overrides = ["model=fnn", "data=mnist", "training.duration=3epochs", "model.hidden=[5, 6]"]
    assert nnjax.compose(*overrides) == compose_train(overrides)
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
@pytest.mark.parametrize(
    "overrides",
    [
        ["training.epochs=5"],
        ["model=cnnn"],
        ["optimizer.learning_rate=-1", "seed=x"],
        ["data=textbook", "model=cnn"],
        ["seed=1,2"],
        ["model"],
    ],
)
def test_errors_have_the_command_s_text(overrides):
    with pytest.raises(nnjax.ConfigError) as expected:
        compose_train(overrides)
    with pytest.raises(type(expected.value)) as raised:
        nnjax.compose(*overrides)
    assert str(raised.value) == str(expected.value)


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["hydra.run.dir=x"], r"hydra.run.dir=x: is for the command; fit\(config, run_dir=…\) names a folder"),
        (["experiment=learning_rates"], "hydra.mode=MULTIRUN: this config is a sweep"),
        ([["model=cnn", "seed=1"]], "each override is a text of its own"),
        (["resume=nowhere"], "resume=nowhere: no such folder"),
    ],
)
def test_what_only_the_command_does_is_refused(overrides, message):
    with pytest.raises(nnjax.ConfigError, match=message):
        nnjax.compose(*overrides)


def test_a_folder_of_own_files(tmp_path):
    (tmp_path / "model").mkdir()
    text = (conf_dir() / "model/fnn.yaml").read_text().replace("[256]", "[7]")
    (tmp_path / "model/small.yaml").write_text(text)
    assert nnjax.compose("model=small", config_dir=tmp_path).model.hidden == (7,)
    with pytest.raises(nnjax.ConfigError, match="--config-dir nowhere: no such folder"):
        nnjax.compose(config_dir="nowhere")


def test_inside_an_application_of_hydra_s(tmp_path):
    (tmp_path / "own.yaml").write_text("a: ${now:x}\nb: ${file_name:x}\n")
    try:
        OmegaConf.register_new_resolver("file_name", lambda text: f"their {text}", replace=True)
        with hydra.initialize_config_dir(str(tmp_path), version_base="1.2"):
            OmegaConf.register_new_resolver("now", lambda pattern: "their own", replace=True)
            ConfigStore.instance().store(group="model", name="theirs", node={"name": "theirs"})
            before = GlobalHydra.instance().hydra, version.getbase(), dict(BaseContainer._resolvers), sys.argv[:]
            stored = ConfigStore.instance().repo
            for seed in range(2):
                assert nnjax.compose(f"seed={seed}").seed == seed
            with pytest.raises(nnjax.ConfigError, match="model=theirs: no such option"):
                nnjax.compose("model=theirs")
            after = GlobalHydra.instance().hydra, version.getbase(), dict(BaseContainer._resolvers), sys.argv[:]
            assert after == before
            assert ConfigStore.instance().repo is stored
            assert hydra.compose("own") == {"a": "their own", "b": "their x"}
    finally:
        ConfigStore.instance().repo.pop("model", None)
        for name in ("now", "file_name"):
            OmegaConf.clear_resolver(name)
