"""Admin's originals: a lead takes one out of a bank; others, and the worker's bank, are refused."""

from __future__ import annotations

import pytest

from coefvq.errors import CoefVQError, NotAllowed, StoreError
from coefvq.review.access import Actor
from coefvq.settings import Settings
from coefvq.store import events, originals
from coefvq.store.session import Store
from reviewer_ui.calls import BadCall
from reviewer_ui.pages.admin_originals import OriginalsSection
from tests.copies_factory import put_original
from tests.store_fixtures import database_url, settings, store
from tests.unit.review.quality import ANN, LEA

__all__ = ["database_url", "settings", "store"]
NAME = "<b>film</b>.mp4"


def live(store: Store) -> list[str]:
    with store.read() as session:
        return [row.bank for row in originals.by_reference(session, NAME)]


def test_a_lead_takes_an_original_out_of_one_bank(store: Store, settings: Settings) -> None:
    for bank in ("originals", "partner"):
        put_original(store, NAME, bank)
    section = OriginalsSection(store, settings)
    done = section.remove_original(LEA, {"bank": " partner ", "reference": NAME})
    assert live(store) == ["originals"]
    assert done["note"] == {"text": f"{NAME}: removed from partner."}
    table = str(done["regions"]["originals-table"])
    assert "<b>originals</b>" in table and "partner" not in table
    assert 'data-form="remove_original"' in str(section.shell())
    with store.read() as session:
        newest = events.of_subject(session, "original", "2")[-1]
        assert (newest.kind, newest.actor) == ("original.removed", "lea")


@pytest.mark.parametrize(
    ("actor", "args", "error"),
    [
        pytest.param(ANN, {"bank": "originals", "reference": NAME}, NotAllowed, id="no lead"),
        pytest.param(LEA, {"bank": "library", "reference": NAME}, StoreError, id="the library"),
        pytest.param(LEA, {"bank": "originals", "reference": "x"}, StoreError, id="no such name"),
        pytest.param(LEA, {"bank": "partner", "reference": NAME}, StoreError, id="another bank"),
        pytest.param(LEA, {"bank": "originals"}, BadCall, id="no name"),
    ],
)
def test_what_is_refused_removes_nothing(
    store: Store, settings: Settings, actor: Actor, args: dict[str, str], error: type[CoefVQError]
) -> None:
    for bank in ("originals", "library"):
        put_original(store, NAME, bank)
    with pytest.raises(error):
        OriginalsSection(store, settings).remove_original(actor, args)
    assert len(live(store)) == 2
