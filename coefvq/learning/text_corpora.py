"""Readers of labelled English text sets as items with the text modalities of a video.

Each reader turns one public set into ``TextItem`` rows. An item says only what its set says:
a policy without a human label in that set is missing from ``labels``. Negatives that follow
from what a set is (a news headline is no scam) are added only on request and named in ``weak``.
"""

from __future__ import annotations

import csv
import json
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from coefvq.errors import SettingsError

HATE = "hate_harassment"
SCAM = "scam_spam"

_WORD = re.compile(r"\w+")


@dataclass(frozen=True)
class TextItem:
    """One labelled text, placed in the fields a video has.

    Attributes:
        id: Unique over all sets, e.g. ``multihateclip/4V0KGql_fUI``.
        group: Items of one group never sit on both sides of a split.
        source: Name of the set.
        labels: 0 or 1 by policy id; a policy that is not here was not labelled.
        weak: Policies whose label follows from the kind of set, not from a person.
        tags: Facts for slices, e.g. ``class:neither``, ``split:train``.
    """

    id: str
    group: str
    source: str
    title: str | None = None
    caption: str | None = None
    speech: str | None = None
    screen_text: str | None = None
    labels: dict[str, int] = field(default_factory=dict)
    weak: frozenset[str] = frozenset()
    tags: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """All fields that are present, joined by newlines."""
        fields = (self.title, self.caption, self.speech, self.screen_text)
        return "\n".join(part for part in fields if part)


def multihateclip(data_dir: Path, *, weak_scam: bool = False) -> list[TextItem]:
    """MultiHateClip, English, train and valid: real short videos with human labels.

    Hateful and offensive are positive for ``hate_harassment``. Near duplicates share a group.

    Args:
        data_dir: The folder that holds ``text/``, or that folder itself.
        weak_scam: Add a weak ``scam_spam`` negative. A few items do ask for subscribers, so
            this label is noisy.

    Raises:
        SettingsError: If the file is not there.
    """
    rows = [json.loads(line) for line in _lines(data_dir, "multihateclip_en_train_valid.jsonl")]
    texts = [
        f"{row['title'] or ''} {row['description'] or ''} {row['transcript'] or ''}" for row in rows
    ]
    groups = near_duplicate_groups(texts)
    weak = {SCAM: 0} if weak_scam else {}
    return [
        TextItem(
            id=f"multihateclip/{row['id']}",
            group=f"multihateclip/{group}",
            source="multihateclip",
            title=row["title"] or None,
            caption=row["description"] or None,
            speech=row["transcript"] or None,
            labels={HATE: int(row["label"] != "normal"), **weak},
            weak=frozenset(weak),
            tags=(f"class:{row['label']}", f"split:{row['split']}"),
        )
        for row, group in zip(rows, groups, strict=True)
    ]


def davidson(data_dir: Path, *, weak_scam: bool = False) -> list[TextItem]:
    """Davidson et al. tweets as captions. Hate and offensive are positive.

    The annotations are known to be biased against African-American English (Davidson et al.
    2019, Sap et al. 2019), hence the tag ``aae_like`` (see ``looks_aae``) for slices.

    Raises:
        SettingsError: If the file is not there.
    """
    weak = {SCAM: 0} if weak_scam else {}
    return [
        TextItem(
            id=f"davidson/{number}",
            group=f"davidson/{_normal(row['text'])}",
            source="davidson",
            caption=row["text"],
            labels={HATE: int(row["class"] != "neither"), **weak},
            weak=frozenset(weak),
            tags=(f"class:{row['class']}",) + (("aae_like",) if looks_aae(row["text"]) else ()),
        )
        for number, row in enumerate(_table(data_dir, "davidson_tweets.csv"))
    ]


def youtube_spam(data_dir: Path) -> list[TextItem]:
    """TubeSpam: comments under four music videos, as captions. A group is a video.

    Raises:
        SettingsError: If the file is not there.
    """
    return [
        TextItem(
            id=f"youtube_spam/{number}",
            group=f"youtube_spam/{row['source']}",
            source="youtube_spam",
            caption=row["text"],
            labels={SCAM: int(row["is_spam"])},
            tags=(f"video:{row['source']}",),
        )
        for number, row in enumerate(_table(data_dir, "youtube_spam_comments.csv"))
    ]


def headlines(data_dir: Path) -> list[TextItem]:
    """News and clickbait headlines as titles: weak negatives of ``scam_spam`` only.

    Clickbait is no scam under the guideline. News headlines do quote violence and hate, so no
    label for ``hate_harassment`` is given.

    Raises:
        SettingsError: If a file is not there.
    """
    files = ("clickbait_headlines.txt", "non_clickbait_headlines.txt")
    return [
        TextItem(
            id=f"{Path(name).stem}/{number}",
            group=f"headlines/{_normal(line)}",
            source="headlines",
            title=line,
            labels={SCAM: 0},
            weak=frozenset({SCAM}),
            tags=(f"file:{Path(name).stem}",),
        )
        for name in files
        for number, line in enumerate(_lines(data_dir, name))
    ]


_AAE = re.compile(
    r"\b(finna|bouta|tryna|dat|dis|dem|dey|wit|gon|gone be|ion|iont|talmbout|nun|sum|tho|yo|"
    r"ain't|aint|y'?all|bruh|fam|lil|imma|ima|de[sz]e|errbody|errthing|mane|ova|nuffin|"
    r"skool|skoo|wassup|holla|ya'?ll|da)\b"
)
_HABITUAL_BE = re.compile(r"\b(i|he|she|we|they|you|u) be \w+", re.IGNORECASE)


def looks_aae(text: str) -> bool:
    """Whether a tweet shows spellings or grammar common in African-American English online.

    A crude lexical marker (two marks of a short list, or habitual "be"), for slices of an
    evaluation only: it says nothing about who wrote the text.
    """
    marks = len(set(_AAE.findall(text.lower())))
    return marks >= 2 or bool(_HABITUAL_BE.search(text))


def near_duplicate_groups(texts: Iterable[str], *, overlap: float = 0.5) -> list[int]:
    """Group texts whose word trigrams overlap (Jaccard) by at least ``overlap``.

    Returns:
        A group number for each text: the index of the group's first text. Grouping is
        transitive. Texts of fewer than three words are grouped only if equal.
    """
    shingles = [_shingles(text) for text in texts]
    parent = list(range(len(shingles)))
    for left, right in _candidate_pairs(shingles):
        a, b = shingles[left], shingles[right]
        if len(a & b) >= overlap * len(a | b):
            roots = sorted((_root(parent, left), _root(parent, right)))
            parent[roots[1]] = roots[0]
    return [_root(parent, index) for index in range(len(parent))]


def _shingles(text: str) -> frozenset[tuple[str, ...]]:
    words = _WORD.findall(text.lower())
    if len(words) < 3:
        return frozenset({tuple(words)})
    return frozenset(zip(words, words[1:], words[2:], strict=False))


def _candidate_pairs(shingles: list[frozenset[tuple[str, ...]]]) -> Iterator[tuple[int, int]]:
    holders: dict[tuple[str, ...], list[int]] = defaultdict(list)
    for index, marks in enumerate(shingles):
        earlier = {other for mark in marks for other in holders[mark]}
        yield from ((other, index) for other in sorted(earlier))
        for mark in marks:
            holders[mark].append(index)


def _root(parent: list[int], index: int) -> int:
    while parent[index] != index:
        index = parent[index]
    return index


def _normal(text: str) -> str:
    return " ".join(_WORD.findall(text.lower()))


def _path(data_dir: Path, name: str) -> Path:
    for folder in (Path(data_dir) / "text", Path(data_dir)):
        if (folder / name).is_file():
            return folder / name
    raise SettingsError(
        f"No {name} in {data_dir} (nor in its folder text/). "
        "Give the folder that holds the text sets with --data."
    )


def _lines(data_dir: Path, name: str) -> list[str]:
    text = _path(data_dir, name).read_text(encoding="utf-8")
    return [line.strip() for line in text.split("\n") if line.strip()]


def _table(data_dir: Path, name: str) -> list[dict[str, str]]:
    with _path(data_dir, name).open(encoding="utf-8", newline="") as handle:
        return list(csv.DictReader(handle))
