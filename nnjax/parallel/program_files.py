"""Compiled programs kept in files, so that a command that is given again does not even trace what it computes.

    chunk = get_program(LoadedCode(code_version), facts, make, devices, arguments, results)

JAX's own cache is asked with a program that was traced and lowered, which takes longer than the training of a small network. A
file is found by what the program follows from, and by the code that made it. It lies beside JAX's files, and is removed with
them (see `nnjax.parallel.compilation`). One that is damaged is not used. A program that JAX takes from its own cache gets no
file: its code was linked, and lacks what another process needs. The files are trusted as JAX's are: they hold machine code.
"""

import hashlib
import os
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import jax
from jax import monitoring
from jax.experimental import serialize_executable

from nnjax.config.stored_files import replaced
from nnjax.parallel.compilation import processor
from nnjax.parallel.program_store import LoadedCode

_SUFFIX = ".program"
_DIGEST = 32  # bytes of SHA-256, before a file's content
_events = Counter[str]()  # of JAX's cache


def _count(event: str, **_: Any) -> None:
    _events[event.removeprefix("/jax/compilation_cache/")] += 1


monitoring.register_event_listener(_count)


def get_program(
    code: LoadedCode | None,
    facts: Callable[[], str | None],
    make: Callable[[], Any],
    devices: Sequence[jax.Device],
    arguments: tuple[Any, ...],
    results: Any,
) -> Any:
    """Returns a program from its file, or makes it and keeps it in one; on other platforms than the CPU it is always made.

    Args:
        code: what this process has loaded, for programs of other processes; None for none of those.
        facts: called where files are kept: all else that the program follows from; None if that is not known.
        make: compiles it.
        devices: that run it, all of this process.
        arguments: what it is called with.
        results: anything of the structure of what it returns.
    """
    if code is None or devices[0].platform != "cpu" or (folder := _folder()) is None:
        return make()
    if code.version is None or (known := facts()) is None:
        return make()
    surroundings = (code.version, processor(), os.cpu_count(), os.environ.get("XLA_FLAGS"), known)
    path = folder / (hashlib.sha256(repr(surroundings).encode()).hexdigest() + _SUFFIX)
    program = _load(path, devices, jax.tree.structure((arguments, {})), jax.tree.structure(results))
    if program is None:
        before = _events.copy()
        program = make()
        was_compiled = _events["cache_misses"] > before["cache_misses"] and _events["cache_hits"] == before["cache_hits"]
        if was_compiled:  # written while it runs; Python waits for the thread at its end
            threading.Thread(target=_keep, args=(path, program, code), name="program_file").start()
    return program


def _folder() -> Path | None:
    """The folder of JAX's cache; None where programs are not to be kept there, or are to be seen as they are made."""
    values, flags = jax.config.values, os.environ.get("XLA_FLAGS", "").split()
    folder = values["jax_compilation_cache_dir"]
    is_shown = values.get("jax_log_compiles") or values.get("jax_dump_ir_to")
    # The flags may be in a file, which may change; and a folder that the user chose may be a bucket.
    if not values["jax_enable_compilation_cache"] or is_shown or not all(flag.startswith("--") for flag in flags):
        return None
    return Path(folder) if folder and "://" not in folder else None


def _load(path: Path, devices: Sequence[jax.Device], arguments: Any, results: Any) -> Any:
    """The program in a file; None if there is none, or none that can be used here."""
    try:
        content = path.read_bytes()
    except OSError:
        return None
    with suppress(OSError):  # of another user
        os.utime(path)  # the files that were used longest ago are removed
    if hashlib.sha256(content[_DIGEST:]).digest() != content[:_DIGEST]:
        return None
    with suppress(Exception):  # whatever JAX says: the program can be made
        return serialize_executable.deserialize_and_load(content[_DIGEST:], arguments, results, execution_devices=list(devices))
    return None


def _keep(path: Path, program: Any, code: LoadedCode) -> None:
    """Writes a program to its file, where both can be done."""
    if not code.is_unchanged():  # some may have been loaded from a file that was changed meanwhile
        return
    with suppress(Exception):  # not all programs can be serialised, and nothing is lost without the file
        content, _, _ = serialize_executable.serialize(program)
        with replaced(path) as part:
            part.write_bytes(hashlib.sha256(content).digest() + content)
