"""What the tests under cluster software share: a Slurm for the session, and the command line of each engine."""

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest
from slurm_cluster import Cluster, slurm

ROOT = Path(__file__).parents[2]
OPEN_MPI = ("mpirun", "--allow-run-as-root", "--oversubscribe", "--mca", "odls_base_sigkill_timeout", "5", "-np", "2")
SRUN = ("srun", "--nodes=2", "--ntasks=2")


@dataclass(frozen=True)
class Engine:
    """Starts a command in two processes.

    Attributes:
        prefix: what stands before the command.
        rank: the environment variable that numbers the processes.
        stop: the command that asks a job to stop, as the engine does; None is SIGTERM to the engine's own command.
        stopped: the exit code of the engine's command afterwards.
        machines: how many there are.
        environment: of the command.
    """

    prefix: tuple[str, ...]
    rank: str
    environment: dict[str, str]
    stop: tuple[str, ...] | None
    stopped: int
    machines: int

    def run(self, *command: str, timeout: float = 120) -> subprocess.CompletedProcess:
        """Runs a command to its end."""
        return subprocess.run(
            [*self.prefix, *command], cwd=ROOT, env=self.environment, capture_output=True, text=True, timeout=timeout
        )

    def start(self, *command: str, output: Path) -> subprocess.Popen:
        """Starts a command, whose output goes to a file."""
        with output.open("w") as file:
            return subprocess.Popen(
                [*self.prefix, *command], cwd=ROOT, env=self.environment, stdout=file, stderr=file, start_new_session=True
            )

    def ask_to_stop(self, job: subprocess.Popen) -> None:
        """Asks the processes of a started command to stop."""
        if self.stop is None:
            job.terminate()
        else:
            subprocess.run(self.stop, env=self.environment, check=True)

    def processes(self, word: str) -> dict[int, psutil.Process]:
        """The processes of a command by rank; `word` stands in their arguments."""
        found = {}
        for process in psutil.process_iter():
            try:
                arguments, environment = process.cmdline(), process.environ()
            except psutil.Error:
                continue
            is_python = "python" in arguments[0] if arguments else False
            if is_python and any(word in argument for argument in arguments) and self.rank in environment:
                found[int(environment[self.rank])] = process
        return found


@pytest.fixture(scope="session")
def cache(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("engines-cache")


@pytest.fixture(scope="session")
def environment(cache) -> dict[str, str]:
    """A person's, on the CPU, with this checkout's package and Python first."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("TFDS", "XLA", "JAX", "SLURM", "OMPI"))}
    return kept | {
        "JAX_PLATFORMS": "cpu",
        "NNJAX_CACHE": str(cache),
        "PYTHONPATH": str(ROOT),
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
    }


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    with slurm() as started:
        yield started


@pytest.fixture
def in_slurm(cluster, environment) -> dict[str, str]:
    return environment | {"SLURM_CONF": cluster.environment["SLURM_CONF"]}


@pytest.fixture(params=["open_mpi", "slurm"])
def engine(request, environment) -> Engine:
    if request.param == "open_mpi":
        return Engine(OPEN_MPI, "OMPI_COMM_WORLD_RANK", environment, None, 1, 1)
    stop = ("scancel", "--signal=TERM", "--user=root")  # srun itself, at SIGTERM, kills the processes at once
    return Engine(SRUN, "SLURM_PROCID", request.getfixturevalue("in_slurm"), stop, 75, 2)
