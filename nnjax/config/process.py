"""The end of a process that did one command: at once.

end_process(0, "experiments.train")
"""

import atexit
import os
import sys
import threading
from typing import NoReturn


def end_process(code: int, module: str) -> NoReturn:
    """Ends the process with an exit code.

    As `python -m MODULE` nothing else is waited for: Python would free every object one by one, which takes it half a second
    after a training. What is registered to be done at the end is done, and threads are waited for. In a process of others,
    such as a test's, a profiler's or a debugger's, this is `sys.exit`.
    """
    if not _is_own(module):
        sys.exit(code)
    # What Python does first itself; it has no public name for either.
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os._exit(code)


def _is_own(module: str) -> bool:
    """Whether this process was started for the module alone: its first -m names it."""
    words = sys.orig_argv
    return "-m" in words and words[words.index("-m") + 1 :][:1] == [module] and not sys.flags.inspect
