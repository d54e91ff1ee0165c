"""Search for good settings on Optuna: what is asked, by whom, and what came of it; needs the extra `search`, and no JAX."""
