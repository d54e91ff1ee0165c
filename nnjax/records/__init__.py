"""Reads what runs left in their folders: settings, results, curves, tags. Finds runs, filters them, lists thousands of them.

No JAX, and nothing here trains or draws. The Python API, the comparisons and the reports are built on this package.
"""
