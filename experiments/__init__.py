"""What can be run: one thin file a verb, `python -m experiments.VERB`. May import everything; nothing imports it."""

import sys

from nnjax.cli.startup import begin

# Python has "-m" in place of a name while it looks for the module; somebody else's may import this package, too
if sys.argv[:1] == ["-m"] and any(word.removeprefix("-m").startswith("experiments.") for word in sys.orig_argv):
    begin()
