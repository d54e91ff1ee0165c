"""A trained network at work: pictures and rows in, answers out; runs with jax, numpy and pillow alone.

model.answer(inputs)                                       # see nnjax.serving.model
"""
