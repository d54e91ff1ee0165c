"""Losses, optimizers, state, step, loop, evaluation, checkpoints. Imports models, data, parallel and config."""
