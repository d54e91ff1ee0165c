"""Images are decoded to the same arrays, and refused with the same words, with and without a second process."""

import io
import os
import sys
import time
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from nnjax.data import image_decoder
from nnjax.data.image_decoder import ImageDecoder
from nnjax.data.image_files import decode_images

SHAPE = (8, 8, 3)


@pytest.fixture(autouse=True)
def two_cores(monkeypatch):
    monkeypatch.setattr(image_decoder, "_LEAST", 0)
    monkeypatch.setattr(image_decoder, "_AT_ONCE", 10)
    monkeypatch.setattr(image_decoder, "num_cores", lambda: 2)


def files_of(count, kind="PNG"):
    files = []
    for number in range(count):
        pixels = np.random.default_rng(number).integers(0, 256, SHAPE, np.uint8)
        file = io.BytesIO()
        Image.fromarray(pixels).save(file, kind)
        files.append(file.getvalue())
    return files


def until_free(decoder):
    end = time.monotonic() + 60
    while not decoder._other.is_free():
        assert time.monotonic() < end
        time.sleep(0.005)


def decoded(files, *, meanwhile=lambda decoder: None):
    """Decoded in parts of 100; the second process gets the first part, and more as it becomes free."""
    images = np.zeros((len(files), *SHAPE), np.uint8)
    with ImageDecoder(images, "of split train") as decoder:
        until_free(decoder)
        for first in range(0, len(files), 100):
            decoder.decode(files[first : first + 100], first)
            meanwhile(decoder)
        decoder.finish()
        process = decoder._other._process
    assert process is None or process.poll() is not None
    return images


@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_two_processes_decode_what_one_does(kind, monkeypatch):
    received, receive = [], image_decoder._Other.receive

    def noted(self):
        received.append(receive(self))
        return received[-1]

    monkeypatch.setattr(image_decoder._Other, "receive", noted)
    files = files_of(550, kind)
    images = decode_images(files, SHAPE)
    np.testing.assert_array_equal(decoded(files), images)
    assert received[:2] == [b"", images[:100].tobytes()]  # the greeting, and the first part


def test_each_answer_goes_to_its_place():
    files = files_of(450)
    np.testing.assert_array_equal(decoded(files, meanwhile=until_free), decode_images(files, SHAPE))


@pytest.mark.parametrize("places", [[5], [350], [5, 250], [150, 250], [95, 105]])
def test_the_first_damaged_file_is_named_whoever_decodes_it(places):
    files = files_of(400)
    for place in places:
        files[place] = files[place][:40]
    with pytest.raises(ValueError, match=f"^example {places[0]} of split train: its image is no PNG or JPEG, or is damaged$"):
        decoded(files)


def test_a_process_that_is_killed_costs_nothing_but_time():
    files = files_of(350)
    killed = []

    def kill(decoder):
        if not killed:
            decoder._other._process.kill()
            killed.append(True)

    np.testing.assert_array_equal(decoded(files, meanwhile=kill), decode_images(files, SHAPE))
    assert killed


@pytest.mark.parametrize(
    "program",  # the last one says that 9 bytes follow
    [
        "print('a line of a start file')",
        "print(' ' * 12 + chr(0) * 8)",
        "import sys; sys.exit(1)",
        "import sys; sys.stdout.buffer.write(b'nnjax images' + bytes([9] + 7 * [0]))",
    ],
)
def test_a_process_that_answers_anything_else_is_not_used(program, monkeypatch):
    monkeypatch.setattr(image_decoder, "_PROGRAM", program)
    files = files_of(250)
    images = np.zeros((len(files), *SHAPE), np.uint8)
    with ImageDecoder(images, "of split train") as decoder:
        decoder._other._process.wait()
        decoder.decode(files, 0)
        decoder.finish()
        assert decoder._other._process is None
    np.testing.assert_array_equal(images, decode_images(files, SHAPE))


GREETS = "import sys, time; sys.stdout.buffer.write(b'nnjax images' + bytes(8)); sys.stdout.flush(); "


@pytest.mark.parametrize("then", ["time.sleep(600)", "sys.stdin.buffer.read(1); time.sleep(600)"])
def test_a_process_that_hangs_is_given_up(then, monkeypatch):
    monkeypatch.setattr(image_decoder, "_PROGRAM", GREETS + then)
    monkeypatch.setattr(image_decoder, "_PATIENCE", 0.2)
    files = files_of(150)
    np.testing.assert_array_equal(decoded(files), decode_images(files, SHAPE))


def test_a_later_error_of_another_kind_leaves_the_first_damaged_file_to_be_named():
    files = files_of(100)
    files[5] = files[5][:40]

    def is_wrong(_):
        raise ValueError("example 150 of split train: its label is wrong")

    with pytest.raises(ValueError, match=r"^example 5 of split train"):
        decoded(files, meanwhile=is_wrong)


def test_many_open_files_are_no_matter():
    files = files_of(250)
    with ExitStack() as opened:
        for _ in range(1100):
            opened.enter_context(Path(os.devnull).open())
        np.testing.assert_array_equal(decoded(files), decode_images(files, SHAPE))


@pytest.mark.parametrize("executable", ["/nowhere/python", "", None])
def test_without_python_to_start_all_is_decoded_here(executable, monkeypatch):
    monkeypatch.setattr(sys, "executable", executable)
    files = files_of(120)
    images = np.zeros((len(files), *SHAPE), np.uint8)
    with ImageDecoder(images, "of split train") as decoder:
        decoder.decode(files, 0)
        decoder.finish()
    np.testing.assert_array_equal(images, decode_images(files, SHAPE))


@pytest.mark.parametrize(("cores", "least"), [(1, 0), (2, 1000)])
def test_one_core_or_few_images_need_no_second_process(cores, least, monkeypatch):
    monkeypatch.setattr(image_decoder, "num_cores", lambda: cores)
    monkeypatch.setattr(image_decoder, "_LEAST", least)
    files = files_of(30)
    images = np.zeros((len(files), *SHAPE), np.uint8)
    with ImageDecoder(images, "of split train") as decoder:
        assert decoder._other is None
        decoder.decode(files, 0)
        decoder.finish()
    np.testing.assert_array_equal(images, decode_images(files, SHAPE))


def test_an_error_in_the_middle_leaves_no_process():
    processes = []

    def stop(decoder):
        processes.append(decoder._other._process)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        decoded(files_of(120), meanwhile=stop)
    assert processes[0].poll() is not None
