"""nnjax: declarative neural-network experiments in JAX, from two neurons by hand to data-parallel CNNs.

    import nnjax

    config = nnjax.compose("model=cnn", "data=digits")
    result = nnjax.fit(config)
    result.metrics["test"], result.predict(images)

The import is cheap: JAX, Hydra and NumPy are loaded when a name below is first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.2.0"

if TYPE_CHECKING:
    from nnjax.api.composing import compose
    from nnjax.api.fitting import fit, load_data
    from nnjax.api.opened_run import load_run
    from nnjax.api.registering import (
        register_activation,
        register_dataset,
        register_loss,
        register_model,
        register_optimizer,
    )
    from nnjax.api.result import History, Result
    from nnjax.config.errors import (
        ConfigError,
        DataError,
        DivergedError,
        IncompatibleError,
        InputError,
        OutOfMemoryError,
        PreemptedError,
        UserError,
    )
    from nnjax.config.schema import TrainConfig
    from nnjax.data.dataset import Dataset, Split

_MODULES = {
    "nnjax.api.composing": ("compose",),
    "nnjax.api.fitting": ("fit", "load_data"),
    "nnjax.api.opened_run": ("load_run",),
    "nnjax.api.registering": (
        "register_activation",
        "register_dataset",
        "register_loss",
        "register_model",
        "register_optimizer",
    ),
    "nnjax.api.result": ("History", "Result"),
    "nnjax.config.errors": (
        "ConfigError",
        "DataError",
        "DivergedError",
        "IncompatibleError",
        "InputError",
        "OutOfMemoryError",
        "PreemptedError",
        "UserError",
    ),
    "nnjax.config.schema": ("TrainConfig",),
    "nnjax.data.dataset": ("Dataset", "Split"),
}
_HOME = {name: module for module, names in _MODULES.items() for name in names}

__all__ = [
    "ConfigError",
    "DataError",
    "Dataset",
    "DivergedError",
    "History",
    "IncompatibleError",
    "InputError",
    "OutOfMemoryError",
    "PreemptedError",
    "Result",
    "Split",
    "TrainConfig",
    "UserError",
    "compose",
    "fit",
    "load_data",
    "load_run",
    "register_activation",
    "register_dataset",
    "register_loss",
    "register_model",
    "register_optimizer",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'nnjax' has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(_HOME[name]), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
