"""Compiles a training's programs while its network is drawn and its run begins; those that evaluate, while XLA compiles it.

with joined() as threads:
    begin_preparation(config, dataset, devices, threads)
    experiment, state = set_up(config, dataset, devices)
    ...                                      # finds its programs in `PROGRAMS`, or waits for them there

XLA compiles the steps of a training on one core, and without Python's lock.
"""

from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import jax

from nnjax.config.schema import Config
from nnjax.data.dataset import Dataset
from nnjax.parallel.program_store import PROGRAMS
from nnjax.training.background import Background
from nnjax.training.dead_units import DeadUnits
from nnjax.training.experiment import set_up
from nnjax.training.recording import records_weights, spans_evaluations
from nnjax.training.runner import compiled_chunk, loader_of


def begin_preparation(config: Config, dataset: Dataset, devices: Sequence[jax.Device], threads: list[Background[Any]]) -> None:
    """Makes the programs in threads, for the first training of a command with one process; further ones find most of them.

    What fails here is made again where it is needed, and fails there.

    Args:
        config: the training's.
        dataset: of which only the shapes count.
        devices: as for `set_up`.
        threads: gets each thread, as from `joined`: JAX's settings must not change before they end.
    """

    def prepare() -> None:
        with suppress(Exception):
            experiment, state = set_up(config, dataset, devices, standing_for=len(devices))
            placed, spans = experiment.layout.put(state), spans_evaluations(experiment)

            def prepare_evaluation() -> None:
                with suppress(Exception):
                    experiment.prepare(placed)
                    DeadUnits(experiment, state).prepare()

            compiled_chunk(
                experiment,
                placed,
                loader_of(experiment),
                stop_below=config.training.stop.loss_below if spans else None,
                record_params=spans and records_weights(experiment, state.params),
                meanwhile=lambda: threads.append(Background(prepare_evaluation)),
            )
            if len(threads) == 1:  # the steps' program was in a file
                prepare_evaluation()

    # `PROGRAMS.code` is that of a command. A caller of `nnjax.fit` may have settings of JAX for its own thread.
    if PROGRAMS.code is not None and PROGRAMS.is_empty and jax.process_count() == 1:
        threads.append(Background(prepare))
