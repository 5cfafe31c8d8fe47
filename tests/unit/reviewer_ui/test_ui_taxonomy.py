"""Fragments of the taxonomy editor, and a page's process that follows the store."""

from __future__ import annotations

from pathlib import Path

import pytest

from coefvq import taxonomy
from coefvq.review import taxonomies
from coefvq.review.access import Actor
from coefvq.settings import Settings
from coefvq.store.session import open_store
from coefvq.taxonomy.check import ids
from reviewer_ui.components import library_tools, taxonomy_editor, taxonomy_review
from reviewer_ui.who import Identify
from tests import taxonomy_factory as make
from tests.unit.reviewer_ui.test_ui_case import HOSTILE

LEA = Actor("lea", frozenset({"lead"}))


@pytest.mark.parametrize(
    ("where", "words"),
    [
        ("tasks.0.policies.3.question", "Policy scam_spam, question"),
        ("tasks.1.name", "Task ucc, name"),
        ("tasks.0.policies", "Task icd, policies"),
        ("actions.2.notice", "Action age_gate, notice"),
        ("actions", "Actions"),
        ("", ""),
    ],
)
def test_a_field_is_named_in_words(where: str, words: str) -> None:
    assert taxonomy_review.place(make.document(), where) == words


def test_texts_are_escaped_wherever_they_stand(tmp_path: Path) -> None:
    made = make.with_policy("gambling")
    make.policy_row(made, "gambling").update(
        name=HOSTILE[:60], question=HOSTILE, guideline=HOSTILE, reasons=[HOSTILE[:80]]
    )
    make.action_row(made, "warn").update(name=HOSTILE[:60])
    with open_store(Settings(home=tmp_path).url) as store:
        review = taxonomies.review(store, LEA, made)
        taxonomies.publish(store, LEA, made, HOSTILE)
        parts = [
            taxonomy_editor.form(made, ids(made), (), 1),
            taxonomy_review.dialog(review, None),
            taxonomy_review.history(taxonomies.history(store, LEA)),
            taxonomy_review.head(taxonomies.current(store, LEA).version, True),
            *library_tools.rules().values(),
        ]
    for part in parts:
        assert "<img" not in part and "<script" not in part
    assert any("&lt;" in part for part in parts)


def test_ids_that_were_published_cannot_be_typed_over() -> None:
    made = make.with_policy("gambling")
    shown = taxonomy_editor.form(made, ids(make.document()), ["violence"], 1)
    assert 'value="violence" maxlength="33" autocomplete="off"' in shown
    new = shown[shown.index('value="gambling" maxlength') :][:300]
    assert "readonly" not in new.partition(">")[0]
    assert shown.count("not covered by a model") == 2, "violence, and what is new"


def test_a_page_follows_what_another_process_published(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    with open_store(settings.url) as store:
        version = taxonomies.publish(store, LEA, make.with_policy("gambling"), "why").version
        taxonomy.install(None)  # as in a process that has not looked since
        door = Identify(None, settings, store, "127.0.0.1", frozenset())  # type: ignore[arg-type]
        door.identify({"type": "http", "headers": [], "client": ("127.0.0.1", 9), "path": "/"})
        assert taxonomy.version() == version
