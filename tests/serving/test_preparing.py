"""Pictures come to the form of the training images, and those that have it stay as they are."""

from io import BytesIO

import numpy as np
import pytest
from archives import tfds_data
from drawn import STROKES, drawn, photographed
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from real_data import REAL_DATA

from nnjax.config.errors import InputError
from nnjax.data.dataset_spec import dataset_spec
from nnjax.data.digits import digits
from nnjax.data.tfds import decode_split, prepared_folder
from nnjax.serving.facts import InputFacts
from nnjax.serving.grey_pictures import box_of, stroke_width
from nnjax.serving.pictures import open_picture
from nnjax.serving.preparing import prepare

MNIST = InputFacts((28, 28, 1), "uint8", "mnist", 255.0)
DIGITS = InputFacts((8, 8, 1), "uint8", "digits", 16.0)
CIFAR = InputFacts((32, 32, 3), "uint8", "plain", 255.0)


def png(pixels):
    file = BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return open_picture(file.getvalue())


def as_picture(ink, dark=False):
    return Image.fromarray((255 * (1 - ink if dark else ink)).astype(np.uint8))


@pytest.mark.parametrize("width", [8, 24, 60])
@pytest.mark.parametrize("dark", [False, True])
def test_a_drawn_digit_becomes_one_like_mnists(width, dark):
    for digit in STROKES:
        prepared = prepare(as_picture(drawn(digit, width), dark), MNIST)
        assert (prepared.inputs.shape, prepared.inputs.dtype) == ((28, 28, 1), np.uint8)
        image = prepared.inputs[..., 0].astype(np.float32) / 255
        rows, columns = np.flatnonzero((image > 0.3).any(1)), np.flatnonzero((image > 0.3).any(0))
        assert 19 <= max(np.ptp(rows), np.ptp(columns)) + 1 <= 21
        for axis in (0, 1):  # the centre of mass is within half a pixel of the middle
            mass = image.sum(axis)
            assert (mass * np.arange(28)).sum() / mass.sum() == pytest.approx(14, abs=0.51)
        assert 1.6 <= stroke_width(image) <= 4.6
        assert image.max() > 0.9
        assert ("dark on light: inverted" in prepared.notes) == dark
        assert any("made wider" in note for note in prepared.notes) == (width == 8)
        assert prepared.warnings == ()


def test_one_digit_is_the_same_at_any_size_place_and_polarity():
    for digit in (2, 3, 5):
        one = prepare(as_picture(drawn(digit)), MNIST).inputs.astype(int)
        large = np.pad(drawn(digit, width=72, side=840), ((400, 10), (30, 500)))
        for other in (as_picture(large, dark=True), photographed(drawn(digit), seed=1), photographed(drawn(digit), seed=2)):
            found = prepare(other, MNIST).inputs.astype(int)
            shifts = [np.roll(found, (down, along), (0, 1)) for down in (-1, 0, 1) for along in (-1, 0, 1)]
            assert min(np.abs(shifted - one).mean() for shifted in shifts) < 8, digit  # a centre of 13.5 is rounded up or down


@pytest.mark.parametrize("facts", [MNIST, DIGITS, CIFAR], ids=["mnist", "digits", "plain"])
@settings(max_examples=20)
@given(width=st.integers(1, 90), height=st.integers(1, 90), colours=st.booleans(), seed=st.integers(0, 1000))
def test_any_picture_is_prepared_to_something(facts, width, height, colours, seed):
    random = np.random.default_rng(seed)
    pixels = random.integers(0, 256, (height, width, 3) if colours else (height, width)).astype(np.uint8)
    prepared = prepare(Image.fromarray(pixels), facts)
    assert (prepared.inputs.shape, prepared.inputs.dtype) == (facts.shape, np.uint8)
    assert prepared.inputs.max() <= facts.largest
    for name, image in prepared.steps:
        assert name
        assert image.dtype == np.uint8
        assert image.ndim in (2, 3)


@pytest.mark.parametrize("facts", [MNIST, DIGITS], ids=["mnist", "digits"])
def test_an_empty_picture_is_said_to_be_empty(facts):
    for shade in (0, 128, 255):
        prepared = prepare(Image.new("L", (200, 150), shade), facts)
        assert prepared.empty
        assert not prepared.inputs.any()
        assert prepared.warnings == ("no figure stands out from the ground: taken as an empty picture",)


def test_separate_strokes_are_one_figure_and_many_are_doubted():
    two = np.pad(drawn(1), ((0, 0), (0, 200))) + np.pad(drawn(0), ((0, 0), (200, 0)))
    assert "2 separate strokes taken as one figure" in prepare(as_picture(two), MNIST).notes
    six = np.tile(drawn(0, 12, 120), (2, 3))
    assert prepare(as_picture(six), MNIST).warnings == ("the figure has 6 separate pieces",)


def test_a_figure_of_many_shades_is_doubted():
    shaded = drawn(3, 50) * np.geomspace(0.1, 1, 280, dtype=np.float32)
    assert prepare(as_picture(shaded, dark=True), MNIST).warnings == ("the figure is of many shades, as in a photo of a scene",)


def test_a_digit_that_is_cropped_tightly_is_the_same_and_is_doubted():
    for digit in STROKES:
        whole = drawn(digit, 34)
        rows, columns = np.flatnonzero(whole.any(1)), np.flatnonzero(whole.any(0))
        cut = whole[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
        one, other = prepare(as_picture(whole), MNIST), prepare(as_picture(cut, dark=True), MNIST)
        shifts = [np.roll(other.inputs.astype(int), (down, along), (0, 1)) for down in (-1, 0, 1) for along in (-1, 0, 1)]
        assert min(np.abs(shifted - one.inputs).mean() for shifted in shifts) < 8, digit
        assert one.warnings == ()
        assert other.warnings == ("the figure reaches the border of the picture, and may be cut off",)


def test_sklearns_digits_come_back():
    train, test = digits()
    for image in np.concatenate([train.inputs[:100], test.inputs[:100]]):
        for scaled in (image[..., 0], np.rint(image[..., 0] * (255 / 16)).astype(np.uint8)):
            np.testing.assert_array_equal(prepare(png(scaled), DIGITS).inputs, image)


def test_drawn_digits_are_like_sklearns():
    train, _ = digits()
    usual = train.inputs.mean(dtype=float) / 16
    for digit in STROKES:
        for width in (6, 24, 50):
            prepared = prepare(photographed(drawn(digit, width), seed=digit), DIGITS)
            image = prepared.inputs[..., 0].astype(float) / 16
            assert image.mean() == pytest.approx(usual, abs=0.08), (digit, width)
            assert image[:, [0, 7]].mean() < 0.25
            assert image[0].max() > 0.3 < image[7].max()  # it fills the height


def test_plain_pictures_are_cropped_and_resized():
    pixels = np.zeros((60, 100, 3), np.uint8)
    pixels[:, 20:80] = (200, 100, 0)
    pixels[:, :20] = 255
    prepared = prepare(Image.fromarray(pixels), CIFAR)
    np.testing.assert_array_equal(prepared.inputs, np.broadcast_to(np.array([200, 100, 0]), (32, 32, 3)))
    assert prepared.notes == ("cut to its middle 60 × 60 pixels",)
    assert prepared.steps[-1][0] == "as the network sees it"
    grey = prepare(Image.fromarray(pixels).convert("L"), CIFAR).inputs
    assert (grey == grey[..., :1]).all()


@pytest.mark.parametrize("dark", [True, False])
def test_a_plain_picture_is_not_inverted_and_that_is_noted(dark):
    """Fashion-MNIST's clothes are light on black, and shops' pictures of them dark on white."""
    prepared = prepare(as_picture(drawn(4), dark), InputFacts((28, 28, 1), "uint8", "plain", 255.0))
    assert prepared.inputs[0, 0, 0] == (255 if dark else 0)
    assert prepared.notes == (("dark on light: kept as it is",) if dark else ())


def test_plain_pictures_do_not_alias():
    board = (np.indices((320, 320)).sum(0) % 2 * 255).astype(np.uint8)  # every second pixel
    assert prepare(Image.fromarray(board), CIFAR).inputs.std() < 3


def test_plain_inputs_of_the_networks_size_stay():
    random = np.random.default_rng(0)
    image = random.integers(0, 256, (32, 32, 3)).astype(np.uint8)
    np.testing.assert_array_equal(prepare(png(image), CIFAR).inputs, image)
    floats = prepare(png(image), InputFacts((32, 32, 3), "float32", "plain", 1.0)).inputs
    np.testing.assert_array_equal(floats, image.astype(np.float32) / 255)


def test_inputs_rise_with_a_picture_s_values():
    """Training images of 0 to 160: a picture of 159 was taken as it is, and one of 161 as 101."""
    facts = InputFacts((4, 4, 1), "float32", "plain", 160.0)
    shades = [prepare(Image.new("L", (4, 4), shade), facts).inputs.max() for shade in range(256)]
    assert (np.diff(shades) > 0).all()
    assert [shades[0], shades[255]] == [0, 160]


def test_a_network_without_pictures_says_so():
    with pytest.raises(InputError, match=r"^the network takes no pictures: its inputs have the shape \(4,\)$"):
        prepare(Image.new("L", (9, 9)), InputFacts((4,), "float32"))


def classifier(images, labels, white=255, spread=0.1):
    """Ridge regression on random features (Rahimi and Recht, 2007): a network of 1 500 units, trained in a second or two."""
    random = np.random.default_rng(0)
    weights = random.normal(0, spread, (images[0].size, 1500)).astype(np.float32)
    bias = random.normal(0, 5 * spread, 1500).astype(np.float32)

    def hidden(inputs):
        return np.maximum(inputs.reshape(len(inputs), -1) / np.float32(white) @ weights + bias, 0)

    values = hidden(images)
    solved = np.linalg.solve(values.T @ values + 10 * np.eye(1500), values.T @ (np.eye(10)[labels] * 2 - 1))
    return lambda inputs: (hidden(inputs) @ solved).argmax(1)


@pytest.mark.parametrize("digit", [0, 3, 7])
def test_slanted_digits_stand_upright_as_sklearns_do(digit):
    slanted = as_picture(drawn(digit)).transform((400, 280), Image.Transform.AFFINE, (1, 0.35, -120, 0, 1, 0))
    upright, found = (prepare(picture, DIGITS).inputs.astype(int) for picture in (as_picture(drawn(digit)), slanted))
    assert np.abs(found - upright).mean() < 2
    aspect_of_mnist = prepare(slanted, MNIST).inputs.astype(int) - prepare(as_picture(drawn(digit)), MNIST).inputs
    assert np.abs(aspect_of_mnist).mean() > 15  # MNIST's digits keep their slant


def test_drawn_digits_are_recognised_by_what_sklearns_digits_teach():
    train, _ = digits()
    predict = classifier(train.inputs, train.targets, white=16, spread=0.25)
    drawings = [(digit, photographed(drawn(digit, width), width)) for digit in STROKES for width in (10, 20, 40)]
    found = predict(np.stack([prepare(photo, DIGITS).inputs for _, photo in drawings]))
    assert np.mean(found == [digit for digit, _ in drawings]) > 0.8


def closely(ink, margin):
    """Ink cut to its box, with a margin as a share of its longer side."""
    top, bottom, left, right = box_of(ink, 0.02)
    return np.pad(ink[top:bottom, left:right], round(margin * max(bottom - top, right - left)))


@pytest.mark.slow
@pytest.mark.real_data
def test_real_digits_survive_paper_shadows_and_pencil():
    data = tfds_data("mnist", REAL_DATA)
    folder, spec = prepared_folder(data), dataset_spec(data)
    test = decode_split(folder, "test", spec)
    for image in test.inputs[:500]:
        np.testing.assert_array_equal(prepare(png(image[..., 0]), MNIST).inputs, image)
    predict = classifier(np.asarray(test.inputs[1000:]), test.targets[1000:])  # 60 000 more would take long to decode
    images, labels = np.asarray(test.inputs[:100]), test.targets[:100]
    accuracy = (predict(images) == labels).mean()
    assert accuracy > 0.93
    large = [np.asarray(Image.fromarray(image[..., 0]).resize((140, 140)), np.float32) / 255 for image in images]
    conditions = {
        "enlarged": [as_picture(ink) for ink in large],
        "inverted": [as_picture(ink, dark=True) for ink in large],
        "small and inverted": [Image.fromarray(255 - image[..., 0]) for image in images],
        "on paper": [photographed(ink, seed) for seed, ink in enumerate(large)],
        "in a shadow": [photographed(ink, seed, shadow=True) for seed, ink in enumerate(large)],
        "in pencil": [photographed(ink, seed, strength=0.25, noise=0.03) for seed, ink in enumerate(large)],
        "in chalk": [photographed(ink, seed, dark=False) for seed, ink in enumerate(large)],
        "cropped closely": [as_picture(closely(ink, 0.03), dark=True) for ink in large],
        "cropped tightly": [as_picture(closely(ink, 0), dark=True) for ink in large],
    }
    most = {"in pencil": 0.06, "cropped closely": 0.06, "cropped tightly": 0.14}
    for name, pictures in conditions.items():
        prepared = np.stack([prepare(picture, MNIST).inputs for picture in pictures])
        lost = accuracy - (predict(prepared) == labels).mean()
        assert lost < most.get(name, 0.04), name
    train, _ = digits()
    of_digits = classifier(train.inputs, train.targets, white=16, spread=0.25)
    prepared = np.stack([prepare(picture, DIGITS).inputs for picture in conditions["on paper"]])
    assert (of_digits(prepared) == labels).mean() > 0.75
