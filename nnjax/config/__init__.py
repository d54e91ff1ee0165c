"""The typed schema, the checks across fields, the errors a person reads.

Imports no JAX and nothing else of ours; every package may import it.
"""
