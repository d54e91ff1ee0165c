"""Overrides that hold a path, in quotes where Hydra's grammar cannot read the path without them.

quoted_path("image=scans/*.png", sweep=False)            # "image='scans/*.png'"
"""

import re

from nnjax.cli.hydra_runner import quoted

_PATHS = ("run", "resume", "rerun", "data.directory", "data.file", "archives", "image", "rows", "to", "token_file")
_HYDRA_PATHS = ("hydra.run.dir", "hydra.sweep.dir")  # never swept


def quoted_path(text: str, *, sweep: bool) -> str:
    """Returns an override with its path in quotes, where Hydra's grammar cannot read the path without them.

    In a sweep, commas separate several paths, and each path gets quotes of its own.
    """
    key, _, value = text.partition("=")
    if key == "run" and re.fullmatch(r"\[.*\]", value):  # a list of runs
        return f"run=[{','.join(quoted_path(f'run={path.strip()}', sweep=False)[4:] for path in value[1:-1].split(','))}]"
    several = sweep and key in _PATHS and not re.search(r"(^|,)\s*(['\"]|\w+\(.*\)$)", value)
    paths = value.split(",") if several else [value]
    plain = all(re.fullmatch(r"[\w/.:@%+-]*|(['\"]).*\1", path, re.ASCII) or "${" in path for path in paths)
    if plain or key not in (*_PATHS, *_HYDRA_PATHS) or (sweep and key in _PATHS and not several):
        return text
    return f"{key}={','.join(quoted(key, path).partition('=')[2] for path in paths)}"
