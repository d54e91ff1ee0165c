"""How programs are compiled, and that they are kept on disk: a second start of the same experiment compiles nothing.

    keep_compiled(echo=print)                 # before the first program is compiled
    step = compile_lowered(jax.jit(step).lower(*arguments), "cpu")

They lie below `cache_directory()` in a folder for each kind of processor, since a program for one can crash on another.
`JAX_COMPILATION_CACHE_DIR` moves them, `JAX_ENABLE_COMPILATION_CACHE=false` switches this off, `make clean-cache` removes all.
"""

import hashlib
import platform
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import jax

from nnjax.config.paths import cache_directory

_LARGEST = 2**30  # bytes

# What XLA's CPU backend hands to the library YNNPACK: sums, where its own choice is products and convolutions, too. Eigen,
# which has those then, takes a quarter of the time for the gradient of a convolution by its kernel. XLA's own sums over all
# places of all images, as BatchNorm needs them, take ten times as long as YNNPACK's.
_YNNPACK = {"xla_cpu_experimental_ynn_fusion_type": "LIBRARY_FUSION_TYPE_REDUCE"}


def keep_compiled(echo: Callable[[str], None]) -> None:
    """Has JAX look for programs in the cache, and keep there what it compiles.

    Args:
        echo: told, in a line, that nothing can be kept.
    """
    if not jax.config.values["jax_enable_compilation_cache"] or jax.config.values["jax_compilation_cache_dir"] is not None:
        return
    folder = cache_directory() / "compiled" / _processor()
    if not _can_keep(folder, echo):
        return
    with suppress(OSError):  # entries of somebody else
        _shrink(folder, _LARGEST)
    jax.config.update("jax_compilation_cache_dir", str(folder))
    # JAX keeps only what took a second to compile, and ours are many small programs.
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
    jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)


def check_cache(echo: Callable[[str], None]) -> None:
    """Switches the cache off where JAX_COMPILATION_CACHE_DIR names a folder that cannot be written to.

    JAX would warn of each program.

    Args:
        echo: told of it, in a line.
    """
    own = jax.config.values["jax_compilation_cache_dir"]
    if own is None or "://" in own or not jax.config.values["jax_enable_compilation_cache"]:  # a bucket cannot be looked at
        return
    if not _can_keep(Path(own), echo):
        jax.config.update("jax_enable_compilation_cache", False)


def compile_lowered(lowered: Any, platform: str) -> Any:
    """Compiles what `jax.jit(…).lower(…)` returned, with the settings that are fastest for training on a platform.

    Args:
        lowered: the program.
        platform: of its devices.
    """
    if platform == "cpu":
        try:
            return lowered.compile(compiler_options=_YNNPACK)
        except jax.errors.JaxRuntimeError as error:
            if not any(setting in str(error) for setting in _YNNPACK):
                raise
            # This jaxlib does not know the setting: its programs are slower, and as right.
    return lowered.compile()


def _can_keep(folder: Path, echo: Callable[[str], None]) -> bool:
    """Whether a file can be written to a folder, which is made if it is not there."""
    try:  # permissions say nothing of a disk that is mounted read-only
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(b"x")
            file.flush()
    except (OSError, ValueError) as error:
        echo(f"going on without a cache of compiled programs: {error}")
        return False
    return True


def _processor() -> str:
    """Names what this machine's processor can do."""
    features = platform.processor()
    try:
        cpuinfo = Path("/proc/cpuinfo").read_text()
        features += "".join(
            sorted({line for line in cpuinfo.splitlines() if line.startswith(("model name", "flags", "Features"))})
        )
    except OSError:  # not Linux
        pass
    return f"{platform.machine()}-{hashlib.sha256(features.encode()).hexdigest()[:8]}"


def _shrink(folder: Path, largest: int) -> None:
    """Removes the entries that were used longest ago, until at most half of `largest` bytes are left, if there are more."""
    entries = []
    for path in folder.iterdir():
        try:
            entries.append((max(path.stat().st_atime, path.stat().st_mtime), path.stat().st_size, path))
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
