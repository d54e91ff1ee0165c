"""JAX's distributed runtime: started with what the engine said, and left without its goodbye where a peer is gone.

    initialize(detect(), seconds=300)
    client().key_value_set("name", "value")          # JAX's store, which all processes see

What has no public name in JAX is used here only.
"""

import os
import re
from contextlib import suppress
from typing import Any

import jax
from jax._src import distributed

from nnjax.config.errors import ConfigError, UserError
from nnjax.config.processes import Processes

_NEVER = 10**6  # seconds: XLA's own watch over its peers, which aborts, shall not be the first
_PARTING = 10  # seconds for JAX's goodbye


class PeerError(UserError):
    """A process of the job that did not come, or is gone."""


def started() -> Processes | None:
    """The processes of a runtime that runs already; None if there is none."""
    state = distributed.global_state
    return None if state.client is None else Processes(state.process_id, state.num_processes, "JAX")


def client() -> Any:
    """The client of the runtime, with its key-value store."""
    return distributed.global_state.client


def host() -> str:
    """The machine of process 0."""
    return str(distributed.global_state.coordinator_address).rpartition(":")[0].strip("[]")


def initialize(processes: Processes, seconds: float) -> None:
    """Starts the runtime; afterwards `jax.devices()` are those of all processes.

    Args:
        processes: as the engine started them.
        seconds: in which all must have come.

    Raises:
        PeerError: if a process does not come in time, or process 0 cannot be reached.
        ConfigError: if the engine's address cannot be found.
    """
    for name, value in (
        ("jax_enable_preemption_service", False),  # it would take SIGTERM away from us
        ("jax_check_proxy_envs", False),
    ):
        with suppress(AttributeError):
            jax.config.update(name, value)
    address = processes.coordinator
    os.environ.setdefault("no_grpc_proxy", "*" if address is None else address.rpartition(":")[0])
    known: dict[str, Any] = {"cluster_detection_method": processes.method}
    if address is not None:
        known = {"coordinator_address": address, "cluster_detection_method": "deactivate"}
    try:
        jax.distributed.initialize(
            **known,
            num_processes=processes.count,
            process_id=processes.rank,
            initialization_timeout=int(seconds),
            heartbeat_timeout_seconds=_NEVER,
            shutdown_timeout_seconds=_PARTING,
        )
    except (RuntimeError, ValueError, TypeError, OSError) as error:
        forget()
        raise _not_joined(processes, seconds, str(error)) from error


def _not_joined(processes: Processes, seconds: float, said: str) -> UserError:
    """The error for processes that did not find each other."""
    first = next(iter(said.strip().splitlines()), "")
    tasks = sorted({int(task) for task in re.findall(r"task:(\d+)", said)} - {processes.rank})
    if "DEADLINE_EXCEEDED" in said or "timed out" in said.lower():
        if processes.rank == 0:
            return PeerError(missing(tasks or list(range(1, processes.count)), processes.count, seconds))
        where = "" if processes.coordinator is None else f" at {processes.coordinator}"
        return PeerError(
            f"process {processes.rank}: process 0{where} could not be reached in {seconds:g} s (parallel.start_timeout)"
        )
    if processes.method == "mpi4py" and "mpi4py" in said:
        return ConfigError(
            f"{processes.engine}: the address of process 0 is not in the environment; install mpi4py, or set "
            "JAX_COORDINATOR_ADDRESS=HOST:PORT of process 0 for all processes"
        )
    return PeerError(f"{processes.engine}: process {processes.rank} cannot join the others: {first}")


def missing(ranks: list[int], count: int, seconds: float) -> str:
    """The line about processes that did not come."""
    names = f"process {ranks[0]}" if len(ranks) == 1 else "processes " + ", ".join(map(str, ranks))
    return f"{names} of {count} did not come within {seconds:g} s (parallel.start_timeout)"


def forget() -> None:
    """Leaves the runtime without its goodbye, which would wait for peers that are gone."""
    state = distributed.global_state
    _kept.append((state.client, state.service))  # their destructors would say goodbye, too
    state.client = state.service = state.preemption_sync_manager = None


_kept: list[Any] = []
