"""Losses, optimizers, state, step, loop, evaluation, checkpoints.

Imports config, data, models and parallel; experiments import it.
"""
