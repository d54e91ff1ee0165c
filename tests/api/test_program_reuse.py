"""A process that trains again and again keeps the programs of its last trainings only."""

import jax
import jax.numpy as jnp
import pytest

from experiments.train import train
from nnjax.api import program_reuse, search_training, training_run
from nnjax.api.program_reuse import reused_programs


@pytest.fixture(autouse=True)
def none_before(monkeypatch):
    monkeypatch.setattr(program_reuse, "_trainings", [0])
    monkeypatch.setattr(program_reuse, "MOST", 2)


def test_the_programs_of_earlier_trainings_are_freed():
    functions, kept = [], []
    for number in range(6):
        with reused_programs():
            functions.append(jax.jit(lambda x, n=number: x * n + 1))
            functions[-1](jnp.ones(3))
        kept.append(sum(function._cache_size() for function in functions))
    assert kept == [1, 2, 1, 2, 1, 2]


def test_each_job_of_a_sweep_and_each_training_of_a_search_counts(monkeypatch, tmp_path):
    calls = []
    monkeypatch.setattr(program_reuse.gc, "collect", lambda: calls.append("freed"))

    def run_training(config, run_dir, console):
        calls.append("trained")
        raise RuntimeError("it fails")  # a job that fails counts, too

    monkeypatch.setattr(training_run, "run_training", run_training)
    for _ in range(4):
        with pytest.raises(RuntimeError):
            train(None, None)
    assert calls == ["trained", "trained", "freed", "trained", "trained"]
    assert search_training.reused_programs is reused_programs
