"""A command's process ends at once, and yet does what is to be done at its end."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from nnjax.cli.process import end_process, printing_to

ENDING = """
import atexit, sys, threading, time
from nnjax.cli.process import end_process, printing_to

class Slow:  # stands for all that Python would free
    def __del__(self):
        print("freed")

def late():
    time.sleep(0.2)
    print("thread done")

kept = Slow()
atexit.register(print, "registered done")
threading.Thread(target=late).start()
print("no end of line", end="")
end_process(int(sys.argv[1]), "ending")
"""


def end(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    (folder / "ending.py").write_text(ENDING)
    return subprocess.run([sys.executable, *words], cwd=folder, capture_output=True, text=True)


@pytest.mark.parametrize("code", [0, 3])
def test_threads_and_what_is_registered_are_waited_for_but_nothing_is_freed(tmp_path: Path, code: int) -> None:
    done = end(tmp_path, "-m", "ending", str(code))
    assert (done.returncode, done.stderr) == (code, "")
    assert done.stdout.splitlines() == ["no end of linethread done", "registered done"]


UNWRITTEN = """
import logging, sys, threading, time
from nnjax.cli.process import begin_process, end_process

begin_process("unwritten")
text = open("text", "w")
data = open("data", "wb")
both = open("both", "w+b")
gone = open("gone", "w")
gone.close()
detached = open("detached", "w")
held = detached.detach()
logging.basicConfig(filename="log", level="INFO")

def late():
    time.sleep(0.2)
    for stream, content in ((text, "late"), (data, b"late"), (both, b"late"), (sys.stdout, "late"), (held, b"late")):
        stream.write(content)
    logging.info("late")

class Cycle:  # nothing but the collector finds it
    def __init__(self):
        self.file, self.itself = open("cycle", "w"), self
        self.file.write("late")

Cycle()
threading.Thread(target=late).start()
end_process(0, "unwritten")
"""


def test_nothing_that_a_thread_or_an_open_file_still_holds_is_lost(tmp_path: Path) -> None:
    (tmp_path / "unwritten.py").write_text(UNWRITTEN)
    done = end(tmp_path, "-m", "unwritten")
    assert (done.returncode, done.stdout, done.stderr) == (0, "late", "")
    assert {name: (tmp_path / name).read_text() for name in ("text", "data", "both", "cycle", "detached")} == dict.fromkeys(
        ("text", "data", "both", "cycle", "detached"), "late"
    )
    assert (tmp_path / "log").read_text() == "INFO:root:late\n"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_file_that_cannot_be_written_is_named_once(tmp_path: Path) -> None:
    (tmp_path / "full.py").write_text(
        "from nnjax.cli.process import begin_process, end_process\nbegin_process('full')\n"
        "file = open('/dev/full', 'w')\nfile.write('text')\nend_process(0, 'full')"
    )
    done = end(tmp_path, "-m", "full")
    assert done.stderr.splitlines() == ["/dev/full: cannot be written: No space left on device"]


@pytest.mark.parametrize(
    "words", [("ending.py",), ("-m", "cProfile", "-m", "ending"), ("-m", "runpy", "ending"), ("profiler.py", "-m", "ending")]
)
def test_a_process_of_others_ends_as_ever(tmp_path: Path, words: tuple[str, ...]) -> None:
    (tmp_path / "profiler.py").write_text("import runpy, sys; sys.argv[1:3] = []; runpy.run_module('ending', alter_sys=True)")
    done = end(tmp_path, *words, "0")
    assert done.returncode == 0
    assert "freed" in done.stdout
    assert "registered done" in done.stdout


def test_ctrl_c_at_the_end_leaves_the_exit_code(tmp_path: Path) -> None:
    handler = "import signal\nsignal.signal(signal.SIGINT, signal.default_int_handler)\n"  # a background job ignores it
    slow = ENDING.replace("sleep(0.2)", "sleep(60)").replace('"no end of line", end=""', '"at the end", flush=True')
    (tmp_path / "ending.py").write_text(handler + slow)
    with subprocess.Popen([sys.executable, "-m", "ending", "3"], cwd=tmp_path, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "at the end\n"
        time.sleep(0.5)  # until it waits for the thread
        process.send_signal(signal.SIGINT)
        assert process.wait() == 3


@pytest.mark.skipif(sys.platform == "win32", reason="needs a POSIX shell")
def test_without_streams_the_exit_code_stays(tmp_path: Path) -> None:
    (tmp_path / "ending.py").write_text(ENDING)
    command = f"'{sys.executable}' -m ending 3 >&- 2>&-"
    assert subprocess.run(["sh", "-c", command], cwd=tmp_path).returncode == 3


def test_only_an_own_process_collects_less_often(tmp_path: Path) -> None:
    (tmp_path / "beginning.py").write_text(
        "import gc, sys\nfrom nnjax.cli.process import begin_process\n"
        "before = gc.get_threshold()\nbegin_process('beginning')\nsys.exit(gc.get_threshold() != before)"
    )
    assert end(tmp_path, "-m", "beginning").returncode == 1
    assert end(tmp_path, "beginning.py").returncode == 0


def test_in_a_test_it_is_an_exit() -> None:
    with pytest.raises(SystemExit) as stopped:
        end_process(4, "experiments.train")
    assert stopped.value.code == 4


LASTING = """
import sys
from nnjax.cli.process import begin_process, complain, end_process, unread
begin_process("lasting")
for number in range(9999):
    print("a line of many", number)
complain("told of something")
print("a last line")
with open("result", "w") as file:
    file.write("saved")
end_process(unread(0, "--help") if sys.argv[1:] else 0, "lasting")
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="needs a POSIX shell")
@pytest.mark.parametrize("flags", ["-m lasting", "-W error lasting.py"])
@pytest.mark.parametrize(
    ("streams", "code", "shown"),
    [
        ("", 0, 0),
        (">/dev/full", 0, 1),
        ("2>/dev/full", 0, 0),
        (">/dev/full 2>/dev/full", 0, 1),
        (">&-", 0, 1),
        (">&- 2>&- <&-", 0, 1),
        ("| head -1", 0, 0),
    ],
)
def test_work_continues_without_a_console_and_an_unseen_page_is_an_error(
    tmp_path: Path, flags: str, streams: str, code: int, shown: int
) -> None:
    (tmp_path / "lasting.py").write_text(LASTING)
    root = Path(__file__).parents[2]
    for arguments, expected in (("", code), ("--help", shown)):
        command = f"set -o pipefail; PYTHONPATH='{root}' '{sys.executable}' {flags} {arguments} {streams}"
        done = subprocess.run(["bash", "-c", command], cwd=tmp_path, capture_output=True, text=True)
        assert done.returncode == expected, done.stderr
        assert (tmp_path / "result").read_text() == "saved"
        assert "Traceback" not in done.stderr
        assert "Exception ignored" not in done.stderr
        (tmp_path / "result").unlink()


def test_what_a_job_prints_may_go_to_a_file(tmp_path, capfd):
    with printing_to(tmp_path / "printed.txt"):
        os.write(1, b"a table\n")
        os.write(2, b"a warning\n")
    os.write(1, b"afterwards\n")
    assert (tmp_path / "printed.txt").read_text() == "a table\na warning\n"
    assert capfd.readouterr().out == "afterwards\n"


def test_the_terminal_is_back_after_a_failure(tmp_path, capfd):
    with pytest.raises(ValueError, match="no"), printing_to(tmp_path / "printed.txt"):
        raise ValueError("no")
    os.write(1, b"here\n")
    assert capfd.readouterr().out == "here\n"
