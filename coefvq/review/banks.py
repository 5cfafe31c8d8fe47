"""The banks of originals, as leads see them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select

from coefvq.originality.fingerprint import VERSION
from coefvq.review.access import Actor, Permission, require
from coefvq.store import originals
from coefvq.store.session import Store
from coefvq.store.tables import OriginalRow


@dataclass(frozen=True)
class BankView:
    """What is in a bank.

    Attributes:
        references: Names that originals were added under.
        files: Different files among them.
        frames: Looks that their fingerprints hold.
        outdated: References whose fingerprint another version of the program made: they are not
            found until they are added again.
        newest: When the last one was added.
    """

    name: str
    references: int
    files: int
    frames: int
    duration_s: float
    outdated: int
    newest: datetime


def list_banks(store: Store, actor: Actor) -> tuple[BankView, ...]:
    """Banks with something in them, by name."""
    require(actor, Permission.LEAD)
    query = select(OriginalRow.bank, func.max(OriginalRow.added_at))
    query = query.where(OriginalRow.removed_at.is_(None)).group_by(OriginalRow.bank)
    with store.read() as session:
        newest = dict(session.execute(query).tuples().all())
        return tuple(
            BankView(
                bank.name,
                bank.references,
                bank.files,
                bank.frames,
                bank.duration_s,
                bank.outdated,
                newest[bank.name],
            )
            for bank in originals.banks(session, VERSION)
        )
