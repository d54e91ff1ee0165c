"""Whether the packages of the server are installed; imports none of them.

check_extra()                                          # UserError: needs starlette, … : pip install 'nnjax[serve]'
"""

from importlib.util import find_spec

from nnjax.config.errors import UserError

_PACKAGES = ("starlette", "uvicorn", "httptools", "python_multipart", "prometheus_client")


def check_extra() -> None:
    """Checks that the server's packages are installed.

    Raises:
        UserError: with the command that installs them.
    """
    missing = [name.replace("_", "-") for name in _PACKAGES if find_spec(name) is None]
    if missing:
        raise UserError(f"the server needs {', '.join(missing)}: pip install 'nnjax[serve]'")
