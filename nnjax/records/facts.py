"""A run as a flat row: the columns that are listed, sorted, filtered and compared.

    facts = facts_of(record)
    facts["test_accuracy"], facts["optimizer.learning_rate"], facts["status"]

Results are named SPLIT_METRIC as in `trials.csv`; settings by their dotted key.
"""

from typing import Any

from nnjax.records.record import RunRecord


def facts_of(record: RunRecord) -> dict[str, Any]:
    """Plain values by name: name, folder, status, model, data, seed, started, seconds, tags, results, sizes, every setting."""
    raise NotImplementedError
