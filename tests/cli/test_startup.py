"""The first instant of a command: Ctrl-C, SIGTERM and closed streams, before and after the imports."""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from nnjax.parallel.environment import uninterrupted

ROOT = Path(__file__).parents[2]
WAITING = "print('here', flush=True)\nimport time\ntime.sleep(60)\n"
LEAVING = """
from pathlib import Path
from nnjax.config.leaving import on_leaving, receive
def put_away(name):
    Path("put away").write_text(name)
    return f"{name}: put away", 75
with on_leaving(put_away):
    print("here", flush=True)
    WAIT
"""
# One call of C code of many seconds: Python runs no handler before its end, as in a compilation.
BUSY = "import hashlib; hashlib.pbkdf2_hmac('sha256', b'', b'', 10**8)"
NOTING = """
import os
from pathlib import Path
from nnjax.config.leaving import receive
receive(Path("noted").write_text)
os.kill(os.getpid(), 2)
print("here", flush=True)
WAIT
"""


FORMS = {
    "python -m experiments.verb": ["-m", "experiments.verb"],
    "python -m experiments verb": ["-m", "experiments", "verb"],
    "nnjax verb": ["nnjax", "verb"],
}


def stopped(folder: Path, verb: str, number: int, handler: str = "", form: str = "") -> tuple[int, str, str]:
    """How a verb ends when a signal comes where it says that it is there."""
    package = folder / "experiments"
    package.mkdir()
    shutil.copy(ROOT / "experiments/__init__.py", package / "__init__.py")
    shutil.copy(ROOT / "experiments/__main__.py", package / "__main__.py")
    (package / "verb.py").write_text(verb)
    (folder / "nnjax").write_text("from experiments.__main__ import main\nmain()\n")
    # pytest may run with Ctrl-C ignored, which a child inherits
    (folder / "sitecustomize.py").write_text(
        handler or "import signal\nsignal.signal(signal.SIGINT, signal.default_int_handler)\n"
    )
    environment = {**os.environ, "PYTHONPATH": f"{folder}{os.pathsep}{ROOT}"}
    command = [sys.executable, *FORMS[form or "python -m experiments.verb"]]
    with subprocess.Popen(
        command, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "here\n"
        process.send_signal(number)
        if handler:
            process.send_signal(signal.SIGTERM)
        said, complained = process.communicate(timeout=30)
    return process.returncode, said, complained


NOTHING_MADE = "stopped before anything was made\n"


@pytest.mark.parametrize("form", FORMS)
def test_ctrl_c_during_the_imports_is_no_traceback(tmp_path: Path, form: str) -> None:
    assert stopped(tmp_path, WAITING, signal.SIGINT, form=form) == (130, "", f"Ctrl-C: {NOTHING_MADE}")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_other_signals_during_the_imports_ask_to_be_started_again(tmp_path: Path, number: int) -> None:
    name = signal.Signals(number).name
    assert stopped(tmp_path, WAITING, number) == (75, "", f"{name}: {NOTHING_MADE}")


def test_ctrl_c_stays_that_of_a_program_that_imports_the_verbs(tmp_path: Path) -> None:
    package = tmp_path / "other"
    package.mkdir()
    (package / "__init__.py").write_text("import experiments\n")
    asked = "import signal\nprint(signal.getsignal(signal.SIGINT) is signal.default_int_handler)\n"
    (package / "main.py").write_text(asked)
    (tmp_path / "sitecustomize.py").write_text("import signal\nsignal.signal(signal.SIGINT, signal.default_int_handler)\n")
    environment = {**os.environ, "PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}"}
    command = [sys.executable, "-m", "other.main"]
    assert subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True).stdout == "True\n"


def test_a_process_in_the_background_still_ignores_ctrl_c(tmp_path: Path) -> None:
    ignoring = "import signal\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\n"
    assert stopped(tmp_path, WAITING, signal.SIGINT, ignoring) == (75, "", f"SIGTERM: {NOTHING_MADE}")


def test_a_process_under_nohup_still_ignores_the_end_of_its_terminal(tmp_path: Path) -> None:
    ignoring = "import signal\nsignal.signal(signal.SIGHUP, signal.SIG_IGN)\n"
    assert stopped(tmp_path, WAITING, signal.SIGHUP, ignoring) == (75, "", f"SIGTERM: {NOTHING_MADE}")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("wait", ["import time; time.sleep(60)", BUSY], ids=["waiting", "in C code"])
def test_once_there_is_a_folder_both_signals_let_it_be_put_away(tmp_path: Path, number: int, wait: str) -> None:
    name = signal.Signals(number).name
    assert stopped(tmp_path, LEAVING.replace("WAIT", wait), number) == (75, "", f"{name}: put away\n")
    assert (tmp_path / "put away").read_text() == name


@pytest.mark.parametrize("wait", ["import time; time.sleep(60)", BUSY], ids=["waiting", "in C code"])
def test_the_second_ctrl_c_ends_a_process_that_only_noted_the_first(tmp_path: Path, wait: str) -> None:
    assert stopped(tmp_path, NOTING.replace("WAIT", wait), signal.SIGINT) == (130, "", "")
    assert (tmp_path / "noted").read_text() == "SIGINT"


def test_signals_wait_for_an_import_that_cannot_be_interrupted() -> None:
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    reached = []

    def interrupted_halfway() -> None:
        with uninterrupted():
            os.kill(os.getpid(), signal.SIGINT)
            reached.append("the end")

    try:
        with pytest.raises(KeyboardInterrupt):
            interrupted_halfway()
        assert reached == ["the end"]
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    finally:
        signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_a_closed_stream_never_gives_its_number_to_a_file(tmp_path: Path, closed: str) -> None:
    (tmp_path / "verb.py").write_text(
        "import sys\nfrom nnjax.cli.startup import begin\nbegin()\n"
        "print('said')\nprint('complained', file=sys.stderr)\n"
        "with open('result', 'w') as file:\n    file.write(str(file.fileno()))\n"
    )
    command = f"PYTHONPATH='{ROOT}' '{sys.executable}' verb.py {closed}"
    assert subprocess.run(["sh", "-c", command], cwd=tmp_path, stdout=subprocess.PIPE).returncode == 0
    assert int((tmp_path / "result").read_text()) > 2
