"""Repairs `metrics.jsonl` when a run is resumed: its records up to the checkpoint come from the copy that the checkpoint holds.

    lines, notice = repaired(path.read_bytes(), copy, resume_step=51)
    notice                  # "3 of 12 records were missing or damaged (steps 17 to 51): restored from the checkpoint"; else ""

Records later than the checkpoint go: the resumed run makes them again. The record of a test is written after the last
checkpoint, so the file alone holds it, and it stays.
"""

from collections import Counter
from collections.abc import Iterable

from nnjax.config.diagnostics import count
from nnjax.config.stored_files import parse_json

_TEST = "test"


def step_and_split(line: bytes) -> tuple[int, str] | None:
    """A record's step and split; None for a line that is torn or damaged."""
    try:
        record = parse_json(line.decode())
        step, split = record["step"], record["split"]
    except (ValueError, TypeError, KeyError, RecursionError):
        return None
    return (step, split) if type(step) is int and isinstance(split, str) else None


def repaired(found: bytes | None, copy: bytes, resume_step: int) -> tuple[list[bytes], str]:
    """The lines of the resumed run's file, and what had to be repaired.

    Args:
        found: the file's content; None if there is no file.
        copy: the lines up to the checkpoint, as it holds them.
        resume_step: the checkpoint's step.

    Returns:
        The lines, each with its line break, and a notice; empty if the file held all of the copy.
    """
    ours, theirs = copy.splitlines(keepends=True), complete(found or b"")
    tests = [line for line in theirs if _is_test(line, resume_step)]
    tested = {step_and_split(line) for line in tests}
    our_tests = [line for line in ours if _is_test(line, resume_step)]
    # A later test of the same step has replaced the one in the copy.
    replaced = [line for line in our_tests if line not in tests and step_and_split(line) in tested]
    lines = [line for line in ours if line not in replaced]
    lines += [line for line in tests if line not in our_tests]
    wanted = [line for line in ours if line not in our_tests]
    there = [line for line in theirs if line not in tests]
    lost = _missing(wanted, there) + [line for line in our_tests if line not in tests and line not in replaced]
    records, notice = count(len(ours), "record"), ""
    if found is None and ours:
        notice = f"the file was missing: its {records} are restored from the checkpoint"
    elif lost:
        steps = [place[0] for line in lost if (place := step_and_split(line))]
        span = f"step {steps[0]}" if min(steps) == max(steps) else f"steps {min(steps)} to {max(steps)}"
        notice = f"{len(lost)} of {records} were missing or damaged ({span}): restored from the checkpoint"
    elif there[: len(wanted)] != wanted:
        notice = "records were out of order or doubled: restored from the checkpoint"
    return lines, notice


def kept(found: bytes | None, resume_step: int, evaluated: int) -> tuple[list[bytes], str]:
    """The same without a copy, for checkpoints of versions up to 0.2: what can be read stays, and the rest is named.

    Args:
        found: the file's content; None if there is no file.
        resume_step: the checkpoint's step.
        evaluated: the step of the last evaluation that there must be a record of; 0 if there is none.
    """
    if found is None:
        gone = f"the file is missing, with all records up to step {resume_step}; the checkpoint holds no copy"
        return [], gone if evaluated else ""
    lines = complete(found)
    places = [step_and_split(line) for line in lines]
    stay = [line for line, place in zip(lines, places, strict=True) if place is not None and place[0] <= resume_step]
    notices = []
    if damaged := sum(place is None for place in places[:-1]):
        notices.append(f"{count(damaged, 'record')} cannot be read, and {'is' if damaged == 1 else 'are'} left out")
    last = max((place[0] for place in places if place is not None and place[1] != _TEST), default=0)
    if last < evaluated:
        notices.append(f"the records after step {last} up to step {evaluated} are missing")
    return stay, "; ".join(notices) + "; the checkpoint holds no copy" if notices else ""


def complete(text: bytes) -> list[bytes]:
    """The lines of a file, each with its line break; the last one as if it had one."""
    return [line if line.endswith(b"\n") else line + b"\n" for line in text.splitlines(keepends=True)]


def _is_test(line: bytes, resume_step: int) -> bool:
    if b'"test"' not in line:  # parsing all of them takes time
        return False
    place = step_and_split(line)
    return place is not None and place[1] == _TEST and place[0] <= resume_step


def _missing(wanted: Iterable[bytes], there: Iterable[bytes]) -> list[bytes]:
    """The wanted lines that are not there, as often as they should be."""
    left = Counter(there)
    missing = []
    for line in wanted:
        if left[line]:
            left[line] -= 1
        else:
            missing.append(line)
    return missing
