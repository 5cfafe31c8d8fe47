"""Keys of programs as rows, and the answers to their repeated requests."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from coefvq.errors import StoreError
from coefvq.store.tables import ApiKeyRow, ApiRequestRow


def get(session: Session, name: str) -> ApiKeyRow:
    """Look a key up by its name, for a change.

    Raises:
        StoreError: There is no such key.
    """
    query = select(ApiKeyRow).where(ApiKeyRow.name == name).with_for_update()
    row = session.scalars(query).first()
    if row is None:
        raise StoreError(f"There is no key '{name}'. `coefvq key list` shows them.")
    return row


def by_id(session: Session, key_id: str) -> ApiKeyRow | None:
    """The key with this id, revoked or not."""
    return session.get(ApiKeyRow, key_id)


def everyone(session: Session) -> list[ApiKeyRow]:
    """All keys by name."""
    return list(session.scalars(select(ApiKeyRow).order_by(ApiKeyRow.name)))


def answered(session: Session, key_id: str, idempotency_key: str) -> ApiRequestRow | None:
    """What was answered to a request that a program marked, if it came before."""
    return session.get(ApiRequestRow, (key_id, idempotency_key))


def keep_answer(
    session: Session, key_id: str, idempotency_key: str, digest: str, answer: dict[str, Any]
) -> None:
    """Keep an answer in the transaction that did what was asked."""
    session.add(
        ApiRequestRow(key_id=key_id, idempotency_key=idempotency_key, digest=digest, answer=answer)
    )
    session.flush()


def forget_before(session: Session, moment: datetime) -> None:
    """Forget answers that no honest program asks for any more."""
    session.execute(delete(ApiRequestRow).where(ApiRequestRow.at < moment))
