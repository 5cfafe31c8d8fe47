"""Banks of originals: what is added and removed, and by whom."""

from __future__ import annotations

from coefvq.errors import StoreError
from coefvq.originality.fingerprint import VERSION, Fingerprint, to_bytes
from coefvq.review.access import Actor, Permission, require
from coefvq.store import copy_scores, holds, originals
from coefvq.store.originals import KNOWN, LIBRARY, Bank, Original
from coefvq.store.session import Store


def add(
    store: Store,
    actor: Actor,
    fp: Fingerprint,
    *,
    reference: str,
    sha256: str,
    bank: str = KNOWN,
    video_id: str | None = None,
) -> tuple[Original, bool]:
    """Add an original; an index takes it in at its next refresh.

    Returns:
        The original, and whether it is new: the same file under the same name is there once.

    Raises:
        StoreError: The bank's name or the reference cannot be used.
        NotAllowed: The actor may not upload.
    """
    require(actor, Permission.UPLOAD)
    data = to_bytes(fp)
    with store.write() as session:
        return originals.add(
            session,
            bank=bank,
            reference=reference,
            sha256=sha256,
            fingerprint=data,
            version=fp.version,
            frames=len(fp.times_s),
            duration_s=fp.duration_s,
            added_by=actor.name,
            video_id=video_id,
        )


def known(store: Store, actor: Actor, bank: str, reference: str, sha256: str) -> bool:
    """Whether a file is in a bank under this name, so that nothing is left to do."""
    require(actor, Permission.VIEW)
    with store.read() as session:
        return originals.known(session, bank, reference, sha256, VERSION)


def remove(store: Store, actor: Actor, reference: str, bank: str | None = None) -> list[Original]:
    """Remove what was added under a name, in one bank or in all.

    Videos that it was a match of are scored again where it is in no bank any more; where footage
    is taken out of ``do_not_match``, those that ever matched it are searched again.

    Raises:
        StoreError: Nothing has this name, or a legal hold stands on a video of the library.
        NotAllowed: The actor leads nobody.
    """
    require(actor, Permission.LEAD)
    with store.write() as session:
        found = originals.by_reference(session, reference, bank)
        if not found:
            where = f"bank {bank}" if bank else "any bank"
            raise StoreError(
                f"Nothing was added to {where} as '{reference}'. "
                "Give the path as it was when it was added."
            )
        for one in found:
            if one.bank == LIBRARY and one.video_id is not None:
                holds.require_free(session, one.video_id)
            before = copy_scores.before_change(session, one.sha256)
            originals.remove(session, one.id, actor.name)
            copy_scores.queue_changed(session, before, {one.bank})
    return found


def listed(store: Store, actor: Actor) -> list[Bank]:
    """The banks with something in them, by name."""
    require(actor, Permission.VIEW)
    with store.read() as session:
        return originals.banks(session, VERSION)
