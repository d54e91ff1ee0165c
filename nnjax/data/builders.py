"""The official TFDS builders of MNIST, Fashion-MNIST and the CIFARs, made to work without TensorFlow.

Names, versions, features and keys are inherited; only the two places that call TensorFlow are replaced: files are read with
plain Python (from the archives, never unpacked), and images are passed on as PIL images, which TFDS encodes with Pillow.

    builder_class("mnist")(archives=folder, data_dir=where).download_and_prepare(file_format="array_record")

Imports tensorflow_datasets: import this module inside the function that needs it.
"""

import gzip
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow_datasets as tfds
from numpy.typing import NDArray
from PIL import Image
from tensorflow_datasets.image_classification import cifar, mnist

from nnjax.config.options import TfdsName
from nnjax.data.progress import progress_bar

Example = tuple[int, dict[str, Any]]

_CIFAR_SIDE = 32


class _FromArchives:
    """What the builders below share.

    Args:
        archives: folder of the official archives, checked already; nothing is downloaded.
        options: of the official builder.
    """

    archives: Path

    def __init__(self, *, archives: Path, **options: Any) -> None:
        self.archives = archives
        super().__init__(**options)

    def _log_download_bytes(self) -> None:
        """Says nothing: `prepare` says it all."""

    _log_download_done = _log_download_bytes


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


class _MNIST(_FromArchives, mnist.MNIST, skip_registration=True):
    name = "mnist"

    def _split_generators(self, dl_manager: object) -> dict[str, Iterator[Example]]:
        del dl_manager
        return {"train": self._generate_examples("train"), "test": self._generate_examples("t10k")}

    def _generate_examples(self, prefix: str) -> Iterator[Example]:
        images = _read_idx(self.archives / f"{prefix}-images-idx3-ubyte.gz")
        labels = _read_idx(self.archives / f"{prefix}-labels-idx1-ubyte.gz")
        with progress_bar(f"writing {self.name} {prefix}", len(images)) as advance:
            for index, (image, label) in enumerate(zip(images, labels, strict=True)):
                yield index, {"image": Image.fromarray(image), "label": int(label)}
                advance(1)


class _FashionMNIST(_MNIST, mnist.FashionMNIST, skip_registration=True):
    name = "fashion_mnist"


class _Cifar10(_FromArchives, cifar.Cifar10, skip_registration=True):
    name = "cifar10"

    def _split_generators(self, dl_manager: object) -> dict[str, Iterator[Example]]:
        del dl_manager
        layout = self._cifar_info
        with tarfile.open(self.archives / Path(layout.url).name) as archive:
            members = {
                file: archive.extractfile(layout.prefix + file).read()
                for file in (*layout.label_files, *layout.train_files, *layout.test_files)
            }
        for key, file in zip(layout.label_keys, layout.label_files, strict=True):
            self.info.features[key].names = members[file].decode().split()
        return {
            "train": self._generate_examples("train", b"".join(members[file] for file in layout.train_files)),
            "test": self._generate_examples("test", b"".join(members[file] for file in layout.test_files)),
        }

    def _generate_examples(self, split: str, content: bytes) -> Iterator[Example]:
        """Reads records of one byte for each label, then the red, green and blue planes."""
        keys = self._cifar_info.label_keys
        records = np.frombuffer(content, np.uint8).reshape(-1, len(keys) + 3 * _CIFAR_SIDE**2)
        labels, planes = np.split(records, [len(keys)], axis=1)
        images = planes.reshape(-1, 3, _CIFAR_SIDE, _CIFAR_SIDE).transpose(0, 2, 3, 1)
        with progress_bar(f"writing {self.name} {split}", len(images)) as advance:
            for index, image in enumerate(images):
                example = dict(zip(keys, labels[index].tolist(), strict=True))
                yield index, example | {"id": f"{split}_{index:05d}", "image": Image.fromarray(np.ascontiguousarray(image))}
                advance(1)


class _Cifar100(_Cifar10, cifar.Cifar100, skip_registration=True):
    name = "cifar100"


_BUILDERS: dict[TfdsName, type[tfds.core.GeneratorBasedBuilder]] = {
    "mnist": _MNIST,
    "fashion_mnist": _FashionMNIST,
    "cifar10": _Cifar10,
    "cifar100": _Cifar100,
}


def builder_class(name: TfdsName) -> type[tfds.core.GeneratorBasedBuilder]:
    """The builder that prepares a dataset without TensorFlow."""
    return _BUILDERS[name]
