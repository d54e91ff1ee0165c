"""Joins the processes of a job: the line between them, then JAX's distributed runtime.

joined = join(detect(), Timeouts(peer=60, start=300))       # afterwards `nnjax.parallel.peers.peers()` returns it
"""

import socket

from nnjax.config.processes import Processes
from nnjax.parallel.jax_runtime import PeerError, address_of_first, client, host_of_first, initialize, started
from nnjax.parallel.native_output import quiet_native_errors
from nnjax.parallel.peers import Peers, Timeouts, alone, peers, register

_ADDRESS = "nnjax/line"

_tried: list[bool] = []


def has_tried() -> bool:
    """Whether this process has joined the others, or could not."""
    return bool(_tried)


def join(processes: Processes, timeouts: Timeouts) -> Peers:
    """Joins the job; afterwards `jax.devices()` are those of all processes. Once in a process; later calls return the same.

    Args:
        processes: from `nnjax.config.processes.detect`; where the program has started JAX's runtime already, as Ray's trainer
            does, its processes count.
        timeouts: of the waiting.

    Raises:
        PeerError: if a process does not come in time, process 0 cannot be reached, or a training of the program failed before.
        ConfigError: if the engine's address cannot be found.
    """
    if peers().count > 1:
        if peers().is_over:
            raise PeerError("one of the processes has failed, and they cannot train together any more; start the program again")
        return peers()
    running = started()
    processes = running or processes
    if processes.count == 1:
        return alone()
    _tried.append(True)
    joined = Peers(processes, timeouts)
    if running is None:
        quiet_native_errors()
        address, local_ids = address_of_first(processes, timeouts.start)
        joined.connect(address)
        initialize(processes, address, local_ids)
    else:
        joined.connect(_meeting_point(joined.rank, timeouts.start))
    register(joined)
    return joined


def _meeting_point(rank: int, seconds: float) -> str:
    """An address for the line where JAX's service runs already: process 0 hands it out in JAX's key-value store."""
    if rank == 0:
        with socket.create_server(("", 0)) as server:
            port = server.getsockname()[1]
        client().key_value_set(_ADDRESS, f"{host_of_first()}:{port}")
    return str(client().blocking_key_value_get(_ADDRESS, int(seconds * 1000)))
