"""Sources, TFDS without TensorFlow, the decoded cache, the batch stream, augmentation.

Imports config; training and experiments import it.
"""
