"""What goes together in the config of `experiments.compare`.

check_compare(config)
"""

from nnjax.config.compare_options import CompareConfig
from nnjax.config.errors import IncompatibleError
from nnjax.config.invocation import verb_command


def check_compare(config: CompareConfig) -> None:
    """Checks that there is something to compare.

    Raises:
        IncompatibleError: if not.
    """
    if not config.runs:
        example = f"{verb_command('compare')} outputs/sweeps/DATE/TIME"
        raise IncompatibleError(f"runs: missing; must be folders of runs or sweeps, or patterns, as in {example}")
