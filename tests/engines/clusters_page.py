"""The files and commands in docs/clusters.md.

files()["train.sbatch"]             # the text of a fenced block that begins with "```bash file=train.sbatch"
commands()                          # the lines of the blocks that begin with "```bash"
"""

import re
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "clusters.md"


def files() -> dict[str, str]:
    """The files that the page shows, by name."""
    return dict(re.findall(r"^```\w+ file=(\S+)\n(.*?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL))


def commands() -> list[str]:
    """The commands that the page shows, without those marked "not-run"."""
    blocks = re.findall(r"^```bash\n(.*?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    return [line for block in blocks for line in block.splitlines()]
