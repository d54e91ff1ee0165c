"""Draws a figure for a picture's answer: how it was prepared, where the network looked, and its probabilities.

explain = Explainer(model, run_dir / "figures")
explain(answered)                                  # the file
"""

from pathlib import Path

from nnjax.config.paths import file_name
from nnjax.reporting.figures.answer_figure import draw_answer
from nnjax.serving.answering import Answered
from nnjax.serving.model import Model
from nnjax.serving.occlusion import occlusion_map


class Explainer:
    """Draws into a folder, each picture under a name of its own.

    Args:
        model: that answered.
        folder: for the figures.
    """

    def __init__(self, model: Model, folder: Path) -> None:
        self._model, self._folder = model, folder
        self._names: set[str] = set()

    def __call__(self, answered: Answered) -> Path:
        """Draws an answer that there is, and returns the figure's file."""
        assert answered.prepared is not None
        assert answered.answer is not None
        facts, answer = self._model.facts, answered.answer
        looked = None
        if answer.label is not None:
            looked = occlusion_map(self._model, answered.prepared.inputs, int(answer.probabilities.argmax()))
        path = self._folder / f"{self._own(answered.name)}.png"
        draw_answer(
            path,
            name=answered.name,
            steps=answered.prepared.steps,
            looked=looked,
            labels=facts.labels or tuple(map(str, range(facts.num_outputs))),
            values=answer.probabilities,
            spread=answer.spread,
            is_class=facts.task == "classification",
            remarks=(*answered.prepared.notes, *answer.warnings),
        )
        return path

    def _own(self, name: str) -> str:
        """A file's name that no other picture has."""
        stem = file_name(Path(name).stem) or "picture"
        found, number = stem, 2
        while found in self._names:
            found, number = f"{stem}_{number}", number + 1
        self._names.add(found)
        return found
