import tempfile
from pathlib import Path

import pytest

from nnjax.config.paths import cache_directory


def test_the_cache_is_where_the_environment_says(monkeypatch):
    monkeypatch.setenv("HOME", "/home/someone")
    monkeypatch.setenv("NNJAX_CACHE", "~/own")
    monkeypatch.setenv("XDG_CACHE_HOME", "/var/caches")
    assert cache_directory() == Path("/home/someone/own")
    monkeypatch.delenv("NNJAX_CACHE")
    assert cache_directory() == Path("/var/caches/nnjax")
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert cache_directory() == Path("/home/someone/.cache/nnjax")


@pytest.mark.parametrize("own", [None, "~nobody_here/cache"])
def test_a_person_without_a_home_has_a_cache_among_temporary_files(monkeypatch: pytest.MonkeyPatch, own: str | None) -> None:
    def no_home(path: Path) -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.delenv("NNJAX_CACHE", raising=False)
    if own:
        monkeypatch.setenv("NNJAX_CACHE", own)
    monkeypatch.setattr(Path, "expanduser", no_home)
    assert cache_directory().parent == Path(tempfile.gettempdir())
