"""A video's page: what it is, its cases, and everything that happened to it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from coefvq import taxonomy
from coefvq.review.history import CaseHead, HistoryEntry, VideoHistory
from coefvq.review.views import VideoView
from reviewer_ui.components.grid import case_url
from reviewer_ui.components.player import media_url
from reviewer_ui.markup import NOTHING, Markup, clock, h, join, probability, stamp
from reviewer_ui.words import ROUTES, STATES, VERDICTS, plain

Words = tuple[object, object]
"""What happened, in a few words, and what there is to say about it."""


def poster(video: VideoView) -> Markup:
    """The still, blurred until it is asked for; the script plays the proxy in its place then."""
    if video.poster is None:
        return h('<div class="still none">no preview yet</div>')
    return h(
        '<button type="button" class="still" data-do="reveal" aria-pressed="false"{}>'
        '<img src="{}" alt=""><span class="veil-word">Blurred. Click to reveal</span></button>',
        h(' data-proxy="{}"', media_url(video.id, "proxy")) if video.proxy else NOTHING,
        media_url(video.id, "poster"),
    )


def _size(video: VideoView) -> str:
    return f"{video.width}×{video.height}" if video.width and video.height else "–"


def facts(video: VideoView) -> Markup:
    """What is known about the upload and its file."""
    rows: list[tuple[str, object]] = [
        ("File", video.original_name),
        ("Caption", video.caption or "–"),
        ("Uploaded", join((stamp(video.uploaded_at), " by ", video.uploader))),
        ("Length", clock(video.duration_s)),
        ("Size", _size(video)),
        ("SHA-256", h('<code title="{}">{}…</code>', video.sha256, video.sha256[:16])),
    ]
    if video.warnings:
        rows.append(("Warnings", ", ".join(word.replace("_", " ") for word in video.warnings)))
    if video.copies:
        links = (h('<a href="/video?id={}">{}</a>', copy, copy) for copy in video.copies)
        rows.append(("Same bytes before", join(links, ", ")))
    return h('<dl class="facts-list">{}</dl>', join(
        h('<div><dt>{}</dt><dd dir="auto">{}</dd></div>', name, value) for name, value in rows
    ))  # fmt: skip


def cases(found: VideoHistory) -> Markup:
    """The video's cases as links."""
    rows = join(_case(case) for case in found.cases)
    hidden = h('<li class="muted">{} more in a queue that you have no access to</li>',
               found.hidden) if found.hidden else NOTHING  # fmt: skip
    if not found.cases and not found.hidden:
        return h('<p class="muted">No cases: the video was never queued for scoring.</p>')
    return h('<ul class="case-list">{}{}</ul>', rows, hidden)


def _case(case: CaseHead) -> Markup:
    where = [plain(STATES, case.state)]
    where += [f"queue {case.queue}"] if case.queue else []
    where += [f"for {case.assigned_to}"] if case.assigned_to else []
    return h(
        '<li><a href="{}">{}</a><span class="p">{}</span><span>{}</span>'
        '<span class="muted">{}</span></li>',
        case_url(case.case_id),
        _task(case.task),
        probability(case.probability),
        plain(VERDICTS, case.verdict)
        if case.verdict
        else "after your answer"
        if case.blind
        else "not scored yet",
        " · ".join(where),
    )


def timeline(found: VideoHistory) -> Markup:
    """Everything that happened, oldest first."""
    if not found.entries:
        return h('<p class="muted">Nothing is recorded about this video.</p>')
    return h('<ol class="history">{}</ol>', join(_entry(entry) for entry in found.entries))


def _entry(entry: HistoryEntry) -> Markup:
    what, more = _WORDS.get(entry.kind, _other)(entry)
    task = NOTHING
    if entry.task and entry.case_id:
        task = h('<a class="task" href="{}">{}</a>', case_url(entry.case_id), entry.task)
    return h(
        '<li class="{}"><span class="when">{}</span><div class="what"><p>{}<b>{}</b> '
        '<span class="by">{}</span></p>{}</div></li>',
        entry.kind.replace(".", "-").replace("_", "-"),
        stamp(entry.at),
        task,
        what,
        entry.actor,
        h('<div class="more" dir="auto">{}</div>', more) if more else NOTHING,
    )


def _lines(*parts: object) -> Markup:
    return join(h("<p>{}</p>", part) for part in parts if part)


def _uploaded(entry: HistoryEntry) -> Words:
    return "Uploaded", entry.data.get("name", "")


def _said(data: dict[str, Any]) -> str:
    """The likeliest policies, with what each stage said."""
    ranked = sorted(data["policies"].items(), key=lambda pair: -pair[1]["final"])[:3]
    parts = []
    for policy, score in ranked:
        stages = [f"{stage} {probability(score[stage])}" for stage in ("prefilter", "mllm")
                  if score[stage] is not None]  # fmt: skip
        parts.append(f"{_policy(policy)} {probability(score['final'])} ({', '.join(stages)})")
    return "; ".join(parts)


def _scored(entry: HistoryEntry) -> Words:
    data = entry.data
    what = f"Scored {probability(data['probability'])}, {plain(ROUTES, data['route'])}"
    models = ", ".join(f"{stage} {name}" for stage, name in data["models"].items())
    audit = " Drawn for an audit." if data["audit"] else ""
    route = f"Rule {data['rule']}, version {data['version']}: {data['reason']}{audit}"
    return what, _lines(_said(data), route, f"Models: {models}")


def _decided(entry: HistoryEntry) -> Words:
    data = entry.data
    violated = [policy for policy, label in data["labels"].items() if label == "violation"]
    reasons = data["reasons"]
    names = {policy: data["names"].get(policy) or _policy(policy) for policy in violated}
    labels = "; ".join(
        f"{name} ({reasons[policy].replace('_', ' ')})" if policy in reasons else name
        for policy, name in names.items()
    )
    named = data["action_name"]
    where = ""
    if data["start_s"] is not None:
        where = f"At {clock(data['start_s'])}–{clock(data['end_s'])}."
    corrected = "Corrects the machine." if data["correction"] else ""
    batch = f"In bulk, batch {data['batch']}." if data["batch"] else ""
    comment = h("<q>{}</q>", data["comment"]) if data["comment"] else ""
    notice = h("To the uploader: <q>{}</q>", data["notice"]) if data["notice"] else ""
    words = " ".join(part for part in (where, corrected, batch) if part)
    return f"Decided: {named}", _lines(labels or "no violation", comment, notice, words)


def _quoted(what: str, name: str) -> Callable[[HistoryEntry], Words]:
    def words(entry: HistoryEntry) -> Words:
        said = entry.data.get(name)
        return what, h("<q>{}</q>", said) if said else ""

    return words


def _undone(entry: HistoryEntry) -> Words:
    batch = entry.data.get("batch")
    return "Took the decision back", f"With the whole batch {batch}." if batch else ""


def _assigned(entry: HistoryEntry) -> Words:
    to, before = entry.data.get("to"), entry.data.get("before")
    if to:
        return f"Assigned to {to}", f"Before: {before}." if before else ""
    return "Assigned to nobody", f"Before: {before}." if before else ""


def _set_aside(entry: HistoryEntry) -> Words:
    code = str(entry.data.get("code", "")).replace("_", " ")
    return f"Set aside: {_JOBS.get(entry.data['job'], entry.data['job'])} failed", code


def _retried(entry: HistoryEntry) -> Words:
    return "Queued again", _JOBS.get(entry.data["job"], entry.data["job"])


def _answered(what: str) -> Callable[[HistoryEntry], Words]:
    def words(entry: HistoryEntry) -> Words:
        data = entry.data
        put = "Its footage proves nothing from now on." if "do_not_match" in data["added"] else ""
        known = "It is a known original from now on." if "originals" in data["added"] else ""
        return what, _lines(f"Score {probability(data['score'])}. {put}{known}".strip())

    return words


def _plain(what: str) -> Callable[[HistoryEntry], Words]:
    return lambda entry: (what, "")


def _other(entry: HistoryEntry) -> Words:
    return entry.kind.replace(".", " ").replace("_", " "), ""


def _policy(policy_id: str) -> str:
    known = taxonomy.policies().get(policy_id)
    return known.name if known else f"{policy_id} (retired)"


def _task(task_id: str) -> str:
    known = taxonomy.tasks().get(task_id)
    return known.name if known else f"{task_id} (retired)"


_JOBS = {
    "ingest": "reading the file",
    "fingerprint": "looking for copies",
    "score": "scoring",
    "explain": "the rationale",
}
_WORDS: dict[str, Callable[[HistoryEntry], Words]] = {
    "video.uploaded": _uploaded,
    "video.compared": _plain("Compared with earlier footage"),
    "video.scored": _scored,
    "job.set_aside": _set_aside,
    "job.retried": _retried,
    "case.claimed": _plain("Opened to work on it"),
    "case.skipped": _quoted("Skipped", "reason"),
    "case.assigned": _assigned,
    "case.second_look": _quoted("Asked for a second look", "comment"),
    "case.sent": _plain("Sent to review"),
    "case.explained": _plain("The MLLM explained itself"),
    "case.noted": _quoted("Note", "text"),
    "case.decided": _decided,
    "copy.confirmed": _answered("Confirmed that it is a copy"),
    "copy.rejected": _answered("Said that it is no copy of what was offered"),
    "decision.undone": _undone,
}
