import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from nnjax.config.errors import InputError
from nnjax.serving import answering
from nnjax.serving.answering import answer_pictures
from nnjax.serving.facts import InputFacts, ModelFacts
from nnjax.serving.model import Model
from nnjax.serving.picture_files import PictureFile


def model(preparation="plain"):
    """Answers with the mean brightness: dark or light."""
    calls = []

    def outputs_of(inputs):
        calls.append(len(inputs))
        light = inputs.reshape(len(inputs), -1).mean(axis=1) / 25.5 - 5
        return np.stack([-light, light], axis=1)[None].astype(np.float32)

    inputs = InputFacts((8, 8, 1), "uint8", preparation, 255)
    facts = ModelFacts("light", "classification", inputs, ("dark", "light"), 2, 1, True, (1.0,), None, {}, None, {})
    return Model(facts, outputs_of, None), calls


def picture(value, name="a"):
    content = io.BytesIO()
    Image.new("L", (8, 8), value).save(content, "PNG")
    return PictureFile(name, content.getvalue())


def test_one_bad_picture_does_not_stop_the_others(monkeypatch):
    monkeypatch.setattr(answering, "_BATCH", 2)
    light, calls = model()
    pictures = [picture(0, "a"), PictureFile("b", b"no picture"), picture(255, "c"), PictureFile("gone.png", Path("gone.png"))]
    found = list(answer_pictures(light, pictures))
    assert [each.name for each in found] == ["a", "b", "c", "gone.png"]
    assert [each.answer and each.answer.label for each in found] == ["dark", None, "light", None]
    assert [each.error is None for each in found] == [True, False, True, False]
    assert found[1].error.startswith("b: ")
    assert "gone.png" in found[3].error
    assert calls == [1, 1]


def test_pictures_are_read_and_answered_in_batches(monkeypatch):
    monkeypatch.setattr(answering, "_BATCH", 4)
    light, calls = model()
    asked = []

    def pictures():
        for place in range(10):
            asked.append(place)
            yield picture(place * 25)

    answers = answer_pictures(light, pictures())
    assert next(answers).answer.label == "dark"
    assert asked == [0, 1, 2, 3]
    assert [each.answer.label for each in answers] == ["dark"] * 5 + ["light"] * 4
    assert calls == [4, 4, 2]


def test_a_batch_of_bad_pictures_alone():
    light, calls = model()
    assert [each.answer for each in answer_pictures(light, [PictureFile("b", b"")])] == [None]
    assert calls == []


def test_a_network_without_pictures():
    with pytest.raises(InputError):
        list(answer_pictures(model(None)[0], [picture(0)]))
