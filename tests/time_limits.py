"""A limit on the time that a test waits for another process's words: `readline` has none of its own.

with killed_after(process, 120):
    process.stdout.readline()                          # "" once the process is killed
"""

import threading
from contextlib import contextmanager


@contextmanager
def killed_after(process, seconds=120):
    """Kills a process that keeps the test waiting for so long."""
    timer = threading.Timer(seconds, process.kill)
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
