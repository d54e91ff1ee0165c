"""Progress, metric writers, figures, tables.

Takes plain numbers and arrays; imports config, and experiments import it.
"""
