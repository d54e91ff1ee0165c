"""What an experiment is: the typed schema, its options, and the wording of a problem.

Imports nothing else of ours, no JAX and no Hydra; every package may import it.
"""
