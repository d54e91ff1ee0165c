"""Activations, layers and the networks made of them, and their summary.

Imports config, checks and the facts of data; training and experiments import it.
"""
