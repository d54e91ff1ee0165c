"""The overrides that make a trace's experiment again, from its `trace.json`: written by `experiments.trace` or by its page.

overrides_of_file(Path("trace.json"))     # ["model=neurons", "model.layers=[{size:1,weights:[[0.1,0.2,0.3]],biases:[0.6],…

The weights become those of model=neurons, and the examples, as the network saw them, those of data=textbook.
"""

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

from nnjax.checks.sparse import EACH_UNTIL
from nnjax.config.errors import ConfigError, DataError
from nnjax.config.paths import shown_path
from nnjax.config.stored_files import MOST_RESULTS, StoredFileError, one_line, read_json
from nnjax.textbook.trace_reading import Part, name_text, number_text, option_text

_MOST_NUMBERS = 20_000
"""Weights and inputs of a command: reading more of them takes minutes."""

_USUAL = {"leaky_relu": {"negative_slope": 0.01}, "elu": {"alpha": 1.0}}


def overrides_of_file(path: Path) -> list[str]:
    """Reads a `trace.json`.

    Raises:
        DataError: if the file is missing, damaged, too large, or holds something else.
        ConfigError: if no overrides make its experiment.
    """
    try:
        return overrides_of(read_json(path.resolve(), MOST_RESULTS))
    except FileNotFoundError:
        raise DataError(f"{shown_path(path)}: there is no such file; a trace.json is expected") from None
    except StoredFileError as error:
        raise DataError(str(error)) from error
    except (ConfigError, DataError) as error:
        raise type(error)(f"{shown_path(path)}: {one_line(error)}") from error


def overrides_of(trace: Any) -> list[str]:
    """Returns the overrides of the experiment of a trace, to be composed as those of a command line.

    Args:
        trace: the content of a `trace.json`.

    Raises:
        DataError: if it is none, or is damaged.
        ConfigError: if no overrides make its experiment.
    """
    whole = Part("", trace)
    settings, iterations = whole["settings"], whole["iterations"].items()
    if not iterations:
        raise DataError("iterations: is empty; a trace of at least one iteration is expected")
    first = iterations[0]
    if first["number"].whole() != 1:
        raise DataError(f"iterations.0.number={first['number'].whole()}: must be 1, whose weights are the initial ones")
    numbers = [iteration["number"].whole() for iteration in iterations]
    batches = _batches(whole, numbers)
    classes = [name.text() for name in whole["classes"].items()] if whole.get("classes") is not None else None
    inputs = [example for batch in batches for example in batch[0]]
    targets = [example for batch in batches for example in batch[1]]
    return [
        "model=neurons",
        *_layers(whole["network"]["layers"].items(), first, sum(map(len, inputs))),
        "data=textbook",
        f"data.inputs={_table(inputs)}",
        *_targets(targets, classes),
        *_activation(whole["network"]["layers"].items()),
        *_loss(settings, classes),
        *_optimizer(settings["adds"].truth(), _rate(iterations)),
        f"training.global_batch_size={len(batches[0][0])}",
        f"iterations={settings['iterations'].whole()}",
        *_records(numbers),
        *_devices(whole.get("exchange"), len(batches[0][0])),
    ]


def _records(numbers: Sequence[int]) -> list[str]:
    """Records each iteration where the file does so beyond those that every trace records."""
    return ["report.records=all"] if len(numbers) == numbers[-1] > EACH_UNTIL else []


def _devices(exchange: Part | None, batch: int) -> list[str]:
    if exchange is None:
        return []
    # nothing is evaluated, but a number of devices must divide this batch, too
    return [f"parallel.devices={len(exchange['devices'].items())}", f"training.eval_batch_size={batch}"]


def _layers(layers: Sequence[Part], first: Part, numbers: int) -> list[str]:
    weights, biases = first["weights"].items(), first["biases"].items()
    if not len(layers) == len(weights) == len(biases) or not layers:
        sizes = f"{len(layers)} layers, {len(weights)} tables of weights and {len(biases)} of biases"
        raise DataError(f"network.layers: {sizes} do not fit together")
    texts, learns = [], set()
    for layer, table, bias in zip(layers, weights, biases, strict=True):
        rows = table.table()
        numbers += sum(map(len, rows))
        if numbers > _MOST_NUMBERS:
            raise ConfigError(f"has more than {_MOST_NUMBERS:,} weights and inputs, too many for a command")
        parts = [f"size:{len(rows)}", f"weights:{_table(rows)}"]
        if layer["has_bias"].truth():
            parts.append(f"biases:{_row(bias.row())}")
            learns.add(layer["learns_bias"].truth())
        else:
            parts.append("bias:false")
        if not _options(layer):
            parts.append(f"activation:{option_text(layer['activation'])}")
        texts.append(f"{{{','.join(parts)}}}")
    if len(learns) > 1:
        raise ConfigError("some layers learn their biases and some do not; no override says so")
    return [f"model.layers=[{','.join(texts)}]", f"model.learn_biases={str(True in learns).lower()}"]


def _options(layer: Part) -> dict[str, float]:
    """An activation's numbers; without the usual ones."""
    usual = _USUAL.get(layer["activation"].text(), {})
    given = layer.get("activation_options")
    options = {} if given is None else {name: value.number() for name, value in given.mapping().items()}
    for name in options:
        if name not in usual:
            raise DataError(f"network.layers: activation={layer['activation'].text()} has no option {one_line(name)}")
    return {name: value for name, value in options.items() if value != usual[name]}


def _group(layers: Sequence[Part]) -> tuple[str, dict[str, float]] | None:
    """The activation with numbers of its own, which only the activation group can have; None if there is none."""
    found = [(layer["activation"].text(), options) for layer in layers if (options := _options(layer))]
    if any(other != found[0] for other in found):
        raise ConfigError("its layers have activations with different slopes or alphas; overrides have one such activation")
    return found[0] if found else None


def _activation(layers: Sequence[Part]) -> list[str]:
    if (special := _group(layers)) is None:
        return []
    name, options = special
    return [f"activation={name}", *(f"activation.{key}={number_text(value)}" for key, value in options.items())]


def _loss(settings: Part, classes: Sequence[str] | None) -> list[str]:
    name, given = option_text(settings["loss"]), settings.get("loss_options")
    options = {} if given is None else {key: value.number() for key, value in given.mapping().items()}
    for key in options:
        if key != "label_smoothing":
            raise DataError(f"settings.loss_options: there is no option {one_line(key)}")
    if name == "cross_entropy" and classes is None:
        raise ConfigError("loss=cross_entropy needs classes, and the trace names none")
    return [f"loss={name}", *(f"loss.{key}={number_text(value)}" for key, value in options.items() if value)]


def _optimizer(adds: bool, rate: float) -> list[str]:
    if not adds and rate <= 0:  # sgd takes rates above 0 only, the textbook's rule any
        adds, rate = True, -rate
    return [f"optimizer={'textbook' if adds else 'sgd'}", f"optimizer.learning_rate={number_text(rate)}"]


def _rate(iterations: Sequence[Part]) -> float:
    rates = [iteration["learning_rate"].number() for iteration in iterations]
    if any(rate != rates[0] for rate in rates):
        raise ConfigError("its learning rate varies, and a trace.json does not say by which schedule; trace its own overrides")
    return rates[0]


def _batches(whole: Part, numbers: Sequence[int]) -> list[tuple[list[list[float]], list[list[float]]]]:
    """The batches of the first iterations, up to the one after which they come again."""
    if any(later <= earlier for earlier, later in pairwise(numbers)):
        raise DataError("iterations: their numbers must rise")
    examples = whole["examples"].items()
    if len(examples) != len(numbers):
        raise DataError(f"examples: has {len(examples)} batches for {len(numbers)} iterations")
    found = [(batch["inputs"].table(), batch["targets"].table()) for batch in examples]
    size = len(found[0][0])
    for place, (inputs, targets) in enumerate(found):
        if len(inputs) != size or len(targets) != size:
            raise DataError(f"examples.{place}: every batch must have {size} inputs and targets")
    successive = next((place for place, number in enumerate(numbers) if number != place + 1), len(numbers))
    for period in range(1, successive + 1):
        if all(found[place] == found[(number - 1) % period] for place, number in enumerate(numbers)):
            return found[:period]
    raise ConfigError("its batches do not come again in the iterations that it records in a row: it lacks some examples")


def _targets(rows: Sequence[Sequence[float]], classes: Sequence[str] | None) -> list[str]:
    if classes is None:
        return [f"data.targets={_table(rows)}"]
    names = []
    for row in rows:
        if len(row) != len(classes) or row.count(max(row)) != 1:
            raise DataError("examples: a target must single out one of the classes")
        names.append(name_text(classes[row.index(max(row))]))
    return [f"data.classes=[{','.join(map(name_text, classes))}]", f"data.targets=[{','.join(names)}]"]


def _row(values: Sequence[float]) -> str:
    return f"[{','.join(map(number_text, values))}]"


def _table(rows: Sequence[Sequence[float]]) -> str:
    return f"[{','.join(map(_row, rows))}]"
