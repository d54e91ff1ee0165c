"""The server over HTTP: answers, refusals, batches without compilations, several models."""

import json
import re
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from serving_thread import Compiled, Network, facts_of, running, square, wait_for

from nnjax.config.errors import InputError
from nnjax.config.serve_options import ServerSettings
from nnjax.serving.model import Model


def test_one_input_and_many_are_answered_in_order(models):
    with running(models) as served:
        assert served.labels(square(2)) == ["bottom left"]
        order = [3, 0, 1, 1, 2, 0]
        labels = served.labels(np.stack([square(quarter) for quarter in order]))
        assert labels == [models["squares"].facts.labels[quarter] for quarter in order]


def test_an_answer_has_probabilities_and_their_spread(models):
    with running(models) as served:
        status, headers, answer = served.post({"inputs": square(1, 32).tolist()})
    assert (status, headers["content-type"]) == (200, "application/json")
    assert answer["model"] == "squares"
    (one,) = answer["answers"]
    expected = np.exp([0, 2, 0, 0]) / (3 + np.exp(2))
    np.testing.assert_allclose(one["probabilities"], expected, atol=1e-6)
    assert one["probability"] == max(one["probabilities"])
    assert (one["label"], one["spread"], one["warnings"]) == ("top right", [0, 0, 0, 0], [])


def test_what_is_not_finite_is_null(models, network):
    facts = facts_of(metrics={"accuracy": float("nan")})
    with running({"squares": Model(facts, network, None)}) as served:
        network.logits = lambda inputs: np.full((1, len(inputs), 4), np.nan)
        status, _, answer = served.post({"inputs": square(0).tolist()})
        listed = served.ask("GET", "/models")[2]["models"][0]
    assert (status, listed["metrics"]) == (200, {"accuracy": None})
    (one,) = answer["answers"]
    assert (one["label"], one["probability"], one["probabilities"]) == (None, None, [None] * 4)
    assert one["warnings"] == ["the network's outputs are no finite numbers"]


def test_no_request_compiles_whatever_its_size():
    network = Compiled()
    models = {"squares": Model(facts_of(), network, None)}
    with running(models, ServerSettings(batch=8, queue=1000)) as served:
        compiled = list(network.traced)
        assert sorted(set(compiled)) == [1, 2, 4, 8]
        with ThreadPoolExecutor(8) as pool:
            inputs = [np.stack([square(number % 4)] * number) for number in range(1, 41)]
            labels = list(pool.map(served.labels, inputs))
        assert served.post({"inputs": square(3).tolist()}, "/predict?explain=true")[0] == 200
    assert [set(found) for found in labels] == [{models["squares"].facts.labels[number % 4]} for number in range(1, 41)]
    assert network.traced == compiled
    assert set(network.run) == {1, 2, 4, 8}


def test_requests_at_the_same_time_share_batches_and_get_their_own_answers(models, network):
    held = threading.Event()
    with running(models) as served:
        network.run.clear()
        network.hook = lambda inputs: held.wait(10)
        with ThreadPoolExecutor(20) as pool:
            asked = [pool.submit(served.labels, square(number % 4)) for number in range(20)]
            wait_for(lambda: served.app.state.examples == 20)
            held.set()
            labels = [future.result() for future in asked]
    assert labels == [[models["squares"].facts.labels[number % 4]] for number in range(20)]
    assert len(network.run) < 20


def test_ready_only_after_all_is_compiled(models, network):
    held = threading.Event()
    network.hook = lambda inputs: held.wait(10)
    with running(models, ready=False) as served:
        assert served.ask("GET", "/health")[0] == 200
        status, headers, _ = served.ask("GET", "/ready")
        assert (status, headers["retry-after"]) == (503, "1")
        assert served.post({"inputs": square(0).tolist()})[0] == 503
        held.set()
        wait_for(lambda: served.ask("GET", "/ready")[0] == 200)
        assert served.labels(square(0)) == ["top left"]


def test_several_models_go_by_name():
    models = {name: Model(facts_of(name), Network(), None) for name in ("one", "two")}
    with running(models) as served:
        body = {"inputs": square(0).tolist()}
        assert served.post(body, "/models/two/predict")[2]["model"] == "two"
        assert served.post(body, "/predict?model=one")[2]["model"] == "one"
        status, _, answer = served.post(body)
        assert (status, answer["error"]) == (422, "several models: add ?model=NAME, of one, two")
        status, _, answer = served.post(body, "/models/three/predict")
        assert (status, answer["error"]) == (404, "no model of that name; there are one, two")
        listed = served.ask("GET", "/models")[2]["models"]
        assert [model["name"] for model in listed] == ["one", "two"]
        assert served.ask("GET", "/models/one")[2] == listed[0]
        assert listed[0]["inputs"]["shape"] == [4, 4, 1]


def test_a_full_queue_refuses_and_loses_nobody(models, network):
    held = threading.Event()
    with running(models, ServerSettings(queue=4, batch=2)) as served:
        network.hook = lambda inputs: held.wait(10)
        with ThreadPoolExecutor(4) as pool:
            asked = [pool.submit(served.labels, square(number)) for number in range(4)]
            wait_for(lambda: served.app.state.examples == 4)
            status, headers, answer = served.post({"inputs": square(0).tolist()})
            assert (status, headers["retry-after"], answer) == (429, "1", {"error": "the queue is full"})
            held.set()
            assert [future.result() for future in asked] == [[label] for label in models["squares"].facts.labels]
        assert served.labels(square(1)) == ["top right"]


def test_refusals_of_a_full_queue_leave_their_connections_open_and_are_counted(models, network, tmp_path):
    held, body = threading.Event(), json.dumps({"inputs": square(2).tolist()})
    log = (tmp_path / "log").open("w+")
    with running(models, ServerSettings(queue=1), log=log) as served:
        network.hook = lambda inputs: held.wait(10)
        with ThreadPoolExecutor(1) as pool:
            asked = pool.submit(served.labels, square(0))
            wait_for(lambda: served.app.state.examples)
            connection = served.connect()
            for sent in (body, [body[:9].encode(), body[9:].encode()], body):  # the second one in chunks
                connection.request("POST", "/predict?secret=1", sent, {"content-type": "application/json"})
                response = connection.getresponse()
                assert (response.status, response.read()) == (429, b'{"error": "the queue is full"}\n')
            connection.request("GET", "/ready")
            assert connection.getresponse().read().startswith(b'{"status": "ready"')
            assert served.ask("POST", "/predict", body, {"connection": "close"})[0] == 429
            held.set()
            assert asked.result() == ["top left"]
        connection.request("POST", "/predict", body, {"content-type": "application/json"})
        assert json.loads(connection.getresponse().read())["answers"][0]["label"] == "bottom left"
        connection.close()
        text = served.ask("GET", "/metrics")[2].decode()
    assert 'nnjax_http_requests_total{path="/predict",status="429"} 4.0' in text
    log.seek(0)
    assert log.read().count(" POST /predict 429 0.0 ms: the queue is full\n") == 3


def test_a_full_queue_still_asks_for_the_token_first(models, network):
    held, body = threading.Event(), {"inputs": square(0).tolist()}
    with running(models, ServerSettings(queue=1), token="secret") as served, ThreadPoolExecutor(1) as pool:
        network.hook = lambda inputs: held.wait(10)
        asked = pool.submit(served.post, body, authorization="bearer secret")
        wait_for(lambda: served.app.state.examples)
        assert served.post(body)[0] == 401
        assert served.post(body, authorization="Bearer secret")[0] == 429
        held.set()
        assert asked.result()[0] == 200


def test_a_request_that_alone_is_larger_than_the_queue_is_answered(models):
    with running(models, ServerSettings(queue=4, batch=2)) as served:
        assert len(served.labels(np.stack([square(0)] * 10))) == 10


def test_a_model_that_raises_fails_its_own_request_alone(models, network, tmp_path):
    def refuse(inputs):
        if np.any(inputs == 7):
            raise RuntimeError("secret/path")
        if np.any(inputs == 9):
            raise InputError("nine is not taken")

    network.hook = refuse
    log = (tmp_path / "log").open("w+")
    with running(models, log=log) as served:
        status, _, answer = served.post({"inputs": square(0, 7).tolist()})
        assert status == 500
        assert "secret" not in answer["error"]
        status, _, answer = served.post({"inputs": square(0, 9).tolist()})
        assert (status, answer["error"]) == (422, "nine is not taken")
        assert served.labels(square(1)) == ["top right"]
        assert served.ask("GET", "/health")[0] == 200
    log.seek(0)
    assert "RuntimeError: secret/path" in log.read()


def test_an_answer_that_takes_too_long_is_given_up(models, network):
    held = threading.Event()
    with running(models, ServerSettings(timeout=1.0)) as served:
        network.hook = lambda inputs: held.wait(10)
        status, _, answer = served.post({"inputs": square(0).tolist()})
        assert (status, answer["error"]) == (503, "no answer within 1 s")
        held.set()
        assert served.labels(square(0)) == ["top left"]


def test_a_model_that_cannot_be_run_stops_the_server(models, network):
    def fail(inputs):
        raise RuntimeError("no memory")

    network.hook = fail
    with running(models) as served:
        assert served.app.state.phase == "failed"
        assert str(served.app.state.failure) == "no memory"


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/nothing", 404),
        ("GET", "/predict", 405),
        ("POST", "/health", 405),
        ("POST", "/predict?explain=maybe", 422),
        ("POST", "/predict?model=" + "x" * 5000, 404),
        ("POST", "/models/%0a%0d/predict", 404),
        ("POST", "/predict/", 404),
    ],
)
def test_other_paths_and_ways_are_refused_as_json(models, method, path, status):
    with running(models) as served:
        found, _, answer = served.ask(method, path, b"x" if method == "POST" else None)
    assert found == status
    assert list(answer) == ["error"]
    assert "\n" not in answer["error"]
    assert len(answer["error"]) < 300


def test_the_token_guards_models_and_metrics_but_no_probe(models):
    with running(models, token="a secret".replace(" ", "-")) as served:
        for path in ("/", "/health", "/ready", "/docs", "/openapi.json"):
            assert served.ask("GET", path)[0] == 200
        for path in ("/models", "/metrics", "/models/squares"):
            status, headers, _ = served.ask("GET", path)
            assert (status, headers["www-authenticate"]) == (401, "Bearer")
            assert served.ask("GET", path, headers={"authorization": "Bearer a-secret"})[0] == 200
        body = {"inputs": square(0).tolist()}
        for wrong in ({}, {"authorization": "Bearer a-secre"}, {"authorization": "a-secret"}, {"authorization": "Bearer é"}):
            assert served.post(body, **wrong)[0] == 401
        for scheme in ("Bearer", "bearer", "BEARER "):
            assert served.post(body, authorization=f"{scheme} a-secret")[0] == 200


@pytest.mark.parametrize("path", ["/", "/docs", "/health", "/nothing"])
def test_each_header_comes_once(models, path):
    with running(models) as served:
        connection = served.connect()
        connection.request("GET", path)
        names = [name.lower() for name, _ in connection.getresponse().getheaders()]
        connection.close()
    assert "x-content-type-options" in names
    assert len(set(names)) == len(names)


def test_metrics_count_requests_examples_and_batches(models):
    with running(models) as served:
        served.labels(np.stack([square(0)] * 3))
        served.post({"inputs": "no"})
        text = served.ask("GET", "/metrics")[2].decode()
    lines = dict(line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))
    assert lines['nnjax_http_requests_total{path="/predict",status="200"}'] == "1.0"
    assert lines['nnjax_http_requests_total{path="/predict",status="422"}'] == "1.0"
    assert lines['nnjax_examples_total{model="squares"}'] == "3.0"
    assert lines['nnjax_batch_examples_sum{model="squares"}'] == "3.0"
    assert (lines["nnjax_queue_examples"], lines["nnjax_ready"]) == ("0.0", "1.0")
    assert "process_resident_memory_bytes" in lines


def test_the_log_has_one_line_a_request_and_no_line_of_a_clients_own(models, tmp_path):
    log = (tmp_path / "log").open("w+")
    with running(models, log=log) as served:
        served.labels(square(0))
        served.ask("GET", "/a%0ab%1b[31m" + "c" * 500)
    log.seek(0)
    first, second = log.read().splitlines()
    assert " POST /predict 200 " in first
    assert first.endswith(" squares 1 example")
    assert r"/a\nb\x1b[31m" in second
    assert len(second) < 300


def test_the_log_has_the_reason_of_a_refusal(models, tmp_path):
    log = (tmp_path / "log").open("w+")
    with running(models, token="secret", log=log) as served:
        served.post({"inputs": "no"}, authorization="Bearer secret")
        served.post({"inputs": "no"})
    log.seek(0)
    taken, refused = log.read().splitlines()
    assert re.search(r" POST /predict 422 \S+ ms: inputs: must be a list", taken)
    assert re.search(r" POST /predict 401 \S+ ms: needs the header Authorization: Bearer TOKEN", refused)


def test_a_compressed_body_is_refused(models):
    with running(models) as served:
        headers = {"content-encoding": "gzip"}
        status, _, answer = served.post({"inputs": square(0).tolist()}, **headers)
        assert (status, answer["error"]) == (415, "Content-Encoding: must be none")
        assert served.post({"inputs": square(0).tolist()}, **{"content-encoding": "identity"})[0] == 200


def test_json_is_ascii_safe_and_small(models):
    with running(models) as served:
        answer = served.post({"inputs": square(0).tolist()})[2]
    assert len(json.dumps(answer)) < 400
