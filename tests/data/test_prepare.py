"""The TFDS path end to end: official-format archives through the real builders, and everything that can go wrong."""

import json
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from archives import CIFAR10_NAMES, made_is_official, make_archives, prepare_made, tfds_data

from nnjax.config.errors import DataError
from nnjax.data import builders
from nnjax.data.load import load
from nnjax.data.prepare import _alone, _make, prepare
from nnjax.data.tfds import VERSIONS, dataset_folder
from nnjax.data.tfrecord import read_tfrecord

NAMES = ("mnist", "fashion_mnist", "cifar10", "cifar100")


def quiet(line):
    pass


def sorted_examples(inputs, labels):
    """The examples as bytes, in an order of their own: TFDS shuffles."""
    return sorted(image.tobytes() + bytes([label]) for image, label in zip(inputs, labels, strict=True))


def leftovers(directory):
    return sorted(path.name for path in directory.rglob("*") if "incomplete" in path.name or "unfinished" in path.name)


@pytest.fixture
def mnist(tmp_path):
    """Made MNIST archives, the config of where to prepare them, and the prepared folder."""
    made = make_archives("mnist", tmp_path / "archives")
    data = tfds_data("mnist", tmp_path / "tfds")
    return made, data, dataset_folder(data)


@pytest.mark.parametrize("name", NAMES)
def test_official_formats_survive_the_real_builder(name, tmp_path):
    made = make_archives(name, tmp_path / "archives", num_train=110, num_test=30)
    data = tfds_data(name, tmp_path / "tfds")
    with made_is_official(made):
        folder = prepare(data, made.folder, quiet)
    assert folder == tmp_path / "tfds" / name / VERSIONS[name]
    dataset = load(data, echo=quiet)
    for split, (images, labels) in made.splits.items():
        read = getattr(dataset, split)
        assert sorted_examples(read.inputs, read.targets) == sorted_examples(images, labels)
        assert read.inputs.dtype == np.uint8
        assert read.targets.dtype == np.int32
    assert (dataset.spec.num_train, dataset.spec.num_test) == (110, 30)
    assert dataset.spec.input_shape == dataset.train.inputs.shape[1:]
    assert len(dataset.class_names) == dataset.spec.num_outputs
    if name == "cifar10":
        assert dataset.class_names == tuple(CIFAR10_NAMES)
    if name == "fashion_mnist":
        assert dataset.class_names[-1] == "Ankle boot"
    if name == "cifar100":
        assert dataset.class_names[-1] == "fine_99"
    assert not leftovers(tmp_path)


@pytest.mark.parametrize("name", NAMES)
def test_versions_and_addresses_are_the_official_ones(name):
    assert str(builders.builder_class(name).VERSION) == VERSIONS[name]
    assert builders.builder_class(name).name == name
    archives = builders.official_archives(name)
    assert len(archives) == (4 if "mnist" in name else 1)
    for archive in archives:
        assert archive.url.startswith("http")
        assert archive.url.endswith("/" + archive.filename)
        assert len(archive.sha256) == 64


def test_datasets_with_archives_of_the_same_names_stay_apart(tmp_path):
    directory = prepare_made("mnist", tmp_path)
    assert prepare_made("fashion_mnist", tmp_path) == directory
    digits, clothes = (load(tfds_data(name, directory), echo=quiet) for name in ("mnist", "fashion_mnist"))
    assert not np.array_equal(digits.train.inputs, clothes.train.inputs)


def test_prepared_already_does_nothing(mnist):
    made, data, folder = mnist
    with made_is_official(made):
        prepare(data, made.folder, quiet)
    before = {path: path.stat().st_mtime_ns for path in folder.iterdir()}
    lines = []
    assert prepare(data, Path("no-such-folder"), lines.append) == folder
    assert lines == [f"mnist is prepared already: {folder}"]
    assert {path: path.stat().st_mtime_ns for path in folder.iterdir()} == before


def test_tensorflow_is_never_imported(tmp_path):
    """A fake tensorflow that cannot be imported stands in the way of a whole preparation and reading."""
    trap = tmp_path / "trap" / "tensorflow"
    trap.mkdir(parents=True)
    (trap / "__init__.py").write_text("raise SystemExit('tensorflow was imported')")
    script = (
        "import sys; from pathlib import Path; from archives import prepare_made, tfds_data; from nnjax.data.load import load\n"
        "directory = prepare_made('cifar10', Path(sys.argv[1]))\n"
        "print(len(load(tfds_data('cifar10', directory)).train))"
    )
    paths = f"{trap.parent}:{Path(__file__).parents[1]}"
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path)],
        env={"PYTHONPATH": paths, "NNJAX_CACHE": str(tmp_path / "cache"), "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.splitlines()[-1:] == ["80"], done.stderr


# --- archives that are not right -------------------------------------------------------------------------------------


def flip_byte(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def truncate(path):
    path.write_bytes(path.read_bytes()[:-100])


@pytest.mark.parametrize("damage", [flip_byte, truncate])
def test_damaged_archive_is_named_with_both_checksums(damage, mnist):
    made, data, folder = mnist
    archive = next(archive for archive in made.archives if archive.filename == "train-images-idx3-ubyte.gz")
    damage(made.folder / archive.filename)
    with made_is_official(made), pytest.raises(DataError) as error:
        prepare(data, made.folder, quiet)
    message = str(error.value)
    assert message.startswith(str(made.folder / archive.filename))
    assert archive.sha256 in message
    assert "found" in message
    assert not folder.exists()


def test_archives_that_are_not_the_official_ones_are_refused(mnist):
    made, data, folder = mnist
    with pytest.raises(DataError, match="is not the official file"):
        prepare(data, made.folder, quiet)
    assert not folder.exists()


def test_missing_archives_are_listed_with_their_addresses(mnist):
    made, data, _ = mnist
    (made.folder / "t10k-images-idx3-ubyte.gz").unlink()
    with made_is_official(made), pytest.raises(DataError) as error:
        prepare(data, made.folder, quiet)
    first, *rest = str(error.value).splitlines()
    assert first == f"archives={made.folder}: t10k-images-idx3-ubyte.gz not found"
    assert [line.strip() for line in rest[1:]] == [archive.url for archive in made.archives]


# --- downloads -------------------------------------------------------------------------------------------------------


def test_download_fetches_checks_and_keeps_archives(mnist):
    made, data, folder = mnist
    lines = []
    with made_is_official(made):
        prepare(data, echo=lines.append)
    kept = Path(data.directory) / "downloads" / "mnist"
    assert sorted(path.name for path in kept.iterdir()) == sorted(archive.filename for archive in made.archives)
    assert sum(line.startswith("downloading ") for line in lines) == 4
    assert lines[-1] == f"mnist is prepared: {folder}"


def test_download_goes_on_after_an_interruption(mnist):
    made, data, _ = mnist
    last = made.archives[-1]
    content = (made.folder / last.filename).read_bytes()
    truncate(made.folder / last.filename)
    with made_is_official(made), pytest.raises(DataError, match="cut short"):
        prepare(data, echo=quiet)
    (made.folder / last.filename).write_bytes(content)
    lines = []
    with made_is_official(made):
        prepare(data, echo=lines.append)
    assert sum(line.startswith("downloading ") for line in lines) == 1
    assert not leftovers(Path(data.directory))


def test_no_network_is_one_line_and_the_way_without(mnist, monkeypatch):
    made, data, folder = mnist
    monkeypatch.setenv("no_proxy", "*")
    unreachable = tuple(replace(archive, url=f"http://127.0.0.1:1/{archive.filename}") for archive in made.archives)
    with made_is_official(replace(made, archives=unreachable)), pytest.raises(DataError) as error:
        prepare(data, echo=quiet)
    first, *rest = str(error.value).splitlines()
    assert first.startswith("data=mnist: cannot download http://127.0.0.1:1/train-images-idx3-ubyte.gz: ")
    assert "refused" in first
    assert f"python -m experiments.prepare data=mnist data.directory={data.directory} archives=FOLDER" in rest[-1]
    assert not folder.exists()


def test_place_that_cannot_be_written_is_a_data_error(mnist, tmp_path):
    made, data, _ = mnist
    (tmp_path / "file").touch()
    with made_is_official(made), pytest.raises(DataError, match="cannot prepare it"):
        prepare(replace(data, directory=str(tmp_path / "file")), made.folder, quiet)


# --- interruptions ---------------------------------------------------------------------------------------------------


def test_interrupted_preparation_leaves_nothing(mnist, monkeypatch):
    made, data, folder = mnist
    whole = builders._MNIST._generate_examples

    def interrupted(self, prefix):
        for number, example in enumerate(whole(self, prefix)):
            if prefix == "t10k" and number == 20:
                raise KeyboardInterrupt
            yield example

    monkeypatch.setattr(builders._MNIST, "_generate_examples", interrupted)
    with made_is_official(made), pytest.raises(KeyboardInterrupt):
        prepare(data, made.folder, quiet)
    assert list(folder.parent.iterdir()) == []
    with pytest.raises(DataError, match="not on this machine"):
        load(data, echo=quiet)
    monkeypatch.undo()
    with made_is_official(made):
        prepare(data, made.folder, quiet)
    assert len(load(data, echo=quiet).test) == 40


def test_what_a_killed_process_left_is_not_trusted_and_is_cleared(mnist):
    made, data, folder = mnist
    unfinished = folder.with_name("incomplete.nnjax") / "mnist" / "3.0.1"
    unfinished.mkdir(parents=True)
    (unfinished / "dataset_info.json").write_text("{}")
    with pytest.raises(DataError, match="not on this machine"):
        load(data, echo=quiet)
    with made_is_official(made):
        prepare(data, made.folder, quiet)
    assert len(load(data, echo=quiet).train) == 80
    assert not leftovers(Path(data.directory))


def test_a_folder_that_is_no_dataset_is_left_alone(mnist):
    made, data, folder = mnist
    folder.mkdir(parents=True)
    (folder / "mnist-train.array_record-00000-of-00001").write_bytes(b"half of a copy")
    with pytest.raises(DataError, match="not on this machine"):
        load(data, echo=quiet)
    with made_is_official(made), pytest.raises(DataError, match="holds something that is not a prepared dataset"):
        prepare(data, made.folder, quiet)
    assert len(list(folder.iterdir())) == 1


def test_two_processes_prepare_one_after_the_other(mnist):
    made, data, folder = mnist
    waiting, lines = threading.Event(), []

    def echo(line):
        lines.append(line)
        waiting.set()

    with made_is_official(made):
        with _alone(folder.parent, quiet):  # as another process would
            second = threading.Thread(target=prepare, args=(data, made.folder, echo))
            second.start()
            assert waiting.wait(timeout=60)
            _make(data, folder, made.folder, quiet)
        second.join()
    assert lines == [
        f"waiting for another process that prepares {folder.parent}",
        f"mnist is prepared already: {folder}",
    ]


# --- copies that are there already -----------------------------------------------------------------------------------


@pytest.fixture
def prepared(mnist):
    made, data, folder = mnist
    with made_is_official(made):
        prepare(data, made.folder, quiet)
    return data, folder


def rewrite_format(folder, stored):
    info = folder / "dataset_info.json"
    info.write_text(json.dumps(json.loads(info.read_text()) | {"fileFormat": stored}))
    for path in folder.glob("*array_record*"):
        path.rename(folder / path.name.replace("array_record", stored))


def to_tfrecord(folder):
    """Rewrites a prepared folder as TFDS would have written it with TensorFlow."""
    from array_record.python.array_record_module import ArrayRecordReader
    from tensorboardX.record_writer import RecordWriter

    for path in folder.glob("*array_record*"):
        reader = ArrayRecordReader(str(path))
        records = reader.read_all()
        reader.close()
        writer = RecordWriter(str(path))
        for record in records:
            writer.write(record)
        writer.close()
    rewrite_format(folder, "tfrecord")


def test_tfrecord_copies_are_read(prepared):
    data, folder = prepared
    before = load(data, echo=quiet)
    to_tfrecord(folder)
    lines = []
    after = load(data, echo=lines.append)
    assert ["has changed" in line for line in lines] == [True, True]
    for split in ("train", "test"):
        np.testing.assert_array_equal(getattr(after, split).inputs, getattr(before, split).inputs)
        np.testing.assert_array_equal(getattr(after, split).targets, getattr(before, split).targets)
    prepare(data, echo=lines.append)
    assert lines[-1] == f"mnist is prepared already: {folder}"


def cut_tfrecord(folder):
    to_tfrecord(folder)
    truncate(next(folder.glob("*train*")))


def change_label(folder):
    from tensorflow_datasets.proto import tf_example_pb2

    to_tfrecord(folder)
    path = next(folder.glob("*train*"))
    record = list(read_tfrecord(path))[5]
    example = tf_example_pb2.Example.FromString(record)
    labels = example.features.feature["label"].int64_list.value
    labels[0] = (labels[0] + 1) % 10
    path.write_bytes(path.read_bytes().replace(record, example.SerializeToString(deterministic=True)))
    assert [len(found) for found in path.read_bytes().split(record)] == [path.stat().st_size]


def lose_records(folder):
    next(folder.glob("*test*")).unlink()


def other_format(folder):
    rewrite_format(folder, "riegeli")


def cut_array_record(folder):
    truncate(next(folder.glob("*train*")))


def change_array_record(folder):
    path = next(folder.glob("*train*"))
    content = bytearray(path.read_bytes())
    content[20_000] ^= 1  # in the records: the middle of so small a file is padding
    path.write_bytes(content)


def empty_info(folder):
    (folder / "dataset_info.json").write_text("")


@pytest.mark.parametrize(
    ("damage", "cause"),
    [
        (cut_tfrecord, "mnist-train.tfrecord-00000-of-00001 is damaged or cut short"),
        (change_label, "mnist-train.tfrecord-00000-of-00001 is damaged or cut short"),
        (lose_records, "mnist-test.array_record-00000-of-00001 is missing"),
        (other_format, "stored as riegeli"),
        (cut_array_record, ""),
        (change_array_record, ""),
        (empty_info, ""),
    ],
)
def test_damaged_copies_say_what_helps(damage, cause, prepared):
    data, folder = prepared
    damage(folder)
    with pytest.raises(DataError) as error:
        load(data, echo=quiet)
    first, second, *_ = str(error.value).splitlines()
    assert first.startswith(f"data=mnist: cannot read {folder}: {cause}")
    assert second.endswith("python -m experiments.prepare data=mnist data.directory=FOLDER")


def test_images_of_another_dataset_are_refused(tmp_path):
    directory = prepare_made("cifar10", tmp_path)
    (directory / "cifar10").rename(directory / "cifar100")
    with pytest.raises(DataError, match=r"cannot read .*10 classes"):
        load(tfds_data("cifar100", directory), echo=quiet)


def test_missing_data_names_the_ways_out(tmp_path, monkeypatch):
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path))
    data = replace(tfds_data("cifar10", tmp_path), directory=None)
    with pytest.raises(DataError) as error:
        load(data, echo=quiet)
    message = str(error.value)
    assert message.startswith(f"data=cifar10 is not on this machine: looked for {tmp_path / 'cifar10' / '3.0.2'}\n")
    assert "python -m experiments.prepare data=cifar10\n" in message
    assert "data=digits" in message
    with pytest.raises(DataError, match=r"experiments\.prepare data=cifar10 'data\.directory=/no where'\n"):
        load(tfds_data("cifar10", Path("/no where")), echo=quiet)  # to be pasted into a shell
    monkeypatch.delenv("TFDS_DATA_DIR")
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises(DataError, match="tensorflow_datasets"):
        load(data, echo=quiet)
