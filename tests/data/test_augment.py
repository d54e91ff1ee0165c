"""Augmentation against a NumPy twin that pads, slices and fills, and the properties that training relies on."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nnjax.config.data_options import Augment
from nnjax.data.augment import alternating_flip, augment_images, normalize, views

OFF = Augment(flip="off", crop=0, cutout=0)
ALL = Augment(flip="random", crop=4, cutout=8)


def images_and_keys(batch, height, width, channels=3, seed=0):
    images = np.random.default_rng(seed).normal(size=(batch, height, width, channels)).astype(np.float32)
    return images, jax.random.split(jax.random.key(seed), batch)


def twin(images, keys, options):
    """The same changes, an image at a time."""
    changed = []
    for image, key in zip(images, keys, strict=True):
        height, width, _ = image.shape
        mirror, down, right, row, column = np.asarray(jax.random.uniform(key, (5,)))
        crop, side = options.crop, options.cutout
        padded = np.pad(image, ((crop, crop), (crop, crop), (0, 0)), mode="reflect")
        top, left = int(down * (2 * crop + 1)), int(right * (2 * crop + 1))
        image = padded[top : top + height, left : left + width]
        if options.flip == "random" and mirror < 0.5:
            image = image[:, ::-1]
        top, left = int(row * height) - side // 2, int(column * width) - side // 2
        image = image.copy()
        image[max(top, 0) : max(top + side, 0), max(left, 0) : max(left + side, 0)] = 0
        changed.append(image)
    return np.stack(changed)


@pytest.mark.slow
@pytest.mark.parametrize("compiled", [False, True], ids=["eager", "jit"])
@pytest.mark.parametrize("shape", [(32, 32), (9, 14)])
@pytest.mark.parametrize(
    "options",
    [
        OFF,
        Augment(flip="random", crop=0, cutout=0),
        Augment(flip="off", crop=4, cutout=0),
        Augment(flip="off", crop=0, cutout=5),
        Augment(flip="off", crop=8, cutout=0),
        Augment(flip="random", crop=1, cutout=100),
        ALL,
    ],
    ids=str,
)
def test_agrees_with_numpy_exactly(options, shape, compiled):
    images, keys = images_and_keys(32, *shape)
    function = partial(augment_images, options=options)
    changed = (jax.jit(function) if compiled else function)(jnp.asarray(images), keys)
    assert changed.dtype == jnp.float32
    np.testing.assert_array_equal(changed, twin(images, keys, options))


@pytest.mark.parametrize("parts", [2, 4, 16])
def test_an_image_does_not_depend_on_its_batch(parts):
    images, keys = images_and_keys(16, 8, 8)
    augment = jax.jit(partial(augment_images, options=Augment(flip="random", crop=3, cutout=4)))
    split = [augment(*part) for part in zip(np.split(images, parts), jnp.split(keys, parts), strict=True)]
    np.testing.assert_array_equal(jnp.concatenate(split), augment(images, keys))


def test_off_is_the_identity():
    images, keys = images_and_keys(4, 8, 8)
    np.testing.assert_array_equal(augment_images(images, keys, OFF), images)


def test_draws_are_spread_as_they_should():
    """Half of the images are mirrored, and each shift and each centre is as likely as another."""
    count = 4000
    ramp = np.broadcast_to(np.arange(1.0, 26.0, dtype=np.float32).reshape(1, 5, 5, 1), (count, 5, 5, 1))
    keys = jax.random.split(jax.random.key(0), count)
    flipped = augment_images(ramp, keys, Augment(flip="random", crop=0, cutout=0))[:, 0, 0, 0] == 5
    assert abs(flipped.mean() - 0.5) < 0.03
    middle = np.asarray(augment_images(ramp, keys, Augment(flip="off", crop=2, cutout=0))[:, 2, 2, 0]).astype(int)
    assert np.abs(np.bincount(middle, minlength=26)[1:] / count - 1 / 25).max() < 0.02
    hidden = np.asarray(augment_images(ramp, keys, Augment(flip="off", crop=0, cutout=1)) == 0).mean(axis=0)
    assert np.abs(hidden - 1 / 25).max() < 0.02


def test_crop_as_large_as_the_image_is_refused():
    images, keys = images_and_keys(2, 4, 6)
    with pytest.raises(ValueError, match="crop=4: must be less than the sides"):
        augment_images(images, keys, Augment(flip="off", crop=4, cutout=0))


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_normalize(dtype):
    inputs = np.random.default_rng(0).integers(0, 256, (50, 6, 6, 3)).astype(dtype)
    mean, std = inputs.mean(axis=(0, 1, 2)), inputs.std(axis=(0, 1, 2))
    normal = normalize(jnp.asarray(inputs), mean, std)
    assert normal.dtype == jnp.float32
    np.testing.assert_allclose(normal.mean(axis=(0, 1, 2)), 0, atol=1e-5)
    np.testing.assert_allclose(normal.std(axis=(0, 1, 2)), 1, atol=1e-5)


def test_alternating_flip_mirrors_every_image_every_other_epoch():
    images, keys = images_and_keys(64, 6, 5)
    options, key = Augment(flip="alternating", crop=0, cutout=0), jax.random.key(7)
    examples = jnp.asarray(np.random.default_rng(0).permutation(10_000)[:64])
    mirrored = [np.asarray(alternating_flip(key, examples, epoch)) for epoch in range(5)]
    for epoch in range(1, 5):
        np.testing.assert_array_equal(mirrored[epoch], ~mirrored[epoch - 1])
    assert 16 < mirrored[0].sum() < 48
    order = np.random.default_rng(1).permutation(64)  # what is mirrored hangs on the example, not on its place in a batch
    np.testing.assert_array_equal(alternating_flip(key, examples[order], 2), mirrored[2][order])
    assert (np.asarray(alternating_flip(jax.random.key(8), examples, 0)) != mirrored[0]).any()
    changed = augment_images(images, keys, options, jnp.asarray(mirrored[3]))
    np.testing.assert_array_equal(changed, np.where(mirrored[3][:, None, None, None], images[:, :, ::-1], images))


@pytest.mark.parametrize("count", [1, 2, 6])
@pytest.mark.parametrize("shape", [(6, 9), (2, 2)])
def test_views_are_mirrored_and_shifted_images(count, shape):
    height, width = shape
    images, _ = images_and_keys(3, height, width)
    seen, weights = views(jnp.asarray(images), count)
    assert seen.shape == (count, 3, height, width, 3)
    assert float(weights.sum()) == 1
    found = [(np.asarray(view), float(weight)) for view, weight in zip(seen, weights, strict=True)]
    padded = np.pad(images, ((0, 0), (1, 1), (1, 1), (0, 0)), mode="reflect")
    # How far the image moves down and right, and what the two directions of it count together.
    for move, share in {1: {0: 1}, 2: {0: 1}, 6: {0: 0.5, 1: 0.25, -1: 0.25}}[count].items():
        moved = padded[:, 1 - move : 1 - move + height, 1 - move : 1 - move + width]
        for view in [moved] if count == 1 else [moved, moved[:, :, ::-1]]:
            weight = share if count == 1 else share / 2
            assert any(np.array_equal(view, other) and weight == own for other, own in found), (move, weight)
