"""A hash of the code that determines a run's numbers, for finished jobs of a sweep, and for programs of earlier commands.

code_version()       # "3f0c9a51d2be"; another one after a change of nnjax/training, of a plugin, or of JAX

Covered are the package's Python files, the files given with `--plugin`, and the versions of the numerical libraries. The
packages that only show, compare or serve results are left out: a new table does not make a sweep's results outdated.
"""

import hashlib
from functools import cache
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

from nnjax.cli import startup
from nnjax.cli.plugins import loaded_plugins
from nnjax.config.invocation import is_own

WITHOUT_EFFECT = frozenset(
    {"cli", "comparing", "interconnect", "records", "reporting", "searching", "serving", "textbook", "tracking"}
)
"""The packages of nnjax that compute none of a training's numbers."""

_LIBRARIES = ("jax", "jaxlib", "flax", "optax", "numpy")
_TRACED = ("jax", "flax", "optax")  # whose Python code makes programs
_PACKAGE = Path(__file__).resolve().parents[1]


def code_version() -> str:
    """Returns twelve hexadecimal digits; equal for equal code."""
    digest = hashlib.sha256(_package_hash(_PACKAGE).encode())
    for plugin in loaded_plugins():
        digest.update(f"plugin {plugin.sha256}\n".encode())
    return digest.hexdigest()[:12]


def loaded_code_version() -> str | None:
    """The version of the code that this process has loaded, where its files say what that is; ask when all of it is loaded.

    This package counts by content, as in `code_version`; libraries by the names, sizes and times of their files, too, since a
    person may have changed one.

    Returns:
        None where a plugin or another program may have changed what is computed, where a file was changed since the process
        began, or where that cannot be known.
    """
    if startup.began_at is None or loaded_plugins() or not is_own("experiments.train"):
        return None
    digest = hashlib.sha256()
    try:
        digest.update(code_version().encode())
        libraries = [path for library in _TRACED for path in _sources(_folder_of(library))]
        states = {path: path.stat() for path in (*_sources(_PACKAGE), *libraries)}
    except OSError:
        return None
    for path in libraries:
        digest.update(f"{path} {states[path].st_size} {states[path].st_mtime_ns}\n".encode())
    newest = max(max(state.st_mtime, state.st_ctime) for state in states.values())
    return digest.hexdigest() if newest < startup.began_at else None


@cache
def _package_hash(package: Path) -> str:
    digest = hashlib.sha256()
    for path in _sources(package):
        name = path.relative_to(package)
        if name.parts[0] not in WITHOUT_EFFECT:
            content = path.read_bytes()
            digest.update(f"{name.as_posix()} {len(content)}\n".encode() + content)
    for library in _LIBRARIES:
        digest.update(f"{library} {_version(library)}\n".encode())
    return digest.hexdigest()


def _sources(package: Path) -> list[Path]:
    return sorted(path for path in package.rglob("*.py") if not path.name.startswith("."))  # an editor's, of no content


def _folder_of(library: str) -> Path:
    spec = find_spec(library)
    if spec is None or spec.origin is None:
        raise FileNotFoundError(library)
    return Path(spec.origin).parent


def _version(library: str) -> str | None:
    try:
        return metadata.version(library)
    except metadata.PackageNotFoundError:
        return None
