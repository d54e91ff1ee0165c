"""Progress, metric writers, figures, tables.

Takes plain numbers and arrays; imports `config`, `checks` and `cli`; `experiments` imports it.
"""
