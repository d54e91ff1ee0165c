"""Operations a second of a large product of bfloat16 matrices on JAX's first device: `python -m benchmarks.product 8192`."""

import sys
import time

import jax
import jax.numpy as jnp

_PRODUCTS, _ROUNDS = 20, 5


def main() -> None:
    """Measures, and prints the fastest round's speed."""
    size = int(sys.argv[1])
    x = jax.random.normal(jax.random.key(0), (size, size), jnp.bfloat16)  # a GPU multiplies matrices of equal numbers faster
    product = jax.jit(lambda x: x @ x)
    product(x).block_until_ready()
    seconds = []
    for _ in range(_ROUNDS):
        start = time.perf_counter()
        jax.block_until_ready([product(x) for _ in range(_PRODUCTS)])
        seconds.append(time.perf_counter() - start)
    print(_PRODUCTS * 2 * size**3 / min(seconds))


if __name__ == "__main__":
    main()
