"""What an export reads, settled before its first video: which decisions, splits, names."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from itertools import islice

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from coefvq.export.card import REMOVED
from coefvq.export.formats.base import RESTRICTED
from coefvq.export.pseudonyms import Naming, by_name, pseudonyms
from coefvq.export.read import BATCH, Scope, batches, of_items, wanted_videos
from coefvq.export.records import Video
from coefvq.export.splits import deal
from coefvq.export.wanted import Wanted
from coefvq.learning.dataset.items import LabelledVideo
from coefvq.learning.dataset.read import read_snapshot
from coefvq.settings import Settings
from coefvq.store import labelled
from coefvq.store.labelled import Golden
from coefvq.store.session import Store
from coefvq.store.tables import DecisionRow

_DEALT = (
    "`splits.json` names the split of every video, as a dataset snapshot of the same moment would "
    "deal it: a group's split is drawn once and kept. Videos of one uploader, or of the same "
    "bytes, footage or texts, are one group"
)
_MANY = ". Look-alikes were not searched among so many: a dataset snapshot searches them."


@dataclass(frozen=True)
class Plan:
    """A scope, and how its videos are found.

    Attributes:
        items: The items of a snapshot, by id; ``None``: all decisions that fit.
        left_out: What is known to be left out before anything is read.
        splits_words: How videos were dealt, for the card.
    """

    scope: Scope
    total: int
    items: tuple[LabelledVideo, ...] | None = None
    left_out: Mapping[str, int] = field(default_factory=dict)
    splits_words: str = ""

    def batches(self, session: Session, after: str) -> Iterator[list[Video]]:
        """The videos with an id after ``after``, some at once."""
        if self.items is None:
            yield from batches(session, self.scope, after)
            return
        rest = (item for item in self.items if item.video_id > after)
        while some := list(islice(rest, BATCH)):
            yield of_items(session, self.scope, some)


def plan(
    store: Store, settings: Settings, wanted: Wanted, *, texts: bool, last: str | None = None
) -> Plan:
    """Settle what is read.

    Args:
        last: The last decision of an export that goes on; ``None``: the newest there is.

    Raises:
        StoreError: There is no such snapshot, or it was changed on disk.
    """
    naming = cache(by_name if wanted.names else pseudonyms(settings.home))
    if wanted.snapshot is not None:
        return _of_snapshot(store, settings, wanted, naming, texts)
    with store.read() as session:
        newest = session.scalar(select(func.max(DecisionRow.id))) or ""
        dealt = deal(session, wanted.seed)
        golden: dict[str, list[Golden]] = defaultdict(list)
        for row in labelled.golden(session):
            golden[row.video_id].append(row)
        shut = labelled.count_restricted(session)
        scope = Scope(wanted, settings, last or newest, dealt.splits, golden, naming, texts)
        total = count_videos(session, scope)
    look = ", and those that look alike." if dealt.by_look else _MANY
    return Plan(scope, total, None, {RESTRICTED: shut}, f"{_DEALT}{look}")


def _of_snapshot(
    store: Store, settings: Settings, wanted: Wanted, naming: Naming, texts: bool
) -> Plan:
    found = read_snapshot(store, settings, str(wanted.snapshot))
    with store.read() as session:
        shut = set(session.scalars(labelled.restricted()))
    items = tuple(
        item
        for item in found.items
        if item.video_id not in shut and (not wanted.splits or item.split in wanted.splits)
    )
    hidden = sum(item.video_id in shut for item in found.items)
    gone = int(found.document.get("counts", {}).get("videos", 0) or 0) - len(found.items)
    scope = Scope(wanted, settings, "", {i.video_id: i.split for i in items}, {}, naming, texts)
    words = f"The splits of dataset snapshot {found.number} ({found.id[:12]})."
    left_out = Counter({RESTRICTED: hidden, REMOVED: max(0, gone)})
    return Plan(scope, len(items), items, left_out, words)


def count_videos(session: Session, scope: Scope) -> int:
    """How many videos there are at most; a filter by split or policy makes it fewer."""
    ids = wanted_videos(scope).subquery()
    return session.scalar(select(func.count()).select_from(ids)) or 0
