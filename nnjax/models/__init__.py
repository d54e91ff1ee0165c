"""Activations, layers and the networks made of them, and their summary.

Imports config; training and experiments import it.
"""
