"""TFRecord files that another library wrote, whole and damaged."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tensorboardX.crc32c import _crc32c as bytewise_crc32c
from tensorboardX.record_writer import RecordWriter

from nnjax.data.tfrecord import crc32c, read_tfrecord

RECORDS = [b"", b"a", b"abc", bytes(range(256)) * 20]


@pytest.fixture
def path(tmp_path):
    writer = RecordWriter(str(tmp_path / "records"))
    for record in RECORDS:
        writer.write(record)
    writer.close()
    return tmp_path / "records"


@pytest.mark.parametrize(
    ("data", "checksum"),
    [
        (b"123456789", 0xE3069283),
        (bytes(32), 0x8A9136AA),  # RFC 3720, appendix B.4, and the next three
        (b"\xff" * 32, 0x62A8AB43),
        (bytes(range(32)), 0x46DD794E),
        (bytes(range(31, -1, -1)), 0x113FDB5C),
        (b"", 0),
    ],
)
def test_published_checksums(data, checksum):
    assert crc32c(data) == checksum


@given(st.binary(max_size=300), st.integers(0, 200))
def test_checksums_agree_with_those_taken_byte_by_byte(data, zeros):
    data = bytes(zeros) + data
    assert crc32c(data) == bytewise_crc32c(data)


def test_the_longest_record():
    assert crc32c(bytes(8190) + b"ab") == bytewise_crc32c(bytes(8190) + b"ab")


def test_records_come_as_they_were_written(path):
    assert list(read_tfrecord(path)) == RECORDS


def test_any_changed_byte_is_noticed(path):
    whole = path.read_bytes()
    last = len(whole) - len(RECORDS[-1]) - 16
    for place in [*range(last + 20), last + 1000, len(whole) - 5, len(whole) - 1]:
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 4]) + whole[place + 1 :])
        with pytest.raises(ValueError, match="records is damaged or cut short"):
            list(read_tfrecord(path))


@pytest.mark.parametrize("missing", [1, 4, 5, 5000, 5130])
def test_a_file_that_ends_within_a_record(path, missing):
    path.write_bytes(path.read_bytes()[:-missing])
    with pytest.raises(ValueError, match="records is damaged or cut short"):
        list(read_tfrecord(path))


def test_a_record_that_is_no_small_image(path):
    writer = RecordWriter(str(path))
    writer.write(bytes(10_000))
    writer.close()
    with pytest.raises(ValueError, match="a record of 10000 bytes"):
        list(read_tfrecord(path))
