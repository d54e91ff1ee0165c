"""What goes together: model with data, schedule with length, sizes with memory.

Imports config and the facts of data; no JAX. The command line, parallel, training and the textbook import it.
"""
