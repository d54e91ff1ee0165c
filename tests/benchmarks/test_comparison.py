"""The yardstick itself: the same work is recognised, other work is refused, and what is shown is what was measured."""

import json
from dataclasses import replace

import numpy as np
import pytest

from benchmarks import sections
from benchmarks.comparison import best_forms, draw, section
from benchmarks.contestants import CONTESTANTS, OURS
from benchmarks.contestants.ours import Ours
from benchmarks.contestants.plain_jax import PlainJax
from benchmarks.results import newest, number_text, ratios, save
from benchmarks.tasks import TASKS, layers, made_data, read_inputs, step_flops, write_inputs

SMALL = {
    "cnn": replace(TASKS["cnn_mnist"], input_shape=(8, 8, 1), convolutions=(4, 6), dense=(8,), batch=16, num_train=128),
    "fnn": replace(TASKS["fnn"], input_shape=(8, 8, 1), dense=(16,), batch=16, num_train=128),
    "two_neuron": replace(TASKS["two_neuron"], num_train=64),
}
STEPS = 12  # over the end of the first epoch


def inputs_of(task, folder):
    write_inputs(task, made_data(task), folder)
    return read_inputs(folder)


def losses(trainer):
    return [loss for _, _, loss in trainer.curve(STEPS)]


@pytest.mark.slow
@pytest.mark.parametrize("name", SMALL)
def test_nnjax_and_plain_jax_do_the_same_work(name, tmp_path):
    inputs = inputs_of(SMALL[name], tmp_path)
    np.testing.assert_allclose(losses(Ours(inputs)), losses(PlainJax(inputs)), rtol=1e-3)


@pytest.mark.torch
@pytest.mark.parametrize("name", SMALL)
def test_pytorch_does_the_same_work(name, tmp_path):
    inputs = inputs_of(SMALL[name], tmp_path)
    options = {"channels_last": True, "precision": "float64"}
    np.testing.assert_allclose(losses(CONTESTANTS["torch"].make(inputs, **options)), losses(PlainJax(inputs)), rtol=1e-3)


@pytest.mark.slow
def test_other_work_is_seen(tmp_path):
    inputs = inputs_of(SMALL["fnn"], tmp_path)
    same, other = losses(Ours(inputs)), losses(Ours(inputs, ["optimizer.learning_rate=0.0015"]))
    assert np.abs(np.subtract(same, other)).max() > TASKS["fnn"].tolerance * np.mean(same)


def test_turns_go_on_where_the_last_one_ended(tmp_path):
    inputs = inputs_of(replace(SMALL["fnn"], interval=10), tmp_path)
    trainer = Ours(inputs)
    trainer.first_step()
    steps, seconds = trainer.run(0.01)
    again, _ = trainer.run(0.01)
    assert steps > 0
    assert again > 0
    assert steps % 10 == again % 10 == 0
    assert seconds >= 0.01


def test_operations_of_a_step_are_those_of_its_layers():
    # forward, gradients by the kernels, and by the inputs of the second layer
    assert step_flops(TASKS["fnn"]) == 128 * 2 * (2 * 784 * 512 + 3 * 512 * 10)
    conv, *_ = layers(TASKS["cnn_cifar"])
    assert conv.flops == 2 * 9 * 3 * 32 * 32 * 32


def entry(title, family, *turns):
    measured = {"cold": [2.0], "warm": [1.0], "megabytes": 100.0, "difference": 1e-5, "detail": {}, "turns": turns}
    return {"title": title, "family": family} | (measured if turns else {"failed": "no compiler"})


RESULT = {
    "about": {"date": "2026-11-30T12:00:00+00:00", "host": {"cpu": "AMD EPYC", "cpu_cores": 2}},
    "options": {"cores": 2, "quick": True},
    "load": {"busy": True},
    "curve_steps": 50,
    "tasks": {
        "fnn": {
            "title": "FNN",
            "flops": 10**9,
            "tolerance": 1e-3,
            "roofs": {"matmul_jax": [[1, 0.1], [1, 0.1]]},
            "contestants": {
                OURS: entry("nnjax", "nnjax", [100, 1.0], [50, 1.0]),
                "torch": entry("eager", "PyTorch", [50, 1.0], [20, 1.0]),
                "torch_channels_last": entry("channels last", "PyTorch", [80, 2.0], [45, 1.0]),
                "torch_compile": entry("compiled", "PyTorch"),
            },
        }
    },
}


def test_ratios_are_taken_round_by_round_against_the_best_form():
    entries = RESULT["tasks"]["fnn"]["contestants"]
    assert best_forms(entries) == {"PyTorch": "torch_channels_last"}
    found = ratios(entries[OURS]["turns"], entries["torch"]["turns"])
    assert (found.median, found.least, found.most) == (2.25, 2.0, 2.5)


def test_what_is_shown_is_what_was_measured(tmp_path):
    text = section(RESULT)
    assert "| nnjax | 75 [50 .. 100] |" in text
    assert "no compiler" in text
    draw(RESULT, tmp_path / "comparison.png")
    assert (tmp_path / "comparison.png").read_bytes().startswith(b"\x89PNG")


def test_times_to_an_accuracy_are_shown_with_the_epochs_that_they_took():
    def run(seconds, *accuracies):
        return {
            "from_start": seconds + 1,
            "from_data_ready": seconds,
            "accuracies": accuracies,
            "reached": accuracies[-1] >= 0.98,
        }

    contestants = {
        "torch": {"title": "PyTorch", "runs": [run(8.0, 0.95, 0.97)]},
        OURS: {"title": "nnjax", "runs": [run(2.0, 0.97, 0.98), run(4.0, 0.96, 0.975, 0.979, 0.981), run(1.0, 0.98)]},
        "keras": {"title": "Keras", "runs": [], "failed": "keras is not installed"},
    }
    text = sections.accuracy({"goals": {"fnn": {"title": "FNN", "goal": 0.98, "contestants": contestants}}})
    lines = text.splitlines()
    assert lines[4] == "| nnjax | 3 s [2 .. 5] | 2 s [1 .. 4] | 2, 4, 1 | 1 s [1 .. 1] |"
    assert lines[5] == "| PyTorch | 9 s [9 .. 9] | 8 s [8 .. 8] | 2, not reached in 1 of 1 | 4 s [4 .. 4] |"
    assert "keras is not installed" in lines[6]
    assert sections.accuracy({"skipped": "MNIST is not here"}) == "Not measured: MNIST is not here"


def test_every_seed_has_its_own_weights_and_order(tmp_path):
    task = replace(TASKS["fnn"], num_train=512, batch=64)
    data = made_data(task)
    for seed in (0, 1):
        write_inputs(replace(task, seed=seed), data, tmp_path / str(seed))
    one, other = (read_inputs(tmp_path / str(seed)) for seed in (0, 1))
    assert (one.indices != other.indices).any()
    assert (one.weights["output"]["kernel"] != other.weights["output"]["kernel"]).any()
    np.testing.assert_array_equal(one.data.train_inputs, other.data.train_inputs)


def test_the_newest_result_of_a_kind_is_found(tmp_path):
    later = {**RESULT, "about": {**RESULT["about"], "date": "2026-12-01T12:00:00+00:00"}}
    save("comparison", later, tmp_path)
    path = save("comparison", RESULT, tmp_path)
    save("scaling", RESULT, tmp_path)
    assert path.name == "2026-11-30_amd-epyc-2-cores.json"
    assert newest("comparison", tmp_path) == json.loads(json.dumps({"kind": "comparison", **later}))
    assert newest("seeds", tmp_path) is None


@pytest.mark.parametrize(("value", "text"), [(12345, "12 300"), (0.01234, "0.0123"), (463.0, "463"), (1.5, "1.5"), (0, "0")])
def test_numbers_are_short(value, text):
    assert number_text(value) == text
