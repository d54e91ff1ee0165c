"""Lists, filters, tags and cleans up runs: `python -m experiments.runs status=completed 'test_accuracy>0.98'`.

Words that are no key of the verb are conditions or folders. This verb leaves no folder of its own.
"""

import sys
from collections.abc import Mapping

from nnjax.cli import command
from nnjax.cli.process import complain
from nnjax.config.errors import ConfigError
from nnjax.config.runs_options import RunsConfig


def main() -> None:
    """The command line."""
    from nnjax.records.listing_words import listing_overrides

    try:
        sys.argv[1:] = listing_overrides(sys.argv[1:])
    except ConfigError as error:
        complain(error)
        sys.exit(error.exit_code)
    command.run("runs", RunsConfig, runs)


def runs(config: RunsConfig, run_dir: object) -> Mapping[str, object]:
    """Lists and changes runs; returns nothing of use, and raises what `nnjax.api.runs_listing.run_listing` raises.

    Args:
        config: see `RunsConfig`.
        run_dir: None, since this verb has no folder.
    """
    from nnjax.api.runs_listing import run_listing

    run_listing(config)
    return {}


if __name__ == "__main__":
    main()
