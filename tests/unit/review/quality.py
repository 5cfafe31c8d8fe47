"""What the tests of looks, rulings and figures share."""

from __future__ import annotations

from typing import Any

from coefvq.review import decide, queue
from coefvq.review.access import Actor
from coefvq.review.views import CaseView, DecisionForm, Submitted
from coefvq.settings import Settings
from coefvq.store.session import Store
from coefvq.store.tables import LookRow
from tests.store_factory import ANN, BOB, scored

CYD = Actor("cyd", frozenset({"reviewer"}))
LEA = Actor("lea", frozenset({"lead"}))
LEO = Actor("leo", frozenset({"lead"}))
VIC = Actor("vic", frozenset({"viewer"}))
KEEP = DecisionForm({}, "keep")
HATE = DecisionForm({"hate_harassment": True}, "remove", {"hate_harassment": "slur"})
VIOLENCE = DecisionForm({"violence": True}, "remove", {"violence": "other"}, "a fight")

__all__ = ["ANN", "BOB", "CYD", "HATE", "KEEP", "LEA", "LEO", "VIC", "VIOLENCE", "scored"]


def shares(settings: Settings, **given: float) -> Settings:
    """Settings with some shares: ``golden=1.0`` sets ``golden_share``."""
    names = {"golden": "golden_share", "second": "second_look_share", "blind": "blind_first_share"}
    return settings.model_copy(update={names[name]: share for name, share in given.items()})


def take(store: Store, settings: Settings, actor: Actor = ANN, **how: Any) -> CaseView:
    """The next case; there is one."""
    view = queue.next_case(store, settings, actor, **how)
    assert view is not None
    return view


def token_of(view: CaseView) -> int:
    """The token of a lease that the view's reader holds."""
    assert view.lease is not None and view.lease.token is not None
    return view.lease.token


def answer(
    store: Store,
    settings: Settings,
    case_id: str,
    form: DecisionForm = KEEP,
    actor: Actor = ANN,
) -> Submitted:
    """Open a case or look, and decide it."""
    view = queue.open_case(store, settings, actor, case_id)
    return decide.submit(store, settings, actor, case_id, token_of(view), form)


def looks_of(store: Store, case_id: str) -> list[LookRow]:
    """All looks at a case, oldest first."""
    with store.read() as session:
        found = session.query(LookRow).filter_by(case_id=case_id).all()
        return sorted(found, key=lambda row: row.asked_at)


def differing(
    store: Store,
    settings: Settings,
    content: bytes = b"bytes",
    first: DecisionForm = HATE,
    second: DecisionForm = KEEP,
    by: tuple[Actor, Actor] = (ANN, BOB),
) -> LookRow:
    """A case that two people answered, the second one independently."""
    every = shares(settings, second=1.0)
    case_id = scored(store, settings, content)["icd"]
    answer(store, every, case_id, first, by[0])
    (look,) = looks_of(store, case_id)
    answer(store, settings, look.id, second, by[1])
    return looks_of(store, case_id)[0]
