"""A server's process for `benchmarks.serving`: `python -m benchmarks.served nnjax|torch MODEL.nnjax BATCH THREADS`.

All serve the same file's facts, preparation and statistics with the same web stack and batching. PyTorch computes the same
network with the file's weights in the place of its program.
"""

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nnjax.config.serve_options import ServerSettings
from nnjax.serving.array_file import read_arrays
from nnjax.serving.model import OutputsOf
from nnjax.serving.model_file import read_model
from nnjax.serving.server.listening import bound, serve

Weights = dict[str, NDArray[np.float32]]

_MEAN, _STD = 0.1306604762738429, 0.30810780876661765  # of MNIST's training images, as shares of white
_SAME = 1e-3  # the largest difference of logits that may be left: convolutions add in another order


def main() -> None:
    """Serves until a signal."""
    name, path, batch, threads = sys.argv[1:]
    model = read_model(Path(path))
    if name == "torch":
        weights = {name.removeprefix("weights."): array for name, array in read_arrays(Path(path).read_bytes())[0].items()}
        outputs_of = torch_outputs(weights, int(threads))
        inputs = np.random.default_rng(0).integers(0, 256, (8, 28, 28, 1), dtype=np.uint8)
        difference = float(np.abs(outputs_of(inputs) - model.outputs_of(inputs)).max())
        if difference > _SAME:
            sys.exit(f"PyTorch's network differs by {difference:g}")
        model = replace(model, outputs_of=outputs_of)
    settings = ServerSettings(port=0, batch=int(batch), log=False)
    with bound(settings) as sock:
        serve({"mnist": model}, settings, sock, lambda line: print(line, flush=True))


def torch_outputs(weights: Weights, threads: int) -> OutputsOf:
    """The network of `experiment=mnist_cnn` in PyTorch, eager, with channels last."""
    import torch
    from torch import nn

    torch.set_num_threads(threads)

    def tensor(name: str) -> Any:
        return torch.from_numpy(np.ascontiguousarray(weights[name]))

    layers: list[nn.Module] = []
    for number, (channels, features) in enumerate(((1, 32), (32, 64)), start=1):
        convolution = nn.Conv2d(channels, features, 3, padding="same", bias=False)
        convolution.weight.data = tensor(f"params.conv_{number}.kernel").permute(3, 2, 0, 1).contiguous()
        norm = nn.BatchNorm2d(features, eps=1e-5)
        norm.weight.data, norm.bias.data = (tensor(f"params.conv_{number}_norm.{name}") for name in ("scale", "bias"))
        norm.running_mean, norm.running_var = (tensor(f"model_state.conv_{number}_norm.{name}") for name in ("mean", "var"))
        layers += [convolution, norm, nn.ReLU(), nn.MaxPool2d(2)]
    layers.append(nn.Flatten())
    # The file's kernel expects (h, w, c), and the activations here are (c, h, w).
    first = tensor("params.dense_1.kernel").reshape(7, 7, 64, 256).permute(3, 2, 0, 1).reshape(256, 3136).contiguous()
    for name, kernel in (("dense_1", first), ("output", tensor("params.output.kernel").T.contiguous())):
        linear = nn.Linear(kernel.shape[1], kernel.shape[0])
        linear.weight.data, linear.bias.data = kernel, tensor(f"params.{name}.bias")
        layers += [linear, nn.ReLU()]
    network = nn.Sequential(*layers[:-1]).eval().to(memory_format=torch.channels_last)

    def outputs_of(inputs: NDArray[Any]) -> NDArray[np.float32]:
        with torch.inference_mode():
            x = (torch.from_numpy(inputs).permute(0, 3, 1, 2).float() / 255 - _MEAN) / _STD
            return np.asarray(network(x.contiguous(memory_format=torch.channels_last)).numpy()[None])

    return outputs_of


if __name__ == "__main__":
    main()
