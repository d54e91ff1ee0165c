"""Activations, layers and the networks made of them, and their summary. Imports config only."""
