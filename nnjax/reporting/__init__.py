"""Progress, callbacks, metric writers, summaries, figures, tables.

Takes plain numbers and arrays; imports config, checks and the command line, and the Python API imports it.
"""
