"""Answers many pictures, a batch at a time: one that cannot be read does not stop the others.

for answered in answer_pictures(model, find_pictures("scans/", "image")):
    answered.name, answered.answer.label                   # or answered.error
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice

from nnjax.serving.model import Answer, Model
from nnjax.serving.picture_files import PictureFile
from nnjax.serving.pictures import DEFAULT_LIMITS, PictureError, PictureLimits, open_picture
from nnjax.serving.preparing import Prepared, prepare

_BATCH = 64  # pictures: enough for the speed of a large batch, few enough for answers to come while one waits


@dataclass(frozen=True)
class Answered:
    """A picture and its answer, or the reason why there is none.

    Attributes:
        name: the picture's.
        prepared: how it became an input; None where it could not be read.
        answer: the model's.
        error: in one line, with the name.
    """

    name: str
    prepared: Prepared | None
    answer: Answer | None
    error: str | None


def answer_pictures(
    model: Model, pictures: Iterable[PictureFile], limits: PictureLimits = DEFAULT_LIMITS
) -> Iterator[Answered]:
    """Yields an answer or an error for each picture, in their order.

    Args:
        model: a model of images.
        pictures: read when their turn comes.
        limits: on each one's bytes and pixels.

    Raises:
        InputError: if the model takes no pictures.
    """
    waiting = iter(pictures)
    while batch := list(islice(waiting, _BATCH)):
        read = [_read(model, picture, limits) for picture in batch]
        answers = iter(model.answer_pictures([prepared for prepared in read if isinstance(prepared, Prepared)]))
        for picture, prepared in zip(batch, read, strict=True):
            if isinstance(prepared, Prepared):
                yield Answered(picture.name, prepared, next(answers), None)
            else:
                yield Answered(picture.name, None, None, prepared)


def _read(model: Model, picture: PictureFile, limits: PictureLimits) -> Prepared | str:
    try:
        return prepare(open_picture(picture.source, limits, picture.name), model.facts.inputs)
    except PictureError as error:
        return str(error)
