import io
import re

from rich.table import Table
from rich.text import Text

from nnjax.reporting.console import RunConsole

STAMP = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d")


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_what_is_shown_is_logged_with_times(tmp_path):
    shown = io.StringIO()
    with RunConsole(tmp_path / "run" / "train.log", file=shown) as console:
        console.print("two lines\nof text")
        console.warn("look out")
    lines = (tmp_path / "run" / "train.log").read_text().splitlines()
    assert all(STAMP.match(line) for line in lines)
    assert [line[21:] for line in lines] == ["two lines", "of text", "warning: look out"]
    assert shown.getvalue().splitlines() == ["two lines", "of text", "warning: look out"]


def test_the_log_is_readable_while_the_run_goes_on_and_is_appended_to(tmp_path):
    log = tmp_path / "train.log"
    for word in ("first", "second"):
        with RunConsole(log, file=io.StringIO()) as console:
            console.print(word)
            assert log.read_text().rstrip().endswith(word)
    assert len(log.read_text().splitlines()) == 2


def test_brackets_in_strings_are_no_markup(tmp_path):
    shown = io.StringIO()
    with RunConsole(None, file=shown) as console:
        console.print("blocks[0] [bold]x[/bold] [/nonsense] :smile:")
    assert shown.getvalue() == "blocks[0] [bold]x[/bold] [/nonsense] :smile:\n"


def test_colours_are_for_terminals_only(tmp_path, monkeypatch):
    for name in ("NO_COLOR", "FORCE_COLOR", "TERM"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")

    def shown_on(file):
        with RunConsole(tmp_path / "train.log", file=file) as console:
            console.print(Text("red", style="red"))
        return file.getvalue()

    assert shown_on(io.StringIO()) == "red\n"
    assert "\x1b[31m" in shown_on(Terminal())
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b[31m" not in shown_on(Terminal())
    assert "\x1b" not in (tmp_path / "train.log").read_text()


def test_a_pipe_is_never_live_even_with_forced_colours(monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm-256color")
    assert not RunConsole(None, file=io.StringIO()).live
    assert RunConsole(None, file=Terminal()).live
    assert not RunConsole(None, file=Terminal(), quiet=True).live
    monkeypatch.setenv("TERM", "dumb")
    assert not RunConsole(None, file=Terminal()).live


def test_long_lines_stay_whole_and_tables_keep_to_the_width(monkeypatch):
    monkeypatch.delenv("COLUMNS", raising=False)
    shown = io.StringIO()
    with RunConsole(None, file=shown) as console:
        console.print("path/" + "x" * 300)
        table = Table("a", "b")
        table.add_row("words " * 30, "words " * 30)
        console.print(table)
    text, *rows = shown.getvalue().splitlines()
    assert len(text) == 305
    assert max(map(len, rows)) == 100


def test_a_stream_that_cannot_encode_a_character_shows_a_stand_in():
    raw = io.BytesIO()
    with RunConsole(None, file=io.TextIOWrapper(raw, encoding="ascii", write_through=True)) as console:
        console.print("3×3")
    assert raw.getvalue() == b"3?3\n"


def test_a_stream_that_cannot_encode_a_minus_shows_a_hyphen():
    raw = io.BytesIO()
    with RunConsole(None, file=io.TextIOWrapper(raw, encoding="ascii", write_through=True)) as console:
        console.print("−1.5 – 2 — é")
    assert raw.getvalue() == b"-1.5 - 2 - ?\n"


def test_quiet_shows_and_logs_nothing_it_is_not_given(capsys):
    with RunConsole(None, quiet=True) as console:
        console.print("hidden")
    assert capsys.readouterr().out == ""


def test_open_mpi_s_pseudo_terminal_is_none(monkeypatch):
    monkeypatch.setenv("OMPI_COMM_WORLD_SIZE", "2")
    monkeypatch.setenv("FORCE_COLOR", "1")
    shown = Terminal()
    console = RunConsole(None, file=shown)
    console.warn("look out")
    assert not console.live
    assert shown.getvalue() == "warning: look out\n"
