"""Imports JAX, applies a config's settings, and restores the earlier settings afterwards.

with jax_session(console.warn):                # a command: its process ends afterwards
    ...
with unchanged_process(), jax_session(warn):   # a library call: the caller's settings come back
    ...
"""

import logging
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext, suppress
from typing import Any

from nnjax.parallel.environment import import_guard, jax_settings, usual_contexts

_ONE_AT_A_TIME = threading.RLock()  # JAX's settings belong to the process


@contextmanager
def jax_session(
    warn: Callable[[str], None], *, strict: bool = False, timed: AbstractContextManager[Any] | None = None
) -> Iterator[None]:
    """Imports JAX and the training modules, and sets JAX's numerics as the config requires; see `nnjax.parallel.environment`.

    Args:
        warn: called with a line for each setting of the environment that is not followed.
        strict: the value of `debug.strict`.
        timed: a context for the import alone, such as a phase of a clock.

    Raises:
        ConfigError: for a setting of the environment that JAX refuses.
    """
    with timed or nullcontext(), import_guard():
        from nnjax.training import experiment, forecast, loop  # noqa: F401
    with jax_settings(warn, strict=strict):
        yield


@contextmanager
def unchanged_process() -> Iterator[None]:
    """Puts back JAX's settings and compilation cache, the root logger and the filters of warnings, also after an exception.

    One thread at a time is inside; others wait. JAX stays started. The first training creates one CPU device per core and sets
    `jax_num_cpu_devices`; a JAX that was started earlier keeps its devices.
    """
    with _ONE_AT_A_TIME, warnings.catch_warnings(), ExitStack() as contexts:
        with import_guard():
            import jax
        before, log = dict(jax.config.values), logging.root
        level, handlers = log.level, list(log.handlers)
        if before.get("jax_compilation_cache_dir") is None:
            _forget_cache()  # JAX decides at its first program whether there is one, and sticks to it
        try:
            for context in usual_contexts():
                contexts.enter_context(context)
            yield
        finally:
            contexts.close()
            for name, value in before.items():
                if jax.config.values[name] != value:
                    with suppress(RuntimeError):  # the number of CPU devices, once JAX has started
                        jax.config.update(name, value)
            if before.get("jax_compilation_cache_dir") is None:
                _forget_cache()
            log.setLevel(level)
            log.handlers[:] = handlers  # a library that logs to a root without any adds one


def _forget_cache() -> None:
    from jax.experimental.compilation_cache.compilation_cache import reset_cache

    reset_cache()
