"""Checks the values of a netlab's config against each other.

check_netlab(config, origins)
# ConfigError: delays=[]: must hold at least one value
"""

from nnjax.checks.data_checks import Problems
from nnjax.config.diagnostics import NO_ORIGINS, Origins, Problem, raise_problems
from nnjax.config.netlab_options import NetlabConfig

_SMALLEST_LOSS = 1e-6  # what the packet filter resolves


def check_netlab(config: NetlabConfig, origins: Origins = NO_ORIGINS) -> None:
    """Checks that there is something to measure, and that delay, jitter and loss can be made.

    Raises:
        ConfigError: it names all faults.
    """
    raise_problems(list(_problems(config)), origins)


def _problems(config: NetlabConfig) -> Problems:
    for key in ("parts", "bandwidths", "delays", "losses", "hidden_layers"):
        if not getattr(config, key):
            yield Problem(key, [], "must hold at least one value")
    least = min((delay for delay in config.delays if delay), default=0.0)
    if config.jitter > least:
        reason = f"a delay of {least:g} s cannot vary by more than itself"
        yield Problem("jitter", config.jitter, f"{reason}; must be at most {least:g}")
    for loss in config.losses:
        if 0 < loss < _SMALLEST_LOSS:
            yield Problem("losses", list(config.losses), f"a loss must be 0, or at least {_SMALLEST_LOSS:g}")
