"""What can be run: one thin file a verb, `python -m experiments.VERB`. May import everything; nothing imports it."""

import sys

from nnjax.config.startup import begin

if sys.argv[:1] == ["-m"]:  # Python has this in place of a name while it looks for the verb: the process is its own
    begin()
