"""Writes a run's network as ONNX, for runtimes in other languages, with jax2onnx; an extra.

    export_onnx(experiment, state, model, path)
    onnxruntime.InferenceSession("model.onnx").run(None, {"inputs": images.astype("float32")})

The graph takes float32 inputs [b, ...] with the values of the dataset, such as 0 to 255, and returns `answers` [b, k]: the mean
over the trials of their calibrated probabilities; for regression, of their values. The model's facts stand in its metadata as
JSON. A picture's preparation is no part of it. What was written is run once, and must agree with the network.
"""

import json
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nnjax.api.exporting import Exported, exporting, network_function
from nnjax.config.errors import ConfigError
from nnjax.config.storage import writing
from nnjax.config.stored_files import replaced
from nnjax.serving.model import LEAST_PROBABILITY, Model
from nnjax.serving.model_file import is_model_file
from nnjax.serving.stored_facts import facts_to_json

if TYPE_CHECKING:
    from nnjax.training.experiment import Experiment
    from nnjax.training.state import TrainState

_METADATA = "nnjax"
_EXAMPLES = 7  # that the written graph is run with
_AGREEMENT = 1e-4  # of probabilities, or of the largest value


def check_converter() -> None:
    """Checks that the packages of the extra are there, before a run is opened.

    Raises:
        ConfigError: if not.
    """
    for name in ("onnxruntime", "jax2onnx"):
        if find_spec(name) is None:
            raise ConfigError(f"format=onnx: needs {name}: pip install 'nnjax[onnx]'")


def is_exported(path: Path) -> bool:
    """Whether a file is a model that `experiments.export` wrote, in either format."""
    import onnxruntime

    if is_model_file(path):
        return True
    try:
        session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    except Exception:  # ONNX Runtime has a type for each of many reasons
        return False
    return _METADATA in session.get_modelmeta().custom_metadata_map


def export_onnx(experiment: "Experiment", state: "TrainState", model: Model, path: Path) -> Exported:
    """Writes a network; inside of `jax_session`.

    Args:
        experiment: as trained.
        state: the network's, as NumPy arrays.
        model: as `nnjax.api.predicting.model_of` makes it of both.
        path: of the file.

    Raises:
        ConfigError: without the extra, or if the network cannot be converted, or the converted one gives other answers.
        StorageError: if the file cannot be written; nothing is left behind.
    """
    check_converter()
    with _quiet():
        import onnxruntime
        from jax2onnx import to_onnx

    facts = model.facts
    weights, function = network_function(experiment, state, facts.calibration)
    with exporting(experiment), _quiet():
        converted = to_onnx(_answers_of(weights, function, model), [("b", *facts.inputs.shape)], model_name=facts.name)
        converted.graph.input[0].name, renamed = "inputs", converted.graph.input[0].name
        converted.graph.output[0].name, answers = "answers", converted.graph.output[0].name
        for node in converted.graph.node:
            node.input[:] = ["inputs" if name == renamed else "answers" if name == answers else name for name in node.input]
            node.output[:] = ["answers" if name == answers else name for name in node.output]
        described = converted.metadata_props.add()
        described.key, described.value = _METADATA, json.dumps(facts_to_json(facts))
        content = converted.SerializeToString()
        session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    inputs = experiment.dataset.train.inputs[:_EXAMPLES]  # a test split may be empty
    found = session.run(None, {"inputs": inputs.astype(np.float32)})[0]
    expected = model.probabilities(inputs).mean(axis=0)
    difference = float(np.abs(found - expected).max() / max(1.0, np.abs(expected).max()))
    if not difference < _AGREEMENT:
        name = experiment.config.model.name
        raise ConfigError(f"model={name}: cannot be exported: its graph in ONNX gives answers that differ by {difference:.2g}")
    with writing(path, len(content)), replaced(path) as part:
        part.write_bytes(content)
    return Exported(
        path=path,
        size=len(content),
        program_bytes=len(content) - sum(weight.nbytes for weight in weights.values()),
        weights_bytes=sum(weight.nbytes for weight in weights.values()),
        num_weights=sum(weight.size for weight in weights.values()),
        facts=facts,
    )


def _answers_of(weights: Any, function: Any, model: Model) -> Any:
    """The function from inputs to calibrated answers, with the weights as constants; see `nnjax.serving.model.calibrated`."""
    import jax
    import jax.numpy as jnp

    facts = model.facts
    temperatures = np.asarray(facts.temperatures, np.float32)[:, None, None]

    def answers(inputs: Any) -> Any:
        outputs = function(weights, inputs)
        if facts.task == "classification":
            logits = outputs if facts.from_logits else jnp.log(jnp.clip(outputs, LEAST_PROBABILITY, 1))
            outputs = jax.nn.softmax(logits / temperatures, axis=-1)
        return outputs.mean(axis=0)

    return answers


@contextmanager
def _quiet() -> Iterator[None]:
    """Without the converter's remarks on types that it leaves out, and on names of JAX that are old.

    It would take an error that such a warning becomes for a missing operation.
    """
    loggers = [logging.getLogger(name) for name in ("onnx_ir", "jax2onnx")]
    before = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, before, strict=True):
            logger.setLevel(level)
