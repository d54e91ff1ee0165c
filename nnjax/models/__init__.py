"""Activations, layers, networks, and their summary.

Imports `config`, `checks` and the JAX-free modules of `data`; `training` and `experiments` import it.
"""
