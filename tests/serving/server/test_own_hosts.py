"""Pages elsewhere do not ask a server that only this machine reaches."""

import pytest
from serving_thread import running

from nnjax.serving.server.own_hosts import check_hosts, own_hosts
from nnjax.serving.server.request_error import RequestError


def asks(host, origin=None, proxies=frozenset()):
    headers = [(b"host", host.encode())] + ([] if origin is None else [(b"origin", origin.encode())])
    try:
        check_hosts(headers, proxies)
    except RequestError as error:
        return error.reason.partition(":")[0]


@pytest.mark.parametrize("host", ["127.0.0.1:8080", "localhost:8080", "LOCALHOST", "[::1]:8080", "127.9.9.9", ""])
def test_this_machines_names_are_its_own(host):
    assert asks(host) is None
    assert asks(host, f"http://{host}") is None


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8080", "192.0.2.1", "127.0.0.1.evil.example", "[::2]", "a]b["])
def test_another_name_is_refused(host):
    assert asks(host) == "Host"
    assert asks(host, f"http://{host}") == "Host"


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://localhost:3000", "http://127.0.0.1", "localhost"])
def test_a_page_of_another_origin_is_refused(origin):
    assert asks("127.0.0.1:8080", origin) == "Origin"


def test_a_proxys_name_is_let_in_whether_or_not_it_passes_the_host_on():
    proxies = own_hosts("127.0.0.1", None, ["Models.example"])
    assert asks("models.example", "https://models.example", proxies) is None
    assert asks("127.0.0.1:8080", "https://models.example", proxies) is None
    assert asks("127.0.0.1:8080", "https://evil.example", proxies) == "Origin"


@pytest.mark.parametrize(
    ("address", "token", "proxies"),
    [("0.0.0.0", None, ()), ("::", None, ()), ("127.0.0.1", "secret", ()), ("::1", None, ("*",))],
)
def test_others_are_asked_for_a_token_or_warned_of_instead(address, token, proxies):
    assert own_hosts(address, token, proxies) is None
    assert asks("evil.example", "null", None) is None


def test_over_http(models):
    with running(models, proxies=frozenset()) as served:
        assert served.ask("GET", "/models")[0] == 200
        status, _, answer = served.ask("GET", "/models", headers={"host": "evil.example"})
        assert (status, answer["error"].partition(":")[0]) == (403, "Host")
        assert served.ask("GET", "/models", headers={"origin": "http://evil.example"})[0] == 403
        assert served.ask("GET", "/models", headers={"origin": f"http://127.0.0.1:{served.port}"})[0] == 200
