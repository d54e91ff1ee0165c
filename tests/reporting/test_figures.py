import io
import math
from contextlib import contextmanager
from pathlib import Path
from unittest.mock import Mock

import matplotlib
import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from nnjax.reporting.figures import (
    confusion_matrix,
    draw_run,
    first_layer_filters,
    job_bars,
    learning_curves,
    regression_fit,
    worst_mistakes,
)
from nnjax.reporting.figures import curves as curve_figures
from nnjax.reporting.figures.canvas import line_styles
from nnjax.reporting.figures.job_bars import draw_sweep
from nnjax.reporting.figures.weight_curves import weight_curves
from nnjax.reporting.metrics import MetricWriter

DIGITS = [str(digit) for digit in range(10)]


@pytest.fixture
def draw(tmp_path):
    """Draws a figure and returns its pixels [h, w, 3]."""

    def draw(function, *arguments, **options):
        path = tmp_path / "folder" / "figure.png"
        function(*arguments, path=path, **options)
        assert [file.name for file in path.parent.iterdir()] == ["figure.png"]
        with Image.open(io.BytesIO(path.read_bytes())) as image:
            assert image.format == "PNG"
            return np.asarray(image.convert("RGB"))

    return draw


def same(first, second):
    return first.shape == second.shape and bool((first == second).all())


def records(losses, accuracy=True):
    both = [
        {"step": step, "epoch": step / 10, "split": split, "loss": loss} | ({"accuracy": 1 / (1 + loss)} if accuracy else {})
        for step, loss in enumerate(losses, 1)
        for split in ("train", "validation")
    ]
    return [*both, {"step": len(losses), "epoch": len(losses) / 10, "split": "test", "loss": 0.5}]


@pytest.mark.slow
@pytest.mark.parametrize("points", [0, 1, 2, 10_000])
def test_curves_of_any_length(draw, points):
    height, width, _ = draw(learning_curves, records(np.linspace(2.0, 1.0, points))).shape
    assert 300 < height < 700
    assert 500 < width < 1500


@pytest.mark.slow
def test_curves_show_their_records(draw):
    first = draw(learning_curves, records([2.0, 1.0, 0.5]))
    assert same(first, draw(learning_curves, records([2.0, 1.0, 0.5])))
    assert not same(first, draw(learning_curves, records([2.0, 1.5, 0.5])))
    without_test = [record for record in records([2.0, 1.0, 0.5]) if record["split"] != "test"]
    assert not same(first, draw(learning_curves, without_test))


def test_regression_has_no_accuracy_panel(draw):
    with_accuracy = draw(learning_curves, records([2.0, 1.0])).shape[1]
    assert draw(learning_curves, records([2.0, 1.0], accuracy=False)).shape[1] < 0.6 * with_accuracy


@pytest.mark.slow
@pytest.mark.parametrize(("losses", "scale"), [([2.0, 0.5, 0.03], "linear"), ([2.0, 0.5, 0.01], "log"), ([2.0, 0.0], "linear")])
def test_a_loss_that_spans_two_decades_is_drawn_on_a_logarithmic_scale(draw, monkeypatch, losses, scale):
    scales, save = [], Figure.savefig

    def savefig(figure, *arguments, **options):
        scales.extend(axes.get_yscale() for axes in figure.axes)
        save(figure, *arguments, **options)

    monkeypatch.setattr(Figure, "savefig", savefig)
    draw(learning_curves, records(losses))
    assert scales == [scale, "linear"]  # loss, accuracy


@pytest.mark.slow
@pytest.mark.parametrize("missing", [None, math.nan, math.inf])
def test_curves_of_a_run_that_diverged(draw, missing):
    broken = records([1e-38, 1.0, 3e38])
    for record in broken[-2:]:
        record["loss"] = missing
    draw(learning_curves, broken)


@pytest.mark.parametrize("missing", [None, math.nan])
def test_curves_of_a_run_that_diverged_at_once(draw, missing):
    broken = [{"step": 10, "epoch": 0.1, "split": "train", "loss": missing, "accuracy": missing}]
    draw(learning_curves, broken)


def test_confusion_tells_true_from_predicted(draw):
    labels, predictions = np.array([0, 0, 1, 2]), np.array([0, 1, 1, 2])
    assert not same(
        draw(confusion_matrix, labels, predictions, ["a", "b", "c"]),
        draw(confusion_matrix, predictions, labels, ["a", "b", "c"]),
    )


@pytest.mark.parametrize("name", ["a", "a class with a long name", "字" * 22])
def test_the_white_around_a_sheet_is_cut_off_and_no_text_is(draw, name):
    pixels = draw(confusion_matrix, np.arange(3), np.array([0, 2, 1]), [f"{name}{number}" for number in range(3)])
    drawn = (pixels != 255).any(axis=2)
    pad = round(0.12 * 120)
    for edge in (drawn, drawn[::-1], drawn.T, drawn.T[::-1]):
        assert not edge[:pad].any()
        assert edge[pad].any()


def test_a_figure_of_each_training_is_drawn_once(draw, monkeypatch):
    """A layout that is found by drawing, and edges that are, would take twice as long."""
    draws, drawn = [], Figure.draw

    def counted(figure, renderer):
        draws.append(figure)
        return drawn(figure, renderer)

    monkeypatch.setattr(Figure, "draw", counted)
    draw(learning_curves, records([2.0, 1.0]))
    draw(confusion_matrix, np.array([0, 1]), np.array([0, 1]), DIGITS)
    draw(first_layer_filters, np.ones((3, 3, 1, 4)))
    assert len(draws) == 3


def test_no_two_panels_overlap(draw, monkeypatch):
    """However wide the numbers at the ticks are."""
    gaps, save = [], Figure.savefig

    def savefig(figure, *arguments, **options):
        figure.draw_without_rendering()
        left, right = (axes.get_tightbbox().transformed(figure.dpi_scale_trans.inverted()) for axes in figure.axes)
        gaps.append(right.x0 - left.x1)
        save(figure, *arguments, **options)

    monkeypatch.setattr(Figure, "savefig", savefig)
    broken = records([1e-30, 2e-30])
    for record in broken:
        record["accuracy"] = 0.123456 + 1e-6 * record["step"]
    draw(learning_curves, broken)
    assert gaps[0] > 0


def test_what_all_ticks_have_in_common_is_not_under_the_title(draw, monkeypatch):
    overlaps, save = [], Figure.savefig

    def savefig(figure, *arguments, **options):
        figure.draw_without_rendering()
        axes = figure.axes[0]
        offset, title = axes.yaxis.get_offset_text(), axes._left_title
        assert offset.get_text()
        overlaps.append(offset.get_window_extent().overlaps(title.get_window_extent()))
        save(figure, *arguments, **options)

    monkeypatch.setattr(Figure, "savefig", savefig)
    draw(learning_curves, [record for record in records([1e-7, 2e-7, 3e-7]) if record["split"] != "test"])
    assert overlaps == [False]


def test_a_class_without_examples_is_no_trouble(draw):
    draw(confusion_matrix, np.array([0, 0]), np.array([0, 1]), DIGITS)


@pytest.mark.slow
def test_confusion_of_many_classes_leaves_room_for_every_name(draw):
    names = [f"a_class_with_quite_a_long_name_{index}" for index in range(100)]
    labels = np.arange(1000) % 100
    some_wrong = np.where(np.arange(1000) < 300, (labels + 1) % 100, labels)
    picture = draw(confusion_matrix, labels, some_wrong, names)
    assert picture.shape[0] > 100 * 13  # 13 pixels for each name
    assert max(picture.shape) < 3000
    assert not same(picture, draw(confusion_matrix, labels, labels, names))


@pytest.mark.parametrize("shape", [(8, 8, 1), (32, 32, 3), (28, 20, 2)])
def test_the_worst_mistakes_are_those_of_highest_loss(draw, shape):
    images = np.random.default_rng(0).integers(0, 17, (40, *shape)).astype(np.uint8)
    images[0, 0, 0, 0], labels, losses = 255, np.arange(40) % 10, np.linspace(0.3, 9, 40)
    predictions = np.where(np.arange(40) == 38, labels, (labels + 1) % 10)  # example 38, with the second highest loss, is right
    mistakes = (images, labels, predictions, losses, np.full(40, 0.5), DIGITS)
    first = draw(worst_mistakes, *mistakes, count=6)
    images[[32, 38]] //= 2  # the seventh worst mistake, and the right example
    assert same(first, draw(worst_mistakes, *mistakes, count=6))
    images[33] //= 2  # the sixth
    assert not same(first, draw(worst_mistakes, *mistakes, count=6))


def test_the_brightest_pixel_of_all_is_white(draw):
    dark = np.zeros((3, 8, 8, 1), np.uint8)
    dark[:, 2:6, 2:6] = 16
    results = (np.array([1, 2, 3]), np.array([4, 5, 6]), np.ones(3), np.ones(3), DIGITS)
    assert same(draw(worst_mistakes, dark, *results), draw(worst_mistakes, (dark / 16).astype(np.float32), *results))


def test_without_mistakes_those_of_highest_loss_are_shown(draw):
    images = np.random.default_rng(0).random((9, 8, 8, 1)).astype(np.float32)
    results = (np.arange(9), np.arange(9), np.linspace(0.0, 0.4, 9), np.ones(9), DIGITS)
    first = draw(worst_mistakes, images, *results, count=4)
    images[0] *= 0.5
    assert same(first, draw(worst_mistakes, images, *results, count=4))
    images[8] *= 0.5
    assert not same(first, draw(worst_mistakes, images, *results, count=4))


def test_names_with_any_characters(draw):
    names = ["猫", "$x_", "naïve", "κόσμος", "a\nb", "", "[b]", "%s", "{x}", "🦊"]
    labels = np.arange(10)
    draw(confusion_matrix, labels, labels, names)
    draw(worst_mistakes, np.ones((10, 8, 8, 1)), labels, labels[::-1], np.ones(10), np.ones(10), names)


@pytest.mark.slow
@pytest.mark.parametrize("channels", [1, 2, 3])
def test_filters_are_scaled_one_by_one_and_at_most_64(draw, channels):
    kernel = np.random.default_rng(0).normal(size=(3, 3, channels, 70)).astype(np.float32)
    first = draw(first_layer_filters, kernel)
    scaled = kernel * 2.0 ** np.arange(70)
    assert same(first, draw(first_layer_filters, scaled.astype(np.float32)))
    kernel[..., 64:] = 0
    assert same(first, draw(first_layer_filters, kernel))
    kernel[..., 63] *= -1
    assert not same(first, draw(first_layer_filters, kernel))


def test_a_filter_of_zeros_is_no_trouble(draw):
    draw(first_layer_filters, np.zeros((1, 1, 1, 1), np.float32))


@pytest.mark.slow
@pytest.mark.parametrize(("examples", "outputs"), [(1, 1), (300, 1), (20, 12)])
def test_regression_fit(draw, examples, outputs):
    targets = np.random.default_rng(0).normal(size=(examples, outputs))
    assert not same(draw(regression_fit, targets, targets), draw(regression_fit, targets, targets + 0.5))


def texts_of(monkeypatch, draw, *arguments, **options):
    """The texts of a figure: those of its axes, and those beside them."""
    found = []
    original = curve_figures.canvas

    @contextmanager
    def canvas(*given, **more):
        with original(*given, **more) as figure:
            yield figure
            figure.draw_without_rendering()
            found.extend(text.get_text() for text in figure.findobj(matplotlib.text.Text))

    monkeypatch.setattr(curve_figures, "canvas", canvas)
    draw(*arguments, **options)
    return " ".join(found)


def test_r_squared_is_none_of_a_series(monkeypatch, tmp_path):
    targets = np.random.default_rng(0).normal(size=(20, 1))
    path = tmp_path / "fit.png"
    assert "R²" in texts_of(monkeypatch, regression_fit, targets, targets + 0.5, path)
    series = texts_of(monkeypatch, regression_fit, targets, targets + 0.5, path, scaled=True)
    assert "R²" not in series
    assert "predicted, scaled, one step ahead" in series


def test_nearly_equal_values_have_plain_ticks(monkeypatch, tmp_path):
    targets = np.array([[0.9999], [0.99991]])
    text = texts_of(monkeypatch, regression_fit, targets, targets, tmp_path / "fit.png")
    assert "e−" not in text
    assert "0.99" in text


def test_a_sweeps_losses_have_a_log_scale_from_a_decade_on(monkeypatch, tmp_path):
    scales = []
    monkeypatch.setattr(
        job_bars, "log_scale_if_wide", lambda axes, values, times: scales.append(max(values) > times * min(values))
    )
    for last in (0.5, 0.05):
        draw_sweep({"seed=0": records([1.0, last]), "seed=1": records([1.0, 0.7])}, tmp_path / "losses.png")
    assert scales == [False, True]


def test_drawing_leaves_matplotlib_as_it_was(draw):
    before = dict(matplotlib.rcParams)
    draw(first_layer_filters, np.ones((3, 3, 1, 4)))
    assert dict(matplotlib.rcParams) == before


def weights(*values):
    return [
        {"step": step, "epoch": step, "split": "weights", "a.w0": value, "a.w1": 2.0, "b.w1": 1.0, "seconds": 0.1}
        for step, value in enumerate(values)
    ] + [{"step": 1, "epoch": 1, "split": "train", "loss": 1.0}]


@pytest.mark.slow
def test_weights_have_a_panel_a_layer(draw):
    two_layers = draw(weight_curves, weights(0.5, 0.25, None))
    one_layer = draw(weight_curves, [{k: v for k, v in record.items() if k != "b.w1"} for record in weights(0.5, 0.25)])
    assert two_layers.shape[1] > 1.7 * one_layer.shape[1]
    assert not same(draw(weight_curves, weights(0.5, 0.25)), draw(weight_curves, weights(0.5, 0.75)))


@pytest.mark.slow
def test_a_sweep_shows_every_job(draw):
    curves = {str(seed): records([1.0, 0.1 * seed, 0.0]) for seed in range(12)}
    few = draw(draw_sweep, {"0": curves["0"], "1": curves["1"]})
    assert not same(few, draw(draw_sweep, {"0": curves["0"], "2": curves["2"]}))
    assert draw(draw_sweep, curves).shape[0] > 0
    assert not same(few, draw(draw_sweep, {"0": curves["0"], "1": []}))


def test_no_two_of_twenty_lines_look_alike():
    assert len({str(style) for style in line_styles(20)}) == 20


def names(paths: list[Path]) -> list[str]:
    assert all(path.is_file() for path in paths)
    return [path.name for path in paths]


@pytest.mark.slow
def test_a_run_gets_the_pictures_that_suit_it(tmp_path):
    with MetricWriter(tmp_path) as writer:
        writer.write(step=1, epoch=1, split="train", metrics={"loss": 1.0}, seconds=0.0)
    labels, logits = np.arange(10), np.eye(10, dtype=np.float32)[::-1] * 1000
    images = np.ones((10, 8, 8, 1), np.uint8)
    classes = {"targets": labels, "outputs": logits, "losses": np.ones(10), "class_names": DIGITS, "from_logits": True}
    pictures = ["learning_curves.png", "confusion_matrix.png"]
    assert names(draw_run(tmp_path, inputs=np.ones((10, 5)), **classes)) == pictures
    assert names(draw_run(tmp_path, inputs=images, **classes, kernel=np.ones((3, 3, 1, 4)))) == [
        *pictures,
        "worst_mistakes.png",
        "first_layer_filters.png",
    ]
    values = np.ones((10, 2), np.float32)
    results = {"targets": values, "outputs": values, "losses": np.zeros(10)}
    regression = draw_run(tmp_path, inputs=values, **results, class_names=(), from_logits=False)
    assert names(regression) == ["learning_curves.png", "regression_fit.png"]
    one = {"targets": values[:1], "outputs": values[:1], "losses": np.zeros(1)}
    single = draw_run(tmp_path, inputs=values[:1], **one, class_names=(), from_logits=False)
    assert names(single) == ["learning_curves.png"]  # one dot is no picture


@pytest.mark.parametrize(
    ("from_logits", "outputs", "confidence"),
    [
        (False, [[1.05, 1.2, 0.0], [1.3, 1.2, -0.1]], [0.5, 0.5]),  # the first example's outputs above 1 are clipped to 1
        (True, [[0.0, 2000.0, -1.0], [0.0, 0.0, 0.0]], [1.0, 1 / 3]),
    ],
)
def test_the_mistakes_are_those_of_the_confusion_matrix(tmp_path, monkeypatch, from_logits, outputs, confidence):
    MetricWriter(tmp_path).close()
    given_to = {name: Mock() for name in ("confusion_matrix", "worst_mistakes")}
    for name, mock in given_to.items():
        monkeypatch.setattr(f"nnjax.reporting.figures.run_figures.{name}", mock)
    images, targets, losses = np.ones((2, 8, 8, 1)), np.array([0, 0]), np.array([0.5, 0.25])
    results = {"targets": targets, "outputs": np.array(outputs, np.float32), "losses": losses}
    draw_run(tmp_path, inputs=images, **results, class_names=["a", "b", "c"], from_logits=from_logits)
    _, predictions, *_ = given_to["confusion_matrix"].call_args.args
    _, _, same_predictions, same_losses, shown, *_ = given_to["worst_mistakes"].call_args.args
    assert list(predictions) == list(same_predictions) == [1, 0]
    assert same_losses is losses
    np.testing.assert_allclose(shown, confidence, atol=1e-5)
