"""Settings of JAX in the environment: followed, set aside with a warning, or refused in one line.

with import_guard():          # JAX_ENABLE_X64=maybe ends here
    import jax
with jax_settings(console.warn):
    ...                       # everything that computes

A run's numbers follow from its config. So settings that would change them silently are set aside during the run, such as
JAX_ENABLE_X64 and another generator of random numbers. So are settings under which nothing could be trained: JAX_DISABLE_JIT,
or checks of library code. JAX_DEBUG_NANS and the like are followed. This module imports JAX only inside its functions.
"""

import hashlib
import os
import re
import signal
import subprocess
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from importlib.metadata import version
from pathlib import Path
from types import FrameType
from typing import Any

from nnjax.config import leaving
from nnjax.config.errors import ConfigError, DivergedError, UserError
from nnjax.config.paths import cache_directory

_OTHER_NUMBERS = "a run computes what its config says, in float32, and draws the same random numbers everywhere"
_NO_TRAINING = "nothing could be trained under it"
_OWN_CHECKS = "it checks the code of programs, and the libraries under this one do not keep to it"

_SET_ASIDE: dict[str, tuple[Any, str]] = {
    "jax_enable_x64": (False, _OTHER_NUMBERS),
    "jax_default_prng_impl": ("threefry2x32", _OTHER_NUMBERS),
    "jax_threefry_partitionable": (True, _OTHER_NUMBERS),
    "jax_random_seed_offset": (0, _OTHER_NUMBERS),
    "jax_disable_jit": (False, "the steps are compiled before they run"),
    "jax_no_tracing": (False, _NO_TRAINING),
    "jax_no_execution": (False, _NO_TRAINING),
    "jax_enable_pgle": (False, _NO_TRAINING),
    "jax_transfer_guard": (None, _OWN_CHECKS),
    "jax_transfer_guard_host_to_device": (None, _OWN_CHECKS),
    "jax_transfer_guard_device_to_device": (None, _OWN_CHECKS),
    "jax_transfer_guard_device_to_host": (None, _OWN_CHECKS),
    "jax_numpy_rank_promotion": ("allow", _OWN_CHECKS),
    "jax_numpy_dtype_promotion": ("standard", _OWN_CHECKS),
}
"""Settings of JAX that a run does not follow: their values instead, and why."""

_FOLLOWED = {"jax_default_matmul_precision": None, "jax_disable_most_optimizations": False}
"""Settings that change the numbers and may be chosen, with their defaults."""

_PUT_BACK = ("jax_debug_nans", "jax_debug_infs", "jax_enable_compilation_cache")
_HARMLESS = re.compile(
    r"JAX_(PLATFORM|COMPILATION_CACHE|ENABLE_COMPILATION_CACHE|PERSISTENT_CACHE|NUM_CPU|TRACEBACK|LOG|PPRINT)"
)
_COUNT_ONLY = re.compile(r"\s*(--xla_force_host_platform_device_count=\d+\s*)*")
_START_XLA = "import jaxlib.xla_client as client; client.make_cpu_client()"


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Delays Ctrl-C and SIGTERM until the context ends: a half-imported C extension can crash on them.

    Other signals are not delayed, nor are these two where the program ignores them, or is a command: that raises nothing (see
    `nnjax.config.leaving`).
    """
    came: list[tuple[int, FrameType | None]] = []
    previous: dict[int, Any] = {}
    if threading.current_thread() is threading.main_thread():
        for number in (int(signal.SIGINT), int(signal.SIGTERM)):
            if callable(signal.getsignal(number)) and signal.getsignal(number) is not leaving.handle:
                previous[number] = signal.signal(number, lambda number, frame: came.append((number, frame)))
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
        if came:
            number, frame = came[0]
            previous[number](number, frame)


@contextmanager
def import_guard() -> Iterator[None]:
    """For `import jax` and modules that import it: delays signals, and names a setting that JAX refuses.

    Raises:
        ConfigError: for a variable with a value that JAX, or XLA, cannot take.
    """
    with uninterrupted():
        try:
            yield
        except (ValueError, TypeError) as error:
            if (name := _named_in(str(error))) is None:
                raise
            raise ConfigError(f"{name}={os.environ[name]}: JAX refuses this setting of the environment: {error}") from error
        _check_xla_flags()


@contextmanager
def jax_settings(warn: Callable[[str], None], *, strict: bool = False) -> Iterator[None]:
    """Makes JAX compute as the config says, and restores its settings at the end.

    Args:
        warn: called with a line about each setting that is set aside, or changes the numbers.
        strict: find numbers that are not finite by `debug=strict`, not by JAX_DEBUG_NANS.

    Raises:
        DivergedError: for a number that JAX_DEBUG_NANS or JAX_DEBUG_INFS found.
        ConfigError: for an error inside of JAX while settings are made that few programs run under.
    """
    import jax

    from nnjax.parallel.compilation import check_cache

    values = jax.config.values
    before = {name: values[name] for name in (*_SET_ASIDE, *_PUT_BACK) if name in values}
    try:
        for name, (wanted, reason) in _SET_ASIDE.items():
            value = jax.config.values.get(name, wanted)  # read anew, as one setting of transfers sets the others
            if value != wanted and value != "allow":
                jax.config.update(name, wanted)
                warn(f"{_setting(name, value)} is not followed: {reason}")
        for name, usual in _FOLLOWED.items():
            if name in values and values[name] != usual:
                warn(f"{_setting(name, values[name])}: the numbers are not quite those of a run without it")
        check_cache(warn)
        if strict:
            jax.config.update("jax_debug_nans", False)
            jax.config.update("jax_debug_infs", False)
        yield
    except UserError:
        raise
    except Exception as error:
        if isinstance(error, FloatingPointError) or type(error).__name__ == "InternalFloatingPointError":
            raise _not_finite(error) from error
        if (answer := _blamed(error)) is not None:
            raise ConfigError(answer) from error
        raise
    finally:
        for name, value in before.items():
            if jax.config.values[name] != value:
                jax.config.update(name, value)


def usual_contexts() -> list[AbstractContextManager[Any]]:
    """JAX's own contexts for settings that a run does not follow.

    A caller's context, such as `jax.enable_x64(True)`, counts for its thread whatever the settings of the process are.
    """
    import jax

    return [
        jax.enable_x64(False),
        jax.default_prng_impl("threefry2x32"),
        jax.threefry_partitionable(True),
        jax.disable_jit(False),
        jax.numpy_rank_promotion("allow"),
        jax.numpy_dtype_promotion("standard"),
        jax.transfer_guard("allow"),
    ]


def platform_said() -> str:
    """The environment variables that choose JAX's platform, as NAME=VALUE; empty if there are none."""
    names = ("JAX_PLATFORMS", "JAX_PLATFORM_NAME", "CUDA_VISIBLE_DEVICES")
    return " ".join(
        f"{name}={os.environ[name]}" for name in names if name in os.environ and (os.environ[name] or "CUDA" in name)
    )


def jax_started() -> bool:
    """Whether JAX has made its devices, whose number stays."""
    from jax._src import xla_bridge  # no public function answers this without making them

    return bool(xla_bridge.backends_are_initialized())


def _check_xla_flags() -> None:
    """Tries XLA_FLAGS in another process, in half a second: XLA ends the process at an unknown flag.

    Flags that this jaxlib took are noted in `cache_directory()`, and not tried again.

    Raises:
        ConfigError: if that process ended so.
    """
    flags = os.environ.get("XLA_FLAGS", "")
    if _COUNT_ONLY.fullmatch(flags) or jax_started():
        return
    taken = cache_directory() / "xla_flags" / hashlib.sha256(f"{version('jaxlib')} {flags}".encode()).hexdigest()[:32]
    if taken.exists():
        return
    command = [sys.executable, "-c", _START_XLA]
    try:
        done = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=60)
    except (OSError, subprocess.SubprocessError):
        return
    said = re.search(r"parse_flags_from_env\.cc:\d+\] (.*)", done.stderr)
    refused = re.search(r"command_line_flags\.cc:\d+\] (.*)", done.stderr) or said
    if done.returncode and said and refused:
        raise ConfigError(f"XLA_FLAGS={flags}: XLA refuses this setting of the environment: {refused[1]}")
    if not done.returncode and all(flag.startswith("--") for flag in flags.split()):  # else a file, which may change
        with suppress(OSError):
            taken.parent.mkdir(parents=True, exist_ok=True)
            taken.touch()


def _named_in(message: str) -> str | None:
    """The environment variable that an error of JAX's import names."""
    names = [name for name in os.environ if name.startswith("JAX_") and re.search(rf"\b{name}\b", message, re.IGNORECASE)]
    valued = [name for name in os.environ if name.startswith("JAX_") and os.environ[name] and os.environ[name] in message]
    return next(iter(names or valued), None)


def _setting(name: str, value: object) -> str:
    """A setting as it was made: in the environment, else in the program."""
    variable = name.upper()
    return f"{variable}={os.environ[variable]}" if os.environ.get(variable) else f"{name}={value}"


def _not_finite(error: Exception) -> DivergedError:
    made = [f"{name}={os.environ[name]}" for name in ("JAX_DEBUG_NANS", "JAX_DEBUG_INFS") if os.environ.get(name)]
    said = " in ".join(map(str, error.args[::-1])) if not isinstance(error, FloatingPointError) else str(error).splitlines()[0]
    return DivergedError(
        f"{' '.join(made) or 'jax_debug_nans'}: JAX says: {said}: training diverged\n"
        "  try an optimizer.learning_rate nearer to 0; debug=strict names the layer where it starts"
    )


def _blamed(error: Exception) -> str | None:
    """The message for an error that JAX itself raised, if the environment has unusual settings for it."""
    import jax

    made = [f"{name}={value}" for name, value in os.environ.items() if _is_unusual(name, jax.config.values)]
    last = traceback.extract_tb(error.__traceback__)[-1].filename
    # JAX takes its own frames out of a traceback, and notes that it did.
    noted = any("JAX" in note for note in getattr(error, "__notes__", ()))
    by_jax = noted or type(error).__module__.startswith("jax") or last.startswith(str(Path(jax.__file__).parent))
    if not made or not by_jax:
        return None
    said = next(iter(str(error).strip().splitlines()), "")
    return f"{' '.join(made)}: set in the environment, and JAX stops: {type(error).__name__}: {said}; try without"


def _is_unusual(name: str, values: Any) -> bool:
    setting = name.lower()
    return (
        name.startswith("JAX_")
        and not _HARMLESS.match(name)
        and setting in values
        and setting not in _SET_ASIDE
        and bool(os.environ[name])
    )
