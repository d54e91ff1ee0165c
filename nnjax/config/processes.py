"""The processes of a job, as its engine started them: how many, which one this is, and how they find each other. Without JAX.

    found = detect()
    found.rank, found.count, found.engine            # 1, 4, "Open MPI"

An engine starts several processes of one command: nnjax's own launcher (`parallel.processes=4`), Open MPI, another MPI, Slurm,
a Kubernetes Indexed Job, a TPU pod, or a person who sets the variables below. Without one there is one process. A plain python
inside a Slurm job of several tasks is one, too: nobody started its peers.
"""

import os
import zlib
from collections.abc import Mapping
from dataclasses import dataclass

from nnjax.config.errors import ConfigError

RANK, COUNT, COORDINATOR, LOCAL_RANK = "NNJAX_RANK", "NNJAX_PROCESSES", "NNJAX_COORDINATOR", "NNJAX_LOCAL_RANK"
"""The environment variables that nnjax's launcher sets; a person may set the first three by hand."""

TOKEN = "NNJAX_TOKEN"
"""A secret that all processes of a job share, so that no other program can take the place of one; the launcher draws it."""

LIFELINE, CORES = "NNJAX_LIFELINE", "NNJAX_CORES"
"""Of a process that another nnjax process started: the pipe with whose end it stops, and its cores."""

LAUNCHER = "nnjax"
"""The engine of `parallel.processes`."""

_KUBERNETES_PORT = 55527
_JOB_NAMES = ("PMIX_NAMESPACE", "OMPI_MCA_ess_base_jobid")  # the same in all processes that one mpirun starts


@dataclass(frozen=True)
class Processes:
    """The processes of one job.

    Attributes:
        rank: of this process, from 0.
        count: how many there are.
        engine: what started them, in words; empty for one process.
        coordinator: HOST:PORT at which process 0 can be reached; None leaves it to JAX's detection.
        method: the name of JAX's detection for this engine; None where everything is known here.
        local_rank: of this process among those of its machine.
    """

    rank: int = 0
    count: int = 1
    engine: str = ""
    coordinator: str | None = None
    method: str | None = None
    local_rank: int = 0


def detect(environ: Mapping[str, str] | None = None) -> Processes:
    """Finds out what started this process, from its environment.

    Raises:
        ConfigError: if the engine's variables do not go together.
    """
    environ = os.environ if environ is None else environ
    for find in (_own, _open_mpi, _slurm, _mpi, _kubernetes, _tpu_pod):
        found = find(environ)
        if found is not None:
            if not 0 <= found.rank < found.count:
                raise ConfigError(f"{found.engine}: says that this is process {found.rank} of {found.count}, counted from 0")
            if found.count > 1 and found.coordinator is not None:
                _check_address(found.coordinator)
            return found if found.count > 1 else Processes()
    return Processes()


def speaks() -> bool:
    """Whether this process prints what all processes of its machine find out alike, such as a mistake in the config."""
    try:
        return detect().local_rank == 0
    except ConfigError:
        return True


def _own(environ: Mapping[str, str]) -> Processes | None:
    if COUNT not in environ:
        return None
    rank, count = _number(environ, RANK), _number(environ, COUNT)
    coordinator = environ.get(COORDINATOR) or environ.get("JAX_COORDINATOR_ADDRESS")
    if count > 1 and coordinator is None:
        raise ConfigError(f"{COORDINATOR}: missing; must be HOST:PORT of process 0, the same for all {count} processes")
    local = _number(environ, LOCAL_RANK) if LOCAL_RANK in environ else 0
    return Processes(rank, count, LAUNCHER if LOCAL_RANK in environ else f"{COUNT}={count}", coordinator, None, local)


def _open_mpi(environ: Mapping[str, str]) -> Processes | None:
    if "OMPI_COMM_WORLD_SIZE" not in environ:
        return None
    rank, count = _number(environ, "OMPI_COMM_WORLD_RANK"), _number(environ, "OMPI_COMM_WORLD_SIZE")
    local = _number(environ, "OMPI_COMM_WORLD_LOCAL_RANK") if "OMPI_COMM_WORLD_LOCAL_RANK" in environ else 0
    # Open MPI 5 has no address of mpirun in the environment, which JAX's own detection reads.
    if "OMPI_MCA_orte_hnp_uri" in environ or environ.get("JAX_COORDINATOR_ADDRESS"):
        return Processes(rank, count, "Open MPI", environ.get("JAX_COORDINATOR_ADDRESS"), "ompi", local)
    return Processes(rank, count, "Open MPI", _on_this_machine(environ, "OMPI_COMM_WORLD_LOCAL_SIZE", count), "mpi4py", local)


def _slurm(environ: Mapping[str, str]) -> Processes | None:
    """Only inside of srun: a batch script of several tasks is one process, although some versions set SLURM_STEP_ID there."""
    if "SLURM_STEP_NODELIST" not in environ or environ.get("SLURM_STEP_ID", "") in ("", "batch", "4294967291"):
        return None
    count = _number(environ, "SLURM_STEP_NUM_TASKS") if "SLURM_STEP_NUM_TASKS" in environ else _number(environ, "SLURM_NTASKS")
    local = _number(environ, "SLURM_LOCALID") if "SLURM_LOCALID" in environ else 0
    coordinator = environ.get("JAX_COORDINATOR_ADDRESS")
    return Processes(_number(environ, "SLURM_PROCID"), count, "Slurm", coordinator, "slurm", local)


def _mpi(environ: Mapping[str, str]) -> Processes | None:
    """MPICH, Intel MPI and others that follow the PMI."""
    if "PMI_SIZE" not in environ or "PMI_RANK" not in environ:
        return None
    rank, count = _number(environ, "PMI_RANK"), _number(environ, "PMI_SIZE")
    local = _number(environ, "MPI_LOCALRANKID") if "MPI_LOCALRANKID" in environ else 0
    coordinator = environ.get("JAX_COORDINATOR_ADDRESS") or _on_this_machine(environ, "MPI_LOCALNRANKS", count)
    return Processes(rank, count, "MPI", coordinator, "mpi4py", local)


def _kubernetes(environ: Mapping[str, str]) -> Processes | None:
    """An Indexed Job: its pods have an index; the number of them and the first one's address stand in the job's file."""
    if "JOB_COMPLETION_INDEX" not in environ or "KUBERNETES_SERVICE_HOST" not in environ:
        return None
    coordinator = environ.get("JAX_COORDINATOR_ADDRESS")
    if "JAX_NUM_PROCESSES" not in environ:
        if coordinator is None:
            return None
        raise ConfigError("JAX_NUM_PROCESSES: missing; must be the number of pods, `completions` in the job's file")
    if coordinator is not None and ":" not in coordinator:
        coordinator = f"{coordinator}:{_KUBERNETES_PORT}"
    rank, count = _number(environ, "JOB_COMPLETION_INDEX"), _number(environ, "JAX_NUM_PROCESSES")
    if count > 1 and coordinator is None:
        raise ConfigError("JAX_COORDINATOR_ADDRESS: missing; must be the name of the job's first pod, JOB-0.SERVICE:PORT")
    return Processes(rank, count, "Kubernetes", coordinator)


def _tpu_pod(environ: Mapping[str, str]) -> Processes | None:
    """A slice of several machines: each has the names of all of them."""
    names = [name for name in environ.get("TPU_WORKER_HOSTNAMES", "").split(",") if name]
    if len(names) < 2 or "TPU_WORKER_ID" not in environ:
        return None
    return Processes(_number(environ, "TPU_WORKER_ID"), len(names), "TPU pod", None, "gketpu")


def _check_address(text: str) -> None:
    host, _, port = text.rpartition(":")
    if not host or not port.isascii() or not port.isdecimal() or not 0 < int(port) < 65536:
        raise ConfigError(f"the address of process 0, {text}: must be HOST:PORT, with a port from 1 to 65535")


def _on_this_machine(environ: Mapping[str, str], key: str, count: int) -> str | None:
    """An address for processes that all run on this machine; its port follows from the job's name, or from their parent."""
    if environ.get(key) != str(count):
        return None
    job = next((environ[name] for name in _JOB_NAMES if environ.get(name)), str(os.getppid()))
    return f"127.0.0.1:{61440 + zlib.crc32(job.encode()) % 4096}"


def _number(environ: Mapping[str, str], key: str) -> int:
    text = environ.get(key, "")
    try:
        return int(text)
    except ValueError:
        raise ConfigError(f"{key}={text}: must be a whole number, in the environment of each process") from None
