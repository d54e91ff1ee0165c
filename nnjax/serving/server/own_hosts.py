"""Whose pages may ask a server that only this machine reaches: its own alone.

proxies = own_hosts("127.0.0.1", token=None, proxies=())   # frozenset(); None: whoever reaches it may ask
check_hosts(headers, proxies)                              # RequestError 403

A browser on this machine reaches the server for any page that it shows. A page elsewhere can give its own name this machine's
address (DNS rebinding), and would then read answers: such a request names a host that is not this one. Other pages may send
requests without reading the answers: these name another origin. Clients that are no browsers send no origin.
"""

import ipaddress
from collections.abc import Collection, Sequence

from nnjax.serving.server.request_error import RequestError

ANY = "*"


def own_hosts(address: str, token: str | None, proxies: Sequence[str]) -> frozenset[str] | None:
    """The names besides this machine's by which requests may call the server; None where no request is looked at.

    Args:
        address: it listens on.
        token: that requests must bring; a page elsewhere has none.
        proxies: names of proxies in front; "*" for any name.
    """
    if token is not None or ANY in proxies or not ipaddress.ip_address(address.partition("%")[0]).is_loopback:
        return None
    return frozenset(name.lower() for name in proxies)


def check_hosts(headers: Sequence[tuple[bytes, bytes]], proxies: Collection[str] | None) -> None:
    """Refuses a request that is for another host, or from a page of another origin.

    Args:
        headers: with names in lower case.
        proxies: as from `own_hosts`.

    Raises:
        RequestError: 403.
    """
    if proxies is None:
        return
    named = {name: value.decode("latin-1").lower() for name, value in headers if name in (b"host", b"origin")}
    host = named.get(b"host", "")
    if host and not _is_here(_name(host)) and _name(host) not in proxies:
        raise RequestError(403, "Host: is another server's; behind a proxy of that name, set hosts or a token")
    origin = named.get(b"origin", f"//{host}").partition("//")[2]
    if origin != host and _name(origin) not in proxies:
        raise RequestError(403, "Origin: a page of another server; only the server's own may ask")


def _name(host: str) -> str:
    """A host without its port."""
    return host.partition("]")[0][1:] if host.startswith("[") else host.partition(":")[0]


def _is_here(name: str) -> bool:
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return name == "localhost"
