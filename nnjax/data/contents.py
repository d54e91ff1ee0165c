"""The contents that a dataset of tensorflow-datasets must have, so that other contents under its name are noticed.

    contents = expected_contents("mnist", folder)
    contents.class_counts["test"]            # (980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009)

The published facts stand here. A folder that nnjax prepared has more: its metadata.json lists the exact contents of the
archives, whose checksums were right. Where that file exists, it counts.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from nnjax.data.dataset_spec import official_sizes

SplitName = Literal["train", "test"]
SPLITS: tuple[SplitName, ...] = ("train", "test")

METADATA = "metadata.json"  # TFDS's own place for what a builder adds
_KEY = "nnjax"

_CIFAR100 = """
    apple aquarium_fish baby bear beaver bed bee beetle bicycle bottle bowl boy bridge bus butterfly camel can
    castle caterpillar cattle chair chimpanzee clock cloud cockroach couch crab crocodile cup dinosaur dolphin
    elephant flatfish forest fox girl hamster house kangaroo keyboard lamp lawn_mower leopard lion lizard lobster
    man maple_tree motorcycle mountain mouse mushroom oak_tree orange orchid otter palm_tree pear pickup_truck
    pine_tree plain plate poppy porcupine possum rabbit raccoon ray road rocket rose sea seal shark shrew skunk
    skyscraper snail snake spider squirrel streetcar sunflower sweet_pepper table tank telephone television tiger
    tractor train trout tulip turtle wardrobe whale willow_tree wolf woman worm
"""
_CLASS_NAMES: dict[str, tuple[str, ...]] = {
    "mnist": tuple("0123456789"),
    "fashion_mnist": ("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"),
    "cifar10": ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"),
    "cifar100": tuple(_CIFAR100.split()),
}
_CLASS_COUNTS: dict[str, dict[SplitName, tuple[int, ...]]] = {
    "mnist": {
        "train": (5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949),
        "test": (980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009),
    },
    "fashion_mnist": {"train": (6000,) * 10, "test": (1000,) * 10},
    "cifar10": {"train": (5000,) * 10, "test": (1000,) * 10},
    "cifar100": {"train": (500,) * 100, "test": (100,) * 100},
}


@dataclass(frozen=True)
class Contents:
    """The contents of the splits of a dataset.

    Attributes:
        num_examples: each split's number of examples.
        class_names: one per class, in the order of their numbers; empty if unknown.
        class_counts: for each split, the number of examples of each class; empty if unknown.
        digests: for each split, the sum of its examples' `example_digest`; empty if unknown.
    """

    num_examples: Mapping[SplitName, int]
    class_names: tuple[str, ...]
    class_counts: Mapping[SplitName, tuple[int, ...]]
    digests: Mapping[SplitName, str]


def expected_contents(name: str, folder: Path) -> Contents:
    """Returns the contents that the folder of a dataset must have.

    Raises:
        ValueError: if the folder's metadata.json is damaged.
    """
    if not (folder / METADATA).exists():
        return official_contents(name)
    try:
        metadata = json.loads((folder / METADATA).read_text(encoding="utf-8"))
        if _KEY not in metadata:
            return official_contents(name)
        own = metadata[_KEY]
        return Contents(
            {split: int(own["num_examples"][split]) for split in SPLITS},
            tuple(map(str, own["class_names"])),
            {split: tuple(map(int, own["class_counts"][split])) for split in SPLITS},
            {split: str(own["digests"][split]) for split in SPLITS},
        )
    except (ValueError, TypeError, KeyError) as error:
        raise ValueError(f"{METADATA} is damaged: {error}") from error


def official_contents(name: str) -> Contents:
    """Returns the published facts of a dataset."""
    sizes = dict(zip(SPLITS, official_sizes(name), strict=True))
    return Contents(sizes, _CLASS_NAMES.get(name, ()), _CLASS_COUNTS.get(name, {}), {})


def write_contents(contents: Contents, folder: Path) -> None:
    """Writes the contents of the archives to a prepared folder's metadata.json."""
    (folder / METADATA).write_text(json.dumps({_KEY: asdict(contents)}), encoding="utf-8")


def count_classes(labels: Sequence[int] | NDArray[np.int32], num_classes: int) -> tuple[int, ...]:
    """How often each class occurs."""
    return tuple(np.bincount(np.asarray(labels, np.int64), minlength=num_classes).tolist())


def example_digest(image: NDArray[np.uint8], label: int) -> int:
    """A hash of one example, 128 bits; sums of them do not depend on the order, which TFDS shuffles."""
    content = image.tobytes() + label.to_bytes(4, "little")
    return int.from_bytes(hashlib.blake2b(content, digest_size=16).digest(), "little")


def show_digest(total: int) -> str:
    """A sum of digests, modulo 2¹²⁸, as 32 hexadecimal digits."""
    return f"{total % 2**128:032x}"
