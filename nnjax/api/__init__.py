"""The Python API and what the command line shares with it: compose, fit, load, predict, register.

Imports everything but experiments, which import it; `import nnjax` loads it when a name is first used.
"""
