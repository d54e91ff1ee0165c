"""Overrides that hold a path, in quotes where Hydra's grammar cannot read the path without them.

quoted_path("image=scans/*.png", sweep=False)            # "image='scans/*.png'"
"""

import re

from nnjax.cli.hydra_runner import quoted

_LISTS = ("run", "runs", "compare")
_PATHS = (
    *(*_LISTS, "sweep", "resume", "rerun", "data.directory", "data.file", "archives", "image", "rows", "to", "token_file"),
    *("device.run", "report.tracking.folder"),
)
_HYDRA_PATHS = ("hydra.run.dir", "hydra.sweep.dir")  # never swept
_ITEM = re.compile(r"""\s*('(?:\\.|[^'\\])*'|"(?:\\.|[^"\\])*"|[^,]+)\s*(?:,|$)""")  # commas in quotes part nothing


def quoted_path(text: str, *, sweep: bool) -> str:
    """Returns an override with its path in quotes, where Hydra's grammar cannot read the path without them.

    In a sweep, commas separate several paths, and each path gets quotes of its own.
    """
    key, _, value = text.partition("=")
    if key in _LISTS and re.fullmatch(r"\[.*\]", value):
        if sweep and re.search(r"\],\s*\[", value):  # several lists
            return text
        items = (quoted_path(f"{key}={path.strip()}", sweep=False).partition("=")[2] for path in _ITEM.findall(value[1:-1]))
        return f"{key}=[{','.join(items)}]"
    several = sweep and key in _PATHS and not re.search(r"(^|,)\s*(['\"]|\w+\(.*\)$)", value)
    paths = value.split(",") if several else [value]
    plain = all(re.fullmatch(r"[\w/.:@%+-]*|(['\"]).*\1", path, re.ASCII) or "${" in path for path in paths)
    if plain or key not in (*_PATHS, *_HYDRA_PATHS) or (sweep and key in _PATHS and not several):
        return text
    return f"{key}={','.join(quoted(key, path).partition('=')[2] for path in paths)}"
