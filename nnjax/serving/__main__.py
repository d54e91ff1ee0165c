"""Runs an exported model: `python -m nnjax.serving model.nnjax photo.png`, with jax, numpy and pillow alone.

`python -m experiments.export run=…` writes such a file. Exit codes: 0 answered; 2 usage; 3 a file that cannot be read; 130
after Ctrl-C; 1 anything else.
"""

import argparse
import io
import os
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NoReturn

from nnjax.config import leaving
from nnjax.config.errors import ConfigError, UserError
from nnjax.config.shell import STAND_INS
from nnjax.config.streams import open_streams

_EXAMPLES = """examples:
  python -m nnjax.serving model.nnjax photo.png scans/ 'more/*.png'
  python -m nnjax.serving model.nnjax --json - < photo.png
  python -m nnjax.serving model.nnjax photo.png --explain out.png
  python -m nnjax.serving model.nnjax --rows new.csv
  python -m nnjax.serving model.nnjax --info
  python -m nnjax.serving model.nnjax another.nnjax --http :8080
  python -m nnjax.serving model.nnjax --http :8080 --hosts models.example
"""
_OF_THE_SERVER = """Requests must bring the token of $NNJAX_TOKEN, where it is set.
python -m experiments.serve serves runs, and has more options: limits, timeouts, a token's file."""
_LARGEST_PORT = 65_535
_TOP = 3
_WITH_HTTP = ("hosts", "batch", "wait")  # options that are keys of `ServerSettings`


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command with its arguments; returns the exit code."""
    if argv is None:
        open_streams()
        if isinstance(sys.stdout, io.TextIOWrapper):
            sys.stdout.reconfigure(errors=STAND_INS)  # a terminal that cannot show a letter must not end the command
    arguments = _parser().parse_args(argv)
    if argv is None and arguments.http is not None:
        leaving.begin()  # as a container's first process, it would ignore SIGTERM while its models are loaded
    try:
        return _run(arguments)
    except UserError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:  # whoever read the answers has enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m nnjax.serving",
        description="Answers pictures or rows with an exported model, in a terminal or over HTTP.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("model", help="a file that python -m experiments.export has written")
    parser.add_argument("inputs", nargs="*", metavar="picture", help="a picture, a folder, a pattern, or - for standard input")
    parser.add_argument("--rows", metavar="FILE.csv", type=Path, help="rows of numbers, for a model of vectors or of a series")
    parser.add_argument("--json", action="store_true", help="print JSON lines, with what was done to each picture")
    parser.add_argument("--top", type=_positive, default=_TOP, metavar="N", help="name the N most probable classes (3)")
    parser.add_argument("--explain", metavar="OUT.png", type=Path, help="draw how the picture was prepared, and what decided")
    parser.add_argument("--info", action="store_true", help="print what the file says about the model")
    parser.add_argument("--http", metavar="HOST:PORT", help="serve the models over HTTP; further arguments are models, too")
    http = parser.add_argument_group("with --http", _OF_THE_SERVER)
    http.add_argument("--hosts", action="append", metavar="NAME", help="by which a proxy in front calls the server; * for any")
    http.add_argument("--batch", metavar="N", help="compute at most N examples together (64); 1: each request alone")
    http.add_argument("--wait", metavar="SECONDS", help="let an example wait for others that are on their way (2e-3)")
    return parser


def _run(arguments: argparse.Namespace) -> int:
    # Another process imports JAX, so that its absence would look like a fault of the file.
    needed = ("numpy", "PIL") if arguments.info else ("jax", "jaxlib", "numpy", "PIL")
    if missing := [name for name in needed if find_spec(name) is None]:
        raise ConfigError(f"python -m nnjax.serving needs {', '.join(missing)}: pip install jax numpy pillow")
    from nnjax.serving.model_file import ModelFile

    model_path = Path(arguments.model)
    settings = {name: value for name in _WITH_HTTP if (value := getattr(arguments, name)) is not None}
    if arguments.http is not None:
        _check_alone(arguments)
        return _serve([model_path, *map(Path, arguments.inputs)], arguments.http, settings)
    if settings:
        raise ConfigError(f"--{next(iter(settings))}: goes with --http alone")
    if arguments.info:
        from nnjax.serving.answers_command import print_out
        from nnjax.serving.facts_text import facts_text

        print_out(facts_text(ModelFile(model_path).facts))
        return 0
    if not arguments.inputs and arguments.rows is None:
        raise ConfigError("no picture is given; write its name behind the model's, or --rows FILE.csv, --info, --http :8080")
    from nnjax.serving.answers_command import answer

    return answer(ModelFile(model_path), arguments)


def _check_alone(arguments: argparse.Namespace) -> None:
    """Refuses options that say how one answer is printed."""
    given = {"--rows": arguments.rows, "--json": arguments.json, "--explain": arguments.explain, "--info": arguments.info}
    words = [name for name, value in given.items() if value] + (["--top"] if arguments.top != _TOP else [])
    if words:
        raise ConfigError(f"--http: {', '.join(words)} do{'es' if len(words) == 1 else ''} not go with it")


def _serve(paths: Sequence[Path], address: str, given: Mapping[str, Any]) -> int:
    """Serves models with the given settings, if the packages of the extra are here."""
    from nnjax.config.parsing import parse
    from nnjax.config.serve_options import ServerSettings

    host, _, port = address.rpartition(":")
    if not port.isdecimal() or int(port) > _LARGEST_PORT:
        raise ConfigError(f"--http {address}: must be HOST:PORT or :PORT, such as :8080")
    settings = parse(ServerSettings, {"host": host.strip("[]") or "127.0.0.1", "port": int(port), **given})
    try:
        from nnjax.serving.server.listening import bound, serve
    except ModuleNotFoundError as error:
        raise ConfigError(f"--http: needs {error.name}: pip install 'nnjax[serve]'") from error
    from nnjax.serving.model_file import ModelFile
    from nnjax.serving.model_names import own_names

    with bound(settings) as listening:
        files = [ModelFile(path) for path in paths]
        names = [file.facts.name for file in files]
        if len(set(names)) < len(names):  # two runs of one network and dataset
            names = [path.stem for path in paths]
        serve(dict(zip(own_names(names), (file.model() for file in files), strict=True)), settings, listening)
    return 0


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"must be a whole number above 0; it is {text!r}")
    return int(text)


def _end(code: int) -> NoReturn:
    """Ends the process without the clean-up of JAX, which takes a tenth of a second."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError):
            stream.flush()
    os._exit(code)


if __name__ == "__main__":
    _end(main())
