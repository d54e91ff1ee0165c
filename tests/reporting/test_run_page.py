"""The page of a run, from what its folder holds: what stands in it, for runs of every kind and in every state."""

import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from page_facts import CONFIG, classifier, diverged, examples_of, series, summary_of, trials

from nnjax.reporting.class_sections import shade_of
from nnjax.reporting.page_blocks import Bars, Drawing, Matrix, Page, Pictures, Section, Table, Words
from nnjax.reporting.report_page import MOST_BYTES, write_page
from nnjax.reporting.report_parts import parts_of_test
from nnjax.reporting.run_page import RunFacts, run_page

VOID = {"meta", "link", "img", "br", "path", "use", "rect", "line"}
NASTY = '</style><script>alert(1)</script><img src=x onerror="alert(1)"> & "quoted" \u2028'


class Checked(HTMLParser):
    """Reads a page; every element is closed, and no id is used twice."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.open, self.ids, self.elements, self.texts = [], [], [], []
        self.feed(text)
        self.close()
        assert self.open == []
        assert len(self.ids) == len(set(self.ids))

    def handle_starttag(self, tag, attrs):
        attributes = dict(attrs)
        self.elements.append((tag, attributes))
        self.ids += [attributes["id"]] if "id" in attributes else []
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        self.ids += [dict(attrs)["id"]] if "id" in dict(attrs) else []

    def handle_endtag(self, tag):
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data):
        if "style" not in self.open:
            self.texts.append(data)

    @property
    def text(self):
        return " ".join(" ".join(self.texts).split())


@pytest.fixture
def written(tmp_path):
    def write(facts):
        write_page(tmp_path / "report.html", run_page(facts))
        text = (tmp_path / "report.html").read_text(encoding="utf-8")
        assert len(text.encode()) < MOST_BYTES
        return text, Checked(text)

    return write


def blocks(facts, kind):
    return [block for section in run_page(facts).sections for block in section.blocks if isinstance(block, kind)]


def titles(facts):
    return [section.title for section in run_page(facts).sections]


@pytest.mark.slow
def test_a_classifiers_page_has_every_part(written):
    facts = classifier()
    text, page = written(facts)
    assert titles(facts) == [
        "How it ended",
        "Learning curves",
        "Accuracy by class",
        "Confusion matrix",
        "Worst mistakes",
        "Calibration",
        "First layer",
        "Layers",
        "Time and memory",
        "What was run",
        "Data and versions",
        "Train it again",
    ]
    for words in (
        "cnn on digits",
        "completed",
        "90.00%",
        "95 % interval 86.1% to 92.9%, for 300 test examples",  # Wilson's, for 270 of 300
        "python -m experiments.train training.duration=3epochs",
        "sha256:b716",
        "80a76d87ed01df7aa951dd5118905b475d29bba0, with changes",
        "25 % of the time in training steps",
        "2,610",
    ):
        assert words in page.text, words
    assert "<script" not in text


def test_the_page_asks_for_nothing_but_itself(written):
    text, page = written(classifier())
    assert set(re.findall(r"https?://[^\s\"'<)]+", text)) == {
        "http://www.w3.org/2000/svg",
        "http://www.w3.org/1999/xlink",
    } & set(re.findall(r"https?://[^\s\"'<)]+", text))
    assert not re.search(r"@import|<script|<iframe|<object|javascript:", text)
    for tag, attributes in page.elements:
        assert not attributes.get("src", "data:").strip() or attributes.get("src", "data:").startswith("data:"), tag
        assert attributes.get("href", "#").startswith(("#", "data:,")), tag
        assert not [name for name in attributes if name.startswith("on")], tag
    assert set(re.findall(r"url\((.)", text)) <= {"#"}
    (policy,) = [a["content"] for tag, a in page.elements if tag == "meta" and "default-src" in a.get("content", "")]
    assert policy == "default-src 'none'; style-src 'unsafe-inline'; img-src data:"


def test_no_name_becomes_markup(written):
    test = examples_of()
    test["class_names"] = [NASTY, *test["class_names"][1:]]
    facts = classifier()
    facts = replace(
        facts,
        name=NASTY,
        config={**CONFIG, "data": {"name": NASTY}},
        summary={**facts.summary, "reason": NASTY, "status": "stopped_early", "data": NASTY},
        parts={**facts.parts, **parts_of_test(**test), "layers": [{**facts.parts["layers"][0], "name": NASTY}]},
        changes=((NASTY, NASTY, NASTY),),
        command=NASTY,
        problems=(NASTY,),
    )
    text, page = written(facts)
    assert "<script" not in text
    assert "x onerror" not in [tag for tag, _ in page.elements]
    assert not [a for _, a in page.elements if "onerror" in a]
    assert page.text.count("alert(1)") > 6


def test_every_chart_has_its_numbers_as_a_table_and_a_description(written):
    facts = classifier()
    _, page = written(facts)
    drawings = blocks(facts, Drawing)
    assert [each.caption for each in drawings] == ["loss", "accuracy", "learning rate", "accuracy by confidence"]
    assert all(each.numbers.rows for each in drawings)
    loss = drawings[0].numbers
    assert loss.heads == ("epoch", "train 0.6667", "validation 0.7333", "test 0.4000")
    assert loss.rows[0] == ("1", "2", "2.2", "")
    assert loss.rows[2] == ("3", "0.66667", "0.73333", "0.4")
    labels = [a["aria-label"] for tag, a in page.elements if tag == "svg" and a.get("role") == "img"]
    assert len(labels) == 4
    assert labels[0] == "loss over epoch: train 0.6667, validation 0.7333, test 0.4000"
    assert all(a["alt"] for tag, a in page.elements if tag == "img")
    # what scrolls can be reached by keyboard, and has a name
    assert all(a.get("tabindex") == "0" and a["aria-label"] for _, a in page.elements if "scroll" in a.get("class", "").split())


@pytest.mark.slow
def test_the_matrix_and_the_classes_count_the_same():
    facts = classifier()
    (matrix,) = blocks(facts, Matrix)
    assert sum(map(sum, matrix.counts)) == 300
    assert sum(matrix.counts[n][n] for n in range(10)) == 270
    (bars,) = [each for each in blocks(facts, Bars) if each.heads == ("Class", "Accuracy")]
    assert [share for _, share, _ in bars.rows] == sorted(share for _, share, _ in bars.rows)
    assert bars.rows[0][2] == "90.0%"
    (table,) = [each for each in blocks(facts, Table) if "Precision" in each.heads]
    assert table.rows[0] == ("class 0", "27", "30", "90.0%", "74.4% to 96.5%", "90.0%")


def test_the_worst_mistakes_come_first():
    facts = classifier()
    pictures = next(each for each in blocks(facts, Pictures) if not each.large).pictures
    losses = [each["loss"] for each in facts.parts["mistakes"]]
    assert len(pictures) == 24
    assert losses == sorted(losses, reverse=True)
    assert all(each.source.startswith("data:image/png;base64,") for each in pictures)
    assert pictures[0].caption.startswith(f"class {facts.parts['mistakes'][0]['true']} → ")


@pytest.mark.slow
def test_a_hundred_classes_fit(written):
    facts = classifier(classes=100)
    text, page = written(facts)
    assert len(text) < 400_000
    assert blocks(facts, Matrix) == []
    assert "the 20 worst of 100 classes" in page.text
    assert "Confusion matrix of 100 classes" in text
    (table,) = [each for each in blocks(facts, Table) if "Precision" in each.heads]
    assert len(table.rows) == 100


@pytest.mark.slow
def test_sixty_four_trials_have_their_spread_and_a_row_each(written):
    facts = trials()
    _, page = written(facts)
    assert "mean of 63 trials, 95 % interval 92.50% to 93.50%, standard deviation 1.80%" in page.text
    assert "64 trials, trained together; 1 of them diverged." in page.text
    (table,) = [each for each in blocks(facts, Table) if "Diverged" in each.heads]
    assert len(table.rows) == 64
    assert table.rows[3][-1] == "step 7"
    assert "test loss" in [each.caption for each in blocks(facts, Drawing)]
    assert "run many · 64 trials" in page.text


TRIAL = "Of one of the 64 trials: trial 2, seed 2."


def notes(facts):
    """The first paragraph of each section."""
    return {
        section.title: next((b.text for b in section.blocks if isinstance(b, Words)), "")
        for section in run_page(facts).sections
    }


@pytest.mark.slow
def test_what_one_of_several_trials_shows_is_said_to_be_of_that_trial():
    """The numbers at the top are means over all: a matrix of one trial does not add up to them."""
    facts, one = trials(), classifier()
    calibration = {**one.summary["calibration"], "temperature": [1.2] * 64, "trials": [0, 1, 2]}
    facts = replace(facts, parts={**one.parts, "trial": 2}, summary={**facts.summary, "calibration": calibration})
    found = notes(facts)
    for title in ("Accuracy by class", "Confusion matrix", "Worst mistakes", "First layer"):
        assert found[title] == TRIAL
    assert found["Calibration"] == "Of 3 trials that answer together, by their mean probabilities."
    assert notes(replace(facts, parts={**series().parts, "trial": 2}))["Forecast"] == TRIAL
    assert TRIAL not in notes(one).values()


@pytest.mark.slow
def test_several_learning_rates_have_a_row_each(written):
    facts = trials(4)
    spread = {"mean": 0.9, "std": 0.01, "low": 0.88, "high": 0.92, "n": 2}
    lost = {"mean": None, "std": None, "low": None, "high": None, "n": 0}
    rates = [
        {"learning_rate": rate, "spread": {"test_accuracy": each, "test_loss": each}}
        for rate, each in ((0.1, spread), (1e9, lost))
    ]
    rows = [{**row, "learning_rate": 0.1 if n < 2 else 1e9} for n, row in enumerate(facts.summary["trials"])]
    facts = replace(facts, summary={**facts.summary, "learning_rates": rates, "trials": rows})
    (table,) = [each for each in blocks(facts, Table) if each.caption.startswith("By learning rate")]
    assert table.heads == ("Learning rate", "Trials", "test loss", "test accuracy")
    assert table.rows[0] == ("0.1", "2", "0.9000 (0.8800 to 0.9200)", "90.00% (88.00% to 92.00%)")
    assert table.rows[1] == ("1e+09", "0", "nan", "nan")
    assert "mean of 3 trials over all learning rates" in written(facts)[1].text


@pytest.mark.slow
def test_a_series_shows_its_forecast(written):
    facts = series()
    _, page = written(facts)
    assert "passengers: 24 values forecast from 1959-01 on" in page.text
    assert "passengers, 1959-01 to 1960-12" in page.text
    chart = next(each for each in blocks(facts, Drawing) if each.caption == "The forecasts alone")
    assert chart.numbers.heads == ("row", "truth", "network", "last known season, repeated", "truth of one season before")
    assert chart.numbers.rows[-1][0] == "1960-12"
    assert "Confusion matrix" not in titles(facts)


@pytest.mark.slow
def test_the_loss_of_a_series_has_no_interval_of_independent_examples():
    facts = series()
    many = replace(facts, parts={**facts.parts, "loss_std": 0.1}, summary={**facts.summary, "test_examples": 500})
    assert [each.below for each in run_page(many).headlines if each.name == "test loss"] == ["500 test examples"]
    summary = {key: value for key, value in many.summary.items() if key != "forecast"}
    (regression,) = [each.below for each in run_page(replace(many, summary=summary)).headlines if each.name == "test loss"]
    assert regression == "95 % interval 0.2212 to 0.2388, for 500 test examples"  # 0.23 ± 1.96 · 0.1 / √500


@pytest.mark.parametrize(("examples", "below"), [(1, "1 test example"), (2, "2 test examples")])
def test_one_example_is_one(examples, below):
    page = run_page(RunFacts("x", CONFIG, summary_of(test={"loss": 0.5}, test_examples=examples)))
    assert page.headlines[0].below == below


def test_where_nothing_was_held_out_the_training_loss_stands_at_the_top():
    summary = summary_of(test_examples=0, train={"loss": 0.25})
    del summary["test"]
    first = run_page(RunFacts("x", CONFIG, summary)).headlines[0]
    assert (first.name, first.value, first.below) == ("training loss", "0.2500", "nothing was held out for a test")


def test_plugins_are_named_with_their_content(written):
    summary = summary_of(plugins=[{"file": "my_models.py", "sha256": "0123456789abcdef"}])
    _, page = written(RunFacts("x", CONFIG, summary))
    assert "my_models.py (sha256 0123456789ab)" in page.text


@pytest.mark.slow
def test_a_command_that_needs_something_does_not_promise_the_same_numbers(written):
    facts = classifier()
    assert "on 2 cpu devices" in written(facts)[1].text
    assert "it comes to the same numbers" in written(facts)[1].text
    _, page = written(replace(facts, command_notes=("Python code registered data=mine.",)))
    assert "Python code registered data=mine." in page.text
    assert "it comes to the same numbers" not in page.text


@pytest.mark.slow
def test_a_run_that_diverged_says_why_and_keeps_its_curves(written):
    facts = diverged()
    _, page = written(facts)
    assert "It diverged after 2 steps: the training loss became inf at step 3; try a smaller learning rate." in page.text
    assert "Learning curves" in titles(facts)
    assert "not finite" in page.text  # the last loss
    assert "Layers" in titles(facts)
    assert "Missing here" not in titles(facts)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({}, "The training ran to its end, 3 epochs."),
        (
            {"status": "stopped_early", "reason": "no better for 5 epochs"},
            "It stopped early after 60 steps: no better for 5 epochs.",
        ),
        ({"status": "preempted", "reason": "SIGTERM"}, "A signal ended it after 60 steps (SIGTERM); it can be resumed."),
        ({"status": "failed", "error": "no room\nat all"}, "It failed after 60 steps: no room; at all."),
    ],
)
def test_the_ending_is_a_sentence(written, changes, sentence):
    _, page = written(RunFacts("x", CONFIG, summary_of(**changes)))
    assert sentence in page.text


def test_an_empty_folder_still_makes_a_page(written):
    _, page = written(RunFacts("killed", {}, {}, problems=("config.yaml: is missing",)))
    assert "It has no summary: it still trains, or its process was killed." in page.text
    assert "config.yaml: is missing" in page.text
    assert "unfinished" in page.text


@pytest.mark.slow
@pytest.mark.parametrize(
    ("part", "value", "lost"),
    [
        ("confusion", [[0, 99, 1]], "the classes cannot be shown: IndexError"),
        ("mistakes", [{"true": 0}], "the classes cannot be shown: KeyError"),
        ("layers", [{}], "the layers cannot be shown: KeyError"),
        ("first_layer", {"size": [1]}, "the first layer cannot be shown: ValueError"),
        ("forecast", {"labels": []}, "the predictions cannot be shown: KeyError"),
    ],
)
def test_a_damaged_part_is_named_and_takes_no_other_with_it(written, part, value, lost):
    facts = classifier()
    _, page = written(replace(facts, parts={**facts.parts, part: value}))
    assert lost in page.text
    assert "Learning curves" in page.text
    assert "Calibration" in page.text


@pytest.mark.parametrize(
    "changes", [{"test": {"accuracy": 2.0, "loss": 1.0}}, {"calibration": {"bins": [1]}}, {"trials": [{}]}]
)
def test_a_forged_summary_is_no_traceback(written, changes):
    _, page = written(RunFacts("x", CONFIG, summary_of(**changes)))
    assert "cannot be shown" in page.text


def test_a_folded_table_is_named_once_and_its_long_texts_have_room(written):
    text, _ = written(classifier())
    ((folded,),) = [re.findall(r"<details><summary>(The whole config: \d+ settings)</summary>", text)]
    assert text.count(f"<caption>{folded}</caption>") == 0
    assert f'<table aria-label="{folded}">' in text
    table = Table(("Run", "Status", "Time"), [("n" * 100, "completed", "5"), ("a", "", "6")], text_columns=2)
    assert table.least == [14, 0, 0]
    assert Table(("Key", "Value"), [("training.duration", "1")], text_columns=2).least == [8, 0]
    assert Table(("Key",), []).least == [0]


SIZES = {"desktop": {"width": 1280, "height": 900}, "phone": {"width": 390, "height": 844}}
KINDS = {
    "classifier": classifier,
    "classes": lambda: classifier(classes=100),
    "trials": trials,
    "series": series,
    "lost": diverged,
}


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pages")
    for name, make in KINDS.items():
        write_page(folder / f"{name}.html", run_page(make()))
    return folder


@pytest.fixture
def opened(browser, pages):
    """Opens a page without a network; whatever the browser complains of, or asks for, fails the test."""
    contexts, complaints, asked = [], [], []

    def open_page(name, size="desktop", **options):
        context = browser.new_context(viewport=SIZES[size], offline=True, **options)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("request", lambda request: asked.append(request.url))
        page.goto((pages / f"{name}.html").as_uri())
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert complaints == []
    assert [url for url in asked if not url.startswith(("file:", "data:"))] == []


@pytest.mark.browser
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", KINDS)
def test_in_a_browser_nothing_is_cut_off(opened, name, size):
    page = opened(name, size)
    width = SIZES[size]["width"]
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    # every section, chart and picture lies inside of the window; a table may scroll in its own box
    ends = page.evaluate(
        "[...document.querySelectorAll('section, svg.chart, img, h1, h2, pre, .headlines > div')]"
        ".map((each) => each.getBoundingClientRect()).filter((box) => box.width).map((box) => [box.left, box.right])"
    )
    assert len(ends) > 10
    assert all(left >= 0 and right <= width for left, right in ends)


@pytest.mark.browser
@pytest.mark.parametrize("size", SIZES)
def test_in_a_browser_charts_are_drawn_and_their_letters_can_be_read(opened, size):
    page = opened("classifier", size)
    assert page.evaluate("[...document.images].every((image) => image.complete && image.naturalWidth > 0)")
    heights = page.evaluate(
        "[...document.querySelectorAll('svg.chart text')].map((text) => text.getBoundingClientRect().height)"
    )
    assert len(heights) > 40
    assert min(heights) > 9
    # a legend's text stays inside of its chart, whatever font the machine has
    over = page.evaluate(
        "[...document.querySelectorAll('svg.chart')].flatMap((chart) => [...chart.querySelectorAll('text')]"
        ".map((text) => text.getBoundingClientRect().right - chart.getBoundingClientRect().right))"
    )
    assert max(over) < 2


@pytest.mark.browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_in_a_browser_lines_and_letters_stand_out_in_light_and_in_dark(opened, scheme):
    page = opened("classifier", color_scheme=scheme)
    colours = page.evaluate(
        """() => {
          const value = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
          return Object.fromEntries(["panel", "ink", "muted", "accent", "warm", "good", "line-1", "line-2", "line-3", "line-4"]
            .map((name) => [name, value(`--${name}`)]));
        }"""
    )
    panel = colours.pop("panel")
    for name, colour in colours.items():
        assert contrast(colour, panel) > (4.5 if not name.startswith("line") else 3), (scheme, name)
    drawn = page.evaluate("getComputedStyle(document.querySelector('svg.chart path[style*=line-1]')).stroke")
    assert drawn == f"rgb({', '.join(str(int(colours['line-1'][n : n + 2], 16)) for n in (1, 3, 5))})"
    assert page.evaluate("getComputedStyle(document.querySelector('svg.chart text')).fill") != drawn


@pytest.mark.browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_in_a_browser_every_count_of_a_matrix_can_be_read(opened, pages, scheme):
    shades = [[shade_of((10 * row + column) / 99) for column in range(10)] for row in range(10)]
    matrix = Matrix([str(n) for n in range(10)], [[1] * 10] * 10, shades)
    write_page(pages / "matrix.html", Page("matrix", "", ("completed", True), sections=[Section("x", [matrix])]))
    page = opened("matrix", color_scheme=scheme)
    found = page.evaluate(
        "[...document.querySelectorAll('.matrix td')].map((cell) => getComputedStyle(cell))"
        ".map((style) => [style.color, style.backgroundColor])"
    )
    assert len(found) == 100
    assert min(contrast(rgb(letters), rgb(ground)) for letters, ground in found) > 4.5


def rgb(text):
    """A computed colour, "rgb(1, 2, 3)" or "color(srgb 0.1 0.2 0.3)", as hexadecimal digits."""
    parts = [float(part) for part in re.findall(r"[\d.]+", text)[:3]]
    return "#" + "".join(f"{round(part * (255 if text.startswith('color') else 1)):02x}" for part in parts)


def contrast(one, other):
    """WCAG's ratio of two colours."""

    def luminance(colour):
        parts = [int(colour[n : n + 2], 16) / 255 for n in (1, 3, 5)]
        linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.browser
def test_in_a_browser_the_numbers_open_by_keyboard(opened):
    page = opened("classifier")
    summary = page.locator("figure details summary").first
    summary.focus()
    assert not page.locator("figure details table").first.is_visible()
    page.keyboard.press("Enter")
    table = page.locator("figure details table").first
    assert table.is_visible()
    assert table.locator("th").all_inner_texts() == ["epoch", "train 0.6667", "validation 0.7333", "test 0.4000"]
    assert page.get_by_role("heading", level=1).inner_text().startswith("cnn on digits")
    assert page.get_by_role("img", name="loss over epoch: train 0.6667, validation 0.7333, test 0.4000").count() == 1


@pytest.mark.browser
@pytest.mark.parametrize("name", KINDS)
def test_in_a_browser_it_prints(opened, name):
    page = opened(name)
    pdf = page.pdf(format="A4")
    assert pdf.startswith(b"%PDF-")
    assert 1 <= pdf.count(b"/Type /Page\n") + pdf.count(b"/Type /Page ") + pdf.count(b"/Type /Page/") <= 12
    page.emulate_media(media="print", color_scheme="dark")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    folded = page.locator("details:not(.numbers) table")
    assert folded.count() > 0
    assert all(each.is_visible() for each in folded.all())
    page.set_viewport_size({"width": 700, "height": 1000})  # the width of a sheet's text
    assert page.evaluate("document.documentElement.scrollWidth") <= 700
