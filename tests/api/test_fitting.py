import logging
import os
import re
import shutil
import signal
import threading
import warnings
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

import jax
import matplotlib
import numpy as np
import pytest

import nnjax
from experiments.evaluate import evaluate
from experiments.train import train
from nnjax.cli.auto_resume import occupy_again
from nnjax.cli.compose import compose_config
from nnjax.cli.runs import write_config
from nnjax.cli.unbegun import remove_unbegun
from nnjax.config.errors import DivergedError
from nnjax.config.schema import EvaluateConfig
from nnjax.reporting.metrics import read_metrics
from nnjax.reporting.run_summary import read_summary


def timeless(records):
    return [{key: value for key, value in record.items() if key != "seconds"} for record in records]


def assert_same(tree, other):
    jax.tree.map(np.testing.assert_array_equal, tree, other)


@pytest.mark.slow
def test_numbers_are_the_command_s(trained, tiny, tmp_path):
    write_config(tiny(), tmp_path)
    summary = train(tiny(), tmp_path)
    assert {split: summary[split] for split in ("train", "validation", "test")} == trained.metrics
    assert timeless(trained.history) == timeless(read_metrics(tmp_path))
    assert_same(trained.params, nnjax.load_run(tmp_path).params)
    volatile = ("name", "run_dir", "seconds", "goodput", "peak_rss_mb", "examples_per_second", "figures")
    expected = {key: value for key, value in read_summary(tmp_path).items() if key not in volatile}
    assert {key: value for key, value in trained.summary.items() if key not in volatile} == expected


def test_nothing_is_written_and_nothing_printed(tiny, tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    nnjax.fit(tiny())
    assert not list(tmp_path.iterdir())
    assert capfd.readouterr() == ("", "")


def test_progress_prints(tiny, capsys):
    nnjax.fit(tiny("training.duration=1epochs"), progress=True)
    assert "validation loss" in capsys.readouterr().out


@pytest.mark.slow
def test_a_folder_is_that_of_a_run(tiny, trained, tmp_path, capfd):
    run = tmp_path / "run"
    result = nnjax.fit(tiny("training.duration=1epochs"), run)
    assert capfd.readouterr() == ("", "")
    written = {path.name for path in run.iterdir()}
    assert {"config.yaml", "metrics.jsonl", "summary.json", "checkpoints", "train.log", ".hydra"} <= written
    assert result.summary["run_dir"] == str(run)
    with pytest.raises(nnjax.ConfigError, match=r"run_dir=.*: holds an earlier run \(config.yaml\)"):
        nnjax.fit(tiny(), run)
    # the commands take it
    config = compose_config("evaluate", [f"run={run}"], EvaluateConfig)
    assert evaluate(config, tmp_path / "evaluated")["test"] == result.metrics["test"]
    capfd.readouterr()
    # and it is resumed to what a single training becomes
    config = nnjax.compose(f"resume={run}", "training.duration=2epochs", "training.planned=2epochs")
    with pytest.raises(nnjax.ConfigError, match="is resumed in that folder; pass run_dir="):
        nnjax.fit(config)
    resumed = nnjax.fit(config, run)
    assert resumed.summary["steps"] == trained.summary["steps"]
    assert [record["split"] for record in resumed.history].count("test") == 2


def process_state():
    values = {name: value for name, value in jax.config.values.items() if name != "jax_num_cpu_devices"}
    return {
        "jax": values,
        "signals": [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)],
        "log": (logging.root.level, list(logging.root.handlers)),
        "warnings": (list(warnings.filters), warnings.showwarning),
        "environ": {key: value for key, value in os.environ.items() if key.startswith(("JAX", "NNJAX", "XLA", "MPL"))},
        "cwd": Path.cwd(),
        "matplotlib": dict(matplotlib.rcParams),
        "threads": threading.active_count(),
    }


@pytest.mark.slow
def test_the_process_is_as_before(tiny, tmp_path, monkeypatch):
    monkeypatch.setattr(logging.root, "handlers", [])  # a library that logs adds one where there is none
    signal_before = signal.signal(signal.SIGTERM, lambda number, frame: None)
    jax.config.update("jax_default_prng_impl", "rbg")  # which a run does not follow
    compilation_cache = jax.config.values["jax_compilation_cache_dir"]
    jax.config.update("jax_compilation_cache_dir", None)
    try:
        before = process_state()
        with matplotlib.rc_context({"font.size": 33}):
            during = process_state()
            result = nnjax.fit(tiny("training.duration=1epochs"), tmp_path / "run")
            assert result.summary["figures"]
            assert process_state() == during
        result.predict(result.dataset.test.inputs[:1])
        assert process_state() == before
        with pytest.raises(nnjax.DivergedError, match=r"training loss became"):
            nnjax.fit(tiny("optimizer=sgd", "optimizer.learning_rate=1e30"))
        assert process_state() == before
        monkeypatch.setattr("nnjax.training.loop.fit", interrupted)
        for folder in (None, tmp_path / "interrupted"):
            with pytest.raises(KeyboardInterrupt):
                nnjax.fit(tiny(), folder)
            assert process_state() == before
        assert read_summary(tmp_path / "interrupted")["status"] == "failed"
    finally:
        signal.signal(signal.SIGTERM, signal_before)
        jax.config.update("jax_default_prng_impl", "threefry2x32")
        jax.config.update("jax_compilation_cache_dir", compilation_cache)


def interrupted(*args, **kwargs):
    raise KeyboardInterrupt


@contextmanager
def interrupting():
    """Raises SIGINT again and again: Python loses the one that comes in a callback of its garbage collector."""
    over = threading.Event()

    def interrupt():
        while not over.wait(0.5):
            signal.raise_signal(signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def test_ctrl_c_is_the_caller_s_without_a_folder(tiny):
    """It stops the training, as it stops a loop around it."""
    config = tiny("training.duration=1000000epochs", "training.evaluate_every=1000epochs")
    with pytest.raises(KeyboardInterrupt), interrupting():
        nnjax.fit(config)


def test_with_a_folder_a_signal_saves_the_state(tiny, tmp_path, monkeypatch):
    from nnjax.training.runner import ChunkRunner

    calls = ChunkRunner.calls

    def calls_and_signal(self, *args, **kwargs):
        for call in calls(self, *args, **kwargs):
            signal.raise_signal(signal.SIGTERM)
            yield call

    monkeypatch.setattr(ChunkRunner, "calls", calls_and_signal)
    with pytest.raises(nnjax.PreemptedError, match=r"SIGTERM: stopped after step 3, which is saved; resume with"):
        nnjax.fit(tiny(), tmp_path)
    assert nnjax.load_run(tmp_path, "last").status == "preempted"
    with pytest.raises(nnjax.DataError, match="nothing was tested, since the run is preempted; take checkpoint=last"):
        nnjax.load_run(tmp_path)


@pytest.mark.slow
def test_what_a_run_writes_before_its_first_step_is_known_as_such(tiny, tmp_path, monkeypatch):
    """So that a signal removes it, and the same command starts again after a kill."""
    from nnjax.training.runner import ChunkRunner

    copy = tmp_path / "copy"

    def kept(self, *args, **kwargs):
        shutil.copytree(tmp_path / "run", copy)
        raise ZeroDivisionError

    monkeypatch.setattr(ChunkRunner, "calls", kept)
    options = ("report.page=true", "report.weights=1000", "report.tensorboard=on")
    with pytest.raises(ZeroDivisionError):
        nnjax.fit(tiny(*options), tmp_path / "run")
    assert {"config.yaml", "report.json", "tensorboard"} <= {path.name for path in copy.iterdir()}
    (copy / "checkpoints").mkdir(exist_ok=True)
    assert occupy_again(copy, "hydra.run.dir") == copy
    assert remove_unbegun(copy)
    assert not copy.exists()


@pytest.mark.slow
def test_in_a_thread(tiny, trained):
    results = []
    threads = [threading.Thread(target=lambda: results.append(nnjax.fit(tiny()))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [result.metrics for result in results] == [trained.metrics] * 2


def test_a_changed_config_is_checked(tiny):
    config = tiny()
    with pytest.raises(nnjax.ConfigError, match=r"training.global_batch_size=0: must be a whole number of at least 1"):
        nnjax.fit(replace(config, training=replace(config.training, global_batch_size=0)))
    unfit = replace(config, training=replace(config.training, test="best"), data=replace(config.data, validation=0.0))
    with pytest.raises(nnjax.IncompatibleError, match=r"training.test=best: needs a validation split"):
        nnjax.fit(unfit)
    with pytest.raises(nnjax.ConfigError, match=r"fit takes a config from nnjax.compose; this is a dict"):
        nnjax.fit({"model": "cnn"})
    with pytest.raises(nnjax.ConfigError, match=r"parallel.devices=99: there are only 8 cpu devices here"):
        nnjax.fit(
            tiny("parallel.devices=99", "training.global_batch_size=99", "training.eval_batch_size=99", "data.limit_train=null")
        )
    with pytest.raises(nnjax.IncompatibleError, match=r"debug.profile=true: writes a trace"):
        nnjax.fit(tiny("debug=profile"))


def test_data_read_once_serves_several_trainings(tiny, trained):
    config = tiny()
    dataset = nnjax.load_data(config)
    assert (len(dataset.train), len(dataset.test), dataset.train.inputs.dtype) == (72, 30, np.uint8)
    assert nnjax.fit(config, dataset=dataset).metrics == trained.metrics
    with pytest.raises(nnjax.ConfigError, match=r"dataset: has input_shape \(8, 8, 1\), and data=airline has"):
        nnjax.fit(nnjax.compose("data=airline", "model=fnn"), dataset=replace(dataset, options=None))


@pytest.mark.slow
def test_data_that_was_read_by_other_options_is_refused(tiny):
    dataset = nnjax.load_data(tiny())
    for override, message in (
        ("data.normalize=false", "data.normalize=False: the dataset was read with True"),
        ("data.limit_train=70", "data.limit_train=70: the dataset was read with 80"),
        ("data.validation=0.2", "data.validation=0.2: the dataset was read with 0.1"),
        ("data=synthetic", "data=synthetic: the dataset was read with digits"),
    ):
        with pytest.raises(nnjax.ConfigError, match=re.escape(message)):
            nnjax.fit(tiny(override), dataset=dataset)
    made = replace(dataset, options=None, validation=nnjax.Split(dataset.test.inputs[:0], dataset.test.targets[:0]))
    with pytest.raises(nnjax.ConfigError, match=r"data.validation=0.1: the dataset has no validation split"):
        nnjax.fit(tiny(), dataset=made)
    with pytest.raises(nnjax.ConfigError, match=r"dataset: must be a nnjax.Dataset, and is a int"):
        nnjax.fit(tiny(), dataset=3)
    with pytest.raises(nnjax.ConfigError, match=r"load_data takes a config from nnjax.compose, or its data; this is a str"):
        nnjax.load_data("digits")


@pytest.mark.parametrize("run_dir", ["", 3])
def test_a_folder_that_is_none(tiny, run_dir):
    with pytest.raises(nnjax.ConfigError, match=rf"run_dir={run_dir!r}: must be the path of a folder"):
        nnjax.fit(tiny(), run_dir)


def test_contexts_of_the_caller_s_change_no_number(tiny, trained):
    contexts = (
        jax.enable_x64(True),
        jax.default_prng_impl("rbg"),
        jax.threefry_partitionable(False),
        jax.disable_jit(True),
        jax.numpy_rank_promotion("raise"),
        jax.numpy_dtype_promotion("strict"),
        jax.transfer_guard("disallow"),
    )
    with ExitStack() as stack:
        for context in contexts:
            stack.enter_context(context)
        result = nnjax.fit(tiny())
        assert (jax.config.jax_enable_x64, jax.config.jax_default_prng_impl) == (True, "rbg")
    assert not jax.config.jax_enable_x64
    assert result.metrics == trained.metrics
    assert_same(result.params, trained.params)


@pytest.mark.slow
def test_the_best_state_is_kept_in_memory(tiny, tmp_path):
    """A learning rate this high makes training worse: the best state is not the last one."""
    config = tiny("training.test=best", "optimizer.learning_rate=0.3", "training.duration=6epochs", "schedule=constant")
    written, kept = nnjax.fit(config, tmp_path), nnjax.fit(config)
    assert kept.summary["tested_step"] == written.summary["tested_step"] < kept.summary["steps"]
    assert kept.metrics == written.metrics
    assert_same(kept.params, nnjax.load_run(tmp_path, "best").params)


@pytest.mark.slow
def test_a_series():
    result = nnjax.fit(
        nnjax.compose(
            "data=airline", "model=rnn", "model.hidden=[4]", "loss=mse", "training=series", "training.duration=1epochs"
        )
    )
    assert "forecast" in result.summary
    assert result.predict(result.dataset.test.inputs).shape == (len(result.dataset.test), 1)


LAST_STEP = ("optimizer=sgd", "schedule=constant", "training.duration=1step", "data.validation=0")


@pytest.mark.slow
def test_a_trial_that_diverges_in_the_last_step_counts_as_diverged(tiny):
    summary = nnjax.fit(tiny(*LAST_STEP, "training.vary.learning_rate=[0.1,1e38]")).summary
    assert [row["diverged"] for row in summary["trials"]] == [None, 1]


@pytest.mark.slow
def test_a_run_whose_trials_all_diverge_in_the_last_step_has_diverged(tiny):
    with pytest.raises(DivergedError, match="the test loss of every trial is not finite after step 1"):
        nnjax.fit(tiny(*LAST_STEP, "training.vary.learning_rate=[1e37,1e38]"))
