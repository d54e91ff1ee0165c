"""A model in a server: compiled at the start, answering in batches, explaining a picture.

served = ServedModel(model, settings, executor, observe)
served.warm_up()                                       # in the worker's thread
await served.answer(inputs)
"""

import asyncio
from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nnjax.config.serve_options import ServerSettings
from nnjax.serving.facts import ModelFacts
from nnjax.serving.model import Answer, Model
from nnjax.serving.occlusion import occlusion_map
from nnjax.serving.server.batch_sizes import batch_sizes, in_sizes
from nnjax.serving.server.batching import Batcher, Observe

EXPLAINED = 16
"""How many examples an explanation counts as in the queue: it computes many covered copies of a picture."""


class ServedModel:
    """See the module.

    Args:
        model: whose network is called in a few batch sizes only.
        settings: batch and wait.
        executor: the worker, of one thread.
        observe: told each batch.
    """

    def __init__(self, model: Model, settings: ServerSettings, executor: Executor, observe: Observe | None = None) -> None:
        self.sizes = batch_sizes(settings.batch)
        self._model = replace(model, outputs_of=in_sizes(model.outputs_of, self.sizes))
        self._executor = executor
        self.batcher = Batcher(self._model.answer, executor, settings.batch, settings.wait, observe)

    @property
    def facts(self) -> ModelFacts:
        """The model's facts."""
        return self._model.facts

    @property
    def explains(self) -> bool:
        """Whether it can show where it looked: for pictures of classes."""
        return self.facts.inputs.preparation is not None and self.facts.task == "classification"

    def warm_up(self) -> None:
        """Compiles and runs the network for every batch size."""
        inputs = self.facts.inputs
        for size in self.sizes:
            self._model.answer(np.zeros((size, *inputs.shape), inputs.dtype))
        if self.explains:
            occlusion_map(self._model, np.zeros(inputs.shape, inputs.dtype), 0)

    async def answer(self, inputs: NDArray[Any]) -> Sequence[Answer]:
        """Answers [n, *shape] inputs, in a batch with others'."""
        return await self.batcher.answer(inputs)

    async def looked(self, inputs: NDArray[Any], answer: Answer) -> NDArray[np.float32]:
        """Returns [h, w] where the network looked for its answer to one input; see `nnjax.serving.occlusion`."""
        label = int(np.argmax(answer.probabilities))
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._executor, occlusion_map, self._model, inputs, label)
