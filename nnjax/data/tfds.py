"""Reads what tensorflow-datasets prepared, without TensorFlow: where it lies, and its decoded images.

    folder = prepared_folder(data)                   # DataError where there is none
    decoded = decode_split(folder, "train", spec)    # [n, h, w, c] uint8 and [n] int32

Records are the same in both of the formats that are read: a `tf.train.Example` whose `image` is a PNG or JPEG file. ArrayRecord
(what `prepare` writes) is read by TFDS, TFRecord (what TFDS writes by default) by `nnjax.data.tfrecord`; both check checksums.
Images are decoded by Pillow alone: the same pixels come out whether or not OpenCV, which TFDS would prefer, is installed.
"""

import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from nnjax.config.data_options import TfdsData, TfdsName
from nnjax.config.dataset_spec import DatasetSpec
from nnjax.config.errors import DataError
from nnjax.config.paths import expanded, is_file, why
from nnjax.config.provenance import shown_path
from nnjax.data.cache import Decoded
from nnjax.data.tfrecord import read_tfrecord

VERSIONS: dict[TfdsName, str] = {"mnist": "3.0.1", "fashion_mnist": "3.0.1", "cifar10": "3.0.2", "cifar100": "3.0.2"}

_INFO = "dataset_info.json"  # TFDS writes it last
_FORMATS = ("array_record", "tfrecord")
_BATCH = 1000


def data_directory(data: TfdsData) -> Path:
    """Folder of all prepared datasets: `data.directory`, else $TFDS_DATA_DIR, else ~/tensorflow_datasets."""
    key = "data.directory" if data.directory else "TFDS_DATA_DIR"
    directory = data.directory or os.environ.get("TFDS_DATA_DIR") or "~/tensorflow_datasets"
    return expanded(directory, key, DataError)


def dataset_folder(data: TfdsData) -> Path:
    """Folder where the dataset lies once it is prepared, such as ~/tensorflow_datasets/mnist/3.0.1."""
    return data_directory(data) / data.name / VERSIONS[data.name]


def is_prepared(folder: Path) -> bool:
    """Whether a whole dataset lies there."""
    return is_file(folder / _INFO)


def _refusal(folder: Path) -> str:
    """What the system says of a folder that it does not let us look into; nothing where it is only missing."""
    try:
        (folder / _INFO).stat()
    except FileNotFoundError:
        return ""
    except (OSError, ValueError) as error:
        return f" ({why(error)})"
    return ""


def prepared_folder(data: TfdsData) -> Path:
    """The dataset's folder.

    Raises:
        DataError: if the dataset is not there.
    """
    folder = dataset_folder(data)
    if not is_prepared(folder):
        raise DataError(
            f"data={data.name} is not on this machine: looked for {shown_path(folder)}{_refusal(folder)}\n"
            f"Either get it once:      {prepare_command(data)}\n"
            f"or take the built-in:    data=digits\n"
            f"Another copy of it is found through data.directory or TFDS_DATA_DIR (the folder that holds {data.name}/)."
        )
    return folder


def prepare_command(data: TfdsData, *options: str) -> str:
    """What a person types to get the dataset into its folder."""
    directory = [f"data.directory={data.directory}"] if data.directory else []
    return " ".join([f"python -m experiments.prepare data={data.name}", *directory, *options])


def decode_split(folder: Path, split: Literal["train", "test"], spec: DatasetSpec) -> Decoded:
    """Decodes the images and labels of a split, in the order they are stored in.

    Args:
        folder: of the dataset and version.
        split: which.
        spec: the shape of images and the number of classes that there must be.

    Raises:
        DataError: if the files are damaged, or stored in a format that is not read here.
    """
    with explained(folder):
        from tensorflow_datasets.proto import tf_example_pb2

        from nnjax.data.progress import track

        builder = open_builder(folder)
        count = builder.info.splits[split].num_examples
        images = np.empty((count, *spec.input_shape), np.uint8)
        labels = np.empty(count, np.int32)
        read = 0
        for record in track(_records(builder, split), f"decoding {builder.name} {split}", count):
            feature = tf_example_pb2.Example.FromString(record).features.feature
            images[read] = _decode_image(feature["image"].bytes_list.value[0], spec.input_shape)
            labels[read] = feature["label"].int64_list.value[0]
            read += 1
        if read != count:
            raise ValueError(f"{read} of {count} examples in split {split}")
        names = tuple(builder.info.features["label"].names)
        if len(names) != spec.num_outputs or not 0 <= labels.min() <= labels.max() < len(names):
            raise ValueError(f"{len(names)} classes and labels up to {labels.max()}, where {spec.num_outputs} classes are due")
        return Decoded(images, labels, names)


def open_builder(folder: Path) -> Any:
    """The TFDS builder that reads a folder, after checking that all files are there and of a format that is read here.

    Raises:
        ValueError: for another format, a missing file or split.
    """
    import tensorflow_datasets as tfds

    builder = tfds.builder_from_directory(folder)
    stored = builder.info.file_format.value
    if stored not in _FORMATS:
        raise ValueError(f"stored as {stored}; read here are {' and '.join(_FORMATS)}")
    for split in ("train", "test"):
        for path in builder.info.splits[split].filepaths:
            if not Path(path).is_file():
                raise ValueError(f"{Path(path).name} is missing")
    return builder


@contextmanager
def explained(folder: Path) -> Iterator[None]:
    """Turns whatever goes wrong in reading a folder into a DataError that says how to go on."""
    try:
        yield
    except Exception as error:  # readers of damaged files raise all kinds
        name = folder.parent.name
        cause = (str(error) or type(error).__name__).splitlines()[0]
        raise DataError(
            f"data={name}: cannot read {folder}: {cause}\n"
            f"Prepare a fresh copy elsewhere:  python -m experiments.prepare data={name} data.directory=FOLDER\n"
            f"and train with data.directory=FOLDER; or remove the folder and prepare again."
        ) from error


def _records(builder: Any, split: str) -> Iterator[bytes]:
    """The serialised examples of a split."""
    if builder.info.file_format.value == "tfrecord":
        for path in builder.info.splits[split].filepaths:
            yield from read_tfrecord(Path(path))
        return
    import tensorflow_datasets as tfds

    source = builder.as_data_source(split, deserialize_method=tfds.decode.DeserializeMethod.RAW_BYTES)
    for start in range(0, len(source), _BATCH):
        yield from source.__getitems__(list(range(start, min(start + _BATCH, len(source)))))


def _decode_image(encoded: bytes, shape: tuple[int, ...]) -> NDArray[np.uint8]:
    from PIL import Image

    image = np.asarray(Image.open(io.BytesIO(encoded)))
    if image.shape != shape and (*image.shape, 1) != shape:  # grey images come without channels
        raise ValueError(f"an image of shape {image.shape} where {shape} is due")
    return image.reshape(shape)
