import doctest
import inspect
import math
from dataclasses import dataclass, replace
from typing import Annotated, Literal

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx
from named_tables import NamedTable

import nnjax
from nnjax.config.option_class import option_class
from nnjax.config.training_options import CrossEntropy
from nnjax.config.types import Bounds, PositiveInt
from nnjax.models.activations import activation
from nnjax.models.layers import Dropout, Head
from nnjax.models.network import Network
from nnjax.training.experiment import set_up
from nnjax.training.losses import example_loss
from nnjax.training.optimizers import make_optimizer

pytestmark = pytest.mark.usefixtures("own_registry")


@dataclass(frozen=True)
class Wide:
    depth: PositiveInt
    width: int = 16
    drop: float = 0.0
    ends: Literal["plain", "odd"] = "plain"


@dataclass(frozen=True)
class Nothing:
    pass


def wide(options: Wide, activation, spec, *, rngs, dtype):
    layers = {"flatten": Head("flatten"), "dense": nnx.Linear(64, options.width, rngs=rngs)}
    if options.drop:
        layers["drop"] = Dropout(options.drop)
    return Network(layers | {"output": nnx.Linear(options.width, spec.num_outputs, rngs=rngs)})


@pytest.mark.slow
def test_a_model_is_chosen_and_checked_as_a_shipped_one(tiny):
    assert nnjax.register_model("wide")(wide) is wide
    words = ("model=wide", "training.duration=1epochs", "data.limit_train=80", "training.global_batch_size=24")
    config = nnjax.compose(*words, "model.depth=2", "model.drop=0.5")
    assert (config.model.name, config.model.depth, config.model.width, config.model.drop) == ("wide", 2, 16, 0.5)
    assert isinstance(config.model, Wide)
    result = nnjax.fit(config)
    assert result.params["dense"]["kernel"].shape == (64, 16)
    for overrides, message in [
        ((), r"model.depth: missing; must be a whole number of at least 1 \(see Python code\)"),
        (("model.depth=0",), r"model.depth=0: must be a whole number of at least 1 \(set on the command line\)"),
        (("model.depth=1", "model.widht=3"), r"model.widht=3: unknown key; did you mean model.width\?"),
        (("model.depth=1", "model.width=x"), "model.width=x: must be a whole number"),
        (("model.depth=1", "model.ends=ood"), r"model.ends=ood: must be one of plain, odd; did you mean odd\?"),
        (("model.depth=1", "model=wdie"), r"model=wdie: no such option; did you mean wide\?"),
    ]:
        with pytest.raises(nnjax.ConfigError, match=message):
            nnjax.compose(*words, *overrides)


def test_a_cell_may_run_twice():
    for number in (3, 5):

        @dataclass(frozen=True)
        class Own:
            width: int = number

        @nnjax.register_model("own")
        def own(options: Own, activation, spec, *, rngs, dtype):
            return Network({"flatten": Head("flatten"), "output": nnx.Linear(64, 10, rngs=rngs)})

        config = nnjax.compose("model=own")
        assert isinstance(config.model, Own)
        assert config.model.width == number
    assert nnjax.compose("model=own").model == config.model


@pytest.mark.slow
def test_a_loss_an_optimizer_and_an_activation(tiny):
    @dataclass(frozen=True)
    class Focal:
        power: Annotated[float, Bounds(at_least=0)] = 2.0

    @dataclass(frozen=True)
    class Signs:
        decay: float = 0.5
        learning_rate: float = 0.01

    @dataclass(frozen=True)
    class Swish:
        beta: float = 1.0

    @nnjax.register_loss("focal", from_logits=True)
    def focal(options: Focal, outputs, targets):
        log = jax.nn.log_softmax(outputs)
        return -jnp.sum(targets * (1 - jnp.exp(log)) ** options.power * log, axis=-1)

    @nnjax.register_optimizer("signs")
    def signs(options: Signs, learning_rate):
        return optax.chain(optax.trace(options.decay), optax.scale_by_sign(), optax.scale_by_learning_rate(learning_rate))

    @nnjax.register_activation("swish")
    def swish(options: Swish, z):
        return z * jax.nn.sigmoid(options.beta * z)

    config = tiny("loss=focal", "optimizer=signs", "activation=swish", "activation.beta=2", "optimizer.clip_norm=1")
    assert (config.optimizer.learning_rate, config.optimizer.weight_decay, config.loss.power) == (0.01, 0.0, 2.0)
    result = nnjax.fit(config)
    x, y = result.dataset.test.inputs, result.dataset.test.targets
    probabilities = result.predict(x)[np.arange(len(x)), y]
    losses = -((1 - probabilities) ** 2) * np.log(probabilities)
    assert result.metrics["test"]["loss"] == pytest.approx(losses.mean(), rel=1e-4)
    # with a power of 0 and a beta of 1, these are cross-entropy and silu
    outputs, targets = jnp.array([[1.0, -2.0, 0.5]]), jnp.array([2])
    shipped = example_loss(CrossEntropy("cross_entropy", 0.0), outputs, targets)
    assert example_loss(replace(config.loss, power=0.0), outputs, targets) == pytest.approx(shipped)
    np.testing.assert_allclose(activation(replace(config.activation, beta=1.0))(outputs), jax.nn.silu(outputs))


def test_a_registered_loss_may_decide_by_its_numbers(tiny):
    """They are no arguments of the compiled programs, as those of shipped options are."""

    @dataclass(frozen=True)
    class Distance:
        power: float = 1.0

    @nnjax.register_loss("distance")
    def distance(options: Distance, outputs, targets):
        off = jnp.abs(outputs - targets)
        return jnp.sum(off if options.power == 1 else off**options.power, axis=-1)

    result = nnjax.fit(tiny("loss=distance", "loss.power=3", "training.duration=1epochs"))
    assert np.isfinite(result.evaluate("test")["loss"])


@pytest.mark.slow
def test_a_registered_optimizer_has_what_all_have(tiny):
    @nnjax.register_optimizer("plain")
    def plain(options: Nothing, learning_rate):
        return optax.sgd(learning_rate)

    params, grads = {"kernel": jnp.full((2, 2), 3.0)}, {"kernel": jnp.full((2, 2), 4.0)}
    updates = []
    for name in ("plain", "sgd"):
        words = ("optimizer.learning_rate=0.1", "optimizer.weight_decay=0.5", "optimizer.clip_norm=1")
        rule = make_optimizer(nnjax.compose(f"optimizer={name}", *words).optimizer, lambda step: 0.5)
        updates.append(rule.update(grads, rule.init(params), params)[0]["kernel"])
    np.testing.assert_array_equal(*updates)
    # several trials differ in its learning rate
    trials = nnjax.fit(tiny("optimizer=plain", "training.vary.learning_rate=[0.05,0.1]", "training.duration=1epochs"))
    assert len({row["test_loss"] for row in trials.summary["trials"]}) == 2


def test_a_registered_optimizer_may_need_whole_tensors(tiny):
    @nnjax.register_optimizer("plain")
    def plain(options: Nothing, learning_rate):
        return optax.sgd(learning_rate)

    with pytest.raises(nnjax.ConfigError, match=r"gradients=sharded: .* optimizer=plain may need whole tensors; choose"):
        nnjax.fit(tiny("optimizer=plain", "parallel.gradients=sharded"))


def halves(count, shift=0.0):
    x = np.random.default_rng(0).normal(size=(count, 3)) + shift
    return x, (x[:, 0] > shift).astype(int)


@pytest.mark.slow
def test_a_dataset(tiny):
    @dataclass(frozen=True)
    class Halves:
        count: int = 90
        validation: float = 0.2

    reads = []

    @nnjax.register_dataset("halves")
    def read(options: Halves):
        reads.append(options)
        x, y = halves(options.count)
        return (x[30:], y[30:]), (x[:30], y[:30]), ["left", "right"]

    config = nnjax.compose("data=halves", "model=fnn", "training.global_batch_size=8", "training.duration=30epochs")
    result = nnjax.fit(config)
    assert len(reads) == 1
    assert result.dataset.class_names == ("left", "right")
    assert [len(split) for split in (result.dataset.train, result.dataset.validation, result.dataset.test)] == [48, 12, 30]
    assert result.metrics["test"]["accuracy"] > 0.8
    assert result.predict([[3, 0, 0], [-3, 0, 0]]).argmax(axis=1).tolist() == [1, 0]
    assert len(nnjax.load_data(nnjax.compose("data=halves", "data.count=150", "model=fnn", "data.limit_test=4")).test) == 4
    with pytest.raises(nnjax.IncompatibleError, match="model=cnn: needs images; data=halves has 3 inputs"):
        nnjax.compose("data=halves")


def test_a_dataset_of_values_and_one_of_images():
    @nnjax.register_dataset("values")
    def values(options: Nothing):
        x = np.linspace(-1, 1, 60)[:, None]
        return (x[::2], x[::2, 0] ** 2), (x[1::2], x[1::2, 0] ** 2)

    @nnjax.register_dataset("images")
    def images(options: Nothing):
        x = np.arange(20 * 4 * 4, dtype=np.uint8).reshape(20, 4, 4, 1)
        return (x, np.arange(20) % 3), (x, np.arange(20) % 3)

    spec = nnjax.load_data(nnjax.compose("data=values", "loss=mse", "model=fnn", "training.global_batch_size=8")).spec
    assert (spec.task, spec.num_outputs, spec.input_shape, spec.input_dtype) == ("regression", 1, (1,), "float32")
    spec = nnjax.load_data(nnjax.compose("data=images", "training.global_batch_size=8", "data.augment.flip=random")).spec
    assert (spec.task, spec.num_outputs, spec.input_shape, spec.input_dtype) == ("classification", 3, (4, 4, 1), "uint8")


X, Y = np.zeros((4, 3)), np.array([0, 1, 0, 1])


def refused(returned, message):
    """A dataset whose function returns this, or raises it."""

    @nnjax.register_dataset("broken")
    def broken(options: Nothing):
        if isinstance(returned, Exception):
            raise returned
        return returned

    with pytest.raises(nnjax.DataError, match=message):
        nnjax.compose("data=broken", "model=fnn", "training.global_batch_size=2")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("returned", "message"),
    [
        (None, r"must return \(\(train_inputs, train_targets\)"),
        (((X, Y), (X,)), "must return"),
        (((X, Y), (X, Y), ["a", "b"], 3), "must return"),
        (((X[0], Y), (X, Y)), r"train inputs: must be .* are \[3\]"),
        (((X.astype("U"), Y), (X, Y)), "train inputs: must be numbers; are <U32"),
        (((X, Y), (X, Y - 1)), "test targets: classes are counted from 0; the smallest is -1"),
        (((X, Y.astype("U")), (X, Y)), "train targets: must be whole numbers"),
        (((X, Y[:3]), (X, Y)), "has 4 train inputs and 3 train targets"),
        (((X, Y), (X[:0], Y[:0])), "has no test examples"),
        (((X, Y), (X[:, :2], Y)), r"train and test inputs are not alike: \[4, 3\] float32 and \[4, 2\] float32"),
        (((X, Y), (X, Y * 0.5)), "train and test targets are not alike"),
        (((X, Y), (X, Y), ["a"]), "has 1 class names, and targets up to 1, counted from 0"),
        (ZeroDivisionError("by zero"), "data=broken: ZeroDivisionError: by zero"),
    ],
)
def test_a_dataset_that_cannot_be_read(returned, message):
    refused(returned, message)


@pytest.mark.parametrize(
    ("returned", "message"),
    [
        (
            ((X, Y * 2**32), (X, Y)),
            "train targets: classes are .* without gaps; the largest is 4294967296; must be below 1048576",
        ),
        (((X, Y), (X, Y.astype(np.uint64) * 2**63)), "test targets: .* the largest is 9223372036854775808; must be below"),
        (((X, Y), (X, Y * 2**20)), "test targets: .* the largest is 1048576; must be below 1048576"),
        (((X, Y * 0), (X, Y > 1)), "has a single class; must have at least 2, or real-valued targets"),
        (((X, Y * 0), (X, Y * 0), ["a"]), "has a single class; must have at least 2"),
    ],
)
def test_class_numbers_of_no_dataset(returned, message):
    refused(returned, message)


def test_columns_of_lists_have_names_too():
    @nnjax.register_dataset("listed", columns=("a", "b", "c"))
    def listed(options: Nothing):
        return (X.tolist(), Y.tolist()), (X.tolist(), Y.tolist())

    read = nnjax.load_data(nnjax.compose("data=listed", "model=fnn", "training.global_batch_size=2"))
    assert (read.features, read.train.inputs.tolist()) == (("a", "b", "c"), X.tolist())


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (np.array(["no", "yes"]), ("no", "yes")),  # scikit-learn's target_names
        ({"no": 0, "yes": 1}.keys(), ("no", "yes")),
        (lambda: (name for name in ("no", "yes")), ("no", "yes")),
        ([7, 8], ("7", "8")),
        (None, ("0", "1")),
        (np.array([]), ("0", "1")),
    ],
)
def test_names_of_classes_are_any_list(names, expected):
    @nnjax.register_dataset("named")
    def named(options: Nothing):
        return (X, Y), (X, Y), names() if callable(names) else names

    read = nnjax.load_data(nnjax.compose("data=named", "model=fnn", "training.global_batch_size=2"))
    assert read.class_names == expected
    assert {type(name) for name in read.class_names} == {str}


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (3, "its function must return"),
        (["x", "y", "x"], "has two classes x; names must differ"),
        ("ab", "names of its classes are a str; must be a list of names, in the order of the classes"),
        ({"no", "yes"}, "names of its classes are a set; must be"),
        ({"no": 0, "yes": 1}, "names of its classes are a dict; must be"),
    ],
)
def test_names_that_no_classes_have(names, message):
    refused(((X, Y), (X, Y), names), message)


def changed(value):
    """The inputs with another number at [3, 1]."""
    x = X.copy()
    x[3, 1] = value
    return x


MASKED = np.ma.masked_equal(changed(7), 7)


@pytest.mark.parametrize(
    ("returned", "message"),
    [
        (((changed(np.nan), Y), (X, Y)), r"broken: train inputs: \[3, 1\] is nan; must be a finite number, within ±3.4e38"),
        (((X, Y), (changed(-np.inf), Y)), r"broken: test inputs: \[3, 1\] is -inf; must be a finite number"),
        (((X, Y), (changed(1e39), Y)), r"broken: test inputs: \[3, 1\] is 1e\+39; must be a finite number"),
        (
            ((NamedTable("abc", changed(np.nan)), Y), (X, Y)),
            r"broken: train inputs: \[3, 1\] \(b\) is nan; must be a finite number",
        ),
        (((X, changed(np.nan)), (X, X)), r"broken: train targets: \[3, 1\] is nan; must be"),
        (((X, X[:, 0]), (X, changed(1e39)[:, 1])), r"broken: test targets: \[3\] is 1e\+39; must be"),
        (((X, Y), (MASKED, Y)), r"broken: test inputs: \[3, 1\] is masked; must be a number"),
        (((X, np.ma.masked_greater(Y, 0)), (X, Y)), r"broken: train targets: \[1\] is masked; must be a number"),
        ((([[1], [1, 2]], Y), (X, Y)), "broken: train inputs: .*inhomogeneous"),
    ],
)
def test_numbers_that_no_training_takes(returned, message):
    refused(returned, message)


@pytest.mark.parametrize("registered", [(), ("b", "c", "a")])
def test_tables_are_put_in_order(registered):
    x = NamedTable(("a", "b", "c"), np.arange(24).reshape(8, 3))
    y = NamedTable(("up", "down"), np.arange(16.0).reshape(8, 2))

    @nnjax.register_dataset("tables", columns=registered)
    def tables(options: Nothing):
        return (x, y), (x[("c", "a", "b")], y[("down", "up")])

    words = ("model=fnn", "loss=mse", "training.global_batch_size=2", "data.validation=0")
    read = nnjax.load_data(nnjax.compose("data=tables", *words))
    assert read.features == (registered or ("a", "b", "c"))
    for split in (read.train, read.test):
        np.testing.assert_array_equal(split.inputs, x[read.features].values)
        np.testing.assert_array_equal(split.targets, y.values)


def test_a_single_column_of_targets_may_have_any_name():
    @nnjax.register_dataset("single")
    def single(options: Nothing):
        return (X, NamedTable(("y_train",), X[:, :1])), (X, NamedTable(("y_test",), X[:, :1]))

    read = nnjax.load_data(nnjax.compose("data=single", "model=fnn", "loss=mse", "training.global_batch_size=2"))
    np.testing.assert_array_equal(read.test.targets, X[:, :1])


@pytest.mark.parametrize(
    ("registered", "test", "message"),
    [
        (("a", "b"), ("a", "c"), "data=tables: test inputs have the columns a, c; must have a, b, in any order"),
        (("a", "c"), ("a", "b"), "data=tables: train inputs have the columns a, b; must have a, c, in any order"),
    ],
)
def test_tables_of_other_names_are_refused(registered, test, message):
    @nnjax.register_dataset("tables", columns=registered)
    def tables(options: Nothing):
        return (NamedTable(("a", "b"), X[:, :2]), Y), (NamedTable(test, X[:, :2]), Y)

    with pytest.raises(nnjax.DataError) as caught:
        nnjax.compose("data=tables", "model=fnn", "training.global_batch_size=2")
    assert str(caught.value) == message


def test_a_model_that_is_none(tiny):
    @nnjax.register_model("none")
    def none(options: Nothing, activation, spec, *, rngs, dtype):
        return lambda x: x

    with pytest.raises(nnjax.ConfigError, match="model=none: its function must return a Flax NNX module; it returned function"):
        nnjax.fit(nnjax.compose("model=none", "training.duration=1epochs"))


def test_a_model_with_other_outputs_than_the_data():
    @nnjax.register_model("seven")
    def seven(options: Nothing, activation, spec, *, rngs, dtype):
        return Network({"flatten": Head("flatten"), "output": nnx.Linear(64, 7, rngs=rngs)})

    message = r"model=seven: its outputs are \[b, 7\] for a batch of b; data=digits needs \[b, 10\], one for each class"
    with pytest.raises(nnjax.ConfigError, match=message):
        nnjax.fit(nnjax.compose("model=seven", "training.duration=1epochs"))


@dataclass
class Thawed:
    width: int = 1


@dataclass(frozen=True)
class Named:
    name: str = "x"


@dataclass(frozen=True)
class Unheld:
    width: "list[int]" = ()  # type: ignore[assignment]


@dataclass(frozen=True)
class Unknown:
    width: "Nowhere" = 0  # type: ignore[name-defined]  # noqa: F821


@dataclass(frozen=True)
class Fixed:
    size: tuple[int, int] = (1, 2)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (None, "the first parameter of build must be annotated with the dataclass of its options"),
        (int, "the first parameter of build must be annotated"),
        (Thawed, r"Thawed must be frozen: @dataclass\(frozen=True\)"),
        (Named, "Named.name: that key is what chooses the option"),
        (Unheld, r"Unheld.width: a config cannot hold list\[int\]; annotate it with int, float"),
        (Unknown, "the annotations of Unknown cannot be read: name 'Nowhere' is not defined"),
        (Fixed, r"Fixed.size: a config cannot hold tuple\[int, int\]"),
    ],
)
def test_options_that_no_config_can_hold(options, message):
    def build(options):
        pass

    if options is not None:
        build.__annotations__["options"] = options
    with pytest.raises(nnjax.ConfigError, match=f"model=mine: {message}"):
        nnjax.register_model("mine")(build)


@pytest.mark.parametrize(
    ("register", "name", "message"),
    [
        (nnjax.register_model, "cnn", "model=cnn: is a shipped option; register another name"),
        (nnjax.register_dataset, "mnist", "data=mnist: is a shipped option"),
        (nnjax.register_loss, "half_mse", "loss=half_mse: is a shipped option"),
        (nnjax.register_model, "my model", "model=my model: is no name"),
        (nnjax.register_model, 3, "model=3: is no name"),
        (nnjax.register_model, "null", "model=null: is no name"),
        (nnjax.register_dataset, "NaN", "data=NaN: is no name"),
    ],
)
def test_names_that_cannot_be_had(register, name, message):
    with pytest.raises(nnjax.ConfigError, match=message):
        register(name)(wide)


@pytest.mark.parametrize("returned", [lambda losses: losses, lambda losses: losses.mean()])
def test_a_loss_of_another_shape_is_refused(tiny, returned):
    @nnjax.register_loss("squares")
    def squares(options: Nothing, outputs, targets):
        return returned((outputs - targets) ** 2)

    with pytest.raises(nnjax.ConfigError, match=r"loss=squares: its function must return the loss of each example, \[24\]; it"):
        nnjax.fit(tiny("loss=squares"))


def test_an_optimizer_and_an_activation_of_another_kind_are_refused(tiny):
    @nnjax.register_optimizer("none_at_all")
    def none_at_all(options: Nothing, learning_rate):
        return None

    @nnjax.register_activation("total")
    def total(options: Nothing, z):
        return z.sum()

    with pytest.raises(nnjax.ConfigError, match=r"optimizer=none_at_all: its function must return an optax.GradientTransf"):
        nnjax.fit(tiny("optimizer=none_at_all"))
    with pytest.raises(nnjax.ConfigError, match=r"activation=total: its function must return an array of the shape of z"):
        nnjax.fit(tiny("activation=total"))


@dataclass(frozen=True)
class Halves:
    count: int = 300


@dataclass(frozen=True)
class Huber:
    delta: float = 1.0


@dataclass(frozen=True)
class RMSProp:
    decay: float = 0.9


@dataclass(frozen=True)
class Swish:
    beta: float = 1.0


@pytest.mark.slow
@pytest.mark.parametrize(
    ("register", "overrides"),
    [
        (nnjax.register_model, ["model=linear", "model.bias=false", "training.seeds=2"]),
        (nnjax.register_dataset, ["data=halves", "data.count=400"]),
        (nnjax.register_loss, ["loss=huber", "loss.delta=0.5"]),
        (nnjax.register_optimizer, ["optimizer=rmsprop", "optimizer.decay=0.5", "training.seeds=2"]),
        (nnjax.register_activation, ["activation=swish"]),
    ],
)
def test_the_examples_of_the_docstrings_work(register, overrides):
    names = {name: globals()[name] for name in ("Halves", "Huber", "RMSProp", "Swish", "Network", "Head", "dataclass")}
    names |= {"nnjax": nnjax, "nnx": nnx, "np": np, "jax": jax, "optax": optax, "prod": math.prod}
    names |= {"__name__": __name__}
    for example in doctest.DocTestParser().get_examples(inspect.getdoc(register)):
        exec(example.source, names)
    quick = ("model=fnn", "data.limit_train=200", "data.limit_test=30", "training.duration=3steps", "parallel.devices=1")
    assert nnjax.fit(nnjax.compose(*quick, *overrides)).status == "completed"


def test_annotations_may_be_text():
    def build(options: "Wide", activation): ...

    assert option_class("model", "mine", build)(depth=1).name == "mine"


def test_weights_of_a_registered_model_follow_the_seed():
    nnjax.register_model("wide")(wide)
    configs = [nnjax.compose("model=wide", "model.depth=1", f"seed={seed}") for seed in (0, 0, 1)]
    kernels = [np.asarray(set_up(c, nnjax.load_data(c), jax.devices()[:1])[1].params["dense"]["kernel"]) for c in configs]
    assert (kernels[0] == kernels[1]).all()
    assert (kernels[0] != kernels[2]).any()
