"""A run's console output, on the terminal and, with times, in `train.log`.

with RunConsole(run_dir / "train.log") as console:
    console.print("60 000 training examples")
    console.print(model_table(rows))
    console.warn("checkpoint 1200 is damaged: resuming from checkpoint 600")
"""

import io
import os
import sys
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

from rich.console import Console, RenderableType
from rich.text import Text

from nnjax.config.shell import STAND_INS

_PLAIN_WIDTH = 100
_LOG_WIDTH = 160
_MIN_WIDTH = 20
_MAX_WIDTH = 10_000


class RunConsole:
    """Writes to the terminal (or a pipe) and to the log file.

    Strings are printed verbatim, without rich's markup; pass a `rich.text.Text` for colours. Colours are off if the output is
    not a terminal, and with NO_COLOR.

    Args:
        log_path: file to append to; None keeps no log.
        held: hold the log's lines until `begin_log`, and leave the file unchanged if that is not called.
        quiet: print nothing; for all but the first process of a distributed run.
        file: the output stream; None is standard output.

    Attributes:
        rich: the underlying rich console.
        live: whether a progress bar can be redrawn in place.
    """

    def __init__(self, log_path: Path | None, *, held: bool = False, quiet: bool = False, file: IO[str] | None = None) -> None:
        self._stream: Any = file or sys.stdout  # None in a program without a console
        self._errors = getattr(self._stream, "errors", None)
        if hasattr(self._stream, "reconfigure"):
            # A terminal that cannot encode a character must not end a training.
            self._stream.reconfigure(errors=STAND_INS)
        # Open MPI gives its processes a pseudo-terminal, whatever its own output is, and does not read it while it ends them:
        # a progress bar would fill it, and a process that waits to write saves nothing.
        is_terminal = self._stream is not None and self._stream.isatty() and "OMPI_COMM_WORLD_SIZE" not in os.environ
        width = None if is_terminal or _columns() else _PLAIN_WIDTH
        plain = False if "OMPI_COMM_WORLD_SIZE" in os.environ else None
        self.rich = Console(
            file=file, width=width, quiet=quiet, force_terminal=plain, highlight=False, markup=False, emoji=False
        )
        if self.rich.width > _MAX_WIDTH:  # rich accepts any COLUMNS, and pads tables to that width
            self.rich.width = _PLAIN_WIDTH
        self.rich.width = max(self.rich.width, _MIN_WIDTH)  # narrower, tables show nothing
        # Not `rich.is_terminal`: CI services set FORCE_COLOR, which makes it true for a pipe.
        self.live = is_terminal and not self.rich.is_dumb_terminal and not quiet
        self._log_path, self._held = log_path, io.StringIO() if held else None
        self._log: IO[str] | None = self._held
        if not held:
            self.begin_log()

    def begin_log(self) -> None:
        """Opens the log, and writes the lines that were held; further calls do nothing."""
        if self._log_path is None or self._log is not self._held:
            return
        self._log_path.parent.mkdir(parents=True, exist_ok=True)
        # escapes file names that are not UTF-8
        self._log = self._log_path.open("a", encoding="utf-8", errors="backslashreplace")
        if self._held is not None:
            self._log.write(self._held.getvalue())

    def log_to(self, path: Path) -> None:
        """Names the log, where it could not be named before, and begins it."""
        self._log_path = path
        self.begin_log()

    def log_only(self, line: str) -> None:
        """Appends a line to the log, if there is one."""
        if self._log is not None:
            with suppress(OSError, ValueError):
                self._log.write(f"{datetime.now():%Y-%m-%d %H:%M:%S}  {line}\n")
                self._log.flush()

    def print(self, what: RenderableType) -> None:
        """Prints text, or anything that rich renders, and appends it to the log, each line with the time."""
        soft_wrap = isinstance(what, str | Text)  # keeps a long path on one line, to be copied or searched for
        self.rich.print(what, soft_wrap=soft_wrap)
        if self._log is None:
            return
        try:
            self._write_log(what, soft_wrap=soft_wrap)
        except OSError as error:  # the terminal shows it all, and the metrics' file tells whether the run can go on
            log, self._log = self._log, None
            with suppress(OSError):
                log.close()
            self.warn(f"{log.name}: cannot be written: {error.strerror}; the log ends here")

    def _write_log(self, what: RenderableType, *, soft_wrap: bool) -> None:
        assert self._log is not None
        plain = Console(width=_LOG_WIDTH, color_system=None, highlight=False, markup=False, emoji=False)
        with plain.capture() as capture:
            plain.print(what, soft_wrap=soft_wrap)
        now = f"{datetime.now():%Y-%m-%d %H:%M:%S}"
        self._log.writelines(f"{now}  {line}".rstrip() + "\n" for line in capture.get().splitlines())
        self._log.flush()

    def warn(self, text: str) -> None:
        """Prints a text marked as a warning."""
        self.print(Text.assemble(("warning: ", "bold yellow"), text))

    def close(self) -> None:
        """Closes the log, and restores the output stream's error handling."""
        if self._errors is not None and hasattr(self._stream, "reconfigure"):
            with suppress(OSError, ValueError):
                self._stream.reconfigure(errors=self._errors)
            self._errors = None
        if self._log is not None:
            with suppress(OSError):
                self._log.close()
            self._log = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()


def _columns() -> int | None:
    """The width in COLUMNS, if rich accepts it and it is at most `_MAX_WIDTH`; else None."""
    text = os.environ.get("COLUMNS", "")
    return int(text) if text.isascii() and text.isdigit() and 0 < int(text) <= _MAX_WIDTH else None
