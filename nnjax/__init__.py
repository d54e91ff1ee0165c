"""nnjax: declarative neural-network experiments in JAX, from two neurons by hand to data-parallel CNNs."""

__version__ = "0.1.0"
