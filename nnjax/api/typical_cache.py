"""The statistics of training inputs, kept on disk: those of MNIST take half a second to fit, a third of a whole answer.

typical = typical_of(dataset.train.inputs)
"""

import hashlib
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nnjax.config.errors import StorageError
from nnjax.config.paths import cache_directory
from nnjax.reporting.files import replacing
from nnjax.serving import principal, typical
from nnjax.serving.typical import Typical, fit_typical

_SMALL = 2**21  # bytes: fewer are fitted as fast as a file is read


def typical_of(inputs: NDArray[Any]) -> Typical:
    """Returns `fit_typical(inputs)`, from `cache_directory()` where it is there; a cache that cannot be used changes nothing.

    Args:
        inputs: [n, ...] the training inputs, of the stored type.
    """
    if inputs.nbytes < _SMALL:
        return fit_typical(inputs)
    from safetensors import SafetensorError
    from safetensors.numpy import load_file, save_file

    path = cache_directory() / "typical" / f"{_key(inputs)}.safetensors"
    with suppress(OSError, ValueError, SafetensorError):
        return Typical.from_arrays(load_file(path))
    fitted = fit_typical(inputs)
    with suppress(OSError, StorageError), replacing(path) as temporary:
        save_file(fitted.arrays(), temporary)
    return fitted


def _key(inputs: NDArray[Any]) -> str:
    """Names the inputs and the code: another byte of either is fitted anew."""
    digest = hashlib.sha256(f"{_code()} {inputs.dtype.str} {inputs.shape}".encode())
    digest.update(np.ascontiguousarray(inputs).data.cast("B"))
    return digest.hexdigest()[:32]


@cache
def _code() -> str:
    sources = (Path(str(module.__file__)).read_bytes() for module in (typical, principal))
    return hashlib.sha256(b"".join(sources)).hexdigest()
