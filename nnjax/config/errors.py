"""Errors that a person can fix, with their messages and exit codes.

    raise ConfigError("optimizer.learning_rate=-1: must be greater than 0 (set on the command line)")

The first line is self-contained; further lines help. A command prints the message without a traceback and exits with
`exit_code`.
"""


class UserError(Exception):
    """A mistake of the person or the machine's state, not of the program; shown without a traceback."""

    exit_code = 1


class ConfigError(UserError):
    """A wrong key, value or combination, or wrong usage of a command."""

    exit_code = 2


class IncompatibleError(ConfigError):
    """Values that are right one by one but do not go together."""


class InputError(UserError, ValueError):
    """Arrays of another shape or type than a trained network takes."""


class OutOfMemoryError(UserError):
    """Memory that ran out, although the experiment might have fitted."""


class StorageError(UserError):
    """A file that could not be written: the disk is full or read-only, or the folder has gone."""


class DataError(UserError):
    """Data that is missing, damaged or cannot be fetched."""

    exit_code = 3


class DivergedError(UserError):
    """The loss stopped being a finite number.

    Attributes:
        step: the step whose loss it is, counted from 1; None where no single step is to blame.
        split: the split whose loss it is.
    """

    exit_code = 4

    def __init__(self, message: str, step: int | None = None, split: str = "train") -> None:
        super().__init__(message)
        self.step, self.split = step, split


class RunFinishedError(UserError):
    """No fault: the run to be resumed has no step left to do, and stays as it is."""

    exit_code = 0


class PreemptedError(UserError):
    """A signal ended the run after a checkpoint; the same command with `resume=` resumes it."""

    exit_code = 75
