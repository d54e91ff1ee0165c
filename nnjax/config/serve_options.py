"""The settings of a server, and the config of `experiments.serve`.

settings = ServerSettings(port=0, batch=32)
settings.host, settings.queue                   # ("127.0.0.1", 256)

`python -m nnjax.serving` uses them without the packages that read configs.
"""

from dataclasses import dataclass
from typing import Annotated, Literal

from nnjax.config.parallel_options import MemoryLimit
from nnjax.config.types import Bounds, NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt

Port = Annotated[int, Bounds(at_least=0, at_most=65535)]
BatchSize = Annotated[int, Bounds(at_least=1, at_most=1024)]
BodySize = Annotated[int, Bounds(at_least=1024, at_most=2**30)]
Pixels = Annotated[int, Bounds(at_least=1, at_most=10**9)]

TOKEN_VARIABLE = "NNJAX_TOKEN"


@dataclass(frozen=True, kw_only=True)
class ServerSettings:
    """How a server listens, gathers requests into batches, and limits them.

    Attributes:
        host: address to listen on; only this machine reaches a loopback address.
        port: 0 takes a free one.
        token_file: a file with the token that requests must bring; else `NNJAX_TOKEN` of the environment holds one, or there is
            no authentication.
        hosts: names by which a proxy in front calls the server, besides this machine's own; "*" for any. On a loopback address
            without a token, requests for other hosts and from other servers' pages are refused.
        batch: the most examples that are computed together; 1 computes each request alone.
        wait: the most seconds that an example waits for others, and only while others are being prepared.
        queue: the most examples that are accepted and not yet answered; more are refused with 429.
        examples: the most examples in a request.
        body: the most bytes of a request's body.
        pixels: the most pixels of a picture, decoded.
        connections: the most open connections; more are refused with 503.
        timeout: seconds in which a request's head, and then its body, must arrive, and its answer be computed.
        drain: seconds that accepted requests get after SIGTERM or Ctrl-C.
        log: whether each request writes a line to stderr.
    """

    host: str = "127.0.0.1"
    port: Port = 8080
    token_file: str | None = None
    hosts: tuple[str, ...] = ()
    batch: BatchSize = 64
    wait: NonNegativeFloat = 2e-3
    queue: PositiveInt = 256
    examples: PositiveInt = 64
    body: BodySize = 16 * 2**20
    pixels: Pixels = 24_000_000
    connections: PositiveInt = 1000
    timeout: PositiveFloat = 20.0
    drain: PositiveFloat = 20.0
    log: bool = True


@dataclass(frozen=True, kw_only=True)
class ServeConfig(ServerSettings):
    """`python -m experiments.serve run=outputs/…`.

    Attributes:
        run: folder of a run, or of several.
        checkpoint: `last`, `best`, `tested` (the one that training tested), or a step.
        memory_limit: like `parallel.memory_limit`, for loading.
    """

    run: str | tuple[str, ...]
    checkpoint: Literal["last", "best", "tested"] | NonNegativeInt = "tested"
    memory_limit: MemoryLimit = "auto"
