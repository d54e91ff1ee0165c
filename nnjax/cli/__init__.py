"""The command line: Hydra, overrides, run folders, sweeps, and the process that a command runs in.

Imports config, checks and the dataset facts in data, but no JAX. The experiments import this package.
"""
