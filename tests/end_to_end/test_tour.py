"""The guided tour in docs/: its commands run as they stand there, and print what the pages show."""

import math
import re
import shlex
import sys
from importlib import import_module
from itertools import pairwise

import pytest
from commands import ROOT, run
from PIL import Image

DOCS = ROOT / "docs"
PAGES = sorted(DOCS.glob("[0-9]*.md"))
BESIDE = [DOCS / "own-network.md", DOCS / "softmax.md"]
IN_ORDER = "12-production"  # whose commands need the ones before: see test_production_page
FENCED = r"^```(bash|text)\n(.*?)^```"
DRAWINGS = {path.name for path in (DOCS / "images").glob("00-words_*")}  # by docs/drawings.py: see tests/test_drawings.py
IMAGE = r"!\[[^\]]*\]\(images/([^)]+)\)"
LINK = re.compile(r"\]\(([^)#]+)[^)]*\)")
RUN_DIR = re.compile(r"outputs/\w+/DATE/TIME\w*")
TIMES = re.compile(r"\d[\d.,]*\s?(?:s|MB|examples/s)(?!\w)|\d+:\d\d")
ROUNDING = re.compile(r"\d[\d.]*e[-−]1\d|\b0\.0000\b")  # what is left of a number here may be nothing elsewhere
NUMBER = re.compile(r"\d+\.\d+(?:e[+-]?\d+)?")


def shown(page):
    """Each command of a page with the lines and the images that stand below it, which may be none."""
    found = []
    for language, text, image in re.findall(f"{FENCED}|{IMAGE}", page.read_text(), re.MULTILINE | re.DOTALL):
        if language == "bash":
            found += [(line, [], []) for line in text.splitlines()]
        elif language:
            found[-1][1].extend(text.splitlines())
        elif image not in DRAWINGS:
            found[-1][2].append(image)
    return found


def commands(with_output):
    """The commands that the pages show an output of, with what each page shows of it; or those that they only name."""
    pages = {}
    for page in (page for page in [*PAGES, *BESIDE] if page.stem != IN_ORDER):
        for command, lines, images in shown(page):
            pages.setdefault(command, {})[page.stem] = (lines, images)
    for command, parts in pages.items():
        if with_output == any(lines for lines, _ in parts.values()):
            yield pytest.param(command, parts, id=f"{min(parts)}: {command}".encode("ascii", "replace").decode())


@pytest.mark.slow
@pytest.mark.parametrize(("command", "parts"), list(commands(with_output=True)))
def test_output(command, parts, tmp_path):
    verb, *arguments = words(command)
    printed = run(verb, *arguments, *folders(tmp_path), COLUMNS="100").stdout.replace(str(tmp_path), "RUN")
    drawn = {f"{path.stem}.png" for kind in ("png", "html") for path in tmp_path.rglob(f"*.{kind}")}
    same = alike if verb == "train" else str.__eq__
    for page, (text, images) in parts.items():
        fault = first_difference(normal(RUN_DIR.sub("RUN", line) for line in text), normal(printed.splitlines()), same)
        assert fault is None, f"{page}: {fault} in\n{printed}"
        assert all(any(image.endswith(name) for name in drawn) for image in images), (images, drawn)


@pytest.mark.slow
@pytest.mark.parametrize(("command", "parts"), list(commands(with_output=False)))
def test_what_to_try_next(command, parts, tmp_path, monkeypatch):
    verb, *arguments = words(command)
    if verb == "train":
        arguments.append("debug=fast")  # what it learns, no page shows
    monkeypatch.setattr(sys, "argv", [verb, *arguments, *folders(tmp_path)])
    with pytest.raises(SystemExit) as end:
        import_module(f"experiments.{verb}").main()
    assert end.value.code == 0


def first_difference(shown, printed, same):
    """Where a page's lines are not those printed: each line must follow the one before, except after a line "…"."""
    place, cut = 0, False
    for expected in shown:
        if expected == "…":
            cut = True
            continue
        ahead = range(place, len(printed) if cut else min(place + 1, len(printed)))
        found = next((index for index in ahead if same(expected, printed[index])), None)
        if found is None:
            return f"{expected!r} does not come, or not then, or after lines that are left out without a …,"
        place, cut = found + 1, False
    return None if cut or place == len(printed) else f"the lines from {printed[place]!r} on are left out without a …"


@pytest.mark.parametrize(
    ("shown", "whole"),
    [
        (["a", "b", "c"], True),
        (["a", "…", "c"], True),
        (["…", "c"], True),
        (["a", "…"], True),
        (["a", "c"], False),
        (["b", "c"], False),
        (["a", "b"], False),
        (["a", "…", "b"], False),  # nothing marks the end
        (["a", "b", "d"], False),
        (["a", "b", "c", "c"], False),
    ],
)
def test_what_is_left_out_must_be_marked(shown, whole):
    assert (first_difference(shown, ["a", "b", "c"], str.__eq__) is None) == whole


def words(command):
    """The verb and the arguments of a command."""
    python, module, verb, *arguments = shlex.split(command)
    assert (python, module) == ("python", "-m")
    return [verb.removeprefix("experiments."), *arguments]


def folders(path):
    return f"hydra.run.dir={path}", f"hydra.sweep.dir={path}"


def normal(lines):
    """The lines that say something; spaces, times and what rounding leaves evened out."""
    lines = (re.sub("[─╭╮╰╯│━]", " ", ROUNDING.sub("0", TIMES.sub("TIME", line))) for line in lines)
    return [" ".join(line.split()) for line in lines if line.strip()]


def alike(expected, line):
    """Whether two lines have the same words and nearly the same numbers, as what is learnt has on two machines."""
    if NUMBER.sub("#", expected) != NUMBER.sub("#", line):
        return False
    pairs = zip(NUMBER.findall(expected), NUMBER.findall(line), strict=True)
    return all(math.isclose(float(one), float(other), rel_tol=0.1, abs_tol=0.01) for one, other in pairs)


@pytest.mark.parametrize("page", [*DOCS.glob("[a-zA-Z]*.md"), *PAGES], ids=lambda page: page.stem)
def test_links_lead_somewhere(page):
    for link in LINK.findall(page.read_text()):
        assert link.startswith("https://") or (page.parent / link).exists(), link


def test_the_index_names_every_page_in_order():
    links = [link for link in LINK.findall((DOCS / "README.md").read_text()) if re.match(r"\d", link)]
    assert links == [page.name for page in PAGES]
    for page, following in pairwise(PAGES):
        assert LINK.findall(page.read_text())[-1] == following.name


def test_images_are_small_and_used():
    text = "".join(path.read_text() for path in [ROOT / "README.md", *DOCS.glob("*.md")])
    for path in (DOCS / "images").iterdir():
        assert path.name in text
        assert path.stat().st_size < 80_000
        with Image.open(path) as image:
            assert image.format == "PNG"


@pytest.mark.slow
@pytest.mark.parametrize(("command", "text"), [(command, text) for command, text, _ in shown(DOCS / "network.md")])
def test_the_page_of_the_network(command, text, tmp_path):
    verb, *arguments = words(command)
    printed = run(verb, *arguments, *folders(tmp_path), COLUMNS="100").stdout
    lines = iter(normal(printed.splitlines()))
    for expected in normal(text):
        assert expected == "…" or any(expected == line for line in lines), (
            f"{expected!r} does not come, or not then, in\n{printed}"
        )
