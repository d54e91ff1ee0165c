"""Every relative link and anchor of the README, CONTRIBUTING.md, CHANGELOG.md and the pages in docs/ leads somewhere, and the
index of docs/ lists every page.
"""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("benchmarks/**/*.md"), *ROOT.glob("deploy/**/*.md")])
LINK = re.compile(r"\]\(\s*<?([^)\s>]+)>?\s*\)|^\[[^\]]+\]:\s*(\S+)", re.MULTILINE)
ELSEWHERE = ("https://", "http://", "mailto:")


def without_code(text):
    """A page without its code blocks and code spans, where brackets are no links and # is no heading."""
    text = re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
    return re.sub(r"(`+)(?!`)(.*?)(?<!`)\1(?!`)", lambda span: re.sub(r"[\[\]]", "", span[0]), text)


def anchors(path):
    """What `#…` of a page can name: its headings, lower case, with - for spaces, numbered where they repeat."""
    titles = re.findall(r"^#+ +(.*?)#* *$", without_code(path.read_text()), re.MULTILINE)
    slugs = [re.sub(r"[^\w\- ]", "", title.strip().lower()).replace(" ", "-") for title in titles]
    return [f"{slug}-{before}" if (before := slugs[:place].count(slug)) else slug for place, slug in enumerate(slugs)]


def broken(path):
    """The links of a page that lead nowhere."""
    for match in LINK.findall(without_code(path.read_text())):
        link = match[0] or match[1]
        if link.startswith(ELSEWHERE):
            continue
        name, _, anchor = link.partition("#")
        target = path if not name else (path.parent / name)
        missing = not target.resolve().is_relative_to(ROOT) or not target.exists()
        if missing or (anchor and (target.suffix != ".md" or anchor not in anchors(target))):
            yield link


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page):
    assert list(broken(page)) == []


def test_a_broken_link_is_found(tmp_path, monkeypatch):
    monkeypatch.setitem(globals(), "ROOT", tmp_path)
    page = tmp_path / "page.md"
    page.write_text(
        "# One, `two`\n[a](none.md) [b](page.md#one-two) [c](#three) ![d](d.png) `[e](none)`\n"
        "```\n[f](none)\n```\n[g](https://x)\n[h]: gone.md\n"
    )
    assert list(broken(page)) == ["none.md", "#three", "d.png", "gone.md"]


def test_the_index_lists_every_page():
    index = ROOT / "docs/README.md"
    linked = {match[0].partition("#")[0] for match in LINK.findall(without_code(index.read_text()))}
    assert {path.name for path in index.parent.glob("*.md")} - linked == {"README.md"}


def test_the_readme_fits_on_three_screens():
    assert len((ROOT / "README.md").read_text().splitlines()) <= 150


def test_the_readme_says_where_nothing_has_run():
    readme = (ROOT / "README.md").read_text()
    assert "**Not run on a GPU or TPU yet.**" in readme
    assert "| accelerators | **CPU only so far** |" in readme
