"""Suggests a key for one that does not exist: by its spelling, or by its name in other frameworks.

suggest("training.epochs", keys_of(Config), siblings=["duration", ...], value=5)    # "training.duration=5epochs"
"""

from collections.abc import Collection
from difflib import SequenceMatcher, get_close_matches

# Names from Keras, Lightning and plain PyTorch scripts, and the keys here; {value} is the given value.
ALIASES = {
    "accelerator": "parallel.platform",
    "arch": "model={value}",
    "architecture": "model={value}",
    "batch": "training.global_batch_size",
    "batch_size": "training.global_batch_size",
    "beta1": "optimizer.b1",
    "beta2": "optimizer.b2",
    "betas": "optimizer.b1",
    "checkpoint": "resume",
    "ckpt_path": "resume",
    "criterion": "loss={value}",
    "data_dir": "data.directory",
    "dataset": "data={value}",
    "decay": "optimizer.weight_decay",
    "devices": "parallel.devices",
    "dropout": "model.dropout",
    "dropout_rate": "model.dropout",
    "dtype": "training.precision",
    "early_stopping": "training.stop.patience",
    "epochs": "training.duration={value}epochs",
    "epsilon": "optimizer.eps",
    "eval_every": "training.evaluate_every",
    "fast_dev_run": "debug=fast",
    "filters": "model.blocks",
    "gamma": "schedule.factor",
    "gpus": "parallel.devices",
    "grad_clip": "optimizer.clip_norm",
    "gradient_clip_val": "optimizer.clip_norm",
    "hidden_dim": "model.hidden",
    "hidden_layers": "model.hidden",
    "hidden_size": "model.hidden",
    "hidden_sizes": "model.hidden",
    "iterations": "training.duration={value}steps",
    "label_smooth": "loss.label_smoothing",
    "layers": "model.hidden",
    "length": "training.planned",
    "learning_rate": "optimizer.learning_rate",
    "loss_fn": "loss={value}",
    "lr": "optimizer.learning_rate",
    "lr_scheduler": "schedule={value}",
    "max_epochs": "training.duration={value}epochs",
    "max_grad_norm": "optimizer.clip_norm",
    "max_steps": "training.duration={value}steps",
    "max_time": "training.stop.max_seconds",
    "milestones": "schedule.boundaries",
    "n_epochs": "training.duration={value}epochs",
    "network": "model={value}",
    "nonlinearity": "activation={value}",
    "num_devices": "parallel.devices",
    "n_seeds": "training.seeds",
    "num_copies": "training.seeds",
    "num_epochs": "training.duration={value}epochs",
    "num_seeds": "training.seeds",
    "num_steps": "training.duration={value}steps",
    "num_trials": "training.seeds",
    "num_workers": "parallel.devices",
    "optim": "optimizer={value}",
    "overfit_batches": "debug=overfit",
    "random_seed": "seed",
    "resume_from": "resume",
    "save_every": "training.checkpoint_every",
    "scheduler": "schedule={value}",
    "steps": "training.duration={value}steps",
    "strategy": "parallel={value}",
    "t_max": "training.planned",
    "test_batch_size": "training.eval_batch_size",
    "total_steps": "training.duration={value}steps",
    "train_steps": "training.duration={value}steps",
    "val_batch_size": "training.eval_batch_size",
    "val_split": "data.validation",
    "validation_split": "data.validation",
    "warmup_epochs": "schedule.warmup={value}epochs",
    "warmup_steps": "schedule.warmup={value}steps",
    "wd": "optimizer.weight_decay",
}


_OF_LAYERS = {
    "b": "biases",
    "kernel": "weights",
    "neurons": "size",
    "nodes": "size",
    "num_neurons": "size",
    "units": "size",
    "w": "weights",
    "width": "size",
}
"""Other names of the keys of a layer of `model.layers`."""

_MORE_ROWS = "it measures the run's own test split; forecasts from newer rows: experiments.forecast run=… data.file=…"
ELSEWHERE = {("EvaluateConfig", "data.file"): _MORE_ROWS}
"""What to do in place of a key that a schema cannot have, by the schema's name and the key."""


def suggest(key: str, known: Collection[str], siblings: Collection[str] = (), value: object = None) -> str | None:
    """Returns the key (or the whole override) that was probably meant.

    Args:
        key: the dotted key that does not exist.
        known: all dotted keys of the schema.
        siblings: the last parts of the keys that may stand beside it.
        value: the given value.

    Returns:
        The first match of these: the key for another framework's name; a key with the same last part; a sibling of similar
        spelling; any key whose last part has a similar spelling. Of several keys with one last part, the one most similar as
        a whole. None without a match.
    """
    parent, _, leaf = key.rpartition(".")
    leaf = leaf.lower().replace("-", "_")
    if leaf in known and "." not in leaf:  # as it is called here, in a place of its own
        return leaf
    if (of_layer := _OF_LAYERS.get(leaf)) in siblings:
        return f"{parent}.{of_layer}"
    if habit := _habit(leaf, known, value):
        return habit
    by_leaf: dict[str, str] = {}
    for candidate in sorted(known, key=lambda text: (-SequenceMatcher(None, key, text).ratio(), text.count("."), text)):
        by_leaf.setdefault(candidate.rpartition(".")[2], candidate)
    by_leaf.pop("name", None)  # an option is chosen by its group, not by its name
    if leaf in by_leaf:
        return by_leaf[leaf]
    if near := get_close_matches(leaf, siblings, n=1):
        meant = f"{parent}.{near[0]}" if parent else near[0]
        return f"{meant}={value}" if isinstance(value, str) and meant not in known else meant
    if near := get_close_matches(leaf, by_leaf, n=1, cutoff=0.75):
        return by_leaf[near[0]]
    return None


def _habit(leaf: str, known: Collection[str], value: object) -> str | None:
    target = ALIASES.get(leaf, "")
    name = target.partition("=")[0]
    if not any(key == name or key.startswith(f"{name}.") for key in known):
        return None
    is_word = isinstance(value, str | int | float) and not isinstance(value, bool)
    return target.format(value=value) if is_word or "{" not in target else name
