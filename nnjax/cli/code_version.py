"""A hash of the code that determines a run's numbers, by which a sweep recognises its finished jobs.

code_version()       # "3f0c9a51d2be"; another one after a change of nnjax/training, of a plugin, or of JAX

Covered are the package's Python files, the files given with `--plugin`, and the versions of the numerical libraries. The
packages that only show, compare or serve results are left out: a new table does not make a sweep's results outdated.
"""

import hashlib
from functools import cache
from importlib import metadata
from pathlib import Path

from nnjax.cli import startup
from nnjax.cli.plugins import loaded_plugins
from nnjax.config.invocation import is_own

WITHOUT_EFFECT = frozenset(
    {"cli", "comparing", "interconnect", "records", "reporting", "searching", "serving", "textbook", "tracking"}
)
"""The packages of nnjax that compute none of a training's numbers."""

_LIBRARIES = ("jax", "jaxlib", "flax", "optax", "numpy")


def code_version() -> str:
    """Returns twelve hexadecimal digits; equal for equal code."""
    digest = hashlib.sha256(_package_hash(Path(__file__).resolve().parents[1]).encode())
    for plugin in loaded_plugins():
        digest.update(f"plugin {plugin.sha256}\n".encode())
    return digest.hexdigest()[:12]


def loaded_code_version() -> str | None:
    """The version of the code that this process has loaded, if it is a command's, and loads only what its files say.

    Returns:
        None where a plugin or another program may have changed what is computed, or a file was changed since the process began.
    """
    package = Path(__file__).resolve().parents[1]
    if startup.began_at is None or loaded_plugins() or not is_own("experiments.train"):
        return None
    newest = max(path.stat().st_mtime for path in package.rglob("*.py"))
    return code_version() if newest < startup.began_at else None


@cache
def _package_hash(package: Path) -> str:
    digest = hashlib.sha256()
    for path in sorted(package.rglob("*.py")):
        name = path.relative_to(package)
        if name.parts[0] not in WITHOUT_EFFECT:
            content = path.read_bytes()
            digest.update(f"{name.as_posix()} {len(content)}\n".encode() + content)
    for library in _LIBRARIES:
        digest.update(f"{library} {_version(library)}\n".encode())
    return digest.hexdigest()


def _version(library: str) -> str | None:
    try:
        return metadata.version(library)
    except metadata.PackageNotFoundError:
        return None
