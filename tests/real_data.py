"""Where prepared official data lie, if they are here: in TFDS_DATA_DIR, else beside the project.

@pytest.mark.real_data                          # left out where they are not
def test_real_digits(): decode_split(prepared_folder(tfds_data("mnist", REAL_DATA)), ...)
"""

import os
from pathlib import Path

REAL_DATA = Path(os.environ.get("TFDS_DATA_DIR") or Path(__file__).parents[2] / "shared" / "data" / "tfds")


def has_real_data() -> bool:
    """Whether MNIST and CIFAR-10 are here."""
    return all((REAL_DATA / name).is_dir() for name in ("mnist", "cifar10"))
