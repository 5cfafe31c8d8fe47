"""The gate: a candidate beside the model in force, on videos that it did not learn from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from coefvq.work.training_views import CandidateView, GateView
from reviewer_ui.components import training_promotion
from reviewer_ui.components.routing import lines, table
from reviewer_ui.components.training_words import (
    MEASURES,
    STAGES,
    STATUSES,
    TASK_MEASURES,
    figure,
    named,
    number,
    policy_name,
)
from reviewer_ui.markup import NOTHING, Markup, attribute, h, join, stamp, took

Document = Mapping[str, Any]
UNCHANGED = "unchanged"


def choices(found: Sequence[CandidateView], chosen: str) -> Markup:
    """Candidates to look at, the newest first."""
    if not found:
        return h('<option value="">none yet</option>')
    return join(
        h(
            '<option value="{}" data-stage="{}"{}>{} · {}{}</option>',
            each.version,
            each.stage,
            attribute("selected", each.version == chosen),
            STAGES.get(each.stage, each.stage),
            each.version,
            _mark(each),
        )
        for each in found
    )


def _mark(each: CandidateView) -> str:
    if each.live:
        return " · in force"
    if each.shadow:
        return " · shadow"
    if each.gate is None:
        return ""
    return " · passed" if each.gate.passed else " · refused"


def nothing() -> Markup:
    """There is no candidate yet."""
    return h(
        '<p class="muted">No candidate yet. Train a model: what it learns is compared here with '
        "the model in force, and nothing uses it before somebody promotes it.</p>"
    )


def candidate(found: CandidateView) -> Markup:
    """A candidate with the newest report of its gate."""
    going = training_promotion.under_way(found)
    return h("{}{}{}", _head(found), going, _report(found))


def _head(found: CandidateView) -> Markup:
    origin = f"made {_from(found)} by {found.made_by}"
    return h(
        '<div class="gate-head"><p>{} {} <span class="muted">{} {}</span></p>{}</div>',
        named(found.version),
        _verdict(found),
        origin,
        stamp(found.made_at),
        _gate_again(found),
    )


def _from(found: CandidateView) -> str:
    learnt = "" if found.snapshot is None else f" from snapshot {found.snapshot}"
    return f"of {found.parent}{learnt}"


def _verdict(found: CandidateView) -> Markup:
    if found.live:
        return Markup('<span class="tag on">in force</span>')
    if found.gate is None:
        return NOTHING
    words, tone = ("passed", "on") if found.gate.passed else ("refused", "out")
    return h('<span class="tag {}">{}</span>', tone, words)


def _gate_again(found: CandidateView) -> Markup:
    if found.live:
        return NOTHING
    words = "Compare" if found.gate is None else "Compare again"
    waits = found.gate_job is not None and found.gate_job[0] in ("queued", "running")
    return h(
        '<button type="button" class="plain" data-do="compare" data-version="{}"{}>{}</button>',
        found.version,
        attribute("disabled", waits),
        "Comparing…" if waits else words,
    )


def _report(found: CandidateView) -> Markup:
    if found.gate is None:
        return _no_report(found)
    document = found.gate.document
    return h(
        "{}{}{}{}{}{}{}",
        _stale(found.gate) if not found.live else NOTHING,
        _reasons(found.gate),
        _overall(document),
        _policies(document),
        _more(document),
        training_promotion.plan(found),
        lines(document.get("notes") or ()) if document.get("notes") else NOTHING,
    )


def _no_report(found: CandidateView) -> Markup:
    if found.gate_job is not None and found.gate_job[3]:
        return h('<p class="caution"><b>Not compared.</b> {}</p>', found.gate_job[3])
    return h('<p class="muted">It was not compared with the model in force yet.</p>')


def _stale(gate: GateView) -> Markup:
    if not gate.stale:
        return NOTHING
    return h(
        '<p class="caution">It was compared with {}, which is not in force any more. Compare '
        "again before it is promoted.</p>",
        gate.against,
    )


def _reasons(gate: GateView) -> Markup:
    if gate.passed:
        return h(
            '<p class="good">Better than {}, and no policy is worse beyond its margin.</p>',
            gate.against,
        )
    said = [str(each) for each in gate.document.get("reasons", ())]
    return h('<div class="caution"><b>Refused.</b>{}</div>', lines(said))


def _overall(document: Document) -> Markup:
    videos, overall = document.get("videos") or {}, document.get("overall") or {}
    parts = [
        ("held-out videos", f"{videos.get('n', 0):,}"),
        ("golden", f"{videos.get('golden', 0):,}"),
        ("drawn at random since", f"{videos.get('audits', 0):,}"),
    ]
    if overall.get("gain"):
        parts.append(("AUC on average", figure(overall["gain"], "auc", sign=True)))
    if overall.get("calibration"):
        parts.append(("Brier on average", figure(overall["calibration"], "brier", sign=True)))
    cost = document.get("cost")
    if cost:
        parts.append(("a video", f"{took(cost['old_ms'])} → {took(cost['new_ms'])}"))
    return h(
        '<dl class="facts">{}</dl>',
        join(h("<div><dd>{}</dd><dt>{}</dt></div>", value, name) for name, value in parts),
    )


def _policies(document: Document) -> Markup:
    rows = document.get("policies") or []
    if not rows:
        return NOTHING
    changed = [row for row in rows if row["status"] != UNCHANGED]
    same = ", ".join(policy_name(str(row["policy"])) for row in rows if row not in changed)
    alike = h('<p class="muted">Both models answer alike: {}.</p>', same) if same else NOTHING
    if not changed:
        return alike
    margin = rows[0].get("margin", 0.0)
    head = ("Policy", "Violations / videos", "AUC now", "AUC candidate",
            f"Difference (margin −{margin:.2f})", "Miss rate", "Verdict")  # fmt: skip
    made = table(head, [_policy(each) for each in changed], "Candidate against the model in force")
    return h("{}{}", made, alike)


def _policy(row: Document) -> tuple[object, ...]:
    old, new, gap = (row.get(name) or {} for name in ("old", "new", "difference"))
    return (
        policy_name(str(row["policy"])),
        f"{row['violations']:,} / {row['n']:,}",
        figure(old.get("auc"), "auc"),
        figure(new.get("auc"), "auc"),
        figure(gap.get("auc"), "auc", sign=True),
        _change(old.get("miss_rate"), new.get("miss_rate"), "miss_rate"),
        _status(str(row["status"]), str(row.get("words", ""))),
    )


def _status(status: str, words: str) -> Markup:
    tone = {"better": "on", "new": "on", "worse": "out", "lost": "out", "unknown": "out"}
    name = STATUSES.get(status, status)
    more = "" if words in (name, "") else words
    return h(
        '<span class="tag flat {}">{}</span>{}',
        tone.get(status, ""),
        name,
        h(' <span class="muted said">{}</span>', more) if more else NOTHING,
    )


def _change(old: Any, new: Any, measure: str) -> Markup:
    before, after = (number((each or {}).get("value"), measure) for each in (old, new))
    if before == after == "–":
        return h("–")
    return h('<span class="value">{} → {}</span>', before, after)


def _more(document: Document) -> Markup:
    """What few look at every time, folded."""
    parts = (
        ("All measures", _measures(document)),
        ("Tasks: the cascade with the candidate in it", _tasks(document)),
        ("Slices", _slices(document)),
    )
    return join(
        h('<details class="adding"><summary>{}</summary>{}</details>', name, body)
        for name, body in parts
        if body
    )


def _measures(document: Document) -> Markup:
    rows = [
        (f"{policy_name(str(row['policy']))}: {name}",
         *(figure((row.get(side) or {}).get(key), key, sign=side == "difference")
           for side in ("old", "new", "difference")))
        for row in document.get("policies") or []
        for key, name in MEASURES.items()
        if (row.get("new") or {}).get(key)
    ]  # fmt: skip
    head = ("Measure", "Now", "Candidate", "Difference")
    return table(head, rows, "All measures by policy") if rows else NOTHING


def _tasks(document: Document) -> Markup:
    rows = [
        (f"{row['task']}: {name}", f"{row['n']:,}",
         *(figure((row.get(side) or {}).get(key), key, sign=side == "difference")
           for side in ("old", "new", "difference")))
        for row in document.get("tasks") or []
        for key, name in TASK_MEASURES.items()
        if (row.get("new") or {}).get(key)
    ]  # fmt: skip
    head = ("Measure", "Videos", "Now", "Candidate", "Difference")
    return table(head, rows, "Tasks under the routing in force") if rows else NOTHING


def _slices(document: Document) -> Markup:
    rows = [
        (str(row["slice"]), f"{row['n']:,}", figure(row.get("gain"), "auc", sign=True),
         row.get("reason") or ("" if row.get("gain") else "too few labels to tell"))
        for row in document.get("slices") or []
    ]  # fmt: skip
    head = ("Slice", "Videos", "AUC on average", "")
    return table(head, rows, "Slices") if rows else NOTHING
