"""Opening a page in the browser."""

import webbrowser

from nnjax.reporting.browser import open_page


def test_the_browser_gets_the_files_address(monkeypatch, tmp_path):
    asked = []
    monkeypatch.setattr(webbrowser, "open", lambda address: not asked.append(address))
    page = tmp_path / "a page #1.html"
    monkeypatch.chdir(tmp_path)
    assert open_page(page.relative_to(tmp_path)) is True
    assert asked == [page.as_uri()]


def test_no_browser_is_no_error(monkeypatch, tmp_path):
    def refuse(address):
        raise webbrowser.Error("could not locate runnable browser")

    monkeypatch.setattr(webbrowser, "open", lambda address: False)
    assert open_page(tmp_path / "page.html") is False
    monkeypatch.setattr(webbrowser, "open", refuse)
    assert open_page(tmp_path / "page.html") is False
