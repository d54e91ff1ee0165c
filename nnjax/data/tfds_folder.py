"""A folder that tensorflow-datasets or nnjax prepared: its description, and the records in its files.

    dataset = open_prepared(folder, spec)       # ValueError if it holds another dataset
    records = dataset.read("train")             # ValueError if their number is wrong

Three things must agree: the folder's description, its files, and the facts of the dataset.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from nnjax.config.diagnostics import count
from nnjax.data.contents import SPLITS, Contents, SplitName, expected_contents
from nnjax.data.dataset_spec import DatasetSpec
from nnjax.data.tfrecord import read_tfrecord

INFO = "dataset_info.json"  # TFDS writes it last
FORMATS = ("array_record", "tfrecord")


@dataclass(frozen=True)
class Prepared:
    """A folder whose description fits the dataset.

    Attributes:
        name: the dataset's name.
        stored: the format of its files.
        class_names: one per class.
        shards: for each split, the files and the described number of examples in each.
        expected: the contents of the dataset.
    """

    name: str
    stored: str
    class_names: tuple[str, ...]
    shards: dict[SplitName, list[tuple[Path, int]]]
    expected: Contents

    def read(self, split: SplitName) -> list[bytes]:
        """Yields the serialised examples of a split.

        Raises:
            ValueError: if their number differs from the description or the dataset.
            Exception: of other kinds if a file is damaged.
        """
        records: list[bytes] = []
        for path, said in self.shards[split]:
            found = list(read_tfrecord(path)) if self.stored == "tfrecord" else _read_array_record(path)
            if len(found) != said:
                raise ValueError(
                    f"{INFO} says {count(said, 'example')} of split {split} in {path.name}, which has {len(found)}"
                )
            records += found
        due = self.expected.num_examples[split]
        if len(records) != due:
            raise ValueError(
                f"{INFO} and the files have {count(len(records), 'example')} of split {split}, where {due} are due"
            )
        return records


def open_prepared(folder: Path, spec: DatasetSpec) -> Prepared:
    """Checks the description of a folder.

    Raises:
        ValueError: if it names another dataset or version, other features or another format, or if a file is missing.
        Exception: of other kinds if the description is damaged.
    """
    import tensorflow_datasets as tfds

    try:
        builder = tfds.builder_from_directory(folder)
    except Exception as error:  # of all kinds
        raise ValueError(f"{INFO}, features.json or label.labels.txt is damaged: {' '.join(str(error).split())}") from error
    features, splits, expected = builder.info.features, builder.info.splits, expected_contents(spec.name, folder)
    stored = builder.info.file_format.value
    if stored not in FORMATS:
        raise ValueError(f"stored as {stored}; read here are {' and '.join(FORMATS)}")
    if features is None or not {"image", "label"} <= set(features):
        raise ValueError("features.json is missing, or has no image or no label")
    image, names = features["image"], tuple(getattr(features["label"], "names", ()))
    named_in = "label.labels.txt" if (folder / "label.labels.txt").exists() else "features.json"
    if len(names) != spec.num_outputs:
        raise ValueError(f"{named_in} has {len(names)} classes, where {spec.name} has {spec.num_outputs}")
    if image.shape != spec.input_shape or image.np_dtype != np.uint8:
        raise ValueError(
            f"features.json has {image.np_dtype} images of {image.shape}, where uint8 and {spec.input_shape} are due"
        )
    said, due = f"{builder.info.name} {builder.info.version}", f"{spec.name} {folder.name}"
    if said != due:
        raise ValueError(f"{INFO} describes {said}, where {due} is due")
    for number, (name, official) in enumerate(zip(names, expected.class_names, strict=False)):
        if name != official:
            raise ValueError(f"{named_in} calls class {number} {name!r}, where {spec.name} calls it {official!r}")
    shards: dict[SplitName, list[tuple[Path, int]]] = {}
    for split in SPLITS:
        if split not in splits:
            raise ValueError(f"{INFO} has no split {split}")
        shards[split] = list(zip(map(Path, splits[split].filepaths), splits[split].shard_lengths, strict=True))
        for path, _ in shards[split]:
            if not path.is_file():
                raise ValueError(f"{path.name} is missing")
        if not shards[split]:
            raise ValueError(
                f"{INFO} gives split {split} no shardLengths, where {expected.num_examples[split]} examples are due"
            )
    return Prepared(spec.name, stored, names, shards, expected)


def _read_array_record(path: Path) -> list[bytes]:
    """Yields all records of a file, with verified checksums."""
    from array_record.python.array_record_module import ArrayRecordReader

    try:
        reader = ArrayRecordReader(str(path))
        try:
            records: list[bytes] = reader.read_all()
        finally:
            reader.close()
    except Exception as error:  # RuntimeError, and whatever else it may be in the next version
        raise ValueError(f"{path.name} is damaged or cut short: {' '.join(str(error).split())}") from error
    return records
