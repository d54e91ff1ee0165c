"""How a person says what to run: the command line, Hydra, overrides, run folders, sweeps, the process.

Imports config, checks and the facts of data; no JAX. Experiments import it.
"""
