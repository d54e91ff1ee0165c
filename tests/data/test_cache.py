"""The decoded cache: used when sound, noticed and made again when not, done without when it cannot be written."""

import json
import os

import numpy as np
import pytest

from nnjax.config.errors import DataError
from nnjax.config.paths import cache_directory
from nnjax.data.cache import Decoded, cached


@pytest.fixture
def source(tmp_path, monkeypatch):
    monkeypatch.setenv("NNJAX_CACHE", str(tmp_path / "cache"))
    source = tmp_path / "source"
    source.mkdir()
    (source / "records").write_bytes(b"records")
    return source


class Decoder:
    """Decodes to known arrays and counts how often."""

    def __init__(self):
        random = np.random.default_rng(0)
        self.inputs = random.integers(0, 256, (20, 4, 4, 3), np.uint8)
        self.targets = random.integers(0, 5, 20).astype(np.int32)
        self.calls = 0

    def __call__(self):
        self.calls += 1
        return Decoded(self.inputs, self.targets, ("one", "two"))


def read(source, decoder):
    """Reads through the cache, checks what comes, and gives the lines that were said."""
    lines = []
    decoded = cached("made-1.0-train", source, decoder, lines.append)
    np.testing.assert_array_equal(decoded.inputs, decoder.inputs)
    np.testing.assert_array_equal(decoded.targets, decoder.targets)
    assert decoded.inputs.dtype == np.uint8
    assert decoded.targets.dtype == np.int32
    assert decoded.class_names == ("one", "two")
    return lines


def entry_file(suffix):
    return next(path for path in cache_directory().iterdir() if path.name.endswith(suffix))


def test_second_time_is_mapped_and_not_decoded(source):
    decoder = Decoder()
    (line,) = read(source, decoder)
    assert line.startswith("decoding made-1.0-train: ")
    assert read(source, decoder) == []
    assert decoder.calls == 1
    decoded = cached("made-1.0-train", source, decoder, print)
    assert isinstance(decoded.inputs, np.memmap)
    assert not decoded.inputs.flags.writeable
    assert sorted(path.suffix for path in cache_directory().iterdir()) == [".json", ".npy", ".npy"]


def flip_byte(path):
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


def truncate(path):
    path.write_bytes(path.read_bytes()[:-1])


def empty(path):
    path.write_bytes(b"")


def remove(path):
    path.unlink()


def other_shape(path):
    np.save(path, np.load(path)[:-1])


@pytest.mark.parametrize("damage", [flip_byte, truncate, empty, remove, other_shape])
@pytest.mark.parametrize("suffix", ["inputs.npy", "targets.npy"])
def test_damaged_arrays_are_noticed_and_made_again(damage, suffix, source):
    decoder = Decoder()
    read(source, decoder)
    damage(entry_file(suffix))
    (line,) = read(source, decoder)
    assert "damaged" in line
    assert read(source, decoder) == []
    assert decoder.calls == 2


@pytest.mark.parametrize("content", ["", "{", "[]", "1", "{}", '{"source": 1}'])
def test_damaged_record_is_made_again(content, source):
    decoder = Decoder()
    read(source, decoder)
    entry_file(".json").write_text(content)
    (line,) = read(source, decoder)
    assert "damaged" in line
    assert read(source, decoder) == []


def change_record(**changes):
    record = json.loads(entry_file(".json").read_text())
    entry_file(".json").write_text(json.dumps(record | changes))


@pytest.mark.parametrize("crc32", [[], {}, None, 1, "inputs", {"inputs": 0}])
def test_record_without_the_right_checksums_is_made_again(crc32, source):
    decoder = Decoder()
    read(source, decoder)
    change_record(crc32=crc32)
    (line,) = read(source, decoder)
    assert "damaged" in line
    assert read(source, decoder) == []


def test_record_that_lacks_an_array_is_made_again(source):
    decoder = Decoder()
    read(source, decoder)
    checksums = json.loads(entry_file(".json").read_text())["crc32"]
    change_record(crc32={"inputs": checksums["inputs"]})
    (line,) = read(source, decoder)
    assert "damaged" in line
    assert read(source, decoder) == []


def test_what_another_decoder_made_is_decoded_again(source, monkeypatch):
    decoder = Decoder()
    read(source, decoder)
    monkeypatch.setattr("nnjax.data.cache._DECODER", 4)
    (line,) = read(source, decoder)
    assert line == f"{source} was decoded by another version of nnjax: decoding it again"
    assert read(source, decoder) == []
    assert decoder.calls == 2


def change_time(source):
    os.utime(source / "records", ns=(0, 0))


def change_size(source):
    (source / "records").write_bytes(b"more records")


def add_file(source):
    (source / "more").touch()


@pytest.mark.parametrize("change", [change_time, change_size, add_file])
def test_changed_source_is_decoded_again(change, source):
    decoder = Decoder()
    read(source, decoder)
    change(source)
    (line,) = read(source, decoder)
    assert "has changed" in line
    assert read(source, decoder) == []
    assert decoder.calls == 2


def test_other_contents_of_the_same_size_and_time_are_decoded_again(source):
    """As a copy that keeps times may bring them: cp -p, rsync -a, an archive unpacked."""
    decoder = Decoder()
    read(source, decoder)
    times = (source / "records").stat()
    (source / "records").write_bytes(b"others!")
    os.utime(source / "records", ns=(times.st_atime_ns, times.st_mtime_ns))
    assert (source / "records").stat().st_size == times.st_size
    (line,) = read(source, decoder)
    assert "has changed" in line
    assert decoder.calls == 2


def test_a_source_with_an_empty_file_and_a_folder_is_cached(source):
    (source / "empty").touch()
    (source / "folder").mkdir()
    decoder = Decoder()
    read(source, decoder)
    assert read(source, decoder) == []


def test_a_source_that_changes_while_it_is_decoded_is_an_error(source):
    decoder = Decoder()

    def decode():
        (source / "records").write_bytes(b"others!")
        return decoder()

    with pytest.raises(DataError, match="changed while it was read"):
        cached("made-1.0-train", source, decode, print)
    assert not cache_directory().exists()


def test_class_names_that_are_not_what_was_written_are_noticed(source):
    decoder = Decoder()
    read(source, decoder)
    change_record(class_names=["two", "one"])
    (line,) = read(source, decoder)
    assert "damaged" in line
    assert read(source, decoder) == []


def test_sources_in_other_places_have_entries_of_their_own(source, tmp_path):
    first, second = Decoder(), Decoder()
    second.inputs = second.inputs[::-1]
    source.rename(tmp_path / "moved")
    for place, decoder in ((tmp_path / "moved", first), (tmp_path / "elsewhere", second)):
        place.mkdir(exist_ok=True)
        (place / "records").write_bytes(b"records")
        os.utime(place / "records", ns=(0, 0))
        (line,) = read(place, decoder)
        assert line.startswith("decoding ")


def test_unwritable_cache_is_done_without(source, tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("NNJAX_CACHE", str(tmp_path / "file" / "cache"))
    decoder = Decoder()
    for calls in (1, 2):
        assert read(source, decoder)[-1].startswith("continuing without a cache of made-1.0-train: ")
        assert decoder.calls == calls


def test_interrupted_writing_leaves_no_entry(source, monkeypatch):
    decoder = Decoder()
    save = np.save

    def interrupted(file, array, **options):
        save(file, array, **options)
        raise KeyboardInterrupt

    monkeypatch.setattr(np, "save", interrupted)
    with pytest.raises(KeyboardInterrupt):
        read(source, decoder)
    assert list(cache_directory().iterdir()) == []
