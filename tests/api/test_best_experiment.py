import pytest
import yaml

import nnjax
from nnjax.api import best_experiment
from nnjax.api.best_experiment import write_experiment


def written(config, folder):
    path = write_experiment(config, folder, "best", ["Found by hand."])
    return path.read_text(), nnjax.compose("experiment=best", config_dir=folder)


@pytest.mark.slow
@pytest.mark.parametrize(
    "overrides",
    [
        ["model=fnn"],
        ["model=fnn", "data=mnist", "optimizer=sgd", "optimizer.learning_rate=0.03", "model.hidden=[8,8]", "seed=5"],
        ["model=cnn", "model.blocks=[{features: 4, batch_norm: true}]", "data.augment.crop=1", "schedule=warmup_cosine"],
        ["model=two_neuron", "step_size=large"],
        ["experiment=mnist_cnn", "training.duration=3epochs", "activation=leaky_relu"],
        ["experiment=cifar10_airbench94"],
    ],
)
def test_the_file_gives_the_config(tmp_path, overrides):
    config = nnjax.compose(*overrides)
    text, back = written(config, tmp_path)
    assert back == config
    assert text.startswith("# @package _global_\n# Found by hand.\n#   python -m experiments.train --config-dir ")


def test_it_holds_options_and_differences_alone(tmp_path):
    text, _ = written(nnjax.compose("model=fnn", "optimizer.learning_rate=0.03"), tmp_path)
    values = yaml.safe_load(text)
    assert values.pop("defaults")[0] == {"override /model": "fnn"}
    assert values == {"optimizer": {"learning_rate": 0.03}}


def test_what_belongs_to_the_machine_is_left_out(tmp_path):
    text, back = written(nnjax.compose("parallel.devices=1", "report.figures=false"), tmp_path)
    assert set(yaml.safe_load(text)) == {"defaults"}
    assert back == nnjax.compose()


def test_a_config_that_the_differences_do_not_give_is_written_whole(tmp_path, monkeypatch):
    monkeypatch.setattr(best_experiment, "_differences", lambda wanted, usual: [])
    config = nnjax.compose("model=fnn", "optimizer.learning_rate=0.03")
    text, back = written(config, tmp_path)
    assert back == config
    assert "weight_decay" in text
