"""Numbers are arguments of the compiled programs: other numbers lower to the same text, and a sweep over them compiles once."""

import jax
import numpy as np
import pytest
from jax import monitoring

from experiments.train import train
from nnjax.checks.plan import make_plan
from nnjax.cli.compose import compose_train
from nnjax.config.option_numbers import numbers_of, with_numbers
from nnjax.data.load import load
from nnjax.training.chunk_loader import make_loader
from nnjax.training.experiment import set_up
from nnjax.training.hyperparams import as_arrays, trial_params
from nnjax.training.runner import chunk_of_all

pytestmark = pytest.mark.usefixtures("optimised")

SIZES = [
    "data=synthetic",
    "data.input_shape=[6,6,1]",
    "data.num_train=48",
    "data.num_test=8",
    "data.augment.flip=random",
    "model=fnn",
    "model.hidden=[4]",
    "training.global_batch_size=4",
    "training.eval_batch_size=4",
    "training.duration=6steps",
    "training.evaluate_every=3steps",
    "report.figures=false",
]
# One setting of every number that both programs have, and another.
NUMBERS = {
    "seed": (0, 7),
    "optimizer.learning_rate": (0.1, 0.003),
    "optimizer.clip_norm": (1.0, 0.5),
    "optimizer.weight_decay": (1e-3, 0.2),
    "optimizer.parameter_groups": (
        '[{parameters: "*.bias", multiplier: 2, weight_decay: 0.1, until: 5steps}]',
        '[{parameters: "*.bias", multiplier: 0.5, weight_decay: 0.3, until: 2steps}]',
    ),
    "optimizer.lookahead": (
        "{sync_period: 2, slow_step_size: 0.3, power: 2.0}",
        "{sync_period: 3, slow_step_size: 0.7, power: 1.5}",
    ),
    "loss.label_smoothing": (0.1, 0.25),
    "model.dropout": (0.2, 0.6),
    "data.augment.crop": (1, 3),
    "data.augment.cutout": (2, 4),
    "training.planned": ("6steps", "9steps"),
}
RULES = {
    "sgd": {"optimizer.momentum": (0.9, 0.5)},
    "adam": {"optimizer.b1": (0.9, 0.8), "optimizer.b2": (0.999, 0.95), "optimizer.eps": (1e-8, 1e-6)},
    "adamw": {"optimizer.b1": (0.9, 0.8), "optimizer.b2": (0.999, 0.95), "optimizer.eps": (1e-8, 1e-6)},
    "lion": {"optimizer.b1": (0.9, 0.8), "optimizer.b2": (0.99, 0.95)},
    "muon": {"optimizer.momentum": (0.95, 0.9), "optimizer.adam_learning_rate": (0.01, 0.02)},
    "muon_sgd": {
        "optimizer.momentum": (0.6, 0.9),
        "optimizer.sgd_momentum": (0.85, 0.5),
        "optimizer.sgd_learning_rate": (0.1, 0.2),
    },
}
SCHEDULES = {
    "constant": {},
    "step": {"schedule.boundaries": ("[2steps,4steps]", "[3steps,5steps]"), "schedule.factor": (0.5, 0.1)},
    "cosine": {"schedule.final": (0.1, 0.2), "schedule.restarts": ("[3steps]", "[{at: 4steps, length: 1steps}]")},
    "warmup_cosine": {"schedule.warmup": ("1steps", "2steps"), "schedule.final": (0.1, 0.2)},
    "onecycle": {"schedule.warmup": ("1steps", "2steps"), "schedule.start": (0.1, 0.3), "schedule.final": (0.1, 0.2)},
}


def texts(overrides):
    """The training program and the evaluation program of a config, before they are compiled."""
    config = compose_train([*SIZES, *overrides])
    experiment, state = set_up(config, load(config.data), jax.devices()[:2])
    placement, plan = experiment.placement, experiment.plan
    loader = make_loader(
        experiment.dataset.train, config, placement, seeds=[t.seed for t in plan.trials], total_steps=plan.steps.total
    )
    numbers = placement.put(experiment.trial_params), placement.replicate(experiment.hyperparams), None
    state = placement.put(state)
    chunk = placement.compile(chunk_of_all(experiment, loader.max_steps, record_params=False))
    trained = chunk.lower(state, *numbers, loader(0, 1), placement.replicate(np.int32(1)))
    return trained.as_text(), experiment.evaluate.lower(state, experiment.dataset.test).as_text()


def both(numbers):
    """The overrides that give each number its first value, and those that give it its second."""
    return ([f"{key}={values[which]}" for key, values in numbers.items()] for which in (0, 1))


@pytest.mark.parametrize(
    ("rule", "trials"),
    [
        ("adam", 1),
        ("sgd", 3),
        *(pytest.param(rule, 1, marks=pytest.mark.slow) for rule in ("sgd", "adamw", "lion", "muon", "muon_sgd")),
    ],
)
def test_other_numbers_lower_to_the_same_text(rule, trials):
    first, second = both(NUMBERS | RULES[rule])
    common = [f"optimizer={rule}", "schedule=constant", f"training.seeds={trials}"]
    assert texts([*common, *first]) == texts([*common, *second])


@pytest.mark.slow
@pytest.mark.parametrize("schedule", [name for name in SCHEDULES if name != "constant"])
def test_other_schedule_numbers_lower_to_the_same_text(schedule):
    first, second = both(SCHEDULES[schedule])
    assert texts([f"schedule={schedule}", *first])[0] == texts([f"schedule={schedule}", *second])[0]


@pytest.mark.slow
def test_a_switch_is_in_the_text():
    on = texts(["optimizer=sgd", "optimizer.momentum=0.9"])
    assert texts(["optimizer=sgd", "optimizer.momentum=0.0"])[0] != on[0]


TINY = ["model=neurons", "optimizer=sgd", "training.duration=3steps", "training.stop.loss_below=null", "report.figures=false"]
COMPILED = []
monitoring.register_event_listener(
    lambda event, **_: COMPILED.append(event) if event == "/jax/compilation_cache/cache_misses" else None
)


@pytest.mark.slow
@pytest.mark.parametrize(
    "sweep",
    [
        [f"seed={seed}" for seed in range(10)],
        [f"optimizer.learning_rate={rate}" for rate in (0.1, 0.03, 0.01)],
    ],
    ids=["seeds", "rates"],
)
def test_a_sweep_compiles_each_program_once(sweep, tmp_path):
    compiled = []
    for number, override in enumerate(sweep):
        before, folder = len(COMPILED), tmp_path / str(number)
        folder.mkdir()
        summary = train(compose_train([*TINY, override]), folder)
        assert summary["status"] == "completed"
        compiled.append(len(COMPILED) - before)
    assert compiled[1:] == [0] * (len(sweep) - 1)


def test_a_number_too_large_for_float32_is_infinite():
    (trial,) = make_plan(compose_train(["optimizer.learning_rate=1e40"])).trials
    assert trial_params([trial]).learning_rate == as_arrays({"clip": 1e40})["clip"] == np.inf


def test_numbers_are_found_and_replaced_by_path():
    config = compose_train(
        ["optimizer=muon", NUMBERS["optimizer.parameter_groups"][0].join(("optimizer.parameter_groups=", ""))]
    )
    numbers = numbers_of(config.optimizer)
    assert numbers["parameter_groups.0.multiplier"] == 2
    assert "newton_schulz_steps" not in numbers
    assert not any("until" in path or path == "nesterov" for path in numbers)
    changed = with_numbers(config.optimizer, {"parameter_groups.0.multiplier": 3.0, "momentum": 0.5})
    assert (changed.parameter_groups[0].multiplier, changed.momentum) == (3.0, 0.5)
    assert with_numbers(changed, numbers) == config.optimizer
