"""Figures depend only on their data: not on the backend, the user's settings or a writable folder."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from nnjax.reporting.figures.canvas import BLUE, canvas
from nnjax.reporting.figures.drawing import plain_matplotlib

ROOT = Path(__file__).parents[2]
DRAW = """
import os, sys
from pathlib import Path
before = dict(os.environ)
from nnjax.reporting.figures.canvas import canvas, preload
preload()
with canvas(Path(sys.argv[1]), 3, 2, svg=True) as figure:
    axes = figure.add_subplot(title="losses")
    axes.plot([1, 2, 4])
assert dict(os.environ) | {"MPLCONFIGDIR": ""} == before | {"MPLCONFIGDIR": ""}
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("settings")
    hostile = "backend: foo\nnonsense: 1\nlines.linewidth: 30\nfont.size: 40\naxes.facecolor: red\nsavefig.dpi: 7\n"
    for name, content in {
        "bytes": b"\xff\xfe",
        "hostile": hostile.encode(),
        "locale": b"axes.formatter.use_locale: True\n",
    }.items():
        (folder / name).mkdir()
        (folder / name / "matplotlibrc").write_bytes(content)
    (folder / "styles/stylelib").mkdir(parents=True)
    (folder / "styles/stylelib/mine.mplstyle").write_bytes(b"\xff\xfe")
    (folder / "loop").symlink_to("loop")
    (folder / "file").touch()
    return folder


def drawn(folder: Path, cwd: Path | None = None, **settings: str) -> tuple[bytes, bytes]:
    path = folder / "drawn.png"
    path.unlink(missing_ok=True)
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("MPL", "MATPLOTLIB"))}
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", DRAW, str(path)],
        cwd=cwd,
        env=environment | {"PYTHONPATH": str(ROOT)} | settings,
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    return path.read_bytes(), path.with_suffix(".svg").read_bytes()


@pytest.fixture(scope="module")
def plain(folder: Path) -> tuple[bytes, bytes]:
    return drawn(folder)


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["module://matplotlib_inline.backend_inline", "nonsense", "TkAgg", ""])
def test_no_backend_is_needed(folder: Path, plain: tuple[bytes, bytes], backend: str) -> None:
    assert drawn(folder, MPLBACKEND=backend, DISPLAY="") == plain


@pytest.mark.slow
@pytest.mark.parametrize(
    "settings",
    [
        {"MATPLOTLIBRC": "{}/bytes/matplotlibrc", "MPLBACKEND": "nonsense"},
        {"MATPLOTLIBRC": "{}/hostile"},
        {"MATPLOTLIBRC": "{}/locale", "LC_ALL": "xx_YY"},
        {"MPLCONFIGDIR": "{}/styles"},
        {"MPLCONFIGDIR": "{}/loop"},
        {"HOME": "{}/file", "XDG_CACHE_HOME": "", "XDG_CONFIG_HOME": ""},
    ],
    ids=str,
)
def test_a_persons_settings_have_no_say(folder: Path, plain: tuple[bytes, bytes], settings: dict[str, str]) -> None:
    assert drawn(folder, **{name: value.format(folder) for name, value in settings.items()}) == plain


@pytest.mark.slow
def test_nor_have_those_of_the_current_folder(folder: Path, plain: tuple[bytes, bytes]) -> None:
    assert drawn(folder, cwd=folder / "bytes") == plain


def test_whoever_draws_in_the_same_process_has_their_settings_back(tmp_path: Path) -> None:
    import logging

    import matplotlib

    logging.getLogger("matplotlib").setLevel(logging.INFO)
    try:
        with matplotlib.rc_context({"lines.linewidth": 7.0, "font.size": 31.0, "date.epoch": "2000-01-01T00:00:00"}):
            before = dict(matplotlib.rcParams)
            with plain_matplotlib({"font.size": 9}):
                assert (matplotlib.rcParams["lines.linewidth"], matplotlib.rcParams["font.size"]) == (1.5, 9)
            with canvas(tmp_path / "x.png", 1, 1) as figure:
                figure.add_subplot().plot([1, 2], color=BLUE)
            assert dict(matplotlib.rcParams) == before
        assert logging.getLogger("matplotlib").level == logging.INFO
    finally:
        logging.getLogger("matplotlib").setLevel(logging.NOTSET)


def test_a_backend_that_there_is_stays_the_persons() -> None:
    program = (
        "import os\nfrom nnjax.reporting.figures.drawing import import_matplotlib\nimport_matplotlib()\n"
        "import matplotlib\nprint(matplotlib.get_backend(), os.environ['MPLBACKEND'])"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "MPLBACKEND": "pdf"}
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["pdf", "pdf"]
