"""The GPU's benchmark, as far as it goes without one: what it asks for can be composed, and what it found is kept."""

import json
import time

import pytest

from benchmarks import gpu
from nnjax.cli.compose import compose_train
from nnjax.config.errors import DataError


def bench(tmp_path, seconds=60.0):
    return gpu.Bench(tmp_path, "cpu", 2, True, time.monotonic() + seconds)


@pytest.mark.parametrize("name", gpu._PARITY)
def test_networks_that_are_compared_can_be_composed(name):
    compose_train([*gpu._PARITY[name], f"debug.max_steps={gpu._STEPS}", "training.evaluate_every=1step", "parallel.devices=1"])


@pytest.mark.slow
@pytest.mark.parametrize("many", [False, True])
@pytest.mark.parametrize(
    ("experiment", "data"),
    [("mnist_fnn", "mnist"), ("mnist_cnn", "mnist"), ("cifar10_airbench94", "cifar10"), ("cifar10_airbench94_muon", "cifar10")],
)
def test_works_can_be_composed_on_made_examples(experiment, data, many, monkeypatch):
    def missing(*_, **__):
        raise DataError("not here")

    monkeypatch.setattr(gpu, "load", missing)
    words, made = gpu.words_of(experiment, data)
    assert made
    config = compose_train([*words, "debug.max_steps=3", *(["training.seeds=2"] if many else [])])
    assert config.data.name == "synthetic"


def test_prepared_data_is_used(monkeypatch):
    monkeypatch.setattr(gpu, "load", lambda *_, **__: None)
    assert gpu.words_of("cifar10_airbench94", "cifar10") == (["experiment=cifar10_airbench94"], False)


def test_what_does_not_fit_into_the_time_is_left_out(tmp_path):
    with pytest.raises(gpu.TrainingError, match="no time left"):
        bench(tmp_path, seconds=0.0).run(["-c", "import time; time.sleep(60)"])


def test_a_failure_tells_the_last_words(tmp_path):
    with pytest.raises(gpu.TrainingError, match=r"ended with 1: ValueError: so it is"):
        bench(tmp_path).run(["-c", "raise ValueError('so it is')"])


def test_a_diverged_trial_is_left_out_of_the_accuracies(tmp_path):
    run = bench(tmp_path)
    run.add("test accuracy", [0.945, None, 0.935], accuracies=True)
    run.add("memory", [None])
    assert run.works == {"test accuracy": {"made": False, "values": [0.945, 0.935], "accuracies": True}}
    assert gpu._figure(run.works["test accuracy"]) == "94.00 ± 0.71 %, 1 of them at least 94 %"


def test_losses_are_those_of_training_and_test(tmp_path):
    records = [{"split": split, "loss": loss} for split, loss in (("train", 2.0), ("validation", 9.0), ("test", 1.0))]
    (tmp_path / "metrics.jsonl").write_text("\n".join(map(json.dumps, records)))
    assert gpu.losses(tmp_path) == [2.0, 1.0]
