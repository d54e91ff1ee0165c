"""`python -m experiments.neuron`: the textbook's numbers, on the screen and in `summary.json`."""

import pytest
from commands import run, summary_of

NINE = "relu,tanh,sigmoid,gelu,silu,softplus,identity,leaky_relu,elu"


def neuron(folder, *arguments, **options):
    return run("neuron", f"hydra.run.dir={folder}", *arguments, **options)


def rows(text):
    return {" ".join(line.split()) for line in text.splitlines()}


@pytest.mark.slow
def test_neuron_a_term_by_term(tmp_path):
    text = neuron(tmp_path).stdout
    assert {
        "input 1 x1 × w1 0.2 × 0.1 0.02",
        "input 2 x2 × w2 0.1 × 0.2 0.02",
        "input 3 x3 × w3 0.4 × 0.3 0.12",
        "bias 1.0 × w0 1.0 × 0.6 0.6",
        "z the sum of these 0.02 + 0.02 + 0.12 + 0.6 0.76",
        "relu(z) max(0, z) max(0, 0.76) 0.76",
    } <= rows(text)
    summary = summary_of(tmp_path)
    assert summary["status"] == "completed"
    assert summary["z"] == pytest.approx(0.76, abs=1e-15)
    assert summary["terms"][2] == {"input": 0.4, "weight": 0.3, "product": 0.12}
    assert summary["output"] == {"activation": {"name": "relu"}, "value": summary["z"], "derivative": 1.0}
    assert summary["without_bias"] is None
    for path in summary["figures"]:
        assert path.startswith(str(tmp_path / "figures"))
    assert {path.name for path in (tmp_path / "figures").iterdir()} == {"activations.png", "activations.svg"}


@pytest.mark.slow
def test_the_activations_at_a_given_z(tmp_path):
    text = neuron(tmp_path, "neuron.z=3.02", f"neuron.draw=[{NINE}]", "activation=leaky_relu").stdout
    assert "neuron.z is set: inputs, weights and bias are not used" in text
    assert {
        "relu max(0, z) 3.02 1",
        "tanh (e^z − e^−z) / (e^z + e^−z) 0.995248 0.009481",
        "sigmoid 1 / (1 + e^−z) 0.953470 0.044365",
    } <= rows(text)
    summary = summary_of(tmp_path)
    assert summary["terms"] == []
    names = [row["activation"]["name"] for row in summary["activations"]]
    assert sorted(names) == sorted(NINE.split(","))
    assert names[0] == "leaky_relu"
    values = {row["activation"]["name"]: round(row["value"], 6) for row in summary["activations"]}
    assert (values["relu"], values["tanh"], values["sigmoid"]) == (3.02, 0.995248, 0.953470)


def test_inputs_that_are_all_zero_show_what_the_bias_is_for(tmp_path):
    text = neuron(tmp_path, "inputs=[0,0,0]", "activation=sigmoid", "bias=-0.6").stdout
    assert {"without the bias 0 0.5", "with the bias −0.6 0.354344"} <= rows(text)
    summary = summary_of(tmp_path)
    assert summary["without_bias"] == {"activation": {"name": "sigmoid"}, "value": 0.5, "derivative": 0.25}
    assert summary["z"] == -0.6


@pytest.mark.slow
def test_a_z_far_out(tmp_path):
    neuron(tmp_path, "neuron.z=-1000", f"neuron.draw=[{NINE}]")
    for row in summary_of(tmp_path)["activations"]:
        assert abs(row["value"]) <= 1000, row
        assert 0 <= row["derivative"] <= 1, row


def test_weights_of_another_length_are_refused(tmp_path):
    result = neuron(tmp_path, "inputs=[1,2]", "weights=[1,2,3]", check=2)
    assert result.stderr.startswith("weights=[1.0,2.0,3.0]: must be 2 numbers, one for each of inputs=[1.0,2.0]; has 3")
    assert "Traceback" not in result.stderr
