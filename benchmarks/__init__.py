"""nnjax side by side with PyTorch, Keras and plain JAX, and with itself: `make bench`, or `python -m benchmarks --help`.

| command | what it measures |
|---|---|
| `python -m benchmarks` | steps/s, first step, memory, share of the roof, against the other frameworks |
| `python -m benchmarks.accuracy` | seconds from process start to a test accuracy on MNIST, against PyTorch |
| `python -m benchmarks.scaling` | the cost of a step as width, batch, depth and dataset grow |
| `python -m benchmarks.startup` | the seconds of the default run, cold and warm, of `--help` and of a config error |
| `python -m benchmarks.seeds` | many seeds in one run, against one |
| `python -m benchmarks.devices` | one CPU device against two, on the same cores and the same global batch |
| `python -m benchmarks.searches` | what a search, random search and a sweep find in the same time |
| `python benchmarks/scan_convolution.py` | the gain of nnjax's convolution inside a compiled loop |
| `python -m benchmarks.gpu` | the shipped experiments on a GPU, and airbench94 in PyTorch |
| `python -m benchmarks.torch_airbench` | airbench94 in PyTorch alone |

The package imports nothing from this folder.
"""
