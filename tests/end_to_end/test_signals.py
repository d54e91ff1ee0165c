"""SIGTERM and Ctrl-C at seeded random moments of a training, in every phase.

NNJAX_TRIALS=20 pytest -m slow tests/end_to_end/test_signals.py -s       # so many for each phase and signal; prints a count
"""

import json
import os
import random
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest
from commands import ROOT, environment, metrics_of, summary_of

pytestmark = pytest.mark.slow

TRIALS = int(os.environ.get("NNJAX_TRIALS", "1"))
SIGNALS = {"SIGTERM": signal.SIGTERM, "SIGINT": signal.SIGINT}
TRAIN = [
    "data=synthetic",
    "parallel.devices=1",
    "training.global_batch_size=16",
    "training.eval_batch_size=256",
    "schedule=constant",
    "training.checkpoint_every=null",
]
SMALL = [*TRAIN, "model=fnn", "model.hidden=[256,256]", "data.num_train=4096", "training.duration=60epochs"]
FEW = [*TRAIN, "model=cnn", "data.num_train=512", "training.duration=2epochs"]


@dataclass(frozen=True)
class Phase:
    """A time of a training.

    Attributes:
        config: overrides that make it long.
        begun: what the run's folder, and the standard output so far, show as soon as it has begun.
        seconds: about how long it lasts.
        cold: whether programs are compiled anew.
    """

    config: tuple[str, ...]
    begun: "object"
    seconds: float
    cold: bool = False


def lines(folder: Path, name: str) -> list[str]:
    try:
        return (folder / name).read_text(errors="replace").splitlines()
    except OSError:
        return []


def trained(folder: Path, split: str = '"train"') -> int:
    return sum(split in line for line in lines(folder, "metrics.jsonl"))


def completed(folder: Path) -> bool:
    return any('"status": "completed"' in line for line in lines(folder, "summary.json"))


PHASES = {
    "importing": Phase((*SMALL,), lambda folder: True, 0.6),
    "set-up": Phase((*SMALL,), lambda folder: (folder / "train.log").exists(), 2.0),
    "compiling": Phase(
        (*FEW,), lambda folder: any("parameters" in line for line in lines(folder, "train.log")), 2.5, cold=True
    ),
    "training": Phase((*SMALL,), lambda folder: trained(folder) > 0, 4.0),
    "evaluating": Phase(
        (*FEW, "data.num_train=80000", "data.validation=0.9", "training.evaluate_every=2steps", "training.duration=8steps"),
        lambda folder: trained(folder) > 0,
        2.5,
    ),
    "testing": Phase((*FEW, "data.num_test=120000"), lambda folder: trained(folder) >= 2, 2.0),
    "drawing": Phase((*FEW,), completed, 1.2),
}


def takes_signals(process: int) -> bool:
    """Whether a process has a handler of its own for SIGTERM."""
    with suppress(OSError):
        mask = re.search(r"^SigCgt:\s*(\w+)$", Path(f"/proc/{process}/status").read_text(), re.MULTILINE)
        return mask is not None and bool(int(mask[1], 16) >> (signal.SIGTERM - 1) & 1)
    return False


def started(config, folder: Path, cold: bool, tmp_path: Path) -> subprocess.Popen:
    environ = environment(**({"NNJAX_CACHE": str(tmp_path / f"cache-{time.time_ns()}")} if cold else {}))
    command = [sys.executable, "-m", "experiments.train", *config, f"hydra.run.dir={folder}"]
    # A process in the background of a script ignores Ctrl-C, which its children inherit.
    listening = "import os, signal, sys; signal.signal(signal.SIGINT, signal.SIG_DFL); os.execv(sys.argv[1], sys.argv[1:])"
    return subprocess.Popen(
        [sys.executable, "-I", "-S", "-c", listening, *command],
        cwd=ROOT,
        env=environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def interrupted(phase: Phase, number: int, folder: Path, tmp_path: Path, rng: random.Random, again: bool = False):
    """Sends a signal at a random moment of a phase; returns the exit code, the outputs and the seconds until the end."""
    delay = rng.uniform(0.0, phase.seconds)
    with started(phase.config, folder, phase.cold, tmp_path) as process:
        # While Python itself starts, a signal is the system's.
        while not (takes_signals(process.pid) and phase.begun(folder)) and process.poll() is None:
            time.sleep(0.005)
        time.sleep(delay)
        sent = time.monotonic()
        process.send_signal(number)
        if again:
            time.sleep(rng.uniform(0.0, 0.3))
            with suppress(ProcessLookupError):
                process.send_signal(number)
        out, err = process.communicate(timeout=120)
    return process.returncode, out, err, time.monotonic() - sent


def outcome_of(code: int, err: str, folder: Path, name: str) -> str:
    """What a run that was interrupted once left, in a word; anything unexpected is an assertion."""
    assert "Traceback" not in err, err
    assert len(err.splitlines()) <= 1, err
    if "before anything was made" in err:
        assert code == (75 if name == "SIGTERM" else 130)
        assert not folder.exists() or not any(folder.iterdir()), list(folder.iterdir())
        return "nothing made"
    if "is saved" in err:
        assert code == 75
        shown = "Ctrl-C" if name == "SIGINT" else name
        assert re.fullmatch(rf"{shown}: stopped after step \d+, which is saved; resume with: .*resume={folder}\n", err), err
        assert summary_of(folder)["status"] == "preempted"
        return "saved"
    if "its result stands" in err:
        assert code == (0 if name == "SIGTERM" else 130)
        assert completed(folder)
        return "result stands"
    assert (code, err) == (0, ""), (code, err)
    assert completed(folder)
    return "was over"


def numbers_of(folder: Path):
    return metrics_of(folder), summary_of(folder)["test"], summary_of(folder)["status"]


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The numbers of uninterrupted runs, by config."""
    done = {}

    def numbers(config):
        if config not in done:
            folder = tmp_path_factory.mktemp("whole") / "run"
            with started((*config, "report.figures=false"), folder, False, folder) as process:
                process.communicate()
            done[config] = numbers_of(folder)
        return done[config]

    return numbers


@pytest.mark.parametrize("trial", range(TRIALS))
@pytest.mark.parametrize(("index", "name"), list(enumerate(PHASES)))
def test_a_signal_ends_a_training_in_one_line(tmp_path, whole, index, name, trial):
    phase = PHASES[name]
    for which in SIGNALS if TRIALS > 1 else [["SIGTERM", "SIGINT"][index % 2]]:
        folder = tmp_path / which
        rng = random.Random(f"{name} {which} {trial}")
        code, _, err, seconds = interrupted(phase, SIGNALS[which], folder, tmp_path, rng)
        outcome = outcome_of(code, err, folder, which)
        COUNTS[name, which, outcome] += 1
        SLOWEST[name, outcome] = max(SLOWEST.get((name, outcome), 0.0), seconds)
        if outcome == "saved":
            command = [sys.executable, "-m", "experiments.train", f"resume={folder}", "report.figures=false"]
            resumed = subprocess.run(command, cwd=ROOT, env=environment(), capture_output=True, text=True)
            assert resumed.returncode == 0, resumed.stderr
            assert json.dumps(numbers_of(folder)) == json.dumps(whole(phase.config))


@pytest.mark.parametrize("trial", range(max(1, TRIALS // 4)))
@pytest.mark.parametrize("name", PHASES if TRIALS > 1 else ["compiling", "training"])
def test_a_second_ctrl_c_ends_it_at_once(tmp_path, name, trial):
    rng = random.Random(f"{name} twice {trial}")
    code, _, err, seconds = interrupted(PHASES[name], signal.SIGINT, tmp_path / "run", tmp_path, rng, again=True)
    COUNTS[name, "twice", str(code)] += 1
    SLOWEST[name, "twice"] = max(SLOWEST.get((name, "twice"), 0.0), seconds)
    assert "Traceback" not in err
    assert code in (130, 75, 0), (code, err)  # 75 and 0 where the first one was enough
    assert len(err.splitlines()) <= 1


COUNTS: Counter = Counter()
SLOWEST: dict = {}


@pytest.fixture(scope="module", autouse=True)
def shown():
    yield
    for key, count in sorted(COUNTS.items()):
        print(*key, count)
    for key, seconds in sorted(SLOWEST.items()):
        print(*key, f"at most {seconds:.1f} s")
