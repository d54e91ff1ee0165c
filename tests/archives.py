"""Small archives in the official formats, filled with made-up images that can be learned, for the real builders to prepare.

directory = prepare_made("cifar100", tmp_path, num_train=400, num_test=100)     # what TFDS_DATA_DIR should be
made = make_archives("mnist", tmp_path, num_train=80, num_test=40)              # only the archives
"""

import gzip
import hashlib
import io
import struct
import tarfile
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

import numpy as np
from numpy.typing import NDArray

from nnjax.config.data_options import Augment, TfdsData, TfdsName
from nnjax.data.builders import Archive
from nnjax.data.dataset_spec import dataset_spec
from nnjax.data.prepare import prepare

CIFAR10_NAMES = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]

# What every dataset's config has, with nothing switched on.
PLAIN = {
    "validation": 0.0,
    "limit_train": None,
    "limit_test": None,
    "normalize": True,
    "placement": "auto",
    "augment": Augment(flip="off", crop=0, cutout=0),
}


@dataclass(frozen=True)
class Made:
    """Archives, and what is in them: {"train" or "test": (images [n, h, w, c], labels [n])}."""

    folder: Path
    archives: tuple[Archive, ...]
    splits: dict[str, tuple[NDArray[np.uint8], NDArray[np.uint8]]]


def tfds_data(name: TfdsName, directory: Path, **changes: object) -> TfdsData:
    """A config of the dataset with nothing switched on."""
    return TfdsData(name=name, directory=str(directory), **{**PLAIN, **changes})


def make_archives(name: TfdsName, folder: Path, num_train: int = 80, num_test: int = 40) -> Made:
    """Writes the archives of a dataset under their official names."""
    folder.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng([ord(letter) for letter in name])
    spec = dataset_spec(tfds_data(name, folder))
    centres = random.integers(0, 256, (spec.num_outputs, *spec.input_shape))
    splits = {}
    for split, count in (("train", num_train), ("test", num_test)):
        labels = (np.arange(count) % spec.num_outputs).astype(np.uint8)
        noise = random.integers(0, 256, (count, *spec.input_shape))
        splits[split] = ((centres[labels] + noise) // 2).astype(np.uint8), labels
    files = _mnist_files(splits) if "mnist" in name else _cifar_files(name, splits)
    for filename, content in files.items():
        (folder / filename).write_bytes(content)
    archives = tuple(
        Archive(filename, (folder / filename).as_uri(), len(content), hashlib.sha256(content).hexdigest())
        for filename, content in files.items()
    )
    return Made(folder, archives, splits)


def made_is_official(made: Made):
    """Within this context the made archives' checksums and addresses count as the official ones."""
    return mock.patch("nnjax.data.builders.official_archives", return_value=made.archives)


def prepare_made(name: TfdsName, folder: Path, num_train: int = 80, num_test: int = 40) -> Path:
    """Makes archives and has the real builder prepare them; gives the directory to set TFDS_DATA_DIR to."""
    made = make_archives(name, folder / "archives" / name, num_train, num_test)
    with made_is_official(made):
        prepare(tfds_data(name, folder / "tfds"), made.folder, echo=lambda line: None)
    return folder / "tfds"


def _mnist_files(splits) -> dict[str, bytes]:
    files = {}
    for prefix, (images, labels) in zip(("train", "t10k"), splits.values(), strict=True):
        for kind, array in (("images-idx3", images[..., 0]), ("labels-idx1", labels)):
            header = struct.pack(f">HBB{array.ndim}i", 0, 8, array.ndim, *array.shape)
            files[f"{prefix}-{kind}-ubyte.gz"] = gzip.compress(header + array.tobytes(), compresslevel=1)
    return files


def _cifar_files(name: TfdsName, splits) -> dict[str, bytes]:
    def records(images, labels):
        leading = [labels // 5, labels] if name == "cifar100" else [labels]
        return np.column_stack([*leading, images.transpose(0, 3, 1, 2).reshape(len(images), -1)])

    train, test = (records(*split) for split in splits.values())
    if name == "cifar10":
        prefix, archive = "cifar-10-batches-bin", "cifar-10-binary.tar.gz"
        members = {f"data_batch_{i}.bin": part.tobytes() for i, part in enumerate(np.array_split(train, 5), start=1)}
        members |= {"test_batch.bin": test.tobytes(), "batches.meta.txt": "\n".join([*CIFAR10_NAMES, "", ""]).encode()}
    else:
        prefix, archive = "cifar-100-binary", "cifar-100-binary.tar.gz"
        members = {"train.bin": train.tobytes(), "test.bin": test.tobytes()}
        members |= {f"{kind}_label_names.txt": _names(kind, count) for kind, count in (("coarse", 20), ("fine", 100))}
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz", compresslevel=1) as tar:
        for member, content in members.items():
            entry = tarfile.TarInfo(f"{prefix}/{member}")
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    return {archive: buffer.getvalue()}


def _names(kind: str, count: int) -> bytes:
    return "".join(f"{kind}_{i:02d}\n" for i in range(count)).encode()
