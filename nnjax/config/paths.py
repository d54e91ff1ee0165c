"""Turns the system's refusal of a path into one line: key, path and reason.

with reaching("hydra.run.dir", path, "cannot be made"):
    path.mkdir(parents=True)
# ConfigError: hydra.run.dir=/x/yyy…: cannot be made: File name too long
"""

import errno
import os
import re
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from nnjax.config.errors import ConfigError, UserError
from nnjax.config.shell import shell_text

# Faults of a machine or of a path, where a traceback does not help.
_OUTSIDE = frozenset(
    getattr(errno, name)
    for name in (
        *("EACCES", "EDQUOT", "EEXIST", "EFBIG", "EIO", "EISDIR", "ELOOP", "EMFILE"),
        *("ENAMETOOLONG", "ENFILE", "ENOSPC", "ENOTDIR", "EPERM", "EROFS", "ESTALE"),
    )
    if hasattr(errno, name)
)
_CHECKOUT = Path(__file__).resolve().parents[2]
_LONGEST_PART = 255  # bytes, on nearly every file system
_LONGEST_PATH = 4095
_LONGEST_NAME = 100  # of a name that a folder is given


def shown_path(path: Path) -> str:
    """Writes a path for a message: relative to the checkout or to here, else absolute; in shell quotes if needed."""
    for base in (_CHECKOUT, Path.cwd()):
        if path.is_relative_to(base) and (base != _CHECKOUT or (base / "pyproject.toml").is_file()):
            return shell_text(path.relative_to(base))
    return shell_text(path)


def file_name(text: str) -> str:
    """A text as part of a file's name that needs no quotes, in a shell or in an override, and is not too long."""
    text = re.sub(r"[\"'\[\]{}()+\s]", "", text).replace("=", "-")
    return re.sub(r"[^\w.%@-]", "_", text)[:_LONGEST_NAME]


@contextmanager
def reaching(key: str, path: Path | str, what: str = "cannot be read", error: type[UserError] = ConfigError) -> Iterator[None]:
    """Turns a system error about a path into an error that names the key.

    Args:
        key: the key that set the path; "" if none did.
        path: as it was given; if the system's error names another path, such as a folder above, that one is shown.
        what: the failed action.
        error: the type of the error, which decides the exit code.
    """
    try:
        yield
    except (OSError, ValueError, RuntimeError) as problem:
        if isinstance(problem, UserError) or (reason := why(problem)) is None:
            raise
        named = f"{key}={shown_path(Path(path))}" if key else shown_path(Path(path))
        raise error(f"{named}: {what}: {reason}") from problem


def why(problem: Exception) -> str | None:
    """Returns why a path could not be used, in words; None for an error of another kind."""
    if isinstance(problem, FileExistsError) and isinstance(problem.filename, str):
        link = Path(problem.filename).is_symlink()
        return f"{shown_path(Path(problem.filename))} is {'a link to no folder' if link else 'a file, not a folder'}"
    if isinstance(problem, OSError):
        return problem.strerror or type(problem).__name__
    if isinstance(problem, ValueError) and "null" in str(problem):
        return "a name cannot hold a NUL character"
    # pathlib has no type of its own for these
    if isinstance(problem, RuntimeError) and ("Symlink loop" in str(problem) or "home directory" in str(problem)):
        return str(problem)
    return None


def outside_fault(problem: Exception, folder: Path) -> str | None:
    """Describes, in a line, an exception that the machine caused and not the program: a full disk, no permission.

    Args:
        problem: any exception.
        folder: the working folder, for an error that names no file.
    """
    if not isinstance(problem, OSError) or problem.errno not in _OUTSIDE:
        return None
    place = Path(os.fsdecode(problem.filename)) if isinstance(problem.filename, str | bytes) else folder
    return f"{shown_path(place)}: {problem.strerror}"


def absence(path: Path, kind: str = "folder") -> str:
    """Returns why nothing is found at a path: there is no such folder, or the system's reason."""
    try:
        path.stat()
    except (OSError, ValueError) as problem:
        if isinstance(problem, FileNotFoundError):
            return f"no such {kind}" + (", but a link to one" if path.is_symlink() else "")
        return f"no such {kind}: {why(problem)}"
    return "is a file, not a folder" if kind == "folder" and not path.is_dir() else f"no such {kind}"


def is_file(path: Path) -> bool:
    """Whether a file exists and may be accessed."""
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


def is_dir(path: Path) -> bool:
    """Whether a folder exists and may be accessed."""
    try:
        return path.is_dir()
    except (OSError, ValueError):
        return False


def expanded(path: str, key: str, error: type[UserError] = ConfigError) -> Path:
    """A path with its `~` replaced."""
    with reaching(key, path, "cannot be found", error):
        if "\0" in path:
            raise ValueError("embedded null byte")
        return Path(path).expanduser()


def check_writable(folder: Path, key: str) -> None:
    """Makes a file in a folder and removes it: on a file system that is mounted read-only, permissions say nothing.

    Raises:
        ConfigError: if that fails.
    """
    check_name(folder, key)
    with reaching(key, folder, "cannot be written to"), tempfile.TemporaryFile(dir=folder) as file:
        file.write(b"x")
        file.flush()


def check_name(path: Path | str, key: str) -> None:
    """Raises a ConfigError for a folder name that no file system allows, or that no checkpoint can be written to."""
    try:
        str(path).encode()
    except UnicodeEncodeError:
        encoding = sys.getfilesystemencoding()
        reason = f"its letters are no {encoding}, and checkpoints cannot be written there"
        ways_out = "choose another folder" + ("" if encoding == "utf-8" else ", or set PYTHONUTF8=1")
        raise ConfigError(f"{key}={shown_path(Path(path))}: {reason}; {ways_out}") from None
    if any(len(os.fsencode(part)) > _LONGEST_PART for part in Path(path).parts) or len(os.fsencode(path)) > _LONGEST_PATH:
        raise ConfigError(f"{key}={shown_path(Path(path))}: cannot be made: {os.strerror(errno.ENAMETOOLONG)}")


def check_holds_checkpoints(folder: Path, key: str) -> None:
    """Raises a ConfigError for a folder name that Orbax reads as another's: its checkpoints would be lost."""
    if found := re.search(r"\\|\[.+\]", str(folder.absolute())):
        reason = f"checkpoints cannot be written below a folder with {found[0]} in its name; choose another folder"
        raise ConfigError(f"{key}={shown_path(folder)}: {reason}")


def cache_directory() -> Path:
    """`$NNJAX_CACHE`, else `$XDG_CACHE_HOME/nnjax`, else `~/.cache/nnjax`; it need not exist.

    A person without a home has `nnjax-NUMBER` in the folder for temporary files.
    """
    own, base = os.environ.get("NNJAX_CACHE"), os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    try:
        return Path(own).expanduser() if own else Path(base).expanduser() / "nnjax"
    except RuntimeError:  # no HOME, and the system knows of none
        return Path(tempfile.gettempdir()) / f"nnjax-{os.getuid() if hasattr(os, 'getuid') else 0}"
