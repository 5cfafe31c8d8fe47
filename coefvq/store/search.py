"""The words of videos: kept beside them, found by full text, shown where they were found.

A video's words are its title, caption and file name, and, once they were listened to and read,
its speech and screen text; a control character stands between the parts. SQLite looks them up in
an FTS5 table, PostgreSQL in a GIN index. What is typed into a search box is words and nothing
else: quotes, ``*``, ``NEAR``, ``-`` or ``OR`` mean nothing there.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Select, column, select, table, text
from sqlalchemy.orm import Session

from coefvq.domain import ExpensiveSignals, TimedText
from coefvq.store.tables import VideoRow, VideoTextRow, utcnow

SEPARATOR = "\x1f"
PARTS = ("title", "caption", "file name", "speech", "screen text")
MAX_PART = 20_000
MAX_WORDS = 20
"""More words than this in a search are not looked at."""

_AROUND = 36
_TOKEN = re.compile(r"[^\W_]+")
_NO_SPACES = re.compile(  # scripts written without spaces: a token there is a whole sentence
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u2e80-\u9fff\ua960-\ua97f\uf900-\ufaff\uff66-\uff9f]"
)
_FTS = table("video_words", column("rowid"), column("video_words"))
_TSVECTOR = "to_tsvector('simple', translate(video_texts.words, '._-/@+~<>&', '          '))"


@dataclass(frozen=True)
class Snippet:
    """Where a search was found. ``hit`` is the found word as it is written there."""

    part: str
    before: str
    hit: str
    after: str


def index(session: Session, video: VideoRow, signals: ExpensiveSignals | None = None) -> None:
    """Keep a video's words; speech and screen text stay where no new ones are given."""
    row = session.scalars(select(VideoTextRow).where(VideoTextRow.video_id == video.id)).first()
    heard, read = ("", "") if row is None else _parts(row.words)[3:]
    if signals is not None:
        heard, read = _lines(signals.speech), _lines(signals.screen_text)
    parts = (video.title, video.caption, video.original_name, heard, read)
    words = SEPARATOR.join(_clean(part) for part in parts)
    if row is None:
        session.add(VideoTextRow(video_id=video.id, words=words))
    elif row.words != words:
        row.words, row.updated_at = words, utcnow()


def narrow(session: Session, query: Select[Any], typed: str) -> tuple[Select[Any], Any]:
    """Restrict a query on ``VideoRow`` to what was typed; return it and the newest-first order.

    All words must occur, the last one as the start of a word. An id finds its video.
    """
    words = typed.split()[:MAX_WORDS]
    if len(words) == 1 and session.get(VideoRow, words[0]) is not None:
        return query.where(VideoRow.id == words[0]), VideoRow.id.desc()
    query = query.join(VideoTextRow, VideoTextRow.video_id == VideoRow.id)
    plain = [word for word in words if _TOKEN.search(word) and not _NO_SPACES.search(word)]
    query = query.where(*(_holds(word) for word in words if word not in plain))
    if not plain:  # each row is read; from the newest, so that a page is full early
        return query, VideoTextRow.number.desc()
    if session.get_bind().dialect.name == "postgresql":
        found = text(f"{_TSVECTOR} @@ to_tsquery('simple', :typed)")
        return query.where(found.bindparams(typed=_tsquery(plain))), VideoRow.id.desc()
    query = query.join(_FTS, _FTS.c.rowid == VideoTextRow.number)
    # In the order of rows, which is that of uploads, so that nothing needs to be sorted.
    return query.where(_FTS.c.video_words.op("MATCH")(_match(plain))), _FTS.c.rowid.desc()


def snippets(session: Session, video_ids: Sequence[str], typed: str) -> dict[str, Snippet]:
    """Where a search was found, by video; the title is on the card already and does not count."""
    if not typed.split():
        return {}
    query = select(VideoTextRow.video_id, VideoTextRow.words)
    found = session.execute(query.where(VideoTextRow.video_id.in_(video_ids)))
    cut = {video_id: _snippet(words, typed) for video_id, words in found}
    return {video_id: snippet for video_id, snippet in cut.items() if snippet is not None}


def _clean(part: str | None) -> str:
    return (part or "")[:MAX_PART].replace(SEPARATOR, " ")


def _lines(lines: Iterable[TimedText] | None) -> str:
    return " ".join(line.text for line in lines or ())


def _parts(words: str) -> list[str]:
    parts = words.split(SEPARATOR)
    return [*parts, *[""] * (len(PARTS) - len(parts))][: len(PARTS)]


def _holds(word: str) -> ColumnElement[bool]:
    """Emoji, punctuation and scripts without spaces are in no index of words."""
    return VideoTextRow.words.icontains(word, autoescape=True)


def _match(words: Sequence[str]) -> str:
    """An FTS5 expression: each word a string, so that none of it is an operator."""
    tokens = [" ".join(_TOKEN.findall(word)) for word in words]
    return " AND ".join(f'"{token}"' for token in tokens) + " *"


def _tsquery(words: Sequence[str]) -> str:
    return " & ".join(f"({' <-> '.join(_TOKEN.findall(word))})" for word in words)[:-1] + ":*)"


def _folded(word: str) -> str:
    spread = unicodedata.normalize("NFKD", word.casefold())
    return "".join(letter for letter in spread if not unicodedata.combining(letter))


def _snippet(words: str, typed: str) -> Snippet | None:
    wanted = [_folded(token) for token in _TOKEN.findall(typed)]
    for part, content in list(zip(PARTS, _parts(words), strict=True))[1:]:
        for token in _TOKEN.finditer(content):
            if _is_wanted(_folded(token.group()), wanted):
                return _cut(part, content, token.start(), token.end())
    return None


def _is_wanted(token: str, wanted: Sequence[str]) -> bool:
    return token in wanted or bool(wanted and token.startswith(wanted[-1]))


def _cut(part: str, content: str, start: int, end: int) -> Snippet:
    before, after = content[max(0, start - _AROUND) : start], content[end : end + _AROUND]
    if start > _AROUND:
        before = "…" + before
    if end + _AROUND < len(content):
        after += "…"
    return Snippet(part, before, content[start:end], after)
