"""Jobs that one program could train together."""

from itertools import product

import pytest

from nnjax.checks.joint_trials import JointTrials, joint_trials
from nnjax.checks.trials import trials
from nnjax.cli.compose import compose_train


def configs(*jobs, common=("model=fnn",)):
    return [compose_train([*common, *job]) for job in jobs]


def test_seeds_in_a_row_are_one_program():
    jobs = configs(["seed=3"], ["seed=1"], ["seed=2"])
    assert joint_trials(jobs) == [JointTrials((0, 1, 2), ("seed=1", "training.seeds=3"))]


def test_learning_rates_are_one_program():
    (joint,) = joint_trials(configs(*[[f"optimizer.learning_rate={rate}"] for rate in (0.1, 0.001, 2)]))
    assert joint.words == ("seed=0", "training.vary.learning_rate=[0.1,0.001,2]")


@pytest.mark.slow
def test_every_rate_with_every_seed_is_one_program_with_the_same_trials():
    pairs = list(product((0.1, 0.3), (5, 6, 7)))
    (joint,) = joint_trials(configs(*[[f"optimizer.learning_rate={rate}", f"seed={seed}"] for rate, seed in pairs]))
    together = trials(compose_train(["model=fnn", *joint.words]))
    assert {(trial.learning_rate, trial.seed) for trial in together} == set(pairs)


@pytest.mark.slow
def test_groups_are_told_apart_by_everything_else():
    jobs = configs(*[[f"model={model}", f"seed={seed}"] for model in ("fnn", "cnn") for seed in range(4)], common=())
    jobs[1] = None  # it cannot run
    found = joint_trials([*jobs, *configs(["seed=0"], ["seed=1"], ["seed=2"], common=["model=fnn", "activation=tanh"])])
    assert [joint.jobs for joint in found] == [(4, 5, 6, 7), (8, 9, 10)]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("jobs", "common"),
    [
        ([["seed=0"], ["seed=1"]], ()),  # too few
        ([["seed=0"], ["seed=1"], ["seed=3"]], ()),  # a gap
        ([["seed=0"], ["seed=1"], ["seed=1"], ["seed=2"]], ()),  # one twice
        ([["seed=0"], ["seed=1"], ["seed=2", "optimizer.learning_rate=0.5"]], ()),  # not every rate with every seed
        ([["seed=0"], ["seed=1"], ["seed=2"]], ("training.stop.patience=3",)),  # ends each trial at another step
        ([["seed=0"], ["seed=10"], ["seed=20"]], ("training.seeds=10",)),  # several already
    ],
)
def test_what_one_program_cannot_train_is_left_alone(jobs, common):
    assert joint_trials(configs(*jobs, common=["model=fnn", *common])) == []
