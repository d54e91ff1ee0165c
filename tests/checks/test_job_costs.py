"""What a training costs, before it runs."""

import pytest

from nnjax.checks.job_costs import Speed, job_cost, joint_seconds, predicted_seconds
from nnjax.checks.memory_needs import RUNTIME
from nnjax.checks.plan import make_plan
from nnjax.cli.compose import compose_train


def cost(*overrides):
    return job_cost(make_plan(compose_train(overrides)))


def test_a_small_network_is_counted_by_hand():
    found = cost("model=fnn", "model.hidden=[16]", "training.duration=10steps", "training.global_batch_size=32")
    assert found.num_params == 64 * 16 + 16 + 16 * 10 + 10
    assert found.forward_flops == 2 * (64 * 16 + 16 * 10)
    assert found.flops == 3 * found.forward_flops * 320
    assert found.memory > RUNTIME


def test_trials_and_a_cut_training_count():
    one = cost("model=fnn", "training.duration=10steps")
    assert cost("model=fnn", "training.duration=10steps", "training.seeds=4").flops == 4 * one.flops
    assert cost("model=fnn", "training.duration=10steps", "debug.max_steps=5").flops == one.flops / 2


def test_the_network_s_own_counts_are_taken_where_they_are_known():
    found = job_cost(make_plan(compose_train(["model=fnn"])), num_params=7, flops=11)
    assert (found.num_params, found.forward_flops) == (7, 11)


def test_the_time_is_that_of_runs_of_the_same_model():
    found = cost("model=fnn")
    speeds = [
        Speed("fnn", 2e9, 1.0, 0.5),
        Speed("fnn", 4e9, 3.0, 0.5),
        Speed("fnn", 3e9, 2.0, 0.5),
        Speed("cnn", 1e9, 9.0, 0.5),
    ]
    assert predicted_seconds(found, speeds) == (pytest.approx(found.flops / 3e9), 2.0)
    assert predicted_seconds(found, speeds[3:]) == (pytest.approx(found.flops / 1e9), 9.0)


def test_one_program_saves_starts_and_not_evaluations():
    """Jobs of a sweep read their program from the disk; the one program of all is new, and evaluates each network, too."""
    found = cost("model=fnn")
    speeds = [Speed("fnn", found.flops / 0.5, 6.0, 1.0, compile_seconds=4.0, eval_seconds=0.5)]  # the program's first run
    speeds += [Speed("fnn", found.flops / 0.5, 3.0, 1.0, compile_seconds=1.0, eval_seconds=0.5)] * 2
    apart, together = joint_seconds(found, 8, speeds)
    assert apart == pytest.approx(8 * (0.5 + 0.5 + 1.5 + 1.0))
    assert together == pytest.approx(8 * (0.5 + 0.5) + 1.5 + 4.0)


def test_the_operations_of_unknown_layers_have_a_lower_bound():
    plan = make_plan(compose_train(["model=fnn"]))
    assert job_cost(plan, num_params=500, flops=0).forward_flops == 1000
