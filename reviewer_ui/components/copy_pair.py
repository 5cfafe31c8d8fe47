"""A copy beside its original: two players locked in time, the matched seconds, the answer."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import quote

from coefvq.review.copies import longest
from coefvq.review.copy_views import (
    BANK,
    LIBRARY,
    REMOVED,
    RESTRICTED,
    CopyPair,
    OriginalView,
)
from coefvq.review.views import VideoView
from reviewer_ui.components.copy_bars import bars
from reviewer_ui.components.copy_words import WAYS, both, edits, stretch
from reviewer_ui.components.player import SPEEDS, media_url
from reviewer_ui.keys import action_key, script_table
from reviewer_ui.markup import (
    NOTHING,
    Markup,
    attribute,
    clock,
    h,
    join,
    kbd,
    probability,
    stamp,
    time_link,
)

REGIONS = ("copy-strip", "copy-videos", "copy-facts", "copy-others")
NOT_SHOWN = {
    BANK: "Not in the library: only its fingerprint is kept, in the bank {}. The seconds below "
    "are what matches.",
    RESTRICTED: "The original is in a restricted queue that you have no access to. Ask a lead.",
    REMOVED: "The original was taken out of its bank since. The seconds below are what matched.",
    LIBRARY: "No preview of the original yet: it is made while the video is scored.",
}
"""Why an original is not played."""


@dataclass(frozen=True)
class Side:
    """One of the two videos, as a person may see it.

    Attributes:
        severe: Keep it blurred for those who want that only where it may be severe.
        restricted: It stands in a restricted queue: the browser offers no way to keep it.
    """

    video: VideoView
    severe: bool = True
    restricted: bool = False


def section() -> Markup:
    """The empty place of the pair; the dialog stands in it, so that it is one thing."""
    return h(
        '<section id="copy-pair" class="card" aria-label="Copies"><div id="copy-strip"></div>'
        '<dialog id="copy-panel" class="panel" aria-labelledby="copy-panel-title" data-keys="{}">'
        '<div class="panel-head"><h2 id="copy-panel-title" tabindex="-1">Is it a copy?</h2>'
        '<button type="button" class="quiet" data-do="close-panel">Close {}</button></div>'
        '<div id="copy-videos"></div><div id="copy-facts"></div><div id="copy-others"></div>'
        '<p class="panel-say" role="status"></p></dialog></section>',
        script_table(),
        kbd("Esc"),
    )


def strip(pairs: Sequence[CopyPair], *, seek: bool = True) -> Markup:
    """One line: what it is a copy of, which seconds, and the way to the proof.

    Args:
        seek: The page has a player that a click on the seconds takes there.
    """
    if not pairs:
        return NOTHING
    best, more = pairs[0], len(pairs) - 1
    return h(
        '<div class="copy-line" data-match="{}"><p>{}{}</p>'
        '<button type="button" class="ask" data-do="pair" data-match="{}" aria-haspopup="dialog"'
        ' aria-keyshortcuts="{}">Compare {}</button></div>',
        best.match_id,
        _claim(best, seek),
        h(' <span class="muted">· {} more</span>', more) if more else NOTHING,
        best.match_id,
        action_key("pair"),
        kbd(action_key("pair")),
    )


def _claim(pair: CopyPair, seek: bool) -> Markup:
    if pair.rejected:
        return h('<span class="muted">Not a copy of {}, {} said</span>', name(pair.original),
                 pair.answer.reviewer if pair.answer else "")  # fmt: skip
    span = longest(pair.spans)
    seconds = (
        time_link(span.query_start_s, span.query_end_s)
        if seek
        else h("<span>{}</span>", stretch(span.query_start_s, span.query_end_s))
    )
    return h(
        '<b>{}</b> {} <span class="number" title="Calibrated probability that it is a copy">{}'
        '</span> {} {}<span class="muted">{}</span>',
        "A copy of" if pair.confirmed else "Same footage as",
        name(pair.original),
        probability(pair.score),
        seconds,
        h("<b>confirmed</b> ") if pair.confirmed else NOTHING,
        edits(pair.transform, span.speed),
    )


def name(original: OriginalView) -> Markup:
    """What an original is called, as far as one may know."""
    if original.where == RESTRICTED:
        return h("<i>a video that you may not see</i>")
    video = original.video
    words = (video.title or video.original_name) if video else original.reference
    return h('<bdi class="copy-name" title="{}">{}</bdi>', words, words)


def videos(pair: CopyPair, here: Side, there: Side | None) -> Markup:
    """Both videos, their controls and the bars.

    Args:
        here: The video looked at.
        there: Its original; ``None`` where it is not played.
    """
    return h(
        '<div class="pair" data-match="{}" data-spans="{}"><div class="pair-videos">{}{}</div>'
        "{}{}</div>",
        pair.match_id,
        json.dumps([
            [s.query_start_s, s.query_end_s, s.reference_start_s, s.reference_end_s, s.speed]
            for s in pair.spans
        ]),
        _side("query", "This video", here),
        _side("reference", "The original", there) if there else _nothing_to_play(pair.original),
        _controls(pair, here, there),
        bars(pair, here.video.duration_s),
    )  # fmt: skip


def _side(side: str, words: str, shown: Side) -> Markup:
    video = shown.video
    if video.proxy is None:
        return _figure(side, words, video, h('<p class="pair-none">{}</p>', NOT_SHOWN[LIBRARY]))
    return _figure(side, words, video, h(
        '<div class="pair-screen" data-blur="on" data-severe="{}"><video src="{}" poster="{}"'
        ' preload="none" playsinline muted{}{} data-fps="{}" data-length="{}" aria-label="{}">'
        '</video><button type="button" class="pair-veil" data-do="pair-reveal-one"'
        ' aria-label="Reveal: {}"><span>Blurred. Click to reveal</span></button></div>',
        "true" if shown.severe else "false",
        media_url(video.id, "proxy"),
        media_url(video.id, "poster") if video.poster else "",
        attribute("disablepictureinpicture", True),
        attribute('controlslist="nodownload noremoteplayback" data-restricted', shown.restricted),
        f"{video.fps or 25:.3f}",
        f"{video.duration_s or 0:.2f}",
        words,
        words,
    ))  # fmt: skip


def _figure(side: str, words: str, video: VideoView, inner: Markup) -> Markup:
    return h(
        '<figure class="pair-side" data-side="{}"><figcaption><b>{}</b> <bdi>{}</bdi></figcaption>'
        "{}</figure>",
        side,
        words,
        video.title or video.original_name,
        inner,
    )


def _nothing_to_play(original: OriginalView) -> Markup:
    why = NOT_SHOWN[original.where].format(", ".join(original.banks))
    return h(
        '<figure class="pair-side" data-side="none"><figcaption><b>The original</b> {}</figcaption>'
        '<p class="pair-none">{}</p></figure>',
        name(original),
        why,
    )


def _controls(pair: CopyPair, here: Side, there: Side | None) -> Markup:
    """One set for both: what is done to one is done to the other."""
    mirrored = there is not None and "mirror" in pair.transform
    flip = h('<button type="button" data-do="pair-mirror" aria-pressed="false">show as in the copy'
             "</button>") if mirrored else NOTHING  # fmt: skip
    return h(
        '<div class="pair-controls" role="group" aria-label="Both players">'
        '<button type="button" data-do="pair-play" class="pair-play" aria-label="Play both"'
        ' aria-keyshortcuts="Space"></button>'
        '<span class="pair-clock"><b class="pair-now">0:00</b> here{}</span>'
        '<input type="range" class="pair-seek" min="0" max="{}" step="0.01" value="0"'
        ' aria-label="Position in this video; the original follows">'
        '<select class="pair-speed" aria-label="Speed" aria-keyshortcuts="&lt; &gt;">{}</select>'
        '<button type="button" data-do="pair-reveal" aria-keyshortcuts="v" aria-pressed="false">'
        'blurred</button><button type="button" data-do="pair-grey" aria-keyshortcuts="g"'
        ' aria-pressed="false">grey</button><button type="button" data-do="pair-sound"'
        ' aria-keyshortcuts="m">muted</button>{}</div>',
        h(', <b class="pair-then">0:00</b> there') if there else NOTHING,
        f"{here.video.duration_s or 0:.2f}",
        join(h('<option value="{}"{}>{}×</option>', f"{s:g}", attribute("selected", s == 1.0),
               f"{s:g}") for s in SPEEDS),
        flip,
    )  # fmt: skip


def facts(pair: CopyPair, *, may_answer: bool, may_lead: bool) -> Markup:
    """Who, what, when; how it was edited; which seconds; and the answer.

    Args:
        may_answer: The person may confirm and reject.
        may_lead: They may also put footage away that proves nothing.
    """
    rows = [("Original", _original(pair.original)), ("Edit", edits(pair.transform, _speed(pair))),
            ("Matches", _seconds(pair)), ("Score", _score(pair))]  # fmt: skip
    table = join(h("<div><dt>{}</dt><dd>{}</dd></div>", label, value) for label, value in rows)
    return h(
        '<div class="pair-facts"><dl class="facts-table">{}</dl>{}</div>',
        table,
        _answer(pair, may_lead) if may_answer else _said(pair),
    )


def _speed(pair: CopyPair) -> float:
    return longest(pair.spans).speed


def _original(original: OriginalView) -> Markup:
    if original.where == RESTRICTED:
        return h("{}", NOT_SHOWN[RESTRICTED])
    banks = ", ".join(original.banks)
    if original.video is None:
        return h('{} <span class="muted">added {} by {}, bank {}, {}</span>', name(original),
                 stamp(original.added_at), original.added_by, banks,
                 clock(original.duration_s))  # fmt: skip
    video = original.video
    return h(
        '<a href="/video?id={}">{}</a> <span class="muted">uploaded {} by {}, bank {}, {}</span>',
        quote(video.id),
        name(original),
        stamp(video.uploaded_at),
        video.uploader,
        banks,
        clock(video.duration_s),
    )


def _seconds(pair: CopyPair) -> Markup:
    return join(
        h('<button type="button" class="time" data-do="pair-span" data-span="{}">{}</button>',
          number, both(span)) for number, span in enumerate(pair.spans)
    )  # fmt: skip


def _score(pair: CopyPair) -> Markup:
    ways = " and ".join(WAYS.get(way, way) for way in pair.by)
    return h("<b>{}</b> that it is a copy, by its {}", probability(pair.score), ways)


def _answer(pair: CopyPair, may_lead: bool) -> Markup:
    nothing = h(
        '<label class="pair-nothing"><input type="checkbox" name="nothing"> This footage proves '
        "nothing anywhere (an intro, a stock clip)</label>"
    )
    return h(
        '<div class="pair-answer" role="group" aria-label="Your answer on this pair"><div>'
        '<button type="button" class="primary" data-do="pair-confirm" aria-pressed="{}">'
        'It is a copy</button><button type="button" data-do="pair-reject" aria-pressed="{}">'
        "Not a copy</button></div>{}{}</div>",
        "true" if pair.confirmed else "false",
        "true" if pair.rejected else "false",
        nothing if may_lead else NOTHING,
        _said(pair),
    )


def _said(pair: CopyPair) -> Markup:
    if pair.answer is None:
        return NOTHING
    words = "Confirmed" if pair.confirmed else "Rejected: it is not offered again. Said"
    return h('<p class="muted pair-said">{} by {}, {}</p>', words, pair.answer.reviewer,
             stamp(pair.answer.at))  # fmt: skip
