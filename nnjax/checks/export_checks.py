"""What goes together in the config of `experiments.export`.

check_export(config, origins)
"""

from nnjax.config.diagnostics import Origins, Problem
from nnjax.config.errors import IncompatibleError
from nnjax.config.export_options import ExportConfig


def check_export(config: ExportConfig, origins: Origins) -> None:
    """Checks the platforms.

    Raises:
        IncompatibleError: if there are none, or one stands twice.
    """
    if len(set(config.platforms)) != len(config.platforms) or not config.platforms:
        reason = "must be at least one of cpu, cuda, rocm, tpu, each once"
        raise IncompatibleError(Problem("platforms", list(config.platforms), reason).line(origins))
