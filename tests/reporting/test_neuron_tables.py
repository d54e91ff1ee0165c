import io
from dataclasses import replace

from nnjax.reporting.console import RunConsole
from nnjax.reporting.neuron_tables import ActivationRow, Result, activations_table, bias_table, neuron_table

RELU = ActivationRow("relu", Result("max(0, z)", "max(0, −1)", 0.0), Result("1 if z > 0, else 0", "0, as −1 ≤ 0", 0.0))
TANH = ActivationRow(
    "tanh",
    Result("(e^z − e^−z) / (e^z + e^−z)", "(e^−1 − e^1) / (e^−1 + e^1)", -0.761594155955765),
    Result("1 − f²", "1 − (−0.761594)²", 0.41997434161402614),
)


def rendered(table):
    shown = io.StringIO()
    with RunConsole(None, file=shown) as console:
        console.print(table)
    return shown.getvalue()


def rows_of(table):
    return [" ".join(line.split()) for line in rendered(table).splitlines() if line.strip() and "──" not in line]


def test_a_row_for_each_product_the_bias_the_sum_the_activation_and_its_derivative():
    assert rows_of(neuron_table([(2.0, -1.0, -2.0), (0.5, 0.8, 0.4), (1.0, 0.6, 0.6)], -1.0, TANH)) == [
        "formula with numbers value",
        "input 1 x1 × w1 2 × (−1) −2",
        "input 2 x2 × w2 0.5 × 0.8 0.4",
        "bias 1.0 × w0 1.0 × 0.6 0.6",
        "z the sum of these (−2) + 0.4 + 0.6 −1",
        "tanh(z) (e^z − e^−z) / (e^z + e^−z) (e^−1 − e^1) / (e^−1 + e^1) −0.761594",
        "tanh′(z) 1 − f² 1 − (−0.761594)² 0.419974",
    ]


def test_of_a_given_z_there_is_no_sum():
    assert [row.split()[0] for row in rows_of(neuron_table([], -1.0, RELU))[1:]] == ["relu(z)", "relu′(z)"]


def test_decimal_points_stand_below_each_other():
    rows = [replace(RELU, output=replace(RELU.output, value=value)) for value in (-12.5, 3.0, 0.25)]
    lines = rendered(activations_table(1.0, rows)).splitlines()
    points = [(line + " ").rindex(text) for line, text in zip(lines[3:6], (".5 ", "3 ", ".25 "), strict=True)]
    assert points[0] == points[1] + 1 == points[2]


def test_what_the_bias_is_for():
    without, with_bias = (replace(RELU, name="sigmoid", output=replace(RELU.output, value=value)) for value in (0.5, 0.6456563))
    shown = rows_of(bias_table(0.6, without, with_bias))
    assert shown == ["all inputs 0 z sigmoid(z)", "without the bias 0 0.5", "with the bias 0.6 0.645656"]
