"""Compiles programs and keeps them on disk, so that a second start of the same experiment compiles nothing.

    keep_compiled(echo=print)                 # before the first program is compiled
    step = compile_lowered(jax.jit(step).lower(*arguments), "cpu")

They are kept below `cache_directory()`, with a folder for each kind of processor, since a program for one can crash on another.
`JAX_COMPILATION_CACHE_DIR` moves them, `JAX_ENABLE_COMPILATION_CACHE=false` switches this off, `make clean-cache` removes all.
"""

import hashlib
import platform
import tempfile
import warnings
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

import jax

from nnjax.config.errors import StorageError
from nnjax.config.paths import cache_directory
from nnjax.config.storage import check_free

_LARGEST = 2**30  # bytes
_LEAST_FREE = 2**24  # bytes that the programs of one experiment may take

# What XLA's CPU backend hands to the library YNNPACK: sums, where its own choice is products and convolutions, too. Eigen,
# which has those then, takes a quarter of the time for the gradient of a convolution by its kernel. XLA's own sums over all
# places of all images, as BatchNorm needs them, take ten times as long as YNNPACK's.
_YNNPACK = {"xla_cpu_experimental_ynn_fusion_type": "LIBRARY_FUSION_TYPE_REDUCE"}

# XLA's CPU backend removes all optimization barriers, in this pass, before it combines all-reduces and orders what is left.
_WITH_BARRIERS = {"xla_disable_hlo_passes": "cse_barrier_expander"}
_UNCOMBINED = {"xla_disable_hlo_passes": "cpu-all-reduce-combiner"}  # for a version that cannot do without the pass above


def keep_compiled(echo: Callable[[str], None]) -> None:
    """Switches JAX's cache of compiled programs on.

    Args:
        echo: called with a line if nothing can be kept.
    """
    if not jax.config.values["jax_enable_compilation_cache"] or jax.config.values["jax_compilation_cache_dir"] is not None:
        return
    folder = cache_directory() / "compiled" / processor()
    if not _can_keep(folder, echo):
        return
    # A disk that fills up meanwhile, or an entry that a kill cut off, costs a compilation; JAX would warn at each program.
    warnings.filterwarnings(
        "ignore", message="Error (reading|writing) persistent compilation cache entry", category=UserWarning
    )
    with suppress(OSError):  # entries of another user
        _shrink(folder, _LARGEST)
    jax.config.update("jax_compilation_cache_dir", str(folder))
    # JAX keeps only programs that took a second to compile, and ours are many small ones.
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
    jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)


def check_cache(echo: Callable[[str], None]) -> None:
    """Switches the cache off where JAX_COMPILATION_CACHE_DIR names a folder that cannot be written to.

    JAX would warn about each program.

    Args:
        echo: called with a line about it.
    """
    own = jax.config.values["jax_compilation_cache_dir"]
    if own is None or "://" in own or not jax.config.values["jax_enable_compilation_cache"]:  # a bucket cannot be looked at
        return
    if not _can_keep(Path(own), echo):
        jax.config.update("jax_enable_compilation_cache", False)


def compile_lowered(lowered: Any, platform: str, *, in_turn: bool = False) -> Any:
    """Compiles a lowered program with the settings that are fastest for training on a platform.

    Args:
        lowered: as from `jax.jit(…).lower(…)`.
        platform: the platform of its devices.
        in_turn: whether exchanges that are separated by optimization barriers keep their order and are not combined.
    """
    if platform != "cpu":
        return lowered.compile()
    more: dict[str, str] = {}
    for more in (_WITH_BARRIERS, _UNCOMBINED) if in_turn else ({},):
        try:
            return lowered.compile(compiler_options=_YNNPACK | more)
        except jax.errors.JaxRuntimeError as error:
            if more is not _WITH_BARRIERS and not any(setting in str(error) for setting in _YNNPACK):
                raise
    # This jaxlib has no such setting: its programs are slower, and equally correct.
    return lowered.compile(compiler_options=more)


@cache
def processor() -> str:
    """A name for this machine's kind of processor, from its features."""
    features = platform.processor()
    try:
        cpuinfo = Path("/proc/cpuinfo").read_text()
        features += "".join(
            sorted({line for line in cpuinfo.splitlines() if line.startswith(("model name", "flags", "Features"))})
        )
    except OSError:  # not Linux
        pass
    return f"{platform.machine()}-{hashlib.sha256(features.encode()).hexdigest()[:8]}"


def _can_keep(folder: Path, echo: Callable[[str], None]) -> bool:
    """Whether a file can be written to a folder, which is created if it is missing."""
    try:  # permissions do not show that a disk is mounted read-only
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(b"x")
            file.flush()
        check_free(folder, _LEAST_FREE, "it", "programs are compiled anew at each start")
    except (OSError, ValueError, StorageError) as error:
        echo(f"continuing without a cache of compiled programs: {error}")
        return False
    return True


def _shrink(folder: Path, largest: int) -> None:
    """Removes the least recently used entries until at most half of `largest` bytes are left, if there are more than that."""
    entries = []
    for path in folder.iterdir():
        try:
            state = path.stat()
            if not state.st_size:  # a full disk cut it off
                path.unlink(missing_ok=True)
            entries.append((max(state.st_atime, state.st_mtime), state.st_size, path))
        except FileNotFoundError:  # another process shrinks, too
            continue
    total = sum(size for _, size, _ in entries)
    if total <= largest:
        return
    for _, size, path in sorted(entries, key=lambda entry: entry[0]):
        path.unlink(missing_ok=True)
        total -= size
        if total <= largest / 2:
            return
