"""What a reviewer sets for themselves."""

from __future__ import annotations

import pytest

from coefvq.errors import NotAllowed, SettingsError
from coefvq.review import preferences
from coefvq.review.access import Actor
from coefvq.store.tables import PreferenceRow
from tests.store_factory import ANN, BOB

NOBODY = Actor("mallory", frozenset())


def test_nothing_set_means_the_defaults(store):
    assert preferences.load(store, ANN) == preferences.DEFAULTS


def test_each_reviewer_has_their_own(store):
    preferences.save(store, ANN, {"speed": 1.5, "queue": "hate"})
    preferences.save(store, BOB, {"speed": 2})
    assert preferences.load(store, ANN)["speed"] == 1.5
    assert preferences.load(store, BOB) == preferences.DEFAULTS | {"speed": 2}


def test_a_change_leaves_the_others_as_they_are(store):
    preferences.save(store, ANN, {"muted": False, "blur": "severe"})
    found = preferences.save(store, ANN, {"grey": True})
    assert found == preferences.load(store, ANN)
    assert (found["muted"], found["blur"], found["grey"]) == (False, "severe", True)


def test_a_queue_can_be_given_up_again(store):
    preferences.save(store, ANN, {"queue": "hate"})
    assert preferences.save(store, ANN, {"queue": None})["queue"] is None


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"sped": 1.0}, r"no preference 'sped'. Did you mean 'speed'\?"),
        ({"speed": 0.1}, r"speed: a number from 0.25 to 4"),
        ({"speed": "fast"}, "a number"),
        ({"speed": True}, "a number"),
        ({"speed": float("nan")}, "a number"),
        ({"muted": 1}, "true or false"),
        ({"grey": None}, "true or false"),
        ({"blur": "sometimes"}, "one of always, severe, never"),
        ({"queue": ""}, "id of a queue"),
        ({"queue": "x" * 65}, "id of a queue"),
        ({"theme": "pink"}, "one of system, light, dark"),
    ],
)
def test_what_does_not_fit_is_refused_and_nothing_is_stored(store, changes, words):
    with pytest.raises(SettingsError, match=words):
        preferences.save(store, ANN, {"muted": False} | changes)
    assert preferences.load(store, ANN) == preferences.DEFAULTS


def test_what_another_version_stored_does_no_harm(store):
    with store.write() as session:
        session.add(PreferenceRow(reviewer="ann", values={"speed": 99, "shape": 1, "grey": True}))
    assert preferences.load(store, ANN) == preferences.DEFAULTS | {"grey": True}


def test_who_may_not_look_has_no_preferences(store):
    with pytest.raises(NotAllowed):
        preferences.load(store, NOBODY)
    with pytest.raises(NotAllowed):
        preferences.save(store, NOBODY, {"grey": True})
