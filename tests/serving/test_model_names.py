"""Each model of a server has a name of its own."""

from nnjax.serving.model_names import own_names


def test_a_name_that_was_there_before_gets_a_number():
    assert own_names(["a", "b", "a", "a_2", "a"]) == ["a", "b", "a_2", "a_2_2", "a_3"]
    assert own_names([]) == []


def test_a_name_can_be_printed():
    assert own_names(["caf\udce9", "caf\udce8", "é 1", "a\nb"]) == ["caf_", "caf__2", "é 1", "a_b"]
