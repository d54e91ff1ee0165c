"""Progress, callbacks, metric writers, summaries, figures, tables.

Takes plain numbers and arrays; imports `config`, `checks` and `cli`; the Python API imports it.
"""
