"""The hash of a dataset's content: two places of the same examples have one hash, and a single other byte gives another.

content_hash(load(config.data))      # "sha256:1f0c…", 64 hexadecimal digits
hash_of_test(load(config.data))      # of the test split alone: runs trained on other examples may be tested on the same

It covers what a run trains and tests on, after limits and the validation split: inputs, targets, shapes, types and names.
Numbers that a CPU computes from them, and rounds in its own way, are left out: mean and standard deviation, the scaled windows
of a series (its values and dates stand for them), and the products behind the targets of `data=synthetic` in regression. In a
dataset made in Python they are covered, since nothing else is there to compute them from.
"""

import hashlib
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nnjax.config.data_options import SyntheticData
from nnjax.data.dataset import Dataset

_CHUNK = 1024  # rows of an array whose memory is in another order


def content_hash(dataset: Dataset) -> str:
    """Returns the SHA-256 of a dataset's content, as text; 1 GB takes about a second."""
    digest = hashlib.sha256()
    add = partial(_add, digest)
    spec = dataset.spec
    add("sizes", (spec.num_train, spec.num_validation, spec.num_test, spec.task, spec.num_outputs))
    add("class names", dataset.class_names)
    series, options = dataset.series, dataset.options
    if series is not None:
        add("series", (series.name, series.labels, series.holdout, series.window, series.season))
        add("values", series.values)
    if series is None or options is None:
        computed = isinstance(options, SyntheticData) and options.task == "regression"
        for name in ("train", "validation", "test"):
            split = getattr(dataset, name)
            add(f"{name} inputs", split.inputs)
            if not computed:
                add(f"{name} targets", split.targets)
    if options is None:
        add("mean", dataset.mean)
        add("std", dataset.std)
    return f"sha256:{digest.hexdigest()}"


def hash_of_test(dataset: Dataset) -> str:
    """Returns the SHA-256 of what a network is tested on, as text: the test split, or of a series the rows held out.

    Limits of the training examples, a validation split and the window of a series do not change it.
    """
    digest = hashlib.sha256()
    add = partial(_add, digest)
    series, options, held_out = dataset.series, dataset.options, dataset.series.holdout if dataset.series else 0
    add("test", (len(dataset.test), dataset.spec.task, dataset.spec.num_outputs))
    add("class names", dataset.class_names)
    if series is not None and options is not None:
        add("labels", tuple(series.labels[-held_out:]) if held_out else ())
        add("values", series.values[-held_out:] if held_out else series.values[:0])
    else:
        add("inputs", dataset.test.inputs)
        if isinstance(options, SyntheticData) and options.task == "regression":
            add("targets", (options.data_seed, options.noise))  # what they are computed from, with the inputs
        else:
            add("targets", dataset.test.targets)
    return f"sha256:{digest.hexdigest()}"


def shortened(data_hash: str) -> str:
    """The beginning of a hash, for messages."""
    return f"{data_hash.partition(':')[2][:12]}…"


def _add(digest: Any, name: str, value: Any) -> None:
    """Adds a value under a name; the length stands before it, so that no two contents run into one."""
    if isinstance(value, np.ndarray):
        digest.update(f"{name}: {value.dtype.str}{list(value.shape)}\n".encode())
        _add_array(digest, value)
    else:
        text = repr(value).encode("utf-8", "surrogatepass")
        digest.update(f"{name}: {len(text)}\n".encode() + text)


def _add_array(digest: Any, array: NDArray[Any]) -> None:
    if not array.size:
        return
    if array.flags.c_contiguous:
        digest.update(np.ascontiguousarray(array).data.cast("B"))
        return
    for start in range(0, len(array), _CHUNK):
        digest.update(np.ascontiguousarray(array[start : start + _CHUNK]).data.cast("B"))
