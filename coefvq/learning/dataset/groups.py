"""Which videos belong together, so that none of them teaches what another one measures.

Videos are joined where they have an uploader, the bytes, shared footage, the look or the words in
common; what is joined to the same is joined to each other (union-find).
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from coefvq.review.access import LOCAL
from coefvq.review.users import OPERATOR
from coefvq.store.labelled import Upload

NEAR = 0.96
"""Cosine of two videos' mean frames from which on they count as the same footage.

Only what is nearly the same frames gets there; copies that were edited are found by fingerprint.
"""

FEWEST_WORDS = 5
"""Shorter texts are alike by chance."""

FEED_SHARE, FEED_LEAST = 0.5, 20
"""An uploader of more than this share of all labelled videos, and of at least so many, is a feed
of many people's videos, not a person: joined, nearly everything would be one group."""

NOBODY = frozenset({"", LOCAL.name, OPERATOR.name, "unknown"})
"""Uploaders who are nobody in particular."""

_BLOCK = 1024
_WORD = re.compile(r"\w+")


class Joined:
    """Names that were joined, as sets that do not overlap."""

    def __init__(self) -> None:
        self._parent: dict[str, str] = {}

    def join(self, one: str, other: str) -> None:
        """Put both into the same set."""
        roots = sorted((self.root(one), self.root(other)))
        self._parent[roots[1]] = roots[0]

    def root(self, name: str) -> str:
        """What stands for the set of a name; the name is known from now on."""
        self._parent.setdefault(name, name)
        path = []
        while self._parent[name] != name:
            path.append(name)
            name = self._parent[name]
        for each in path:
            self._parent[each] = name
        return name

    def sets(self, names: Iterable[str]) -> list[list[str]]:
        """The names by set, each sorted; sets by their first name."""
        found: dict[str, list[str]] = defaultdict(list)
        for name in sorted(set(names)):
            found[self.root(name)].append(name)
        return sorted(found.values())


def feeds(labelled: Iterable[Upload]) -> frozenset[str]:
    """Uploaders who are feeds: they join nothing."""
    counts = Counter(upload.uploader for upload in labelled)
    total = sum(counts.values())
    return frozenset(
        name
        for name, count in counts.items()
        if name not in NOBODY and count >= FEED_LEAST and count > FEED_SHARE * total
    )


def components(
    uploads: Collection[Upload],
    labelled: Collection[str],
    matches: Iterable[tuple[str, str]] = (),
    vectors: Mapping[str, NDArray[np.float32]] | None = None,
) -> list[list[str]]:
    """All videos by group, the smallest id first.

    Videos without labels count too: two labelled ones may be joined through one of them, today
    or once it is labelled.

    Args:
        labelled: Ids of the videos whose words and look are compared.
        matches: Video id and digest of the footage that it shows.
        vectors: By digest, float32 (d,) of length 1: what a media looks like.
    """
    joined = Joined()
    ids = {upload.video_id for upload in uploads}
    anonymous = NOBODY | feeds(each for each in uploads if each.video_id in labelled)
    for upload in uploads:
        joined.join(f"v{upload.video_id}", f"m{upload.sha256}")
        if upload.uploader not in anonymous:
            joined.join(f"v{upload.video_id}", f"u{upload.uploader}")
        words = same_words(upload) if upload.video_id in labelled else None
        if words is not None:
            joined.join(f"v{upload.video_id}", f"t{words}")
    for video_id, sha256 in matches:
        if video_id in ids:
            joined.join(f"v{video_id}", f"m{sha256}")
    for one, other in alike(vectors or {}):
        joined.join(f"m{one}", f"m{other}")
    found = joined.sets(f"v{video_id}" for video_id in ids)
    return [[name[1:] for name in names] for names in found]


def same_words(upload: Upload) -> str | None:
    """Digest of title and caption without case, marks and order of fields; ``None``: too few."""
    text = unicodedata.normalize("NFKC", f"{upload.title or ''} {upload.caption or ''}")
    words = _WORD.findall(text.casefold())
    if len(words) < FEWEST_WORDS:
        return None
    return hashlib.sha256(" ".join(words).encode("utf-8", "replace")).hexdigest()


def alike(
    vectors: Mapping[str, NDArray[np.float32]], least: float = NEAR
) -> Iterator[tuple[str, str]]:
    """Pairs of media that look the same, found block by block."""
    names: Sequence[str] = sorted(vectors)
    if not names:
        return
    rows = np.stack([vectors[name] for name in names]).astype(np.float32)
    for start in range(0, len(names), _BLOCK):
        block = rows[start : start + _BLOCK] @ rows[start:].T
        for at, other in zip(*np.nonzero(block >= least), strict=True):
            if at < other:
                yield names[start + at], names[start + other]


def name_of(members: Sequence[str]) -> str:
    """Name of a group: says nothing of its uploader, and is the same while its first video is."""
    return "g" + hashlib.sha256(min(members).encode()).hexdigest()[:12]
