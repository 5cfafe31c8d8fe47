"""What a promotion does, a model in the shadow, and the buttons for both."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from coefvq.learning.shadow_view import ShadowComparison
from coefvq.work.training_views import CandidateView
from reviewer_ui.components.routing import lines, table
from reviewer_ui.components.training_words import figure, policy_name
from reviewer_ui.markup import NOTHING, Markup, attribute, h, took

Document = Mapping[str, Any]


def under_way(found: CandidateView) -> Markup:
    """What goes on with a promotion, or why the last one was refused."""
    if found.promotion is None or found.live:
        return NOTHING
    state, share, note, outcome = found.promotion
    if state in ("queued", "running"):
        return h(
            '<div class="run-line"><i class="spin" aria-hidden="true"></i><b>Promotion</b>'
            '<span>{}</span><progress max="100" value="{}" aria-label="Promotion"></progress>'
            "</div>",
            note or "waits for its turn",
            round(share * 100),
        )
    why = (outcome or {}).get("why") or (note if state == "set_aside" else "")
    return h('<p class="caution"><b>Not promoted.</b> {}</p>', why) if why else NOTHING


def plan(found: CandidateView) -> Markup:
    """What a promotion would do to the routing, or why it would be refused."""
    if found.plan is None or found.live or not (found.gate and found.gate.passed):
        return NOTHING
    if not found.plan.get("ok"):
        return h('<p class="caution"><b>Promotion would be refused.</b> {}</p>', found.plan["why"])
    rows = found.plan.get("routing") or []
    return h(
        '<details class="adding" open><summary>What a promotion does to the routing</summary>{}'
        "{}</details>",
        _routing(rows),
        lines(found.plan["notes"]) if found.plan.get("notes") else NOTHING,
    )


def _routing(rows: Iterable[Document]) -> Markup:
    made = [
        (
            str(row["task"]),
            _versions(row),
            str(row.get("certificate") or "none"),
            "{1:,} / {0:,}".format(*(row.get("fitted_on") or (0, 0))),
            figure((row.get("measured") or {}).get("miss_rate"), "miss_rate"),
            figure((row.get("measured") or {}).get("escalation_rate"), "escalation_rate"),
        )
        for row in rows
    ]
    head = ("Task", "Routing", "Certificate", "Violations / videos", "Miss rate", "MLLM calls")
    return table(head, made, "Routing after the promotion")


def _versions(row: Document) -> str:
    before, after = str(row["before"]), str(row["after"])
    if after == "settings":
        return "the settings' entropy rule stays"
    return after if before == after else f"{before} → {after}, fitted again"


def shadow(found: ShadowComparison) -> Markup:
    """What a model in the shadow has said so far, beside the one in force."""
    if not found.compared:
        return h(
            '<p class="muted">No video was scored in its shadow yet. It scores each new video '
            "beside the model in force; nothing is routed by it.</p>"
        )
    rows = [
        (
            policy_name(each.policy),
            f"{each.n:,}",
            f"{each.mean:+.3f}",
            f"{each.raised:,}",
            f"{each.lowered:,}",
            f"{each.gained:,} / {each.lost:,}",
        )
        for each in found.policies
    ]
    head = ("Policy", "Videos", "Mean difference", "Only the shadow flags", "Only now flagged",
            "Only shadow / only now answers")  # fmt: skip
    time = "" if found.milliseconds is None else f", {took(found.milliseconds)} a video"
    return h(
        '<p class="muted">{:,} videos scored{}. It says how often they differ, not who is right: '
        "the gate does.</p>{}",
        found.n,
        time,
        table(head, rows, "Shadow beside the model in force"),
    )


def actions(found: CandidateView | None, shadows: Mapping[str, str]) -> Markup:
    """Promote, or try in the shadow; what is not possible says why.

    Args:
        shadows: By stage, the version that is in the shadow now.
    """
    if found is None or found.live:
        return NOTHING
    mine = shadows.get(found.stage)
    why = _not_promotable(found)
    return h(
        '<form data-form="promote" class="promote"><label class="text" for="promote-note">Note'
        '<input id="promote-note" name="note" maxlength="2000" required placeholder="why, for '
        'whoever reads the list later"></label><div class="row-buttons"><button type="submit"'
        ' class="primary" id="promote-model"{}>Promote</button>{}</div><p class="muted">{}</p>'
        "</form>",
        attribute("disabled", why),
        _shadow_button(found, mine),
        why or "The routing that is published is fitted and certified again in the same step.",
    )


def _not_promotable(found: CandidateView) -> str:
    if found.gate is None:
        return "It must pass the gate first."
    if found.gate.stale:
        return "It was compared with a model that is not in force any more."
    if not found.gate.passed:
        return "The gate refused it: see the reasons."
    if found.promotion is not None and found.promotion[0] in ("queued", "running"):
        return "Its promotion is under way."
    return ""


def _shadow_button(found: CandidateView, mine: str | None) -> Markup:
    if mine == found.version:
        return h(
            '<button type="button" class="plain" data-do="end-shadow" data-stage="{}">End its '
            "shadow</button>",
            found.stage,
        )
    return h(
        '<button type="button" class="plain" id="start-shadow" data-do="shadow"{}>Try in the '
        "shadow</button>",
        Markup(' disabled title="Another model is in the shadow"') if mine else NOTHING,
    )
