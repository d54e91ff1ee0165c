"""One neuron, by hand: `python -m experiments.neuron 'inputs=[0.2,0.1,0.4]' 'weights=[0.1,0.2,0.3]' bias=0.6`.

Prints every product of the weighted sum, z, and the activation at z with its derivative; draws the activations with z marked.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nnjax.cli import command
from nnjax.config.paths import shown_path
from nnjax.config.schema import NeuronConfig
from nnjax.reporting.console import RunConsole
from nnjax.reporting.neuron_tables import ActivationRow, Result, activations_table, bias_table, neuron_table
from nnjax.reporting.run_summary import environment, write_json
from nnjax.reporting.text import number_text

if TYPE_CHECKING:
    from nnjax.config.options import Activation
    from nnjax.textbook.neuron import Activated, Term


def main() -> None:
    """The command line."""
    command.run("neuron", NeuronConfig, neuron)


def neuron(config: NeuronConfig, run_dir: Path) -> Mapping[str, Any]:
    """Computes one neuron, prints it, draws its activations, and returns the content of `summary.json`."""
    # Importing JAX takes a second; a mistaken command fails before that.
    from nnjax.parallel.environment import import_guard, jax_settings

    with import_guard():
        import jax  # noqa: F401
    with RunConsole(run_dir / "neuron.log") as console, jax_settings(console.warn):
        return _neuron(config, run_dir, console)


def _neuron(config: NeuronConfig, run_dir: Path, console: RunConsole) -> Mapping[str, Any]:
    from nnjax.models.activations import default_activation
    from nnjax.parallel.devices import check_platform
    from nnjax.textbook.neuron import activate, weighted_sum

    check_platform()

    # --- z: given, or the weighted sum ---
    terms: Sequence[Term] = ()
    z = config.neuron.z
    if z is None:
        total = weighted_sum(config.inputs, config.weights, config.bias)
        terms, z = total.terms, total.z

    # --- the activations at z ---
    others = [default_activation(name) for name in dict.fromkeys(config.neuron.draw) if name != config.activation.name]
    activated = [(activation, activate(activation, z)) for activation in (config.activation, *others)]
    rows = [_row(activation, z, result) for activation, result in activated]
    without_bias = activate(config.activation, 0.0) if terms and not any(config.inputs) else None

    # --- tables and figure ---
    if not terms:
        console.print("neuron.z is set: inputs, weights and bias are not used")
    console.print(neuron_table([(term.input, term.weight, term.product) for term in terms], z, rows[0]))
    if without_bias is not None:
        console.print("All inputs are 0, and so is every product, whatever the weights: the bias alone makes z.")
        console.print(bias_table(z, _row(config.activation, 0.0, without_bias), rows[0]))
    console.print(activations_table(z, rows))
    figures = _draw(z, activated, run_dir / "figures" / "activations.png")
    console.print(f"Drawn in {shown_path(figures[0])} and .svg")

    summary = {
        "name": run_dir.name,
        "status": "completed",
        "run_dir": str(run_dir),
        "terms": [asdict(term) for term in terms],
        "z": z,
        "output": _plain(*activated[0]),
        "without_bias": None if without_bias is None else _plain(config.activation, without_bias),
        "activations": [_plain(activation, result) for activation, result in activated],
        "figures": figures,
        **environment(),
    }
    write_json(run_dir / "summary.json", summary)
    return summary


def _row(activation: "Activation", z: float, result: "Activated") -> ActivationRow:
    """An activation at z, with its formulas in symbols and with numbers."""
    from nnjax.textbook.formulas import formula, with_numbers

    def written(value: float, *, derivative: bool) -> Result:
        numbers = with_numbers(activation, z, result.value, derivative=derivative, text=number_text)
        return Result(formula(activation, "z", "f", derivative=derivative), numbers, value)

    return ActivationRow(activation.name, written(result.value, derivative=False), written(result.derivative, derivative=True))


def _draw(z: float, activated: "Sequence[tuple[Activation, Activated]]", path: Path) -> list[Path]:
    """Draws each activation around z, as PNG and SVG."""
    from nnjax.reporting.figures.activation_curves import ActivationCurve, activation_curves, plot_range
    from nnjax.textbook.neuron import curve

    points = plot_range(z)
    curves = [
        ActivationCurve(activation.name, points, *curve(activation, points), at=(result.value, result.derivative))
        for activation, result in activated
    ]
    activation_curves(z, curves, path)
    return [path, path.with_suffix(".svg")]


def _plain(activation: "Activation", result: "Activated") -> dict[str, Any]:
    return {"activation": asdict(activation), **asdict(result)}


if __name__ == "__main__":
    main()
