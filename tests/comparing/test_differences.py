import pytest

from nnjax.cli.compose import compose_train
from nnjax.comparing.differences import comparable, counting, differing, names_of, setting_text
from nnjax.config.parsing import config_hash, to_mapping
from nnjax.records.settings import flat

FNN = {"model.name": "fnn", "model.hidden": [32], "optimizer.learning_rate": 0.1, "seed": 0}
CNN = {"model.name": "cnn", "model.filters": 8, "optimizer.learning_rate": 0.1, "seed": 1}


def test_only_what_differs_is_named_and_options_of_one_model_do_not_name_a_run():
    assert differing([FNN, CNN]) == ("model.name", "model.hidden", "seed", "model.filters")
    assert names_of([counting(FNN), counting(CNN)]) == ["model=fnn", "model=cnn"]
    assert names_of([FNN, {**FNN, "model.hidden": [64, 32]}]) == ["hidden=[32]", "hidden=[64,32]"]
    assert names_of([FNN, FNN]) == ["", ""]
    assert differing([FNN]) == ()


def test_a_short_name_that_two_settings_share_is_written_whole():
    one = {"a.rate": 1, "b.rate": 1}
    assert names_of([one, {"a.rate": 2, "b.rate": 2}]) == ["a.rate=1 b.rate=1", "a.rate=2 b.rate=2"]


def test_a_name_has_a_few_settings():
    assert names_of([dict.fromkeys("abcd", 1), dict.fromkeys("abcd", 2)])[0] == "a=1 b=1 c=1 …"


def test_seeds_and_what_changes_no_result_do_not_count():
    settings = {
        "seed": 3,
        "training.seeds": 5,
        "training.vary.learning_rate": None,
        "report.figures": True,
        "data.directory": "x",
    }
    settings |= {"training.keep": 2, "resume": None, "training.seedling": 1}
    assert counting(settings) == {"training.seedling": 1}


def hash_of(settings):
    values = {}
    for key, value in settings.items():
        *groups, leaf = key.split(".")
        inner = values
        for group in groups:
            inner = inner.setdefault(group, {})
        inner[leaf] = value
    return config_hash(values)


@pytest.mark.parametrize("words", [["data=mnist"], ["experiment=softmax"]])
def test_what_leaves_the_hash_of_a_config_alone_makes_no_group(words):
    settings = flat(to_mapping(compose_train(words)))
    changes = [("training.planned", settings["training.duration"]), *((key, "other") for key in settings)]
    equal = [(key, value) for key, value in changes if hash_of(settings | {key: value}) == hash_of(settings)]
    assert equal[0] == changes[0]
    assert {"data.placement", "report.figures", "resume", "parallel.memory_limit"} <= dict(equal).keys()
    for key, value in equal:
        assert counting(settings | {key: value}) == counting(settings), key


def test_a_plan_beyond_the_duration_counts_and_restarts_and_classes_do():
    plain = {"training.duration": "2epochs", "training.planned": None, "schedule.restarts": [], "data.classes": None}
    assert counting(plain) == counting(plain | {"training.planned": "2epochs"}) == plain | {"schedule.restarts": None}
    for key, value in {"training.planned": "4epochs", "schedule.restarts": ["1epoch"], "data.classes": ["a"]}.items():
        assert counting(plain | {key: value})[key] == value
        assert (
            len(comparable([counting(plain), counting(plain | {key: value})])[0]) == 4
        )  # no key is missing, as of an older version


def test_a_key_that_only_a_newer_version_has_makes_no_difference():
    older, newer = FNN, {**FNN, "model.gain": 1.0, "training.planned": None}
    assert differing(comparable([older, newer])) == ()
    assert differing(comparable([older, CNN])) == differing([older, CNN])


def test_a_key_that_only_newer_versions_have_counts_where_these_differ_in_it():
    older, low, high = FNN, {**FNN, "model.gain": 1.0}, {**FNN, "model.gain": 2.0, "extra.new": 1}
    assert comparable([older, low, high]) == [older, low, {**FNN, "model.gain": 2.0}]
    assert comparable([CNN, {**CNN, "model.gain": 3.0}, low, high])[1:3] == [CNN, low]  # options of another model do not count


def test_values_are_written_as_on_the_command_line():
    assert [setting_text(value) for value in (None, True, [1, 2], "digits", 0.1)] == ["null", "true", "[1,2]", "digits", "0.1"]
