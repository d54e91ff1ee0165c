"""JAX's distributed runtime: started with what the engine said, and left without its goodbye where a peer is gone.

    address, local_ids = address_of_first(detect(), seconds=300)
    initialize(detect(), address, local_ids)
    client().key_value_set("name", "value")          # JAX's store, which all processes see

What has no public name in JAX is used here only.
"""

import os
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


def host_of_first() -> str:
    """The machine of process 0, of a runtime that runs."""
    return str(distributed.global_state.coordinator_address).rpartition(":")[0].strip("[]")


def address_of_first(processes: Processes, seconds: float) -> tuple[str, list[int] | None]:
    """HOST:PORT of process 0, and this process's accelerators, None for all; by JAX's detection where the engine needs it.

    Raises:
        ConfigError: if the address cannot be found.
    """
    if processes.coordinator is not None:
        return processes.coordinator, None
    from jax._src.clusters import ClusterEnv

    try:
        address, _, _, local_ids = ClusterEnv.auto_detect_unset_distributed_params(
            None, processes.count, processes.rank, None, processes.method, int(seconds)
        )
    except Exception as error:
        raise ConfigError(_no_address(processes, next(iter(str(error).splitlines()), ""))) from error
    if address is None:
        raise ConfigError(_no_address(processes, ""))
    return address, None if local_ids is None else list(local_ids)


def initialize(processes: Processes, address: str, local_ids: list[int] | None) -> None:
    """Starts the runtime; afterwards `jax.devices()` are those of all processes. All of them have come already.

    Args:
        processes: as the engine started them.
        address: HOST:PORT of process 0.
        local_ids: this process's accelerators; None for all.

    Raises:
        PeerError: if JAX cannot start it.
    """
    for name in ("jax_enable_preemption_service", "jax_check_proxy_envs"):  # the first would take SIGTERM away from us
        with suppress(AttributeError):
            jax.config.update(name, False)
    os.environ.setdefault("no_grpc_proxy", address.rpartition(":")[0])
    try:
        jax.distributed.initialize(
            coordinator_address=address,
            num_processes=processes.count,
            process_id=processes.rank,
            local_device_ids=local_ids,
            cluster_detection_method="deactivate",
            initialization_timeout=_NEVER,
            heartbeat_timeout_seconds=_NEVER,
            shutdown_timeout_seconds=_PARTING,
        )
    except (RuntimeError, ValueError, TypeError, OSError) as error:
        forget()
        first = next(iter(str(error).strip().splitlines()), "")
        raise PeerError(f"{processes.engine}: process {processes.rank} cannot join the others: {first}") from error


def _no_address(processes: Processes, said: str) -> str:
    hint = "install mpi4py, or set" if processes.method == "mpi4py" else "set"
    return (
        f"{processes.engine}: the address of process 0 is not in the environment{f' ({said})' if said else ''}; {hint} "
        "JAX_COORDINATOR_ADDRESS=HOST:PORT of process 0 for all processes"
    )


def forget() -> None:
    """Leaves the runtime without its goodbye, which would wait for peers that are gone."""
    state = distributed.global_state
    _kept.append((state.client, state.service))  # their destructors would say goodbye, too
    state.client = state.service = state.preemption_sync_manager = None


_kept: list[Any] = []
