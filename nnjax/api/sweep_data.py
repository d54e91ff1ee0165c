"""The hash of the content of a config's data, by which a resumed sweep recognises its finished jobs.

hashes = DataHashes()
hashes(config)                                     # "sha256:1f0c…"; jobs with the same data share one reading
"""

import json
from dataclasses import dataclass, field

from nnjax.config.parsing import to_mapping
from nnjax.config.schema import Config


@dataclass(frozen=True)
class DataHashes:
    """Hashes that were computed already.

    Attributes:
        known: by the data's options, as text.
    """

    known: dict[str, str] = field(default_factory=dict)

    def __call__(self, config: Config) -> str:
        """Returns the hash; reads the data if no earlier config had the same.

        Raises:
            DataError: if the data cannot be read.
        """
        key = json.dumps(to_mapping(config.data), sort_keys=True, default=str)
        if key not in self.known:
            from nnjax.data.content_hash import content_hash
            from nnjax.data.load import load

            self.known[key] = content_hash(load(config.data))
        return self.known[key]
