"""Bodies of requests, good and hostile."""

import base64
import io
import json
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from serving_thread import facts_of, running, square

from nnjax.config.serve_options import ServerSettings
from nnjax.serving.facts import InputFacts
from nnjax.serving.server import request_inputs, server_app
from nnjax.serving.server.request_error import RequestError
from nnjax.serving.server.request_inputs import PICTURE_TYPES, is_quick, read_body

SETTINGS = ServerSettings(body=100_000, examples=3, pixels=10_000)
VECTORS = facts_of(inputs=InputFacts(shape=(3,), dtype="float32"))


def png(picture, kind="PNG"):
    file = io.BytesIO()
    Image.fromarray(picture[..., 0]).save(file, kind)
    return file.getvalue()


def read(value, facts=None, content_type="application/json", **options):
    body = value if isinstance(value, bytes) else json.dumps(value).encode()
    return read_body(body, content_type, facts or facts_of(), SETTINGS, **options)


def refused(*arguments, **options):
    with pytest.raises(RequestError) as error:
        read(*arguments, **options)
    assert "\n" not in error.value.reason
    return error.value.status, error.value.reason


def form(files, boundary=b"xyz"):
    parts = [
        b"--%s\r\nContent-Disposition: form-data; name=image; filename=a.png\r\n\r\n%s\r\n" % (boundary, file) for file in files
    ]
    return b"".join(parts) + b"--%s--\r\n" % boundary


FORM = "multipart/form-data; boundary=xyz"


def test_a_picture_of_the_networks_size_comes_in_unchanged_in_every_form():
    picture = square(2, 200)
    file = png(picture)
    text = base64.b64encode(file).decode()
    for body, kind in (
        (file, "image/png"),
        (file, "application/octet-stream"),
        (file, "IMAGE/PNG; charset=x"),
        (form([file]), FORM),
        ({"image": text}, "application/json"),
        ({"images": [text]}, "application/json; charset=utf-8"),
        ({"image": f"data:image/png;base64,{text}"}, "application/json"),
    ):
        taken = read(body, content_type=kind)
        assert taken.inputs.tolist() == [picture.tolist()]
        assert (len(taken.seen), taken.seen[0].steps) == (1, ())


def test_several_pictures_keep_their_order():
    files = [png(square(number)) for number in (3, 1, 2)]
    texts = [base64.b64encode(file).decode() for file in files]
    for body, kind in ((form(files), FORM), ({"images": texts}, "application/json")):
        assert read(body, content_type=kind).inputs.tolist() == [square(number).tolist() for number in (3, 1, 2)]


def test_the_steps_are_pictures_where_they_are_wanted():
    name, url = read(png(square(1)), content_type="image/png", steps=True).seen[0].steps[-1]
    assert name == "as the network sees it"
    with Image.open(io.BytesIO(base64.b64decode(url.removeprefix("data:image/png;base64,")))) as shown:
        assert shown.size == (112, 112)
        assert np.array_equal(np.asarray(shown)[14::28, 14::28], square(1)[..., 0])


def test_inputs_of_the_network_are_taken_as_they_are():
    assert read({"inputs": square(1).tolist()}).inputs.tolist() == [square(1).tolist()]
    assert read({"inputs": [square(1).tolist()] * 2}).inputs.shape == (2, 4, 4, 1)
    assert read({"inputs": square(1).tolist()}).inputs.dtype == np.uint8
    vectors = read({"inputs": [[1, 2.5, -3], [0, 0, 1e30]]}, VECTORS).inputs
    assert (vectors.tolist(), vectors.dtype) == ([[1, 2.5, -3], [0, 0, np.float32(1e30)]], np.float32)


@pytest.mark.parametrize(
    ("value", "status", "reason"),
    [
        (b"", 400, "the body is empty"),
        (b"{", 400, "the body is no JSON at line 1, column 2"),
        (b"\xff\xfe", 400, "the body is not UTF-8 at byte 0"),
        (b"[" * 50_000, 413, "JSON of more than 25000 bytes"),
        (b"[" * 9_000, 400, "the body is no JSON"),
        (b'{"inputs": [' + b"[]," * 7000 + b"[]]}", 413, "JSON of more than 10192 values"),
        (b'{"inputs": ' + b"9" * 5000 + b"}", 400, "the body is no JSON"),  # Python refuses to read so long a number
        ([], 422, "must be an object with one of the keys image, images, rows, inputs"),
        ({}, 422, "must be an object"),
        ({"image": "", "rows": []}, 422, "must be an object"),
        ({"picture": ""}, 422, "must be an object"),
        ({"image": 3}, 422, "image: must be base64 text"),
        ({"image": "ä"}, 422, "image: is no base64"),
        ({"image": ""}, 415, ""),
        ({"images": []}, 422, "images: must be a list, and not empty"),
        ({"images": [""] * 4}, 413, "more than 3 pictures"),
        ({"inputs": []}, 422, "inputs: must be a list, and not empty"),
        ({"inputs": 3}, 422, "inputs: must be a list"),
        ({"inputs": [[1, 2], [3]]}, 422, "inputs: must be numbers of the shape [4, 4, 1]"),
        ({"inputs": ["1"]}, 422, "inputs: must be numbers"),
        ({"inputs": [[[[1]]]]}, 422, "inputs: must be numbers"),
        ({"inputs": [square(0).tolist()] * 4}, 413, "more than 3 examples in a request"),
        ({"inputs": (square(0) + 0.5).tolist()}, 422, "inputs: must be whole numbers from 0 to 255"),
        ({"inputs": (square(0) * -1.0).tolist()}, 422, "inputs: must be whole numbers from 0 to 255"),
        ({"inputs": (square(0) * float("nan")).tolist()}, 422, "inputs: must be whole numbers from 0 to 255"),
        ({"inputs": [[[10**30]] * 4] * 4}, 422, "inputs: must be"),
        ({"inputs": (square(0) > 0).tolist()}, 422, "inputs: must be numbers"),
    ],
)
def test_json_that_is_refused(value, status, reason):
    found = refused(value)
    assert found[0] == status
    assert reason in found[1]


@pytest.fixture(autouse=True)
def _fewer_values(monkeypatch):
    monkeypatch.setattr("nnjax.serving.server.request_inputs._MORE_VALUES", 10_000)


def test_a_vector_must_be_finite():
    assert refused({"inputs": [1, 2, float("inf")]}, VECTORS) == (422, "inputs: must be finite numbers")
    assert refused({"inputs": [1, 2, 1e300]}, VECTORS) == (422, "inputs: must be finite numbers")


@pytest.mark.parametrize(
    ("body", "content_type", "status", "reason"),
    [
        (b"x", "", 415, "Content-Type: none: must be image/png, "),
        (b"x", "text/html", 415, "Content-Type: text/html"),
        (b"x", "x" * 1000, 415, "Content-Type: " + "x" * 60 + ":"),
        (b"a=b", "application/x-www-form-urlencoded", 415, "Content-Type: application/x-www-form-urlencoded"),
        (b"no picture", "image/png", 415, ""),
        (png(square(0))[:60], "image/png", 400, ""),
        (b"x", "multipart/form-data", 400, "without a boundary"),
        (b"--xyz--\r\n", FORM, 400, "holds no file"),
        (form([b"1"])[:-9], FORM, 400, "cut off before its end"),
        (b"--abc\r\n\r\n--xyz--\r\n", FORM, 400, "multipart/form-data"),
        (form([b""] * 4), FORM, 413, "more than 3 pictures in a request"),
        (form([b"no picture"]), FORM, 415, ""),
        (b"1,2,3\n" * 2000, "text/csv", 413, "CSV of more than 6250 bytes"),
        (b"\xff", "text/csv", 400, "the body is not UTF-8 at byte 0"),
        (b"--xyz\r\n" + b"a: b\r\n" * 1000 + b"\r\n--xyz--\r\n", FORM, 400, "the form is damaged"),
    ],
)
def test_bodies_that_are_refused(body, content_type, status, reason):
    found = refused(body, content_type=content_type)
    assert found[0] == status
    assert reason in found[1]


def test_a_form_of_many_fields_is_given_up_early(monkeypatch):
    field = b'--xyz\r\nContent-Disposition: form-data; name="a"\r\n\r\n\r\n'
    assert read(field * 64 + form([png(square(1))]), content_type=FORM).inputs.tolist() == [square(1).tolist()]
    read_fields = []
    monkeypatch.setattr("python_multipart.multipart.Field.finalize", lambda self: read_fields.append(self))
    assert refused(field * 1500 + form([png(square(1))]), content_type=FORM) == (
        413,
        "more than 64 fields in a form, besides files",
    )
    assert len(read_fields) <= 65


def test_csv_is_read_no_further_than_to_one_row_too_many():
    text = b"1,2,3\n" * 4 + b"no number,,\n" * 400
    assert refused(text, VECTORS, content_type="text/csv") == (413, "more than 3 examples in a request")
    assert read(b"1,2,3\n" * 3, VECTORS, content_type="text/csv").inputs.shape == (3, 3)


def test_columns_of_csv_that_are_taken_by_place_are_noted():
    taken = read(b"z,y,x\n1,2,3\n4,5,6\n", VECTORS, content_type="text/csv")
    note = "the rows: its columns are taken by their places, not by their names: "
    assert [seen.notes[0].startswith(note) for seen in taken.seen] == [True, True]
    assert read(b"1,2,3\n", VECTORS, content_type="text/csv").seen == ()


def test_the_width_of_csv_is_checked_before_its_other_lines_are_read():
    text = b"1,2\n" + b"\n" * 5000 + b"3,4\n"
    assert refused(text, VECTORS, content_type="text/csv") == (422, "the rows, line 1: has 2 columns; must have 3")


def test_pixels_are_bounded_for_all_pictures_together():
    large = png(np.zeros((90, 90, 1), np.uint8))
    assert read(large, content_type="image/png").inputs.shape == (1, 4, 4, 1)
    assert refused(form([large, large]), content_type=FORM) == (413, "the pictures have more than 10000 pixels together")
    assert refused(png(np.zeros((200, 90, 1), np.uint8)), content_type="image/png")[0] == 413


def test_a_model_of_rows_takes_no_pictures():
    status, reason = refused(png(square(0)), VECTORS, content_type="image/png")
    assert (status, reason) == (422, "squares takes rows of numbers, no pictures")


@given(st.binary(max_size=300), st.sampled_from([*PICTURE_TYPES, FORM, "application/json"]))
def test_no_bytes_do_anything_but_be_refused(body, content_type):
    refused(body, content_type=content_type)


@given(st.data())
def test_no_damage_of_a_form_does_anything_but_be_refused_or_read(data):
    body = bytearray(form([png(square(0)), png(square(1))]))
    for _ in range(data.draw(st.integers(1, 5))):
        body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
    try:
        status = 200 if read(bytes(body), content_type=FORM).inputs.shape[1:] == (4, 4, 1) else None
    except RequestError as error:
        status = error.status
    assert status in (200, 400, 413, 415)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(["image", "images", "inputs", "a"]), inner, max_size=2)
    ),
)


@given(_JSON)
def test_no_json_does_anything_but_be_refused(value):
    refused(value)


@pytest.mark.parametrize("explain", [False, True])
def test_pictures_over_http(models, explain):
    with running(models) as served:
        path = "/predict?explain=true" if explain else "/predict"
        status, _, answer = served.ask("POST", path, png(square(3)), {"content-type": "image/png"})
    assert status == 200
    (one,) = answer["answers"]
    assert one["label"] == "bottom right"
    assert one["notes"] == ["already the network's size: unchanged"]
    assert ("steps" in one, "looked" in one) == (explain, explain)
    if explain:
        assert one["steps"][-1]["name"] == "as the network sees it"
        # One of the quarter's 4 pixels is covered with the mean, 64: the label's logit, and so its log-odds, fall by this.
        np.testing.assert_allclose(np.array(one["looked"])[2:, 2:], (255 - 64) / 4 / 16, rtol=1e-3)


def test_no_picture_but_a_small_one_is_read_in_the_thread_that_serves():
    large = png(np.zeros((2000, 2000, 1), np.uint8))  # of a few thousand bytes
    assert len(large) < 5000
    text = base64.b64encode(large).decode()
    for body, kind in (
        (large, "image/png"),
        (json.dumps({"image": text}).encode(), "application/json"),
        (b'{"\\u0069mage": "%s"}' % text.encode(), "application/json"),
    ):
        assert not is_quick(body, kind)
    assert is_quick(png(square(0)), "image/png")
    assert is_quick(b'{"inputs": [1, 2, 3]}', "application/json")


def test_a_deep_list_does_not_fill_the_stack():
    assert sys.getrecursionlimit() < 10_000
    assert refused(b'{"inputs": ' + b"[" * 900 + b"1" + b"]" * 900 + b"}")[0] in (400, 422)


def test_large_pictures_are_decoded_one_at_a_time(monkeypatch):
    monkeypatch.setattr(request_inputs, "_LARGE_PIXELS", 1000)
    now, most = 0, []

    def opened(*arguments):
        nonlocal now
        now += 1
        most.append(now)
        time.sleep(0.02)
        now -= 1
        return Image.new("L", (40, 40))

    monkeypatch.setattr(request_inputs, "open_picture", opened)
    large, small = png(np.zeros((40, 40, 1), np.uint8)), png(square(0))
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda file: read(file, content_type="image/png"), [large] * 4))
        assert most == [1] * 4
        together = threading.Barrier(4)
        monkeypatch.setattr(request_inputs, "open_picture", lambda *_: (together.wait(20), Image.new("L", (4, 4)))[1])
        assert len(list(pool.map(lambda file: read(file, content_type="image/png"), [small] * 4))) == 4


def test_the_threads_that_decode_are_few(monkeypatch):
    for cores, threads in ((1, 2), (2, 2), (3, 3), (64, 4)):
        monkeypatch.setattr("os.sched_getaffinity", lambda process, cores=cores: set(range(cores)))
        assert server_app._readers() == threads
