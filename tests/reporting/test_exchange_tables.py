import io
import math

import pytest

from nnjax.reporting.console import RunConsole
from nnjax.reporting.exchange_tables import exchange_tables


def rendered(exchange, width=100):
    shown = io.StringIO()
    with RunConsole(None, file=shown) as console:
        console.rich.width = width
        for table in exchange_tables(exchange):
            console.print(table)
    return shown.getvalue()


def words_of(text, start):
    return next(line.split() for line in text.splitlines() if line.split()[:1] == [start])


def gradients(value, shape, biases=True):
    inputs, neurons = shape
    return {"weights": [[value] * inputs] * neurons, "biases": [10 * value] * neurons if biases else None}


def layer(name, neurons, shape, num_devices, value=0.25, biases=True):
    def of(value):
        return gradients(value, shape, biases)

    return {
        "name": name,
        "neurons": neurons,
        "weight_shape": list(shape),
        "gradients": [of(value + number) for number in range(num_devices)],
        "bytes_sent": 4 * shape[1] * (shape[0] + biases),
        "average": of(value),
        "single_device": of(-value),
        "largest_difference": 2.5e-17,
        "neuron_averaging": of(value / 8),
        "neuron_averaging_difference": 0.0625,
    }


def exchange_of(*layers, num_devices=2):
    return {
        "devices": [
            {"name": f"cpu:{n}", "label": f"device {n + 1}", "examples": [2 * n + 1, 2 * n + 2]} for n in range(num_devices)
        ],
        "layers": list(layers),
        "loss": {"devices": [n + 0.5 for n in range(num_devices)], "average": 1.0, "single_device": 1.0},
        "step": {},
        "summary": ["Only [one] of them trains like one device."],
    }


def test_every_gradient_of_every_device_and_what_they_come_to():
    text = rendered(exchange_of(layer("output", ["c"], (2, 1), 2), layer("layer_1", ["a", "b"], (3, 2), 2, biases=False)))
    assert words_of(text, "w_c1") == ["w_c1", "0.2500", "1.2500", "0.2500", "−0.2500", "0.0312"]
    assert words_of(text, "w_c0") == ["w_c0", "2.5000", "12.5000", "2.5000", "−2.5000", "0.3125"]
    assert words_of(text, "w_b3") == ["w_b3", "0.25000", "1.25000", "0.25000", "−0.25000", "0.03125"]
    assert "w_b0" not in text
    assert "output: each device sends 3 gradients, 12 bytes in float32" in text
    assert "layer_1: each device sends 6 gradients, 24 bytes in float32" in text
    assert text.index("output: ") < text.index("layer_1: ")
    assert words_of(text, "largest") == ["largest", "2.5e-17", "0", "0.062"]
    assert words_of(text, "layer_1") == ["layer_1", "6", "24", "2.5e-17", "0.062"]
    assert "all 9 36" in " ".join(text.split())
    assert "device 2, cpu:1 3–4 1.5 average of the devices 1 all on one device 1–4 1" in " ".join(text.split())
    assert "Only [one] of them trains like one device." in text
    assert "shown:" not in text


def test_what_has_no_place_is_counted():
    text = rendered(exchange_of(layer("output", [f"h2.{n}" for n in range(1, 10)], (1200, 9), 8), num_devices=8))
    assert "shown: 4 of 8 devices, 6 of 9 neurons, 8 of 1,200 inputs; all of them are in trace.json" in text
    assert words_of(text, "w_h2.6,8")
    assert words_of(text, "w_h2.6,0")
    assert "w_h2.6,9" not in text
    assert "w_h2.7" not in text
    assert "device 8, cpu:7" in text
    assert "10,809 gradients, 43,236 bytes" in text
    assert max(map(len, text.splitlines())) <= 100


@pytest.mark.parametrize(
    ("value", "shown"),
    [(0.0, "0"), (3e-9, "3.00000e−09"), (0.000123456, "0.000123456"), (4e20, "4.00000e+20"), (math.nan, "nan")],
)
def test_numbers_of_any_size(value, shown):
    text = rendered(exchange_of(layer("output", ["a"], (1, 1), 1, value, biases=False), num_devices=1))
    assert words_of(text, "w_a1")[1] == shown
