import sys

import pytest

from nnjax.checks.memory_needs import RUNTIME, Machine, memory_needs
from nnjax.checks.trials import trials
from nnjax.cli.compose import compose_config, compose_train, conf_dir
from nnjax.config.search_options import SearchConfig
from nnjax.data.dataset_spec import dataset_spec

CPU = Machine("cpu")
FNN = ("model=fnn", "model.hidden=[100]")  # of 64 inputs and 10 outputs: 7510 parameters
PARAMS = 4 * 7510
EXPERIMENTS = sorted(path.stem for path in (conf_dir() / "experiment").glob("*.yaml"))


def needs(*overrides, machine=CPU, purpose="train"):
    if any("=search_" in text for text in overrides):
        config = compose_config("search", [*overrides, "parallel.memory_limit=off"], SearchConfig)
    else:
        config = compose_train([*overrides, "parallel.memory_limit=off"])
    return {(need.when, need.where): need for need in memory_needs(config, dataset_spec(config.data), machine, purpose)}


def training(*overrides, machine=CPU, where="host"):
    return needs(*overrides, machine=machine)["to train", where]


def part(need, name):
    found = [part.bytes for part in need.parts if part.name.startswith(name)]
    assert len(found) <= 1
    return sum(found)


@pytest.mark.slow
@pytest.mark.parametrize("experiment", EXPERIMENTS)
def test_what_is_shipped_fits_a_small_machine(experiment):
    largest = max(need.total for need in needs(f"experiment={experiment}", machine=Machine("cpu", 1, RUNTIME)).values())
    assert largest < 6e9


def test_parts_are_named_and_add_up():
    need = training(*FNN)
    assert part(need, "parameters") == PARAMS
    assert part(need, "gradients") == 4 * 6400  # of the largest kernel
    assert part(need, "memory of the optimizer, adam") == 2 * PARAMS
    assert part(need, "the initial state") == 3 * PARAMS
    assert part(need, "activations of a batch") == 64 * 4 * (64 + 100 + 10)
    assert part(need, "training data") == 1437 * 64
    assert need.total == sum(part.bytes for part in need.parts)


@pytest.mark.parametrize(
    ("optimizer", "trials_of_params"),
    [
        ("optimizer=sgd optimizer.momentum=0.9", 1),
        ("optimizer=sgd optimizer.momentum=0 optimizer.nesterov=false", 0),
        ("optimizer=textbook", 0),
        ("optimizer=lion", 1),
        ("optimizer=adamw", 2),
    ],
)
def test_optimizers_differ(optimizer, trials_of_params):
    assert part(training(*FNN, *optimizer.split()), "memory of the optimizer") == trials_of_params * PARAMS


def test_lookahead_and_statistics_count():
    need = training(*FNN, "model.normalization=batch", "optimizer.lookahead={sync_period: 5, slow_step_size: 0.5}")
    params, state = 4 * (64 * 100 + 200 + 1010), 4 * 200
    assert part(need, "parameters") == params
    assert part(need, "statistics of the model") == state
    assert part(need, "slow weights of lookahead") == params + state


def test_clipping_and_several_devices_wait_for_all_gradients():
    assert part(training(*FNN, "optimizer.clip_norm=1"), "gradients") == PARAMS
    assert part(training(*FNN, machine=Machine("cpu", 2)), "gradients") == 2 * PARAMS


def test_devices_that_share_the_host_add_up():
    one, two = training(*FNN), training(*FNN, machine=Machine("cpu", 2))
    assert part(two, "parameters") == 2 * part(one, "parameters")
    assert part(two, "activations") == part(one, "activations")
    assert part(two, "the initial state") == part(one, "the initial state")


def test_devices_share_the_optimizers_memory():
    words = (*FNN, "parallel.gradients=sharded")
    gpus, cpus = Machine("accelerator", 2, all_devices=4), Machine("cpu", 2)
    device = training(*words, machine=gpus, where="device")
    assert part(device, "memory of the optimizer") == 2 * PARAMS // 4
    assert part(device, "the initial state") == PARAMS + 2 * PARAMS // 4
    assert part(device, "parameters") == PARAMS
    assert part(training(*words, machine=cpus), "memory of the optimizer") == 2 * PARAMS
    assert part(training(*FNN, machine=cpus), "memory of the optimizer") == 4 * PARAMS
    assert part(training(*words, "training.seeds=2", machine=cpus), "memory of the optimizer") == 4 * PARAMS  # one each
    saving = needs(*words, machine=gpus)["to save a checkpoint", "host"]
    assert part(saving, "a copy of the state") == 3 * PARAMS


def test_accelerators_have_memory_of_their_own():
    machine = Machine("accelerator", 2)
    device, host = training(*FNN, machine=machine, where="device"), training(*FNN, machine=machine)
    assert part(device, "parameters") == PARAMS
    assert part(host, "parameters") == 0
    assert part(host, "training data") == 1437 * 64
    assert part(device, "data on the device") == 1293 * 64


def test_of_an_unknown_platform_only_the_host_counts():
    assert {where for _, where in needs(*FNN, machine=Machine(None))} == {"host"}


@pytest.mark.parametrize(("seeds", "devices", "own"), [(6, 1, 6), (6, 2, 3), (7, 2, 4), (2, 4, 2)])
def test_trials_are_spread_over_devices(seeds, devices, own):
    device = training(*FNN, f"training.seeds={seeds}", machine=Machine("accelerator", devices), where="device")
    assert part(device, "parameters") == own * PARAMS
    assert part(device, "the initial state") == seeds * 3 * PARAMS


def test_trials_of_learning_rates_and_seeds_multiply():
    need = training(*FNN, "training.seeds=5", "training.vary.learning_rate=[0.1,0.2,0.3]")
    assert part(need, "parameters") == 15 * PARAMS
    assert part(need, "orders of the examples") == 5 * 1293 * 4


def test_trials_come_one_after_another_where_the_program_has_them_so():
    gpu = Machine("accelerator")
    at_once = training(*FNN, "training.seeds=5", machine=gpu, where="device")
    in_turn = training("training.seeds=5", machine=gpu, where="device")  # a CNN
    alone = training(machine=gpu, where="device")
    assert part(at_once, "activations") == 5 * part(training(*FNN, machine=gpu, where="device"), "activations")
    assert part(in_turn, "activations") == part(alone, "activations")


def test_a_trial_takes_at_least_what_is_counted():
    config = compose_train([*FNN, "training.seeds=1000", "seed=100000", "parallel.memory_limit=off"])
    size = sum(sys.getsizeof(trial) + sys.getsizeof(vars(trial)) + sys.getsizeof(trial.seed) for trial in trials(config))
    assert part(training(*FNN, "training.seeds=1000"), "seeds and rates of the trials") <= size


def test_bfloat16_halves_activations_alone():
    half, full = training(*FNN, "training.precision=bfloat16"), training(*FNN)
    assert 2 * part(half, "activations") == part(full, "activations")
    assert part(half, "parameters") == part(full, "parameters")


def test_limits_do_not_keep_synthetic_data_from_being_made():
    made = ("data=synthetic", "data.num_train=100000", "data.limit_train=100", *FNN)
    assert part(needs(*made)["to make the data", "host"], "training data") == 100000 * 256
    assert part(training(*made), "training data") == 100 * 256  # validation is set aside, and the rest given up
    assert part(training(*made, "data.validation=0"), "training data") == 100000 * 256


def test_an_evaluation_batch_is_no_larger_than_the_splits():
    evaluations = [needs(*FNN, f"training.eval_batch_size={size}")["to evaluate", "host"] for size in (360, 10**15)]
    assert evaluations[0].total == evaluations[1].total


def test_views_of_images_count():
    need = needs("data=mnist", "training.test_views=6", "training.eval_batch_size=1000")["to evaluate", "host"]
    assert part(need, "6 views") == 1000 * 6 * 784 * 4


def test_host_placement_keeps_the_data_off_the_device():
    gpu = Machine("accelerator")
    device = training(*FNN, "data.placement=host", machine=gpu, where="device")
    assert part(device, "data on the device") == 0
    assert part(device, "batch") == 64 * 64


def test_an_evaluation_needs_less_than_a_training():
    evaluation = needs("data=mnist", purpose="evaluate")
    assert {when for when, _ in evaluation} == {"to make the data", "to evaluate"}
    assert "gradients" not in {part.name for need in evaluation.values() for part in need.parts}


def test_the_confusion_matrix_counts_where_it_is_drawn():
    many = ("data=synthetic", "data.outputs=2000", *FNN)
    assert part(needs(*many)["to draw the figures", "host"], "confusion matrix") == 2000**2 * 8
    assert part(needs(*many, "report.figures=false")["to draw the figures", "host"], "confusion matrix") == 0
    assert part(needs(*many, "data.task=regression", "loss=mse")["to draw the figures", "host"], "confusion matrix") == 0


def test_windows_of_a_series_count():
    need = training("model=rnn", "data=airline", "data.window=40")
    assert part(need, "training data") == (144 - 12 - 40 - 24) * 40 * 4
