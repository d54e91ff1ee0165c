"""Facts and files of datasets, TFDS without TensorFlow, the decoded cache, the batch stream, augmentation.

Imports config. The facts (`dataset_spec`, `series_file` and what they import) load no JAX, so that checks can use them.
"""
