"""Downloads and prepares a dataset for training: `python -m experiments.prepare data=mnist`.

Without a network, from the official archives in a folder: `… data=mnist archives=FOLDER`.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nnjax.cli import command
from nnjax.config.errors import DataError
from nnjax.config.paths import absence, expanded, is_dir, shown_path
from nnjax.config.schema import PrepareConfig


def main() -> None:
    """The command line."""
    command.run("prepare", PrepareConfig, prepare)


def prepare(config: PrepareConfig, run_dir: Path) -> Mapping[str, Any]:
    """Prepares one dataset in its TFDS folder, and returns the dataset's name and folder.

    Raises:
        DataError: if it cannot be downloaded, or an archive is not the official one.
    """
    from nnjax.data.prepare import prepare as prepare_data

    archives = None if config.archives is None else expanded(config.archives, "archives", DataError)
    if archives is not None and not is_dir(archives):
        raise DataError(f"archives={shown_path(archives)}: {absence(archives)}")
    folder = prepare_data(config.data, archives)
    return {"data": config.data.name, "folder": str(folder)}


if __name__ == "__main__":
    main()
