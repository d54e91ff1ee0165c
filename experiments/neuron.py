"""One neuron, by hand: `python -m experiments.neuron 'inputs=[0.2,0.1,0.4]' 'weights=[0.1,0.2,0.3]' bias=0.6`.

Shows every product of the weighted sum, z, and the activation of z with its derivative; draws the activations with z marked.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nnjax.config import command
from nnjax.config.provenance import shown_path
from nnjax.config.schema import NeuronConfig
from nnjax.reporting.console import RunConsole
from nnjax.reporting.neuron_tables import ActivationRow, activations_table, bias_table, neuron_table
from nnjax.reporting.summary import environment, write_json

if TYPE_CHECKING:
    from nnjax.config.options import Activation
    from nnjax.textbook.neuron import Term


def main() -> None:
    """The command line."""
    command.run("neuron", NeuronConfig, neuron)


def neuron(config: NeuronConfig, run_dir: Path) -> Mapping[str, Any]:
    """Computes one neuron, shows it, draws its activations, and returns what stands in `summary.json`."""
    # JAX takes a second to import, which a mistaken command need not wait for.
    from nnjax.models.activations import default_activation
    from nnjax.textbook.neuron import activate, weighted_sum

    def at(z: float, activation: "Activation") -> ActivationRow:
        result = activate(activation, z)
        return ActivationRow(activation, result.value, result.derivative)

    # --- z: the one that is given, else the weighted sum ---
    terms: Sequence[Term] = ()
    z = config.neuron.z
    if z is None:
        total = weighted_sum(config.inputs, config.weights, config.bias)
        terms, z = total.terms, total.z

    # --- the activations of z ---
    output = at(z, config.activation)
    others = [default_activation(name) for name in dict.fromkeys(config.neuron.draw) if name != config.activation.name]
    rows = [output, *(at(z, activation) for activation in others)]
    without_bias = at(0.0, config.activation) if terms and not any(config.inputs) else None

    with RunConsole(run_dir / "neuron.log") as console:
        if not terms:
            console.print("neuron.z is set: inputs, weights and bias are not used")
        console.print(neuron_table([(term.input, term.weight, term.product) for term in terms], z, output))
        if without_bias is not None:
            console.print("All inputs are 0, and so is every product, whatever the weights: the bias alone makes z.")
            console.print(bias_table(z, without_bias, output))
        console.print(activations_table(z, rows))
        figures = _draw(z, rows, run_dir / "figures" / "activations.png")
        console.print(f"Drawn in {shown_path(figures[0])} and .svg")

    summary = {
        "name": run_dir.name,
        "status": "completed",
        "run_dir": str(run_dir),
        "terms": [asdict(term) for term in terms],
        "z": z,
        "output": _plain(output),
        "without_bias": None if without_bias is None else _plain(without_bias),
        "activations": [_plain(row) for row in rows],
        "figures": figures,
        **environment(),
    }
    write_json(run_dir / "summary.json", summary)
    return summary


def _draw(z: float, rows: Sequence[ActivationRow], path: Path) -> list[Path]:
    """Draws each row's activation around z, as PNG and SVG."""
    from nnjax.reporting.figures.activations import ActivationCurve, activation_curves, shown_range
    from nnjax.textbook.neuron import curve

    points = shown_range(z)
    curves = [
        ActivationCurve(row.config.name, points, *curve(row.config, points), at=(row.value, row.derivative)) for row in rows
    ]
    activation_curves(z, curves, path)
    return [path, path.with_suffix(".svg")]


def _plain(row: ActivationRow) -> dict[str, Any]:
    return {"activation": asdict(row.config), "value": row.value, "derivative": row.derivative}


if __name__ == "__main__":
    main()
