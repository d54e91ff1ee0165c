"""`python -m experiments.worksheet`: files, answers that are true, the page of docs/, and how it prints."""

import html
import re
import shlex
import subprocess

import pytest
from browsing import browser  # noqa: F401  (a fixture)
from commands import ROOT, run, summary_of

from nnjax.worksheets import worksheet_files

DOCS = (ROOT / "docs" / "worksheets.md").read_text(encoding="utf-8")
BLOCK = re.compile(r"```bash\n(.*?)\n```\n\n```text\n(.*?)```", re.DOTALL)
ANSWER = re.compile(r'<tr><th scope="row">(.*?)</th><td>(.*?)</td><td>(.*?)</td>\s*<td class="number">(.*?)</td>')
NETWORK = ("model=neurons", "model.layers=[{size: 3}, {size: 2}]", "data.inputs=[[0,0]]", "data.targets=[[0,0]]")


def plain(text):
    return html.unescape(re.sub(r"</?su[bp]>", "", text))


def answers_of(page):
    return [tuple(map(plain, groups)) for groups in ANSWER.findall(page)]


def test_the_textbooks_worksheet(tmp_path):
    text = run("worksheet", "experiment=textbook", "seed=3", f"hydra.run.dir={tmp_path}").stdout
    assert text.startswith("1 sheet (seed 3), 33 answers each, to 4 decimals\n")
    page = (tmp_path / "worksheet.html").read_text(encoding="utf-8")
    exercises, _, answers = page.partition('<article class="sheet answers">')
    assert exercises.count('class="blank"') == 33
    assert len(answers_of(answers)) == 33
    assert answers_of(exercises) == []  # no answer stands among the exercises
    arithmetic = 0
    for _, _, numbers, value in answers_of(answers):
        expression = numbers.replace("−", "-").replace("×", "*").replace("½", "0.5").replace("²", "**2").partition(",")[0]
        expression = expression.replace("max(0", "max(0,0") if "max(" in expression and "," not in expression else expression
        if re.fullmatch(r"[\d.() +*/-]+", expression):
            assert eval(expression) == pytest.approx(float(value.replace("−", "-")), abs=1e-9), (numbers, value)
            arithmetic += 1
    assert arithmetic >= 28
    summary = summary_of(tmp_path)
    assert (summary["status"], summary["seeds"], summary["answers"]) == ("completed", [3], [33])


@pytest.mark.parametrize("kind", ["html", pytest.param("pdf", marks=pytest.mark.slow)])
def test_a_seed_gives_the_same_bytes_and_another_seed_other_numbers(tmp_path, kind):
    for name, seed in (("one", 3), ("two", 3), ("other", 4)):
        run("worksheet", f"seed={seed}", f"format={kind}", "answers=separate", f"hydra.run.dir={tmp_path / name}")
    for file in (f"worksheet.{kind}", f"answers.{kind}"):
        one, two, other = ((tmp_path / name / file).read_bytes() for name in ("one", "two", "other"))
        assert one == two
        assert one != other


@pytest.mark.slow
def test_a_class_has_exercises_and_answers_in_two_files(tmp_path):
    run("worksheet", "sheets=3", "seed=5", "answers=separate", "formulas=false", *NETWORK, f"hydra.run.dir={tmp_path}")
    exercises, answers = ((tmp_path / f"{name}.html").read_text() for name in ("worksheet", "answers"))
    for seed in (5, 6, 7):
        assert f"<h1>5 neurons, sheet {seed}</h1>" in exercises
        assert f"<h1>Answers: 5 neurons, sheet {seed}</h1>" in answers
    assert answers_of(exercises) == []
    assert 'class="blank"' not in answers
    assert 'scope="col" class="formula"' not in exercises


def test_the_phases_before_those_asked_for_are_given(tmp_path):
    run("worksheet", "steps=[backward]", f"hydra.run.dir={tmp_path}")
    page = (tmp_path / "worksheet.html").read_text()
    exercises, _, answers = page.partition('<article class="sheet answers">')
    assert re.findall(r"<caption>(.*?)</caption>", exercises) == ["Forward pass, given", "Error, given", "Backward pass"]
    assert re.findall(r"<caption>(.*?)</caption>", answers) == ["Backward pass"]
    run("worksheet", "steps=[forward]", "iterations=2", f"hydra.run.dir={tmp_path}/two")
    captions = re.findall(r"<caption>(.*?)</caption>", (tmp_path / "two/worksheet.html").read_text())
    assert captions[:6] == [
        "Iteration 1: Forward pass",
        "Iteration 1: Error, given",
        "Iteration 1: Backward pass, given",
        "Iteration 1: Adjustment of the weights, given",
        "Iteration 1: New weights, given",
        "Iteration 2: Forward pass",
    ]


def test_answers_that_a_check_contradicts_are_not_written(tmp_path, monkeypatch):
    def wrong(config, dataset, devices):
        found = real(config, dataset, devices)
        found["rows"][0]["value"] += 1e-6
        return found

    real = worksheet_files.trace
    monkeypatch.setattr(worksheet_files, "trace", wrong)
    result = run("worksheet", "seed=3", f"hydra.run.dir={tmp_path}", check=1)
    assert result.stderr.startswith("THE ANSWERS ARE WRONG: seed 3: w_a1 x1 of iteration 1: ")
    assert "Traceback" not in result.stderr
    assert not (tmp_path / "worksheet.html").exists()


@pytest.mark.parametrize(
    ("command", "text"),
    [pytest.param(*block, marks=[pytest.mark.slow] if "sheets=30" in block[0] else []) for block in BLOCK.findall(DOCS)],
)
def test_the_page_of_the_docs(command, text, tmp_path):
    python, option, module, *arguments = shlex.split(command)
    assert (python, option) == ("python", "-m")
    code = 0 if "Written:" in text else 2
    result = run(module.removeprefix("experiments."), *arguments, f"hydra.run.dir={tmp_path}/run", check=code)
    printed = (result.stdout + result.stderr).replace(f"{tmp_path}/run", "RUN")
    assert printed == re.sub(r"outputs/worksheet/DATE/TIME\w*", "RUN", text)


# --- on paper ------------------------------------------------------------------------------------------------------


def printed(browser, folder):  # noqa: F811
    page = browser.new_page()
    page.goto(f"file://{folder}/worksheet.html")
    (folder / "printed.pdf").write_bytes(page.pdf(prefer_css_page_size=True))
    page.close()
    return pages_of(folder / "printed.pdf")


def pages_of(path):
    text = subprocess.run(["pdftotext", "-layout", path, "-"], capture_output=True, text=True, check=True).stdout
    pages = [[line.strip() for line in page.splitlines() if line.strip()] for page in text.split("\f")]
    return pages[:-1] if not pages[-1] else pages


def size_of(path):
    box = re.search(rb"/MediaBox\s*\[\s*0 0 ([\d.]+) ([\d.]+)", path.read_bytes())
    return tuple(round(float(side)) for side in box.groups())


@pytest.mark.browser
@pytest.mark.parametrize(
    ("paper", "size", "shape"),
    [
        ("letter", (612, 792), ()),
        ("a4", (595, 842), NETWORK),
        ("a4", (595, 842), ("activation=sigmoid", "iterations=2")),
    ],
)
def test_a_page_prints_answers_on_pages_of_their_own(browser, tmp_path, paper, size, shape):  # noqa: F811
    for kind in ("html", "pdf"):
        run("worksheet", "sheets=2", f"paper={paper}", f"format={kind}", *shape, f"hydra.run.dir={tmp_path / kind}")
    for pages in (printed(browser, tmp_path / "html"), pages_of(tmp_path / "pdf" / "worksheet.pdf")):
        starts = [place for place, page in enumerate(pages) if re.match(r"(Answers: )?\w+ neurons, sheet [01]", page[0])]
        assert [pages[place][0].startswith("Answers: ") for place in starts] == [False, False, True, True]
        titles = [line for page in pages for line in page if re.search(r"neurons, sheet \d(?!, page)", line)]
        assert len(titles) == 4  # each at the top of a page
        for page in pages:
            last = [line for line in page if not re.search(r", page \d+$", line)][-1]
            assert not re.match(r"find\b|(Iteration \d: )?(Forward|Error|Backward|Adjustment|New weights)", last), last
    assert size_of(tmp_path / "pdf" / "worksheet.pdf") == size
    assert abs(size_of(tmp_path / "html" / "printed.pdf")[0] - size[0]) <= 1


@pytest.mark.browser
def test_nothing_is_cut_and_blanks_are_large_enough(browser, tmp_path):  # noqa: F811
    run("worksheet", *NETWORK, "activation=gelu", f"hydra.run.dir={tmp_path}")
    page = browser.new_page(viewport={"width": 718, "height": 1000})  # 190 mm
    page.emulate_media(media="print")
    page.goto(f"file://{tmp_path}/worksheet.html")
    wide = "[...document.querySelectorAll('td, th, caption')].filter((cell) => cell.scrollWidth > cell.clientWidth + 1).length"
    assert page.evaluate(wide) == 0
    assert page.evaluate("document.documentElement.scrollWidth") <= 718
    heights = page.evaluate("[...document.querySelectorAll('td.blank')].map((cell) => cell.getBoundingClientRect().height)")
    assert min(heights) >= 37  # 10 mm
    page.close()
