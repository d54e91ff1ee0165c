"""What goes together in the config of `experiments.predict`.

check_predict(config, origins)
"""

from nnjax.config.diagnostics import Origins, Problem
from nnjax.config.errors import IncompatibleError
from nnjax.config.predict_options import PredictConfig


def check_predict(config: PredictConfig, origins: Origins) -> None:
    """Checks that there is one kind of input, and that it can be explained.

    Raises:
        IncompatibleError: if not.
    """
    if config.image is None and config.rows is None:
        raise IncompatibleError(
            "image: missing; must be a picture, a folder, a pattern such as image='*.png', or - for standard input; "
            "for a network of vectors or of a series, rows=FILE.csv"
        )
    if config.image is not None and config.rows is not None:
        reason = f"rows={config.rows} is there, too; give one of them"
        raise IncompatibleError(Problem("image", config.image, reason).line(origins))
    if config.explain and config.rows is not None:
        reason = "draws pictures, and rows= gives none; leave it out"
        raise IncompatibleError(Problem("explain", "true", reason).line(origins))
