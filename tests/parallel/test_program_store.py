"""Programs are kept by their keys, the ones used last, and only where somebody asked for it."""

from nnjax.parallel.program_store import ProgramStore


def uses(store, *keys):
    """What the store made for these keys, asked for in turn."""
    made = []
    for key in keys:
        found = store.get(lambda key=key: key, lambda key=key: made.append(key) or key.upper())
        assert found == key.upper()
    return made


def test_nothing_is_kept_before_it_is_asked_for():
    assert uses(ProgramStore(), "a", "a") == ["a", "a"]


def test_a_program_is_made_once():
    store = ProgramStore()
    store.keep(2)
    assert uses(store, "a", "b", "a", "b") == ["a", "b"]


def test_the_programs_used_last_are_kept():
    store = ProgramStore()
    store.keep(2)
    assert uses(store, "a", "b", "a", "c", "a", "b") == ["a", "b", "c", "b"]


def test_fewer_programs_are_forgotten_at_once_and_none_is_off():
    store = ProgramStore()
    store.keep(3)
    uses(store, "a", "b", "c")
    store.keep(1)
    assert uses(store, "c", "b") == ["b"]
    store.keep(0)
    assert uses(store, "b", "b") == ["b", "b"]


def test_without_a_key_nothing_is_kept():
    store, made = ProgramStore(), []
    store.keep(2)
    for _ in range(2):
        store.get(None, lambda: made.append(1))
    assert len(made) == 2


def test_a_program_that_cannot_be_made_is_not_kept():
    store = ProgramStore()
    store.keep(1)
    for _ in range(2):
        try:
            store.get(lambda: "a", lambda: 1 / 0)
        except ZeroDivisionError:
            continue
        raise AssertionError
    assert uses(store, "a") == ["a"]
