"""Normalisation and random changes of images, on the device, inside the compiled step.

    images = normalize(batch, dataset.mean, dataset.std)
    images = augment_images(images, jax.random.split(key, len(images)), config.data.augment, mirrored)

Each example has its own key, so its changes do not depend on how a batch is split over devices. In evaluation, the outputs
for several `views` of an image are averaged.
"""

from typing import Literal

import jax
import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike

from nnjax.config.data_options import Augment
from nnjax.config.option_numbers import is_off


def normalize(inputs: Array, mean: ArrayLike, std: ArrayLike) -> Array:
    """(inputs − mean) / std, as float32.

    Args:
        inputs: [..., c] bytes or floats.
        mean: [c] in the inputs' units.
        std: [c] likewise, not 0.
    """
    return (inputs.astype(jnp.float32) - jnp.asarray(mean, jnp.float32)) / jnp.asarray(std, jnp.float32)


def alternating_flip(key: Array, examples: Array, epoch: ArrayLike) -> Array:
    """Selects the half of the images that flip=alternating mirrors in an epoch: those not mirrored in the epoch before.

    Half of the images, drawn by `key`, are mirrored in even epochs, the others in odd ones (Jordan, "94% on CIFAR-10 in 3.29
    Seconds on a Single GPU", 2024, section 3.6, with a random draw in the place of its hash).

    Args:
        key: the same throughout a training.
        examples: [b] int32, the images' places in the training split.
        epoch: int32, counted from 0.

    Returns:
        [b] booleans.
    """
    drawn = jax.vmap(lambda example: jax.random.bits(jax.random.fold_in(key, example)))(examples)
    return (drawn.astype(jnp.int32) + epoch) % 2 == 1


def augment_images(images: Array, keys: Array, options: Augment, mirrored: Array | None = None) -> Array:
    """Mirrors, crops and cuts out, as the options say; a change that is switched off does not alter the draws of the others.

    Mirroring and cropping move pixels by index, rows first and then columns: on the CPU inside a loop, two `take_along_axis`
    took 0.5 ms for [128, 32, 32, 3], a slice for each example 1.2, and products with selection matrices 1.1.

    Args:
        images: [b, h, w, c] float32, normalised: what is cut out becomes 0, the mean.
        keys: [b] typed keys, one for each image.
        options: the changes; `crop` and `cutout` may be traced arrays, a plain 0 leaves the change out.
        mirrored: [b] booleans, which images flip=alternating mirrors; needed with that.

    Returns:
        [b, h, w, c] float32.

    Raises:
        ValueError: if `crop` is not smaller than the images.
    """
    _, height, width, _ = images.shape
    if isinstance(options.crop, int) and options.crop >= min(height, width):
        raise ValueError(f"crop={options.crop}: must be less than the sides of the images, {height} and {width}")
    draws = jax.vmap(lambda key: jax.random.uniform(key, (5,), jnp.float32))(keys)
    mirror, shift_down, shift_right, centre_row, centre_column = draws.T
    if not is_off(options.crop):
        rows = _window(shift_down, height, options.crop)
        images = jnp.take_along_axis(images, rows[:, :, None, None], axis=1, mode="promise_in_bounds")
    if not is_off(options.crop) or options.flip != "off":
        columns = _window(shift_right, width, options.crop)
        if options.flip == "random":
            mirrored = mirror < 0.5
        if mirrored is not None:
            columns = jnp.where(mirrored[:, None], columns[:, ::-1], columns)
        images = jnp.take_along_axis(images, columns[:, None, :, None], axis=2, mode="promise_in_bounds")
    if not is_off(options.cutout):
        hidden_rows = _square(centre_row, height, options.cutout)[:, :, None, None]
        hidden_columns = _square(centre_column, width, options.cutout)[:, None, :, None]
        images = jnp.where(hidden_rows & hidden_columns, 0, images)
    return images


def views(images: Array, count: Literal[1, 2, 6]) -> tuple[Array, Array]:
    """Makes the views of images for test-time augmentation: 1 is the image, 2 adds its mirror image, 6 adds shifts of both.

    The shifts are one pixel down and right, and one pixel up and left, reflected at the border. The four shifted views together
    weigh as much as the other two (Jordan, 2024, section 3.5).

    Args:
        images: [b, h, w, c], at least 2 pixels high and wide where there are 6 views.
        count: how many views.

    Returns:
        The views [count, b, h, w, c], and the weight of each, [count] float32, which add up to 1.
    """
    _, height, width, _ = images.shape
    seen = [images]
    if count == 6:
        padded = jnp.pad(images, ((0, 0), (1, 1), (1, 1), (0, 0)), mode="reflect")
        seen += [padded[:, :height, :width], padded[:, 2:, 2:]]
    weights = [1.0] if len(seen) == 1 else [0.5, 0.25, 0.25]
    if count > 1:
        seen += [view[:, :, ::-1] for view in seen]
        weights = [weight / 2 for weight in weights * 2]
    return jnp.stack(seen), jnp.array(weights, jnp.float32)


def _window(draw: Array, size: int, crop: int | Array) -> Array:
    """[b, size] the pixels seen through a window that is shifted by −crop to crop, beyond the border their reflections."""
    shift = jnp.floor(draw * jnp.asarray(2 * crop + 1, draw.dtype)).astype(jnp.int32) - crop
    pixel = jnp.abs(jnp.arange(size) + shift[:, None])
    return size - 1 - jnp.abs(size - 1 - pixel)


def _square(draw: Array, size: int, side: int | Array) -> Array:
    """[b, size] whether a pixel lies within a stretch of `side` around a centre that is drawn from all pixels."""
    start = jnp.floor(draw * size).astype(jnp.int32)[:, None] - side // 2
    pixel = jnp.arange(size)
    return (start <= pixel) & (pixel < start + side)
