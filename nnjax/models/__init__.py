"""Activations, layers, networks, and their summary.

Imports `config`, `checks` and the JAX-free half of `data`; `training` and `experiments` import it.
"""
