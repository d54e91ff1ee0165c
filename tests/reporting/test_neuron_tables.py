import io

from nnjax.models.activations import default_activation
from nnjax.reporting.console import RunConsole
from nnjax.reporting.neuron_tables import ActivationRow, activations_table, bias_table, neuron_table

RELU = ActivationRow(default_activation("relu"), value=0.0, derivative=0.0)
TANH = ActivationRow(default_activation("tanh"), value=-0.761594155955765, derivative=0.41997434161402614)


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
        "input 1 x1 · w1 2 × (−1) −2",
        "input 2 x2 · w2 0.5 × 0.8 0.4",
        "bias 1.0 · w0 1.0 × 0.6 0.6",
        "z the sum of these (−2) + 0.4 + 0.6 −1",
        "tanh(z) (e^z − e^−z) / (e^z + e^−z) (e^−1 − e^1) / (e^−1 + e^1) −0.761594",
        "tanh′(z) 1 − f² 1 − (−0.761594)² 0.419974",
    ]


def test_of_a_given_z_there_is_no_sum():
    assert [row.split()[0] for row in rows_of(neuron_table([], -1.0, RELU))[1:]] == ["relu(z)", "relu′(z)"]


def test_decimal_points_stand_below_each_other():
    rows = [ActivationRow(default_activation("relu"), value, 1.0) for value in (-12.5, 3.0, 0.25)]
    lines = rendered(activations_table(1.0, rows)).splitlines()
    points = [(line + " ").rindex(text) for line, text in zip(lines[3:6], (".5 ", "3 ", ".25 "), strict=True)]
    assert points[0] == points[1] + 1 == points[2]


def test_what_the_bias_is_for():
    sigmoid = default_activation("sigmoid")
    shown = rows_of(bias_table(0.6, ActivationRow(sigmoid, 0.5, 0.25), ActivationRow(sigmoid, 0.6456563062257954, 0.2287)))
    assert shown == ["all inputs 0 z sigmoid(z)", "without the bias 0 0.5", "with the bias 0.6 0.645656"]
