"""Messages on a socket: a head of JSON, and a payload of bytes. Nothing in them can run code.

    send(connection, {"kind": "value", "value": {"step": 3}})
    head, payload = receive(connection, silence=60)

Seconds without a sign of life are counted in looks: a process that was stopped itself, as a suspended job is, finds nobody
missing afterwards.
"""

import json
import select
import socket
import struct
import time
from collections.abc import Mapping
from typing import Any

LOOKS = 20
"""How often a receiver looks, in the seconds of silence."""

HELLO_SECONDS = 5.0
"""Seconds for a connected process to say who it is."""

_LARGEST_HEAD, _LARGEST_HELLO = 2**24, 2**12
_NEVER = float("inf")
_SIZES = struct.Struct("!IQ")


def send(connection: socket.socket, head: Mapping[str, Any], payload: bytes | memoryview = b"") -> None:
    """Sends a message; waits until the system has taken all of it.

    Raises:
        OSError: if the connection ended.
    """
    text = json.dumps(head).encode()
    connection.sendall(_SIZES.pack(len(text), len(payload)) + text)
    if payload:
        connection.sendall(payload)


def receive(connection: socket.socket, silence: float) -> tuple[dict[str, Any], bytes]:
    """Waits for a message.

    Raises:
        TimeoutError: if nothing at all came for so many seconds, in which this process ran.
        OSError: if the connection ended.
        ValueError: if what came is no message.
    """
    head_size, size = _SIZES.unpack(_exactly(connection, _SIZES.size, silence))
    return _head(connection, head_size, _LARGEST_HEAD, silence), bytes(_exactly(connection, size, silence))


def receive_hello(connection: socket.socket, until: float) -> dict[str, Any]:
    """Waits for the first message of a connection, which may be a stranger's: a small one without a payload.

    Raises:
        TimeoutError: if it is not there at a time of `time.monotonic`.
        OSError: if the connection ended.
        ValueError: if what came is no such message.
    """
    head_size, size = _SIZES.unpack(_exactly(connection, _SIZES.size, HELLO_SECONDS, until))
    if size:
        raise ValueError("no hello")
    return _head(connection, head_size, _LARGEST_HELLO, HELLO_SECONDS, until)


def _head(connection: socket.socket, size: int, largest: int, silence: float, until: float = _NEVER) -> dict[str, Any]:
    if size > largest:
        raise ValueError("no message")
    head = json.loads(_exactly(connection, size, silence, until))
    if not isinstance(head, dict):
        raise ValueError("no message")
    return head


def _exactly(connection: socket.socket, size: int, silence: float, until: float = _NEVER) -> bytearray:
    data, looks = bytearray(), 0
    connection.settimeout(None)
    while len(data) < size:
        if time.monotonic() > until:
            raise TimeoutError
        try:
            part = _some(connection, min(size - len(data), 2**20), silence / LOOKS)
        except TimeoutError:
            looks += 1
            if looks >= LOOKS:
                raise
            continue
        if not part:
            raise ConnectionResetError
        looks = 0
        data += part
    return data


def _some(connection: socket.socket, size: int, seconds: float) -> bytes:
    """Up to so many bytes, waiting at most so many seconds; the timeout of the socket, which also counts for sending, stays."""
    poll = select.poll()
    poll.register(connection, select.POLLIN)
    if not poll.poll(seconds * 1000):
        raise TimeoutError
    return connection.recv(size)
