"""Compares runs: which settings differ, how far results lie apart, and whether that is more than the noise.

The statistics take plain numbers; `groups` and `comparison` take runs that `nnjax.records` has read. No JAX.
"""
