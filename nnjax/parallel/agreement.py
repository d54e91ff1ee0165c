"""Decisions that all processes of a job make together: when to stop, and how many steps a call does.

    stop = stop_signal()                     # a `StopSignal`, or with several processes a `SharedStop`
    with stop:
        num_steps = stop.agree(40, clock)    # one small exchange: process 0's number; a signal of any process stops all

A call of other length, or a loop that ends elsewhere, would leave the others waiting in a collective. So a signal counts from
the next exchange on, in all processes alike, and time is process 0's.
"""

import time
from typing import Any

from nnjax.config.errors import UserError
from nnjax.parallel.peers import Peers, peers
from nnjax.parallel.preemption import SecondsOf, StopSignal


class SharedStop(StopSignal):
    """A flag that a signal to any of the processes raises, in all of them at the same step.

    Args:
        joined: the processes.

    Attributes:
        requested: name of the first signal, from the exchange on that brought it.
    """

    def __init__(self, joined: Peers) -> None:
        super().__init__()
        self._joined = joined
        self._own: str | None = None
        self._seconds = 0.0

    @property
    def is_overdue(self) -> bool:
        """See `StopSignal`; one exchange."""
        answers = self._exchange({"overdue": self._own is not None and self._own_is_overdue()})
        return any(answer["overdue"] for answer in answers)

    def agree(self, num_steps: int, clock: SecondsOf, mark: str = "") -> int:
        """See `StopSignal`; one exchange.

        Raises:
            UserError: if a process has other numbers than process 0.
        """
        own = {"steps": num_steps, "seconds": clock.read("train"), "mark": mark, "saved": self._joined.saved}
        answers = self._exchange(own)
        self._joined.note(saved=answers[0]["saved"])
        self._seconds = float(answers[0]["seconds"])
        if strangers := [str(rank) for rank, answer in enumerate(answers) if answer["mark"] != answers[0]["mark"]]:
            raise UserError(
                f"process {', '.join(strangers)}: has other losses than process 0 for the same steps; the machines or their "
                "libraries differ, or one of them is faulty"
            )
        return int(answers[0]["steps"])

    def train_seconds(self, clock: SecondsOf) -> float:
        """Process 0's seconds, at the newest exchange."""
        return self._seconds

    def _exchange(self, own: dict[str, Any]) -> list[dict[str, Any]]:
        answers = self._joined.exchange({**own, "signal": self._own})
        signals = [answer["signal"] for answer in answers if answer["signal"] is not None]
        if signals and self.requested is None:
            self.requested = str(signals[0])
        return answers

    def _own_is_overdue(self) -> bool:
        return self._since is not None and time.monotonic() - self._since > self.PATIENCE

    def _raise_flag(self, name: str) -> None:
        self._own = self._own or name
        self._since = self._since or time.monotonic()


def stop_signal() -> StopSignal:
    """The flag of this process, or of all processes that it has joined."""
    joined = peers()
    return StopSignal() if joined.count == 1 else SharedStop(joined)
