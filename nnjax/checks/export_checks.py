"""What goes together in the config of `experiments.export`.

check_export(config, origins)
"""

from nnjax.config.diagnostics import Origins, Problem
from nnjax.config.errors import IncompatibleError
from nnjax.config.export_options import ExportConfig


def check_export(config: ExportConfig, origins: Origins) -> None:
    """Checks the platforms, and that there is a converter to the format.

    Raises:
        IncompatibleError: if there is none; if there are no platforms, one stands twice, or the CPU is missing.
    """
    if config.format == "tflite":
        reason = (
            "is not there: the way from JAX leads through all of TensorFlow, and LiteRT's own converter takes PyTorch; "
            "format=onnx is there"
        )
        raise IncompatibleError(Problem("format", config.format, reason).line(origins))
    wrong = ""
    if len(set(config.platforms)) != len(config.platforms) or not config.platforms:
        wrong = "must be at least one of cpu, cuda, rocm, tpu, each once"
    elif "cpu" not in config.platforms:
        wrong = "must hold cpu, too: whoever reads the file runs it there first, to see whether it can be trusted"
    if wrong:
        raise IncompatibleError(Problem("platforms", list(config.platforms), wrong).line(origins))
