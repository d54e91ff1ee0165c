"""What can be run: one thin file a verb, `python -m experiments.VERB`. May import everything; nothing imports it."""

import sys

from nnjax.cli.startup import begin
from nnjax.config.invocation import is_script

# Python has "-m" in place of a name while it looks for the module; another program's module may import this package, too.
_modules = [word.removeprefix("-m") for word in sys.orig_argv]
if is_script() or (sys.argv[:1] == ["-m"] and any(f"{name}.".startswith("experiments.") for name in _modules)):
    begin()
