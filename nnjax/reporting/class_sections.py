"""The sections of a run's report about its classes: accuracy of each, confusion matrix, worst mistakes.

sections = class_sections(read_parts(run_dir)[0])
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nnjax.reporting.inline_pictures import shares_picture
from nnjax.reporting.page_blocks import DEEP, Bars, Block, Matrix, Picture, Pictures, Section, Table, Words
from nnjax.reporting.proportions import wilson
from nnjax.reporting.report_parts import confusion_counts
from nnjax.reporting.text import percent_text, short_names

_MOST_CELLS = 20  # classes, for a table with a cell for each pair
_LETTERS = 30  # of all names, for a matrix in half of the page's width
_MOST_BARS = 20  # classes that are all shown
_MOST_PAIRS = 25


def class_sections(parts: Mapping[str, Any]) -> list[Section]:
    """Accuracy by class, confusion matrix and worst mistakes.

    Args:
        parts: from `nnjax.reporting.report_parts`.
    """
    counts = confusion_counts(parts)
    if counts is None:
        return []
    names = short_names(parts["class_names"], 22)
    sections = [Section("Accuracy by class", _by_class(counts, names)), _confusion(counts, names)]
    if mistakes := parts.get("mistakes"):
        wrong = int(counts.sum() - np.trace(counts))
        sections.append(_mistakes(mistakes, names, wrong))
    return sections


def _by_class(counts: NDArray[np.int64], names: Sequence[str]) -> list[Block]:
    totals, right = counts.sum(axis=1), np.diag(counts)
    tested = [index for index in range(len(names)) if totals[index]]
    shares = {index: right[index] / totals[index] for index in tested}
    order = sorted(tested, key=lambda index: (shares[index], index))
    few = len(names) <= _MOST_BARS
    shown = order if few else order[:_MOST_BARS]
    rows = [(names[index], float(shares[index]), f"{percent_text(float(shares[index]))}") for index in shown]
    tested_alone = "" if len(tested) == len(names) else f" of {len(names)} that were tested"
    caption = "worst first" if few else f"the {len(shown)} worst of {len(names)} classes"
    numbers_of_all = Table(
        ("Class", "Right", "Of", "Accuracy", "95 % interval", "Precision"),
        [_class_row(counts, index, names[index]) for index in tested],
        f"{'All' if len(tested) == len(names) else 'The'} {len(tested)} classes{tested_alone}, with intervals",
        folded=True,
    )
    return [Bars(("Class", "Accuracy"), rows, caption), numbers_of_all]


def _class_row(counts: NDArray[np.int64], index: int, name: str) -> tuple[str, ...]:
    right, total, answered = (int(n) for n in (counts[index, index], counts[index].sum(), counts[:, index].sum()))
    low, high = wilson(right, total)
    precision = percent_text(right / answered) if answered else "never answered"
    return (
        name,
        f"{right:,}",
        f"{total:,}",
        percent_text(right / total),
        f"{percent_text(low)} to {percent_text(high)}",
        precision,
    )


def _confusion(counts: NDArray[np.int64], names: Sequence[str]) -> Section:
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    wrong = counts - np.diag(np.diag(counts))
    order = [divmod(int(place), len(names)) for place in np.argsort(-wrong, axis=None, kind="stable")[:_MOST_PAIRS]]
    pairs = [(names[row], names[column], f"{counts[row, column]:,}") for row, column in order if wrong[row, column]]
    caption = "Commonest mistakes" if len(names) > _MOST_CELLS else "Commonest mistakes as a list"
    listed = Table(("True", "Predicted", "Times"), pairs, caption, text_columns=2, folded=len(names) <= _MOST_CELLS)
    matrix: Block
    if len(names) <= _MOST_CELLS:
        matrix = Matrix(names, counts.tolist(), [[shade_of(share) for share in row] for row in shares.tolist()])
    else:
        words = f"{len(names)} classes: true class by row, predicted class by column, first class above and to the left."
        described = f"Confusion matrix of {len(names)} classes; the table of mistakes and that of all classes hold its numbers"
        scale = max(1, 640 // len(names))
        picture = Picture(shares_picture(np.asarray(shares), scale), "", f"{words} A shade is a share of the row.", described)
        matrix = Pictures([picture], large=True)
    blocks: list[Block] = [matrix, listed] if pairs else [matrix, Words("No mistakes.")]
    wide = len(names) <= _MOST_CELLS and (len(names) > 12 or sum(map(len, names)) > _LETTERS)
    return Section("Confusion matrix", blocks, wide=wide)


def shade_of(share: float) -> float:
    """Returns a cell's shade: the root, so that one mistake in a hundred shows; few shades lie where no letters stand out."""
    return 0.85 * math.sqrt(share) if share < 0.64 else DEEP + (1 - DEEP) * (share - 0.64) / 0.36


def _mistakes(mistakes: Sequence[Mapping[str, Any]], names: Sequence[str], wrong: int) -> Section:
    words = f"The {len(mistakes)} of highest loss among {wrong:,}." if wrong > len(mistakes) else f"All {wrong}."
    pictures = []
    for each in mistakes:
        true, predicted = names[each["true"]], names[each["predicted"]]
        sure = f"{100 * each['confidence']:.0f} %"
        description = f"test example {each['example']}: {true}, taken for {predicted}"
        pictures.append(
            Picture(each["picture"], "", f"{true} → {predicted}, {sure} sure; example {each['example']}", description)
        )
    return Section("Worst mistakes", [Words(f"{words} True class → predicted class.", "note"), Pictures(pictures)], wide=True)
