"""The official TFDS builders of MNIST, Fashion-MNIST and the CIFARs, made to work without TensorFlow.

Names, versions, features and keys are inherited; only the two places that call TensorFlow are replaced: files are read with
plain Python (straight from the archives), and images are passed on as PIL images, which TFDS encodes with Pillow.

    builder_class("mnist")(archives=folder, data_dir=where).download_and_prepare(file_format="array_record")

Imports tensorflow_datasets: import this module inside the function that needs it.
"""

import gzip
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow_datasets as tfds
from numpy.typing import NDArray
from PIL import Image
from tensorflow_datasets.image_classification import cifar, mnist

from nnjax.config.data_options import TfdsName
from nnjax.data.contents import SPLITS, Contents, SplitName, count_classes, example_digest, show_digest
from nnjax.data.tracking import track

_SIDE = 32  # of a CIFAR image

# Of a split: keys, which decide the order on disk, and what the features ask for.
Examples = Iterator[tuple[int, dict[str, Any]]]


@dataclass(frozen=True)
class Archive:
    """A file that a dataset is made from.

    Attributes:
        filename: its official name.
        url: where it comes from.
        size: bytes.
        sha256: checksum, as 64 hexadecimal digits.
    """

    filename: str
    url: str
    size: int
    sha256: str


def official_archives(name: TfdsName) -> tuple[Archive, ...]:
    """Returns the archives of a dataset, with the addresses and checksums that TFDS has for them."""
    infos = _BUILDERS[name].official.url_infos
    return tuple(Archive(Path(url).name, url, int(info.size), info.checksum) for url, info in infos.items())


class _FromArchives:
    """The common part of the builders below.

    Args:
        archives: folder of the official archives, already checked; nothing is downloaded.
        options: the official builder's options.
    """

    official: type[tfds.core.GeneratorBasedBuilder]

    def __init__(self, *, archives: Path, **options: Any) -> None:
        self.archives = archives
        self._labels: dict[SplitName, list[int]] = {split: [] for split in SPLITS}
        self._digests: dict[SplitName, int] = dict.fromkeys(SPLITS, 0)
        super().__init__(**options)

    @property
    def contents(self) -> Contents:
        """The contents of the archives, once the dataset is prepared."""
        names = tuple(self.info.features["label"].names)  # type: ignore[attr-defined]
        return Contents(
            num_examples={split: len(labels) for split, labels in self._labels.items()},
            class_names=names,
            class_counts={split: count_classes(labels, len(names)) for split, labels in self._labels.items()},
            digests={split: show_digest(total) for split, total in self._digests.items()},
        )

    def _noted(self, split: SplitName, examples: Examples) -> Examples:
        """Passes the examples on, and counts and hashes them."""
        for key, example in examples:
            self._labels[split].append(example["label"])
            self._digests[split] += example_digest(np.asarray(example["image"]), example["label"])
            yield key, example

    def _log_download_bytes(self) -> None:
        """Prints nothing, since the caller prints where the data goes."""

    _log_download_done = _log_download_bytes


class _MNIST(_FromArchives, mnist.MNIST, skip_registration=True):  # type: ignore[call-arg, misc]
    name = "mnist"
    official = mnist.MNIST

    def _split_generators(self, dl_manager: object) -> dict[str, Examples]:
        del dl_manager
        return {
            "train": self._noted("train", self._generate_examples("train")),
            "test": self._noted("test", self._generate_examples("t10k")),
        }

    def _generate_examples(self, prefix: str) -> Examples:
        images = _read_idx(self.archives / f"{prefix}-images-idx3-ubyte.gz")
        labels = _read_idx(self.archives / f"{prefix}-labels-idx1-ubyte.gz")
        pairs = zip(images, labels, strict=True)
        for index, (image, label) in enumerate(track(pairs, f"writing {self.name}", len(images))):
            yield index, {"image": Image.fromarray(image), "label": int(label)}


class _FashionMNIST(_MNIST, mnist.FashionMNIST, skip_registration=True):  # type: ignore[call-arg, misc]
    name = "fashion_mnist"
    official = mnist.FashionMNIST


class _Cifar10(_FromArchives, cifar.Cifar10, skip_registration=True):  # type: ignore[call-arg, misc]
    name = "cifar10"
    official = cifar.Cifar10

    def _split_generators(self, dl_manager: object) -> dict[str, Examples]:
        del dl_manager
        layout = self._cifar_info
        with tarfile.open(self.archives / Path(layout.url).name) as archive:
            files = {Path(member.name).name: file.read() for member in archive if (file := archive.extractfile(member))}
        for key, name in zip(layout.label_keys, layout.label_files, strict=True):
            self.info.features[key].names = files[name].decode().split()
        members: dict[SplitName, Any] = {"train": layout.train_files, "test": layout.test_files}
        contents = {split: b"".join(files[name] for name in names) for split, names in members.items()}
        return {split: self._noted(split, self._generate_examples(split, content)) for split, content in contents.items()}

    def _generate_examples(self, split: str, content: bytes) -> Examples:
        """Splits records: one byte for each label, then the red, the green and the blue plane."""
        keys = self._cifar_info.label_keys
        records = np.frombuffer(content, np.uint8).reshape(-1, len(keys) + 3 * _SIDE**2)
        for index, record in enumerate(track(records, f"writing {self.name} {split}", len(records))):
            image = record[len(keys) :].reshape(3, _SIDE, _SIDE).transpose(1, 2, 0)
            labels = dict(zip(keys, record[: len(keys)].tolist(), strict=True))
            yield index, {"id": f"{split}_{index:05d}", "image": Image.fromarray(np.ascontiguousarray(image)), **labels}


class _Cifar100(_Cifar10, cifar.Cifar100, skip_registration=True):  # type: ignore[call-arg, misc]
    name = "cifar100"
    official = cifar.Cifar100


_BUILDERS: dict[str, Any] = {builder.name: builder for builder in (_MNIST, _FashionMNIST, _Cifar10, _Cifar100)}


def builder_class(name: TfdsName) -> Any:
    """The builder that prepares a dataset without TensorFlow."""
    return _BUILDERS[name]


def _read_idx(path: Path) -> NDArray[np.uint8]:
    """Reads an IDX file of bytes: [n] labels or [n, h, w] images.

    The header is two zero bytes, the type (8: unsigned bytes), the number of dimensions, and each of them as a big-endian
    32-bit number.
    """
    with gzip.open(path) as file:
        content = file.read()
    dimensions = content[3]
    shape = np.frombuffer(content, ">i4", count=dimensions, offset=4)
    return np.frombuffer(content, np.uint8, offset=4 + 4 * dimensions).reshape(shape)
