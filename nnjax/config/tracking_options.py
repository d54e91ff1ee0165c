"""Which trackers a run writes to, and their settings: `report.trackers=[wandb,mlflow]`, `report.tracking.project=digits`.

No setting here sends anything over the network: a config file of somebody else cannot, either. Only the environment of the
person who trains can, by the trackers' own variables (`WANDB_MODE=online`, `MLFLOW_TRACKING_URI`, `TRACKIO_SPACE_ID`).
"""

from dataclasses import dataclass
from typing import Literal

from nnjax.config.types import PositiveFloat

TrackerName = Literal["tensorboard", "wandb", "mlflow", "trackio"]

PACKAGES: dict[str, tuple[str, ...]] = {
    "tensorboard": ("tensorboardX",),
    "wandb": ("wandb",),
    "mlflow": ("mlflow", "sqlalchemy", "alembic"),
    "trackio": ("trackio",),
}
"""The modules that each tracker imports; the extra of pyproject.toml that brings them has the tracker's name."""


@dataclass(frozen=True)
class Tracking:
    """Settings of the trackers.

    Attributes:
        project: the project of Weights & Biases and Trackio, and the experiment of MLflow, that runs are filed under.
        folder: where the stores of MLflow, Weights & Biases and Trackio are; null is the run's own folder. Runs with the same
            folder are in one store, side by side. The trackers' own variables (`WANDB_DIR`, …) have precedence.
        checkpoint: `reference` records the place of the checkpoints and, where the tracker can, sizes and checksums; `copy`
            also copies the files into the store. TensorBoard's files hold the place alone.
        patience: seconds that a finished training waits for a tracker to write what is left.
    """

    project: str = "nnjax"
    folder: str | None = None
    checkpoint: Literal["reference", "copy"] = "reference"
    patience: PositiveFloat = 60.0
