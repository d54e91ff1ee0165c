"""`make install` where Python comes in parts, with interpreters that only note what they are asked."""

import shutil
import subprocess

import pytest
from commands import ROOT

PYTHON = """\
#!/bin/sh
echo "$@" >> asked
case "$*" in
  "-m venv .venv") exit {venv};;
  "-m venv --without-pip .venv") mkdir -p .venv/bin; cp "$0" .venv/bin/python;;
  *--python*) exit {pip};;
esac
"""


@pytest.mark.parametrize(("venv", "pip", "code"), [(0, 0, 0), (1, 0, 0), (1, 1, 2)])
def test_an_environment_is_made_with_or_without_ensurepip(tmp_path, venv, pip, code):
    for name in ("Makefile", "pyproject.toml", "constraints.txt"):
        shutil.copy(ROOT / name, tmp_path)
    (tmp_path / "python").write_text(PYTHON.format(venv=venv, pip=pip))
    (tmp_path / "python").chmod(0o755)
    if venv == 0:
        (tmp_path / ".venv/bin").mkdir(parents=True)
        shutil.copy(tmp_path / "python", tmp_path / ".venv/bin/python")
    words = ["make", "install", f"PYTHON={tmp_path / 'python'}"]
    result = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True)
    assert result.returncode == code, result.stderr
    assert ("apt install python3-venv" in result.stdout) == (code != 0)
    asked = (tmp_path / "asked").read_text()
    assert ("-m pip --python .venv/bin/python install" in asked) == (venv != 0)
    assert ("--editable ." in asked) == (code == 0)
