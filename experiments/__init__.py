"""What can be run: one thin file a verb, `python -m experiments.VERB`. May import everything; nothing imports it."""
