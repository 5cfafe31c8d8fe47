"""Copies as lists: the other matches of a video, and the later videos that show it."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import quote

from coefvq.review.copies import VideoCopies, longest
from coefvq.review.copy_views import CopyOf, CopyPair
from reviewer_ui.components.copy_pair import name, strip
from reviewer_ui.components.copy_words import edits, stretch
from reviewer_ui.markup import NOTHING, Markup, h, join, probability, stamp


def others(pairs: Sequence[CopyPair], chosen: str) -> Markup:
    """The other originals as a list; a click shows one in the place of this."""
    rest = [pair for pair in pairs if pair.match_id != chosen]
    if not rest:
        return NOTHING
    rows = join(
        h('<li><button type="button" data-do="pair" data-match="{}">{}</button></li>',
          pair.match_id, _line(pair)) for pair in rest
    )  # fmt: skip
    return h('<h3>Other matches</h3><ul class="pair-others">{}</ul>', rows)


def _line(pair: CopyPair) -> Markup:
    span = longest(pair.spans)
    said = "rejected" if pair.rejected else "confirmed" if pair.confirmed else ""
    return h(
        '<span>{}</span><span class="muted">{}</span><span class="muted">{}</span>'
        '<span class="number">{}</span><span>{}</span>',
        name(pair.original),
        stretch(span.query_start_s, span.query_end_s),
        edits(pair.transform, span.speed),
        probability(pair.score),
        said,
    )


def listed(found: VideoCopies) -> Markup:
    """A video's copies both ways, for its own page."""
    first = strip(found.pairs, seek=False) or h('<p class="muted">{}</p>', _no_pair(found))
    later = join(_later(each) for each in found.later)
    more = h('<h3>Later copies of it</h3><ul class="pair-later">{}</ul>', later)
    return h("<h2>Copies</h2>") + first + (more if found.later else NOTHING)


def _no_pair(found: VideoCopies) -> str:
    if found.left_out:
        return "What it may be a copy of shows after your answer."
    if not found.searched:
        return "Nobody has looked for copies in it yet."
    return "No earlier footage was found in it."


def _later(each: CopyOf) -> Markup:
    span = longest(each.spans)
    return h(
        '<li><a href="/video?id={}"><bdi>{}</bdi></a> <span class="number">{}</span> '
        '<span class="muted">{}, {}, uploaded {}</span></li>',
        quote(each.video_id),
        each.title,
        probability(each.score),
        stretch(span.query_start_s, span.query_end_s),
        edits(each.transform, span.speed),
        stamp(each.uploaded_at),
    )
