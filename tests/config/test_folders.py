from pathlib import Path

from nnjax.config.folders import cache_directory


def test_the_cache_is_where_the_environment_says(monkeypatch):
    monkeypatch.setenv("HOME", "/home/someone")
    monkeypatch.setenv("NNJAX_CACHE", "~/own")
    monkeypatch.setenv("XDG_CACHE_HOME", "/var/caches")
    assert cache_directory() == Path("/home/someone/own")
    monkeypatch.delenv("NNJAX_CACHE")
    assert cache_directory() == Path("/var/caches/nnjax")
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert cache_directory() == Path("/home/someone/.cache/nnjax")
