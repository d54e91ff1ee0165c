"""A training that stalls: said with every thread's stack, and ended when that is asked for."""

import signal
import subprocess
import sys
import time

import pytest
from commands import ROOT, environment, summary_of

pytestmark = pytest.mark.slow

# A verb whose watchdog has little patience.
VERB = """
from nnjax.config import leaving
leaving.begin()
from nnjax.api import run_ending
run_ending.FLOOR = 0.5
from experiments import train
train.main()
"""
# A loss that waits in its 40th call.
LOSS = """
import time
from dataclasses import dataclass
import jax
import nnjax

calls = []

def wait(loss):
    calls.append(None)
    if len(calls) == 40:
        time.sleep(SECONDS)
    return loss

@dataclass(frozen=True)
class Waiting:
    pass

@nnjax.register_loss("waiting")
def waiting(options: Waiting, outputs, targets):
    losses = -(jax.nn.log_softmax(outputs) * targets).sum(axis=-1)
    waited = jax.pure_callback(wait, jax.ShapeDtypeStruct((), losses.dtype), jax.lax.stop_gradient(losses.mean()))
    return losses + 0 * waited
"""
TINY = [
    "model=fnn",
    "model.hidden=[8]",
    "data=synthetic",
    "data.validation=0",
    "data.num_train=64",
    "training.global_batch_size=8",
    "training.duration=60steps",
    "report.figures=false",
    "debug=strict",  # a step a call
    "parallel.devices=1",
]


def stalled(tmp_path, seconds, *overrides):
    (tmp_path / "verb.py").write_text(VERB)
    (tmp_path / "loss.py").write_text(LOSS.replace("SECONDS", str(seconds)))
    command = [sys.executable, str(tmp_path / "verb.py"), *TINY, *overrides, f"hydra.run.dir={tmp_path / 'run'}"]
    command += ["loss=waiting", "--plugin", "loss.py"]
    environ = environment(PYTHONPATH=str(ROOT))
    return subprocess.run(command, cwd=tmp_path, env=environ, capture_output=True, text=True, timeout=300)


def test_a_stall_is_said_and_the_training_continues(tmp_path):
    printed = stalled(tmp_path, 6)
    assert printed.returncode == 0, printed.stderr
    log = (tmp_path / "run/train.log").read_text()
    said = [line for line in printed.stdout.splitlines() if "warning" in line and "the training" in line]
    assert len(said) == 2, said
    assert "has taken" in said[0]
    assert "continued after" in said[1]
    assert "the stacks of all threads" in log
    assert "in wait" in log  # where it waits


def test_it_is_ended_when_that_is_asked_for(tmp_path):
    printed = stalled(tmp_path, 200, "debug.watchdog=stop", "debug.stall_limit=2")
    assert printed.returncode == 1
    (line,) = printed.stderr.splitlines()
    assert "the training, after step" in line
    assert "debug.watchdog=stop" in line
    assert summary_of(tmp_path / "run")["status"] == "failed"


def test_a_stopped_process_is_no_stall(tmp_path):
    # On a busy machine a call takes a second or two.
    (tmp_path / "verb.py").write_text(VERB.replace("FLOOR = 0.5", "FLOOR = 6.0"))
    overrides = [*TINY, "training.duration=3000steps", f"hydra.run.dir={tmp_path / 'run'}"]
    with subprocess.Popen(
        [sys.executable, str(tmp_path / "verb.py"), *overrides],
        cwd=tmp_path,
        env=environment(PYTHONPATH=str(ROOT)),
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        metrics = tmp_path / "run/metrics.jsonl"
        while not metrics.exists() or not metrics.read_text():
            assert process.poll() is None
            time.sleep(0.05)
        process.send_signal(signal.SIGSTOP)
        time.sleep(8)
        process.send_signal(signal.SIGCONT)
        time.sleep(1)
        process.send_signal(signal.SIGTERM)
        said, _ = process.communicate()
    assert "has taken" not in said
