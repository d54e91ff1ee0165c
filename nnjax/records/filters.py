"""Conditions on runs, as a person writes them: ``status=completed``, ``test_accuracy>0.98``, ``model!=cnn``, ``name~digits``.

conditions = [parse_condition(text) for text in ("model=cnn,fnn", "test_accuracy>0.98")]
[facts for facts in rows if all(condition.holds(facts) for condition in conditions)]
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

Operator = Literal["=", "!=", "<", "<=", ">", ">=", "~"]


@dataclass(frozen=True)
class Condition:
    """One condition on a run's facts.

    Attributes:
        key: name of a fact.
        operator: ``=`` and ``!=`` compare with any of the values (patterns with ``*``, too); ``~`` asks whether the value holds
            the text.
        values: what it is compared with; one for all operators but ``=`` and ``!=``.
    """

    key: str
    operator: Operator
    values: tuple[str, ...]

    def holds(self, facts: Mapping[str, Any]) -> bool:
        """Whether a run meets the condition; one that lacks the fact meets only ``!=`` and ``=null``."""
        raise NotImplementedError


def parse_condition(text: str) -> Condition:
    """Reads a condition.

    Raises:
        ConfigError: if it is none.
    """
    raise NotImplementedError
