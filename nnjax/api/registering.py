"""Decorators that add options of a person's own; a file of them is loaded with `--plugin FILE`.

    @nnjax.register_model("wide")
    def wide(options: Wide, activation, spec, *, rngs, dtype): ...

    nnjax.compose("model=wide", "model.width=64")

The first parameter of a decorated function is annotated with a frozen dataclass. Its fields become keys of the group, typed and
checked as those of shipped options; a field without a default has to be set. To register a name again replaces what it stood
for, so that a notebook's cell may run twice.
"""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from nnjax.config.registry import register

Builder = TypeVar("Builder", bound=Callable[..., Any])


def register_model(name: str) -> Callable[[Builder], Builder]:
    """Makes `model=NAME` an option, built by the decorated function.

    Args:
        name: what chooses it.

    Returns:
        A decorator of `build(options, activation, spec, *, rngs, dtype)`. `options` is annotated with a frozen dataclass, whose
        fields become `model.FIELD`; `spec.input_shape` and `spec.num_outputs` give the sizes; `rngs.params()` draws weights;
        `dtype` is what to compute in. It returns a Flax NNX module that maps inputs [b, *input_shape] float32 to outputs
        [b, num_outputs] (a single layer, to tables and `optimizer.parameter_groups`), or an `nnjax.models.network.Network` of
        named layers. Dropout and BatchNorm come from `nnjax.models.layers`, which keep devices together.

    Example:
        >>> @dataclass(frozen=True)
        ... class Linear:
        ...     bias: bool = True
        >>> @nnjax.register_model("linear")
        ... def linear(options: Linear, activation, spec, *, rngs, dtype):
        ...     output = nnx.Linear(prod(spec.input_shape), spec.num_outputs, use_bias=options.bias, rngs=rngs)
        ...     return Network({"flatten": Head("flatten"), "output": output})
    """
    return register("model", name)


def register_dataset(name: str, *, columns: Sequence[str] = ()) -> Callable[[Builder], Builder]:
    """Makes `data=NAME` an option, read by the decorated function.

    Args:
        name: what chooses it.
        columns: the names of a vector's values, by which `experiments.predict rows=FILE.csv` finds them in a file. Inputs that
            are a table with `columns`, as pandas makes it, need none. Tables are put in the order of these names, or else of
            the training inputs', and refused if their names are others.

    Returns:
        A decorator of `read(options)`, which returns `((train_inputs, train_targets), (test_inputs, test_targets))` as arrays,
        and may return the names of the classes as a third item. Inputs are [n, h, w, c] uint8 images, or numbers [n, ...];
        targets are [n] whole numbers for classes, counted from 0, or [n] or [n, k] real ones; all are finite. The keys of all
        datasets (`data.validation`, `data.normalize`, …) are there besides the options' own. It is called once for each setting
        of its options, also by the checks, before anything is trained.

    Example:
        >>> @nnjax.register_dataset("halves")
        ... def halves(options: Halves):
        ...     x = np.random.default_rng(0).normal(size=(options.count, 2)).astype("float32")
        ...     y = (x[:, 0] > 0).astype("int32")
        ...     return (x[100:], y[100:]), (x[:100], y[:100])
    """
    return register("data", name, column_names=tuple(columns))


def register_loss(name: str, *, from_logits: bool = False) -> Callable[[Builder], Builder]:
    """Makes `loss=NAME` an option.

    Args:
        name: what chooses it.
        from_logits: whether softmax makes the network's outputs probabilities; else they stand for probabilities themselves.

    Returns:
        A decorator of `loss(options, outputs, targets)`: outputs [b, k] and targets [b, k] (1 for the true class and 0 for the
        others, or real values), both float32, to the loss of each example, [b]; differentiable, in `jax.numpy`.

    Example:
        >>> @nnjax.register_loss("huber")
        ... def huber(options: Huber, outputs, targets):
        ...     return optax.losses.huber_loss(outputs, targets, delta=options.delta).mean(axis=-1)
    """
    return register("loss", name, from_logits=from_logits)


def register_optimizer(name: str) -> Callable[[Builder], Builder]:
    """Makes `optimizer=NAME` an option.

    Returns:
        A decorator of `build(options, learning_rate)`, which returns an `optax.GradientTransformation`; `learning_rate` is a
        schedule, from the step to the rate. The keys of all optimizers are there besides the options' own: `learning_rate`,
        `weight_decay` (added to the gradient), `clip_norm`, `parameter_groups`, `lookahead`.

    Example:
        >>> @nnjax.register_optimizer("rmsprop")
        ... def rmsprop(options: RMSProp, learning_rate):
        ...     return optax.rmsprop(learning_rate, decay=options.decay)
    """
    return register("optimizer", name)


def register_activation(name: str) -> Callable[[Builder], Builder]:
    """Makes `activation=NAME` an option; an output activation is chosen among the shipped ones.

    Returns:
        A decorator of `activation(options, z)`, elementwise: `z` [...] to an array of the same shape and type.

    Example:
        >>> @nnjax.register_activation("swish")
        ... def swish(options: Swish, z):
        ...     return z * jax.nn.sigmoid(options.beta * z)
    """
    return register("activation", name)
