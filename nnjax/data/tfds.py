"""Reads datasets that tensorflow-datasets prepared, without TensorFlow: their folders and decoded images.

    folder = prepared_folder(data)                   # DataError where there is none
    decoded = decode_split(folder, "train", spec)    # [n, h, w, c] uint8 and [n] int32

Both formats hold the same records: a `tf.train.Example` whose `image` is a PNG or JPEG file. ArrayRecord (written by `prepare`)
is read by its own package, TFRecord (the default of TFDS) by `nnjax.data.tfrecord`. Both verify checksums, and
`nnjax.data.tfds_folder` verifies that all records are there. Images are decoded by Pillow alone, so that the pixels do not
depend on whether OpenCV, which TFDS would prefer, is installed.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nnjax.config.data_options import TfdsData, TfdsName
from nnjax.config.diagnostics import count
from nnjax.config.errors import DataError
from nnjax.config.invocation import verb_command
from nnjax.config.paths import expanded, is_file, shown_path, why
from nnjax.config.shell import shell_word
from nnjax.data.cache import Decoded
from nnjax.data.contents import METADATA, SPLITS, SplitName, count_classes, example_digest, show_digest
from nnjax.data.dataset_spec import DatasetSpec
from nnjax.data.image_decoder import ImageDecoder
from nnjax.data.image_files import named
from nnjax.data.tfds_folder import INFO, Prepared, open_prepared

_TOGETHER = 1000  # images

VERSIONS: dict[TfdsName, str] = {"mnist": "3.0.1", "fashion_mnist": "3.0.1", "cifar10": "3.0.2", "cifar100": "3.0.2"}


def data_directory(data: TfdsData) -> Path:
    """Returns the folder of all prepared datasets: `data.directory`, else $TFDS_DATA_DIR, else ~/tensorflow_datasets."""
    key = "data.directory" if data.directory else "TFDS_DATA_DIR"
    directory = data.directory or os.environ.get("TFDS_DATA_DIR") or "~/tensorflow_datasets"
    return expanded(directory, key, DataError)


def dataset_folder(data: TfdsData) -> Path:
    """Returns the folder of the prepared dataset, such as ~/tensorflow_datasets/mnist/3.0.1."""
    return data_directory(data) / data.name / VERSIONS[data.name]


def is_prepared(folder: Path) -> bool:
    """Whether the folder holds a complete dataset."""
    return is_file(folder / INFO)


def _refusal(folder: Path) -> str:
    """Returns the system's reason why a folder may not be read; empty if it is only missing."""
    try:
        (folder / INFO).stat()
    except FileNotFoundError:
        return ""
    except (OSError, ValueError) as error:
        return f" ({why(error)})"
    return ""


def prepared_folder(data: TfdsData) -> Path:
    """Returns the dataset's folder.

    Raises:
        DataError: if the dataset is missing.
    """
    folder = dataset_folder(data)
    if not is_prepared(folder):
        raise DataError(
            f"data={data.name} is not on this machine: looked for {shown_path(folder)}{_refusal(folder) or _near_miss(data)}\n"
            f"Either get it once:      {prepare_command(data)}\n"
            f"or take the built-in:    data=digits\n"
            f"Another copy of it is found through data.directory or TFDS_DATA_DIR (the folder that holds {data.name}/)."
        )
    return folder


def _near_miss(data: TfdsData) -> str:
    """Names prepared data near the folder that is missing, to be added to the message; empty if there is none."""
    directory = data_directory(data)
    for inside in (directory, *directory.parents[:1]):
        if inside.name == data.name and is_prepared(inside / VERSIONS[data.name]):
            return f"; did you mean data.directory={inside.parent}?"
    others = sorted(path.parent.name for path in (directory / data.name).glob(f"*/{INFO}"))
    if others:
        return f"; there is version {', '.join(others)}, and this reads {VERSIONS[data.name]}"
    return ""


def prepare_command(data: TfdsData, *options: str) -> str:
    """Returns the command that prepares the dataset in its folder."""
    directory = [shell_word(f"data.directory={data.directory}")] if data.directory else []
    return " ".join([f"{verb_command('prepare')} data={data.name}", *directory, *options])


def decode_split(folder: Path, split: SplitName, spec: DatasetSpec) -> Decoded:
    """Decodes the images and labels of a split in stored order.

    Args:
        folder: the folder of the dataset and version.
        split: "train" or "test".
        spec: the expected name, image shape and number of classes.

    Raises:
        DataError: if the files are damaged or in another format, or if their examples, classes or images differ from the
            folder's description or the dataset.
    """
    with explained(folder):
        from nnjax.data.tracking import track

        dataset = open_prepared(folder, spec)
        records = dataset.read(split)
        images = np.empty((len(records), *spec.input_shape), np.uint8)
        labels = np.empty(len(records), np.int32)
        files: list[bytes] = []  # of the examples before, whose images are decoded together
        with ImageDecoder(images, f"of split {split}") as decoder:
            for index, record in enumerate(track(records, f"decoding {spec.name} {split}", len(records))):
                with named(index, decoder.what):
                    file, labels[index] = _file_and_label(record, spec)
                files.append(file)
                if len(files) == _TOGETHER or index == len(records) - 1:
                    decoder.decode(files, index + 1 - len(files))
                    files = []
            decoder.finish()
        _check_contents(images, labels, split, dataset)
        return Decoded(images, labels, dataset.class_names)


def check_prepared(folder: Path, spec: DatasetSpec) -> None:
    """Verifies a prepared folder without decoding its images.

    Raises:
        DataError: as `decode_split`.
    """
    with explained(folder):
        dataset = open_prepared(folder, spec)
        for split in SPLITS:
            dataset.read(split)


@contextmanager
def explained(folder: Path) -> Iterator[None]:
    """Turns any error in reading a folder into a DataError that names the remedy."""
    try:
        yield
    except Exception as error:  # readers of damaged files raise exceptions of all kinds
        name = folder.parent.name
        cause = (str(error) or type(error).__name__).splitlines()[0]
        raise DataError(
            f"data={name}: cannot read {shown_path(folder)}: {cause}\n"
            f"Prepare a fresh copy elsewhere:  {verb_command('prepare')} data={name} data.directory=FOLDER\n"
            f"and train with data.directory=FOLDER; or remove the folder and prepare again."
        ) from error


def _file_and_label(record: bytes, spec: DatasetSpec) -> tuple[bytes, int]:
    """Takes the image file and the label out of a `tf.train.Example`.

    Raises:
        ValueError: if its image or label is missing or does not fit the dataset.
    """
    from google.protobuf.message import DecodeError
    from tensorflow_datasets.proto import tf_example_pb2

    try:
        feature = tf_example_pb2.Example.FromString(record).features.feature
    except DecodeError as error:
        raise ValueError("it is no tf.train.Example") from error
    images, labels = (
        list(getattr(feature[key], kind).value) for key, kind in (("image", "bytes_list"), ("label", "int64_list"))
    )
    if len(images) != 1 or len(labels) != 1:
        raise ValueError(f"{count(len(images), 'image')} and {count(len(labels), 'label')}, where one of each is due")
    if not 0 <= labels[0] < spec.num_outputs:
        raise ValueError(f"its label is {labels[0]}, where {spec.num_outputs} classes are due")
    return images[0], labels[0]


def _check_contents(images: NDArray[np.uint8], labels: NDArray[np.int32], split: SplitName, dataset: Prepared) -> None:
    """Raises a ValueError if a class has a wrong number of examples, or if the images are others."""
    expected, names = dataset.expected, dataset.class_names
    if split in expected.class_counts:
        counts = zip(names, count_classes(labels, len(names)), expected.class_counts[split], strict=True)
        for label, (name, found, due) in enumerate(counts):
            if found != due:
                files = ", ".join(path.name for path, _ in dataset.shards[split])
                raise ValueError(f"{files} has {count(found, 'example')} of class {label} ({name}), where {due} are due")
    if split in expected.digests:
        total = sum(example_digest(image, int(label)) for image, label in zip(images, labels, strict=True))
        if (own := show_digest(total)) != expected.digests[split]:
            noted = expected.digests[split]
            raise ValueError(
                f"the images of split {split} are not those of its archives: digest {own}, {METADATA} says {noted}"
            )
