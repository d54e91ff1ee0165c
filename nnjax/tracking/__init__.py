"""Trackers: a run's config, metrics, figures, checkpoint and status in TensorBoard, Weights & Biases, MLflow or Trackio."""
