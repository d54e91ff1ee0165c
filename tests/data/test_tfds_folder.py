"""What a prepared folder says, what its files hold and what the dataset has: where two of them differ, it is refused."""

import io
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from archives import prepare_made, tfds_data
from PIL import Image

from nnjax.config.errors import DataError
from nnjax.data import contents
from nnjax.data.contents import SPLITS, expected_contents, official_contents
from nnjax.data.dataset_spec import official_sizes
from nnjax.data.load import load
from nnjax.data.prepare import prepare
from nnjax.data.tfds import VERSIONS
from nnjax.data.tfrecord import read_tfrecord

NAMES = ("mnist", "fashion_mnist", "cifar10", "cifar100")
SIZES = {"train": 80, "test": 40}


def quiet(line):
    pass


@pytest.fixture(scope="module")
def originals(tmp_path_factory):
    return prepare_made("mnist", tmp_path_factory.mktemp("originals"), num_train=SIZES["train"], num_test=SIZES["test"])


@pytest.fixture(params=["array_record", "tfrecord"])
def folder(originals, tmp_path, request):
    """A prepared folder to be altered, in both of the formats."""
    shutil.copytree(originals, tmp_path / "tfds")
    folder = tmp_path / "tfds" / "mnist" / "3.0.1"
    if request.param == "tfrecord":
        stored = {split: records_of(folder, split) for split in SPLITS}
        for path in folder.glob("*array_record*"):
            path.unlink()
        change_info(folder, lambda info: info.update(fileFormat="tfrecord"))
        for split, records in stored.items():
            write(folder, split, records)
    return folder


def load_from(folder, **changes):
    return load(tfds_data("mnist", folder.parents[1], **changes), echo=quiet)


def info_of(folder):
    return json.loads((folder / "dataset_info.json").read_text())


def change_info(folder, change):
    info = info_of(folder)
    change(info)
    (folder / "dataset_info.json").write_text(json.dumps(info))


def split_of(info, split):
    return next(item for item in info["splits"] if item["name"] == split)


def say(folder, split, *lengths):
    """Sets what the folder says is in each file of a split."""
    change_info(folder, lambda info: split_of(info, split).update(shardLengths=[str(length) for length in lengths]))


def file_of(folder, split, shard=0, shards=1):
    return folder / f"mnist-{split}.{info_of(folder)['fileFormat']}-{shard:05d}-of-{shards:05d}"


def records_of(folder, split):
    path = file_of(folder, split)
    if "tfrecord" in path.name:
        return list(read_tfrecord(path))
    from array_record.python.array_record_module import ArrayRecordReader

    reader = ArrayRecordReader(str(path))
    try:
        return reader.read_all()
    finally:
        reader.close()


def write(folder, split, *shards):
    """Writes the files of a split anew, with right checksums; what the folder says stays as it is."""
    file_of(folder, split).unlink(missing_ok=True)
    for index, records in enumerate(shards):
        path = file_of(folder, split, index, len(shards))
        if "tfrecord" in path.name:
            from tensorboardX.record_writer import RecordWriter

            writer = RecordWriter(str(path))
        else:
            from array_record.python.array_record_module import ArrayRecordWriter

            writer = ArrayRecordWriter(str(path), "group_size:1")
        for record in records:
            writer.write(record)
        writer.close()


def change_record(folder, change, split="train", index=5):
    from tensorflow_datasets.proto import tf_example_pb2

    records = records_of(folder, split)
    example = tf_example_pb2.Example.FromString(records[index])
    change(example.features.feature)
    records[index] = example.SerializeToString()
    write(folder, split, records)


def encoded(image, form="PNG"):
    buffer = io.BytesIO()
    image.save(buffer, form)
    return buffer.getvalue()


def refusal(folder, **changes):
    """The first line of the error; those that follow say how to go on, and nothing is deleted."""
    before = sorted(path.name for path in folder.iterdir())
    with pytest.raises(DataError) as error:
        load_from(folder, **changes)
    first, *help_lines = str(error.value).splitlines()
    assert first.startswith(f"data=mnist: cannot read {folder}: ")
    assert "python -m experiments.prepare data=mnist" in help_lines[0]
    assert sorted(path.name for path in folder.iterdir()) == before
    return first.removeprefix(f"data=mnist: cannot read {folder}: ")


# --- numbers of examples ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("split", SPLITS)
@pytest.mark.parametrize("change", [-1, 1, -39, 1000])
def test_other_numbers_than_the_file_holds_are_refused_with_both(split, change, folder):
    said = SIZES[split] + change
    say(folder, split, said)
    cause = refusal(folder)
    assert cause == (
        f"dataset_info.json says {said} example{'' if said == 1 else 's'} of split {split} in {file_of(folder, split).name}, "
        f"which has {SIZES[split]}"
    )


def test_a_limit_hides_nothing(folder):
    say(folder, "train", 79)
    assert "which has 80" in refusal(folder, limit_train=10)


@pytest.mark.parametrize("split", SPLITS)
@pytest.mark.parametrize("change", [-1, 1])
def test_files_and_folder_that_agree_on_a_wrong_number_are_refused(split, change, folder):
    records = records_of(folder, split)
    records = records[:change] if change < 0 else [*records, records[0]]
    write(folder, split, records)
    say(folder, split, len(records))
    cause = refusal(folder)
    assert (
        cause == f"dataset_info.json and the files have {len(records)} examples of split {split}, where {SIZES[split]} are due"
    )


def test_without_a_record_of_the_archives_the_published_numbers_are_due(folder):
    (folder / "metadata.json").unlink()
    assert refusal(folder).endswith("80 examples of split train, where 60000 are due")


def test_other_metadata_is_no_record_of_the_archives(folder):
    (folder / "metadata.json").write_text('{"made by": "another builder"}')
    assert refusal(folder).endswith("80 examples of split train, where 60000 are due")


@pytest.mark.parametrize("content", ["", "1", '{"nnjax": 1}', '{"nnjax": {"num_examples": {"train": 80}}}'])
def test_a_damaged_record_of_the_archives_is_refused(content, folder):
    (folder / "metadata.json").write_text(content)
    assert refusal(folder).startswith("metadata.json is damaged")


@pytest.mark.parametrize("lengths", [(50, 30), (80, 0), (27, 27, 26)])
def test_several_files_are_read_in_their_order(lengths, folder):
    before = load_from(folder)
    records, ends = records_of(folder, "train"), np.cumsum(lengths)
    write(folder, "train", *(records[end - length : end] for end, length in zip(ends, lengths, strict=True)))
    say(folder, "train", *lengths)
    after = load_from(folder)
    np.testing.assert_array_equal(after.train.inputs, before.train.inputs)
    np.testing.assert_array_equal(after.train.targets, before.train.targets)


def test_lengths_of_several_files_must_be_right_one_by_one(folder):
    records = records_of(folder, "train")
    write(folder, "train", records[:50], records[50:])
    say(folder, "train", 49, 31)  # the sum is right
    assert refusal(folder) == (
        f"dataset_info.json says 49 examples of split train in {file_of(folder, 'train', 0, 2).name}, which has 50"
    )


def test_a_missing_file_of_several_is_named(folder):
    records = records_of(folder, "train")
    write(folder, "train", records[:50], records[50:])
    say(folder, "train", 50, 30)
    file_of(folder, "train", 1, 2).unlink()
    assert refusal(folder) == f"{file_of(folder, 'train', 1, 2).name} is missing"


def test_no_lengths_are_refused(folder):
    change_info(folder, lambda info: split_of(info, "train").pop("shardLengths"))
    assert refusal(folder) == "dataset_info.json gives split train no shardLengths, where 80 examples are due"


@pytest.mark.parametrize("split", SPLITS)
def test_an_empty_split_is_refused(split, folder):
    write(folder, split, [])
    say(folder, split, 0)
    assert refusal(folder) == f"dataset_info.json and the files have 0 examples of split {split}, where {SIZES[split]} are due"


def test_a_missing_split_is_refused(folder):
    change_info(folder, lambda info: info.update(splits=[split_of(info, "train")]))
    assert refusal(folder) == "dataset_info.json has no split test"


# --- the files -------------------------------------------------------------------------------------------------------


def cut(path):
    path.write_bytes(path.read_bytes()[:-70_000] if "array" in path.name else path.read_bytes()[:-1])


def empty(path):
    path.write_bytes(b"")


def flip(path):
    content = bytearray(path.read_bytes())
    content[20_000] ^= 64
    path.write_bytes(content)


def other_file(path):
    path.write_bytes(b"something else entirely" * 10_000)


@pytest.mark.parametrize("damage", [cut, empty, flip, other_file])
@pytest.mark.parametrize("split", SPLITS)
def test_damaged_files_are_named(split, damage, folder):
    path = file_of(folder, split)
    damage(path)
    cause = refusal(folder)
    if damage is empty and "tfrecord" in path.name:
        assert cause == f"dataset_info.json says {SIZES[split]} examples of split {split} in {path.name}, which has 0"
    else:
        assert cause.startswith(f"{path.name} is damaged or cut short")


def test_a_format_that_the_files_have_not(folder):
    other = "array_record" if info_of(folder)["fileFormat"] == "tfrecord" else "tfrecord"
    content = {split: file_of(folder, split).read_bytes() for split in SPLITS}
    change_info(folder, lambda info: info.update(fileFormat=other))
    assert refusal(folder) == f"{file_of(folder, 'train').name} is missing"
    for split in SPLITS:
        file_of(folder, split).write_bytes(content[split])
    assert refusal(folder).startswith(f"{file_of(folder, 'train').name} is damaged or cut short")


# --- another dataset -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "content", ["", "{}", "[]", '{"name": "mnist", "version": "3.0.1", "splits": [{"shardLengths": ["x"]}]}']
)
def test_a_damaged_description_is_named(content, folder):
    (folder / "dataset_info.json").write_text(content)
    assert refusal(folder).startswith("dataset_info.json, features.json or label.labels.txt is damaged: ")


@pytest.mark.parametrize(
    ("change", "cause"),
    [
        ({"version": "3.0.0"}, "dataset_info.json describes mnist 3.0.0, where mnist 3.0.1 is due"),
        ({"name": "fashion_mnist"}, "dataset_info.json describes fashion_mnist 3.0.1, where mnist 3.0.1 is due"),
    ],
)
def test_another_name_or_version_is_refused(change, cause, folder):
    change_info(folder, lambda info: info.update(change))
    assert refusal(folder) == cause


def change_features(folder, change):
    path = folder / "features.json"
    features = json.loads(path.read_text())
    change(features["featuresDict"]["features"])
    path.write_text(json.dumps(features))


@pytest.mark.parametrize(
    ("change", "cause"),
    [
        (lambda features: features["label"]["classLabel"].update(numClasses="9"), "9 classes, where mnist has 10"),
        (lambda features: features["label"]["classLabel"].update(numClasses="11"), "11 classes, where mnist has 10"),
        (lambda features: features["image"]["image"]["shape"].update(dimensions=["28", "14", "1"]), "images of (28, 14, 1)"),
        (lambda features: features["image"]["image"].update(dtype="uint16"), "has uint16 images"),
        (lambda features: features.pop("label"), "no image or no label"),
        (lambda features: features.pop("image"), "no image or no label"),
    ],
)
def test_other_features_are_refused(change, cause, folder):
    change_features(folder, change)
    assert cause in refusal(folder)


def test_missing_features_are_refused(folder):
    (folder / "features.json").unlink()
    refusal(folder)


def test_other_class_names_are_refused(folder):
    (folder / "label.labels.txt").write_text("\n".join("0132456789"))
    assert refusal(folder) == "label.labels.txt calls class 2 '3', where mnist calls it '2'"


# --- examples --------------------------------------------------------------------------------------------------------


def image_of(array, form="PNG"):
    return lambda feature: feature["image"].bytes_list.value.__setitem__(0, encoded(Image.fromarray(array), form))


def palette(feature):
    """The picture as it was, stored as numbers of colours in another order."""
    image = Image.open(io.BytesIO(feature["image"].bytes_list.value[0])).quantize(200)
    feature["image"].bytes_list.value[0] = encoded(image)


def cut_image(feature):
    feature["image"].bytes_list.value[0] = feature["image"].bytes_list.value[0][:-40]


def no_image(feature):
    feature["image"].bytes_list.value[0] = b"no image"


def label(*values):
    return lambda feature: (
        feature["label"].int64_list.ClearField("value"),
        feature["label"].int64_list.value.extend(values),
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    ("change", "cause"),
    [
        (image_of(np.zeros((28, 27), np.uint8)), "its image is L (28, 27), where L (28, 28, 1) is due"),
        (image_of(np.zeros((28, 28, 3), np.uint8)), "its image is RGB (28, 28, 3), where L (28, 28, 1) is due"),
        (image_of(np.zeros((28, 28), np.uint16)), "its image is I;16 (28, 28), where L (28, 28, 1) is due"),
        (image_of(np.zeros((28, 28), bool)), "its image is 1 (28, 28), where L (28, 28, 1) is due"),
        (image_of(np.zeros((28, 28), np.uint8), "BMP"), "its image is no PNG or JPEG, or is damaged"),
        (palette, "its image is P (28, 28), where L (28, 28, 1) is due"),
        (cut_image, "its image is no PNG or JPEG, or is damaged"),
        (no_image, "its image is no PNG or JPEG, or is damaged"),
        (label(10), "its label is 10, where 10 classes are due"),
        (label(-1), "its label is -1, where 10 classes are due"),
        (label(2**40 + 3), "its label is 1099511627779, where 10 classes are due"),
        (label(), "1 image and 0 labels, where one of each is due"),
        (label(1, 2), "1 image and 2 labels, where one of each is due"),
        (lambda feature: feature.pop("image"), "0 images and 1 label, where one of each is due"),
    ],
)
def test_an_example_that_is_none_of_the_dataset_is_told_by_its_number(change, cause, folder):
    change_record(folder, change)
    assert refusal(folder) == f"example 5 of split train: {cause}"


def test_a_record_that_is_no_example(folder):
    records = records_of(folder, "test")
    write(folder, "test", [*records[:-1], b"\xff" * 20])
    assert refusal(folder) == "example 39 of split test: it is no tf.train.Example"


def test_a_changed_label_is_noticed_by_the_number_in_its_class(folder):
    expected = expected_contents("mnist", folder).class_counts["train"]
    before = load_from(folder).train.targets[5]
    change_record(folder, label((int(before) + 1) % 10))
    changed = min(before, (before + 1) % 10)
    due = expected[changed]
    found = due + (-1 if changed == before else 1)
    assert refusal(folder) == (
        f"{file_of(folder, 'train').name} has {found} examples of class {changed} ({changed}), where {due} are due"
    )


def permuted_labels(folder):
    for index, value in enumerate(load_from(folder).train.targets.tolist()):
        change_record(folder, label(9 - value), index=index)


def changed_pixel(folder):
    image = load_from(folder).test.inputs[3, ..., 0].copy()
    image[0, 0] ^= 1
    change_record(folder, image_of(image), "test", 3)


def test_on_train(folder):
    """The test split is the beginning of the training split, whose labels are as many of each class."""
    train = load_from(folder).train.targets
    chosen = [index for label in range(10) for index in np.flatnonzero(train == label)[:4]]
    records = records_of(folder, "train")
    write(folder, "test", [records[index] for index in chosen])


@pytest.mark.slow
@pytest.mark.parametrize(("change", "split"), [(permuted_labels, "train"), (changed_pixel, "test"), (test_on_train, "test")])
def test_other_examples_than_the_archives_held_are_refused(change, split, folder):
    change(folder)
    assert refusal(folder).startswith(f"the images of split {split} are not those of its archives: digest ")


def test_swapped_splits_are_refused(folder):
    train, test = file_of(folder, "train"), file_of(folder, "test")
    train.rename(folder / "kept")
    test.rename(train)
    (folder / "kept").rename(test)
    assert refusal(folder) == f"dataset_info.json says 80 examples of split train in {train.name}, which has 40"
    say(folder, "train", 40)
    say(folder, "test", 80)
    assert refusal(folder).endswith("40 examples of split train, where 80 are due")


# --- what was published ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_published_facts_agree_with_each_other(name):
    published = official_contents(name)
    assert len(published.class_names) == len(set(published.class_names)) == (100 if name == "cifar100" else 10)
    for split, size in zip(SPLITS, official_sizes(name), strict=True):
        assert published.num_examples[split] == size
        assert sum(published.class_counts[split]) == size
        assert len(published.class_counts[split]) == len(published.class_names)


@pytest.mark.parametrize("name", ["mnist", "fashion_mnist"])
def test_published_class_names_are_those_of_the_official_builders(name, tmp_path):
    from nnjax.data.builders import builder_class

    features = builder_class(name).official(data_dir=tmp_path).info.features
    assert tuple(features["label"].names) == official_contents(name).class_names


def test_the_published_facts_are_held_against_folders_without_a_record(folder, monkeypatch):
    own = expected_contents("mnist", folder)
    (folder / "metadata.json").unlink()
    monkeypatch.setattr(contents, "official_sizes", lambda name: (SIZES["train"], SIZES["test"]))
    monkeypatch.setitem(contents._CLASS_COUNTS, "mnist", own.class_counts)
    assert len(load_from(folder).train) == 80
    change_record(folder, label((int(load_from(folder).train.targets[5]) + 1) % 10))
    assert refusal(folder).startswith(f"{file_of(folder, 'train').name} has ")
    monkeypatch.setitem(contents._CLASS_NAMES, "mnist", tuple("abcdefghij"))
    assert refusal(folder) == "features.json calls class 0 '0', where mnist calls it 'a'"


# --- preparing again -------------------------------------------------------------------------------------------------


def test_prepare_says_what_is_wrong_with_what_is_there(folder):
    data = tfds_data("mnist", folder.parents[1])
    lines = []
    prepare(data, echo=lines.append)
    assert lines == [f"mnist is prepared already: {folder}"]
    say(folder, "test", 41)
    with pytest.raises(DataError, match="says 41 examples of split test in mnist-test"):
        prepare(data, echo=quiet)
    assert file_of(folder, "test").exists()


# --- looking in the wrong place --------------------------------------------------------------------------------------


@pytest.mark.parametrize("below", ["mnist", "mnist/3.0.1"])
def test_a_directory_too_deep_is_corrected(below, originals):
    with pytest.raises(DataError) as error:
        load(tfds_data("mnist", originals / below), echo=quiet)
    assert str(error.value).splitlines()[0].endswith(f"; did you mean data.directory={originals}?")


def test_another_version_is_named(folder):
    folder.rename(folder.with_name("3.0.0"))
    with pytest.raises(DataError) as error:
        load_from(folder)
    assert str(error.value).splitlines()[0].endswith("/mnist/3.0.1; there is version 3.0.0, and this reads 3.0.1")


@pytest.mark.parametrize("directory", ["x" * 300, "~nobody-of-this-name/data", "a-file", "a-file/below"])
def test_directories_that_cannot_be_are_answered_in_a_line(directory, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("a-file").touch()
    with pytest.raises(DataError) as error:
        load(tfds_data("mnist", Path(directory)), echo=quiet)
    named = directory if directory.startswith("~") else f"{directory}/mnist/{VERSIONS['mnist']}"
    assert named in str(error.value).splitlines()[0]
