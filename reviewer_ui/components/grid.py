"""The library's cards, its toolbar and its upload area."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import quote

from coefvq import taxonomy
from coefvq.review.views import CaseBadge, IngestProgress, LibraryItem, LibraryPage
from reviewer_ui.components.copy_words import edits, stretch
from reviewer_ui.components.player import media_url
from reviewer_ui.markup import NOTHING, Markup, attribute, clock, h, join, probability
from reviewer_ui.words import ROUTES, STATUSES, VERDICTS, plain, remedy

GRAVE_SEVERITY = 3
_INTEREST = {"queued": 3, "pending": 1, "auto": 1, "decided": 0, "set_aside": 0}


def more_interesting(cases: Sequence[CaseBadge]) -> CaseBadge | None:
    """The case a click on the poster opens: waiting first, then the likelier violation."""
    return max(
        cases,
        key=lambda c: (_INTEREST.get(c.state, 0), c.verdict == "violation", c.probability or 0.0),
        default=None,
    )


def case_url(case_id: str) -> str:
    """The link of a case."""
    return f"/?case={case_id}"


def _badge(case: CaseBadge) -> Markup:
    verdict = case.decided or case.verdict
    if verdict is None:
        return h(
            '<a class="badge" href="{}"><span class="task">{}</span><span class="p">–</span>'
            '<span class="verdict muted">not scored yet</span></a>',
            case_url(case.case_id),
            case.task,
        )
    words = plain(VERDICTS, verdict)
    where = "a person said so" if case.decided else plain(ROUTES, case.route)
    shown = where if case.decided is None else f"{words} ({where})"
    return h(
        '<a class="badge {}" href="{}" title="{}: {}, {}"><span class="task">{}</span>'
        '<span class="p">{}</span><span class="verdict">{}</span></a>',
        verdict,
        case_url(case.case_id),
        case.task,
        words,
        where,
        case.task,
        probability(case.probability),
        shown,
    )


def _is_grave(case: CaseBadge) -> bool:
    """Whether the poster stays blurred until it is pointed at."""
    found = case.decided or case.verdict
    task = taxonomy.tasks().get(case.task)
    if task is not None and max(policy.severity for policy in task.policies) < GRAVE_SEVERITY:
        return False
    return found == "violation"


def _poster(item: LibraryItem, link: str | None) -> Markup:
    picture = (
        h('<img src="{}" alt="" loading="lazy" decoding="async">',
          media_url(item.video_id, "poster"))
        if item.poster
        else h('<span class="none">no preview yet</span>')
    )  # fmt: skip
    length = h('<span class="length">{}</span>', clock(item.duration_s)) if item.duration_s else ""
    if link is None:
        return h('<div class="poster">{}{}</div>', picture, length)
    return h('<a class="poster" href="{}" tabindex="-1" aria-hidden="true">{}{}</a>',
             link, picture, length)  # fmt: skip


def _progress(item: LibraryItem) -> Markup:
    if item.progress is None or item.error_code is not None:
        return NOTHING
    return h(
        '<progress max="1" value="{}" aria-label="Scoring"></progress><span class="do">{}</span>',
        f"{item.progress:.2f}",
        item.note or "waits for its turn",
    )


def _trouble(item: LibraryItem) -> Markup:
    if item.error_code is None:
        return NOTHING
    retry = NOTHING if item.job_id is None else h(
        '<button type="button" class="retry" data-do="retry" data-job="{}">Retry</button>',
        item.job_id,
    )  # fmt: skip
    return h(
        '<p class="why" title="{}"><b>{}</b> {}</p><p class="do">{}</p>{}',
        item.error or "",
        item.error_code,
        item.error or "",
        remedy(item.error_code),
        retry,
    )


def _found_in(item: LibraryItem) -> Markup:
    """Where the search was found, in the words that stand there."""
    hit = item.found
    if hit is None:
        return NOTHING
    return h(
        '<p class="found-in" dir="auto"><span class="part">{}</span> {}<mark>{}</mark>{}</p>',
        hit.part,
        hit.before,
        hit.hit,
        hit.after,
    )


def _chips(item: LibraryItem) -> Markup:
    alike = NOTHING
    if item.footage is not None:
        said = "the original" if item.footage.earlier else "a copy"
        alike = h('<span class="chip alike">{} {}</span>', said, probability(item.footage.score))
    elif item.similarity is not None:
        share = "same bytes" if item.similarity == 1.0 else f"{item.similarity:.2f} alike"
        alike = h('<span class="chip alike">{}</span>', share)
    status = h('<span class="chip {}">{}</span>', item.status, plain(STATUSES, item.status))
    return h('<div class="chips">{}{}</div>', status, alike)


def _footage(item: LibraryItem) -> Markup:
    """Which seconds of this one are in the video that was asked for, and how they were edited."""
    if item.footage is None:
        return NOTHING
    span = item.footage.span
    start, end = span.query_start_s, span.query_end_s
    if item.footage.earlier:
        start, end = span.reference_start_s, span.reference_end_s
    return h('<p class="found-in">same footage in {}: {}</p>', stretch(start, end),
             edits(item.footage.transform, span.speed))  # fmt: skip


def _pick(name: str) -> Markup:
    return h(
        '<label class="pick"><input type="checkbox" data-pick aria-label="Select {}"></label>', name
    )


def _ways(item: LibraryItem) -> Markup:
    query = quote(item.video_id)
    return h(
        '<div class="ways"><a href="/library?similar={}" data-do="similar" data-video="{}">'
        'Find similar</a><a href="/video?id={}">History</a></div>',
        query,
        item.video_id,
        query,
    )


def card(item: LibraryItem, *, pick: bool = False) -> Markup:
    """Render one video.

    Args:
        pick: It can be selected, for what is done with many at once.
    """
    best = more_interesting(item.cases)
    link = case_url(best.case_id) if best else None
    grave = any(_is_grave(case) for case in item.cases)
    name = item.title or item.original_name
    title = h('<a href="{}" dir="auto">{}</a>', link or f"/video?id={quote(item.video_id)}", name)
    return h(
        '<article class="card clip{}" data-video="{}" title="{}">{}{}<div class="body">'
        '<h3 dir="auto">{}</h3>{}{}{}{}{}<div class="badges">{}</div>{}</div></article>',
        " grave" if grave else "",
        item.video_id,
        item.original_name,
        _poster(item, link),
        _pick(name) if pick else NOTHING,
        title,
        _chips(item),
        _found_in(item),
        _footage(item),
        _progress(item),
        _trouble(item),
        join(_badge(case) for case in item.cases) if item.error_code is None else NOTHING,
        _ways(item),
    )


def pages(found: LibraryPage, size: int) -> Markup:
    """Render the way to earlier and later pages, or nothing where all fits on one."""
    if not found.following and found.offset == 0:
        return NOTHING
    last = found.offset + len(found.items)
    return h(
        '<button type="button" data-do="page" data-offset="{}"{}>Newer</button>'
        '<span class="muted">{}–{}{}</span>'
        '<button type="button" data-do="page" data-offset="{}"{}>Older</button>',
        max(0, found.offset - size),
        attribute("disabled", found.offset == 0),
        found.offset + 1 if found.items else 0,
        last,
        "" if found.uncounted else f" of {found.total:,}",
        found.offset + size,
        attribute("disabled", not found.following),
    )


def remaining(seconds: float | None) -> str:
    """How long it will take, never more exact than is known."""
    if seconds is None:
        return "remaining time not known yet"
    if seconds < 60:
        return "less than a minute left"
    return f"about {round(seconds / 60)} min left"


def ingest(progress: IngestProgress | None, left_s: float | None) -> Markup:
    """Render how far the scoring is: n of m and the time that is left."""
    if progress is None or progress.total == 0:
        return NOTHING
    settled = progress.done + progress.failed
    if settled >= progress.total:
        failed = f", {progress.failed} failed" if progress.failed else ""
        return h("<b>{} of {}</b> scored{}", progress.done, progress.total, failed)
    failed = f", {progress.failed} failed" if progress.failed else ""
    return h(
        '<span class="spin"></span><b>{} of {}</b> scored{}, {}{}',
        progress.done,
        progress.total,
        failed,
        remaining(left_s),
        f" · {progress.note}" if progress.note else "",
    )


def retry_all(failed: int) -> Markup:
    """One button where several videos failed, for instance because a model was missing."""
    if failed < 2:
        return NOTHING
    return h(
        '{} videos failed. <button type="button" class="retry" data-do="retry-all">'
        "Retry all</button>",
        failed,
    )


def upload_area(limit_bytes: int) -> Markup:
    """Render the drop area, what is posted with the files, and the button."""
    return h(
        '<section class="card upload" aria-label="Add videos">'
        '<label id="upload-videos" data-limit="{}" title="Whole folders can be dropped">'
        "<span><b>Choose videos</b> or drop them here"
        '</span><input type="file" multiple accept="video/*,.mkv,.mov,.avi,.webm,.ts"></label>'
        '<label class="text" id="upload-title">Title as posted'
        '<input type="text" maxlength="500" autocomplete="off"></label>'
        '<label class="text" id="upload-caption">Caption as posted'
        '<input type="text" maxlength="4000" autocomplete="off"></label>'
        '<button type="button" id="upload-start" class="primary" disabled>Upload</button>'
        '<ul class="files" hidden aria-live="polite"></ul></section>',
        limit_bytes,
    )
