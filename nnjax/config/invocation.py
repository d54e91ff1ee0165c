"""The two forms of a command: `python -m experiments.train` and, through the script that pip installs, `nnjax train`.

    verb_command("train")        # "python -m experiments.train", or "nnjax train" in a process that was started so

A message that shows a command to give next shows it in the form of this process. Imports next to nothing, since
`nnjax.cli.startup` needs it before all else.
"""

import os
import sys

SCRIPT = "nnjax"


def is_script() -> bool:
    """Whether this process was started through the installed script."""
    return bool(sys.argv) and _stem(sys.argv[0]) == SCRIPT


def verb_command(verb: str) -> str:
    """The words that call a verb."""
    return f"{SCRIPT} {verb}" if is_script() else f"python -m experiments.{verb}"


def is_own(module: str) -> bool:
    """Whether this process was started for one module alone, without flags of Python's: not by a debugger, test or profiler.

    Args:
        module: dotted name; the verb is its last part.
    """
    package, _, verb = module.rpartition(".")
    words = sys.orig_argv[1:4]
    forms = (words[:2] == ["-m", module], words == ["-m", package, verb])
    return any(forms) or (len(words) > 1 and [_stem(words[0]), words[1]] == [SCRIPT, verb])


def verb_words() -> list[str]:
    """The words of this process's command line, after Python's name, up to the verb."""
    words = sys.orig_argv[1:]
    first = next((place for place, word in enumerate(words) if "experiments" in word or _stem(word) == SCRIPT), 0)
    parts = first + 1 if words[first].startswith("experiments.") else first + 2
    return words[:parts]


def _stem(path: str) -> str:
    return os.path.splitext(os.path.basename(path))[0]  # noqa: PTH119, PTH122  (pathlib takes longer to import)
