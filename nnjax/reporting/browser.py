"""Opens a written page in the browser of this machine.

opened = open_page(run_dir / "trace.html")      # False where there is no browser
"""

import webbrowser
from pathlib import Path


def open_page(path: Path) -> bool:
    """Asks the user's browser to show a page; returns whether there is one.

    Args:
        path: the HTML file.
    """
    try:
        return webbrowser.open(path.resolve().as_uri())
    except webbrowser.Error:
        return False
