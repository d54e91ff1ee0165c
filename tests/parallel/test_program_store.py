"""Programs are kept by their keys, the ones used last, and only where somebody asked for it."""

from contextlib import suppress

import pytest

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
    with store.kept(2):
        assert uses(store, "a", "b", "a", "b") == ["a", "b"]


def test_the_programs_used_last_are_kept():
    store = ProgramStore()
    with store.kept(2):
        assert uses(store, "a", "b", "a", "c", "a", "b") == ["a", "b", "c", "b"]


def test_outside_of_a_context_none_is_used_and_the_next_context_finds_them():
    store = ProgramStore()
    with store.kept(2):
        uses(store, "a")
    assert uses(store, "a") == ["a"]
    with store.kept(2):
        assert uses(store, "a") == []
        store.forget()
        assert uses(store, "a") == ["a"]


def test_a_failure_ends_the_context():
    store = ProgramStore()
    with suppress(ZeroDivisionError), store.kept(2):
        uses(store, "a")
        raise ZeroDivisionError
    assert uses(store, "a") == ["a"]


def test_a_key_without_a_hash_keeps_nothing():
    store, made = ProgramStore(), []
    with store.kept(2):
        for _ in range(2):
            assert store.get(lambda: ("train", [64, 8]), lambda: made.append(1) or "program") == "program"
    assert len(made) == 2


def test_a_program_that_cannot_be_made_is_not_kept():
    store = ProgramStore()
    with store.kept(1):
        for _ in range(2):
            with pytest.raises(ZeroDivisionError):
                store.get(lambda: "a", lambda: 1 / 0)
        assert uses(store, "a") == ["a"]
