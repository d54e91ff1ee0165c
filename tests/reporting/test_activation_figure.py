import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from nnjax.reporting.figures.activation_curves import ActivationCurve, activation_curves, plot_range


def tanh(z, name="tanh"):
    points = plot_range(z)
    at = (float(np.tanh(z)), float(1 - np.tanh(z) ** 2))
    return ActivationCurve(name, points, np.tanh(points), 1 - np.tanh(points) ** 2, at)


@pytest.mark.parametrize("z", [0.0, 3.02, -1000.0, 1e100])
def test_zero_and_z_lie_in_the_picture(z):
    points = plot_range(z)
    assert 0.0 in points
    assert points[0] < z < points[-1]
    assert points[-1] >= 6


@pytest.mark.slow
@pytest.mark.parametrize("z", [-1000.0, 1e100])
def test_png_and_svg_are_the_same_every_time(tmp_path, z):
    for folder in ("first", "second"):
        activation_curves(z, [tanh(z)], tmp_path / folder / "activations.png")
    for kind in ("png", "svg"):
        first, second = (tmp_path / folder / f"activations.{kind}" for folder in ("first", "second"))
        assert first.read_bytes() == second.read_bytes()
    assert len((tmp_path / "first" / "activations.svg").read_bytes()) < 60_000


def test_z_is_marked_on_the_curve_and_on_its_derivative(tmp_path, monkeypatch):
    marks, save = [], Figure.savefig

    def savefig(figure, *arguments, **options):
        lines = [line for axes in figure.axes for line in axes.lines]
        marks.append([(line.get_xdata()[0], line.get_ydata()[0]) for line in lines if line.get_marker() != "None"])
        save(figure, *arguments, **options)

    monkeypatch.setattr(Figure, "savefig", savefig)
    curve = tanh(0.5)
    activation_curves(0.5, [curve], tmp_path / "activations.png")
    assert marks[0] == [(0.5, at) for at in curve.at]


def test_the_curves_are_told_apart_in_grey(tmp_path, monkeypatch):
    styles, save = set(), Figure.savefig

    def savefig(figure, *arguments, **options):
        styles.update(line.get_linestyle() for axes in figure.axes for line in axes.lines if len(line.get_xdata()) > 2)
        save(figure, *arguments, **options)

    monkeypatch.setattr(Figure, "savefig", savefig)
    activation_curves(0.5, [tanh(0.5)], tmp_path / "activations.png")
    assert len(styles) == 2


@pytest.mark.slow
def test_panels_stand_three_in_a_row(tmp_path):
    sizes = []
    for count in (1, 2, 4):
        activation_curves(0.5, [tanh(0.5, str(number)) for number in range(count)], tmp_path / f"{count}.png")
        with Image.open(tmp_path / f"{count}.png") as image:
            sizes.append(image.size)
    assert sizes[0][0] * 1.7 < sizes[1][0]
    assert sizes[1][1] * 1.5 < sizes[2][1]
