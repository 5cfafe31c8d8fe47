"""From decisions to a frozen, content-addressed set of labelled videos."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
import time
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy.orm import Session

from coefvq.domain import PostedText
from coefvq.errors import StoreError, TrainingError
from coefvq.learning.dataset import card, files, groups, splits
from coefvq.learning.dataset.counts import document_of
from coefvq.learning.dataset.gather import Known, gather
from coefvq.learning.dataset.items import LabelledVideo
from coefvq.learning.dataset.language import language_of
from coefvq.learning.dataset.snapshot import Snapshot
from coefvq.learning.dataset.wanted import Wanted
from coefvq.review.access import Actor, Permission, require
from coefvq.settings import Settings
from coefvq.store import events, labelled, snapshots
from coefvq.store.labelled import Upload
from coefvq.store.session import Store

MADE = "dataset.made"
_TRIES = 3
_UNFINISHED, _STALE_S = ".making-", 24 * 3600.0


def make_snapshot(
    store: Store,
    settings: Settings,
    actor: Actor,
    *,
    wanted: Wanted = Wanted(),  # noqa: B008 - frozen
    note: str = "",
) -> Snapshot:
    """Freeze what people have decided until now.

    The same answers give the same snapshot: where it is there already, that one is returned.
    Nothing is left half made: the folder gets its name when it is whole, the row comes after it.

    Raises:
        NotAllowed: The actor leads nobody.
        SettingsError: An unknown task, policy or role.
        TrainingError: Nothing is labelled yet, or there is no room on the disk.
    """
    require(actor, Permission.LEAD)
    wanted.checked()
    for _ in range(_TRIES):
        with store.read() as session:
            seen = snapshots.newest_number(session)
            items, document = _frozen(session, wanted)
        made = files.id_of(files.digest_of(files.line_of(item)) for item in items)
        folder = _write(settings.datasets_dir, made, items, document)
        number = _record(store, actor, made, seen, items, document, note)
        if number is not None:
            return Snapshot(made, number, tuple(items), document, folder)
    raise TrainingError("Somebody else is making snapshots at the same time. Try again.")


def preview(session: Session, wanted: Wanted) -> dict[str, Any]:
    """The document of the snapshot that would be made now; nothing is written.

    Raises:
        TrainingError: Nothing is labelled yet.
    """
    return _frozen(session, wanted)[1]


def items_now(session: Session, wanted: Wanted = Wanted()) -> list[LabelledVideo]:  # noqa: B008
    """What a snapshot made now would hold; nothing is written.

    Raises:
        TrainingError: Nothing is labelled yet.
    """
    return _frozen(session, wanted)[0]


def _frozen(session: Session, wanted: Wanted) -> tuple[list[LabelledVideo], dict[str, Any]]:
    found = gather(session, wanted)
    gone = snapshots.removed(session)
    uploads = {each.video_id: each for each in labelled.uploads(session)}
    known = {v: k for v, k in found.videos.items() if v in uploads and v not in gone}
    found.left_out["removed"] = len(found.videos) - len(known)
    if not known:
        raise TrainingError(_nothing(wanted))
    vectors, version = looks(session, {uploads[video].sha256 for video in known})
    matches = labelled.matched_files(session)
    sets = groups.components(list(uploads.values()), known, matches, vectors)
    dealt = splits.assign(sets, found.golden, snapshots.splits_so_far(session), wanted.seed)
    spoken = _spoken(session, known, uploads)
    items = [_item(uploads[v], k, dealt, spoken.get(v)) for v, k in sorted(known.items())]
    feeds = groups.feeds(uploads[video] for video in known)
    document = document_of(items, known, dealt, found, wanted, len(feeds), version)
    return items, document


def _nothing(wanted: Wanted) -> str:
    if wanted == Wanted(seed=wanted.seed):
        return "No decision has been taken yet: there is nothing to learn from. Review some cases."
    return (
        "No decision fits what was asked for: there is nothing to learn from. Ask for more tasks, "
        "policies, roles or time."
    )


def _item(
    upload: Upload, known: Known, dealt: splits.Assigned, language: str | None
) -> LabelledVideo:
    video = upload.video_id
    return LabelledVideo(
        video_id=video,
        sha256=upload.sha256,
        posted=PostedText(upload.title, upload.caption),
        group=groups.name_of(dealt.groups[video]),
        split=dealt.splits[video],
        labels=known.labels,
        weights=known.weights,
        votes=known.votes,
        propensity=min((known.propensities[p] for p in known.labels), default=1.0),
        audit=bool(known.audited),
        machine=known.machine,
        corrected=known.corrected,
        span=known.span,
        language=language,
        decided_at=known.at,
        propensities={policy: known.propensities[policy] for policy in known.labels},
        audited=frozenset(known.audited),
    )


def looks(
    session: Session, digests: Collection[str]
) -> tuple[dict[str, NDArray[np.float32]], str | None]:
    """What the media look like, by the version that most of them have, and that version."""
    by_version: dict[str, dict[str, NDArray[np.float32]]] = {}
    for sha256, version, vector in labelled.vectors(session, digests):
        row = np.frombuffer(vector, np.float16).astype(np.float32)
        by_version.setdefault(version, {})[sha256] = row
    if not by_version:
        return {}, None
    version = max(sorted(by_version), key=lambda name: len(by_version[name]))
    return by_version[version], version


def _spoken(
    session: Session, known: Mapping[str, Known], uploads: Mapping[str, Upload]
) -> dict[str, str | None]:
    """By video, its language, from what was typed and what was heard."""
    heard = labelled.speech(session, {uploads[video].sha256 for video in known})
    mine = (uploads[video] for video in known)
    return {up.video_id: language_of(up.title, up.caption, heard.get(up.sha256)) for up in mine}


def _write(
    root: Path, made: str, items: Iterable[LabelledVideo], document: Mapping[str, Any]
) -> Path:
    """Put the folder in its place, whole; one that is there already and whole stays."""
    folder = root / made
    try:
        root.mkdir(parents=True, exist_ok=True)
        _sweep(root)
        if _is_whole(folder, made):
            return folder
        unfinished = Path(tempfile.mkdtemp(prefix=_UNFINISHED, dir=root))
        try:
            files.write_whole(unfinished / files.ITEMS, map(files.line_of, items))
            text = card.render(made, document, ())
            files.write_whole(unfinished / files.CARD, text.rstrip("\n").encode().split(b"\n"))
            if folder.exists():
                shutil.rmtree(folder)  # what a crash or a damaged disk left
            os.rename(unfinished, folder)
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)
    except OSError as error:
        raise TrainingError(
            f"The snapshot cannot be written to {root}: {error.strerror or error}. Make room "
            "there and try again; nothing was kept."
        ) from error
    return folder


def _is_whole(folder: Path, made: str) -> bool:
    path = folder / files.ITEMS
    if not path.is_file():
        return False
    try:
        lines = list(files.read_lines(path))
    except StoreError:
        return False
    return all(line.item for line in lines) and files.id_of(line.digest for line in lines) == made


def _sweep(root: Path) -> None:
    """Remove what a killed process left unfinished long ago."""
    for left in root.glob(f"{_UNFINISHED}*"):
        with contextlib.suppress(FileNotFoundError):  # another process was quicker
            if time.time() - left.stat().st_mtime > _STALE_S:
                shutil.rmtree(left, ignore_errors=True)


def _record(
    store: Store,
    actor: Actor,
    made: str,
    seen: int,
    items: list[LabelledVideo],
    document: Mapping[str, Any],
    note: str,
) -> int | None:
    """Store the row; ``None``: another snapshot was made meanwhile, and its splits count."""
    with store.write() as session:
        row = snapshots.get(session, made)
        if row is not None:
            return row.number
        snapshots.lock(session)
        if snapshots.newest_number(session) != seen:
            return None
        dealt = {item.video_id: str(item.split) for item in items}
        labels = sum(len(item.labels) for item in items)
        snapshots.add(session, made, seen + 1, document, dealt, labels, actor.name, note)
        data = {"number": seen + 1, "videos": len(items), "labels": labels}
        events.append(session, actor.name, MADE, "snapshot", made, data)
        return seen + 1
