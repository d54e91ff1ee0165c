"""Worksheets as PDF, drawn by matplotlib: the same parts as `worksheet_page`, set line by line.

write_pdf(run_dir / "worksheet.pdf", "Two neurons", exercises=sheets, answers=sheets, paper="letter")
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from nnjax.reporting.files import replacing
from nnjax.worksheets.markup import to_words
from nnjax.worksheets.paper import PAPERS, Cell, Paper
from nnjax.worksheets.sheet_parts import Block, Sheet

_ANSWER_NOTE = (
    "The values carry all digits, to at most ten decimals; the last column is rounded. An answer is right if it differs from "
    "the rounded value by at most the number after ±: so does every one that was rounded at each step."
)
_BOX = 8.0  # mm, the height of a blank


def write_pdf(path: Path, title: str, *, exercises: Sequence[Sheet], answers: Sequence[Sheet], paper: str) -> None:
    """Writes a PDF; equal sheets give equal bytes.

    Args:
        path: the PDF; replaced atomically.
        title: of the document.
        exercises: the sheets whose exercises it shows, first.
        answers: those whose answers it shows.
        paper: "a4" or "letter".

    Raises:
        StorageError: if it cannot be written.
    """
    with replacing(path) as temporary, _document(temporary, title, paper) as pages:
        for sheet in exercises:
            _exercises(pages, sheet)
        for sheet in answers:
            _answers(pages, sheet)


@contextmanager
def _document(path: Path, title: str, paper: str) -> Iterator[Paper]:
    from nnjax.reporting.figures.drawing import plain_matplotlib

    with plain_matplotlib({"font.family": "DejaVu Sans", "mathtext.fontset": "dejavusans", "pdf.fonttype": 42}):
        from matplotlib.backends.backend_pdf import PdfPages

        with PdfPages(path, metadata={"Title": title, "CreationDate": None}) as pdf:
            pages = Paper(pdf, *PAPERS[paper])
            yield pages
            pages.end()


def _exercises(pages: Paper, sheet: Sheet) -> None:
    pages.begin(sheet.title, "Name ______________________   Date ____________")
    _given(pages, sheet)
    pages.paragraph(" ".join(sheet.task))
    for block in sheet.blocks:
        if block.asked:
            _blanks(pages, sheet, block)
        else:
            pages.caption(f"{block.title}, given", keep=12)
            equations = [f"{line.symbol} = {line.rounded}" for line in block.lines]
            pages.row([Cell(_equations(equations), pages.width)], rule=True)


def _blanks(pages: Paper, sheet: Sheet, block: Block) -> None:
    find, answer = 0.17 * pages.width, 32.0
    formula = 0.36 * pages.width if sheet.formulas else 0.0
    working = pages.width - find - formula - answer
    widths = [find, *([formula] if sheet.formulas else []), working, answer]
    heads = ["find", *(["formula"] if sheet.formulas else []), "working", "answer"]

    def head() -> None:
        pages.heads(heads, widths)

    pages.caption(block.title, keep=24)
    head()
    for line in block.lines:
        cells = [Cell(to_words(line.symbol), find)]
        if sheet.formulas:
            cells.append(Cell(to_words(line.formula), formula))
        pages.row([*cells, Cell([], working), Cell([], answer, box=_BOX)], least=10.5, rule=True, on_new_page=head)


def _answers(pages: Paper, sheet: Sheet) -> None:
    pages.begin(f"Answers: {sheet.title}", "")
    _given(pages, sheet)
    pages.paragraph(_ANSWER_NOTE)
    shares = (0.15, 0.27, 0.27, 0.13, 0.18)
    widths = [share * pages.width for share in shares]

    def head() -> None:
        pages.heads(["find", "formula", "with numbers", "value", "rounded"], widths, right=2)

    for block in sheet.blocks:
        if not block.asked:
            continue
        pages.caption(block.title, keep=18)
        head()
        for line in block.lines:
            texts = (line.symbol, line.formula, line.numbers, line.value, line.answer)
            cells = [
                Cell([text.replace(" ", "\u00a0")] if at > 2 else to_words(text), width, right=at > 2)
                for at, (text, width) in enumerate(zip(texts, widths, strict=True))
            ]
            pages.row(cells, size=8.0, rule=True, on_new_page=head)


def _given(pages: Paper, sheet: Sheet) -> None:
    width = pages.drawing(sheet.drawing)
    name = 0.25 * pages.width
    for title, equations in sheet.given:
        pages.row([Cell(to_words(title), name), Cell(_equations(equations), pages.width - name - width)])
    pages.below_drawing()


def _equations(equations: Sequence[str]) -> list[str]:
    """Equations with commas between them; a line may break only between two."""
    found = []
    for place, equation in enumerate(equations):
        comma = "," if place < len(equations) - 1 else ""
        found.append("\u00a0".join([*to_words(equation)]) + comma)
    return found
