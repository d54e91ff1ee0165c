"""Sources, TFDS without TensorFlow, the decoded cache, the batch stream, augmentation. Imports config only."""
