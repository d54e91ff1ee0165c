"""A run's figures, as PNG files. Takes plain arrays; matplotlib is imported when the first figure is drawn."""

from nnjax.reporting.figures.classification import confusion_matrix, worst_mistakes
from nnjax.reporting.figures.curves import learning_curves, regression_fit
from nnjax.reporting.figures.filters import first_layer_filters
from nnjax.reporting.figures.run_figures import draw_run

__all__ = ["confusion_matrix", "draw_run", "first_layer_filters", "learning_curves", "regression_fit", "worst_mistakes"]
