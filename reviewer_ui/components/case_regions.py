"""The regions of Review that show a case, and what stands in them before a blind answer."""

from __future__ import annotations

from dataclasses import replace

from coefvq.review.views import CaseView
from reviewer_ui.components import cards, copy_pair, player, states, timeline, transcript
from reviewer_ui.markup import NOTHING, Markup, h, join


def tabs(case: CaseView) -> Markup:
    """The video's cases, one small tab a task."""
    pairs = sorted([(case.task, case.id), *case.siblings])
    links = join(
        h(
            '<a href="/?case={}" data-case="{}"{}>{}</a>',
            case_id,
            case_id,
            Markup(' aria-current="true"') if case_id == case.id else "",
            task,
        )
        for task, case_id in pairs
    )
    return h('<span class="tabs" role="group" aria-label="Task">{}</span>', links)


def machine_regions(case: CaseView, busy: str | None) -> dict[str, Markup]:
    """The parts that change when a stage answers; polls refresh them."""
    if case.blind:
        return blind_regions(case)
    return {
        "evidence-timeline": timeline.timeline(case),
        "transcript": transcript.transcript(case) + player.facts(case.video),
        "prefilter-card": cards.prefilter_card(case),
        "mllm-card": cards.mllm_card(case, busy),
        "evidence-list": timeline.evidence_list(case),
        "disagreement": cards.disagreement(case),
        "copy-strip": copy_pair.strip(case.pairs),
    }


def blind_regions(case: CaseView) -> dict[str, Markup]:
    """The same parts before the reviewer has answered: one sentence in place of the machine."""
    bare = replace(case, evidence=())
    return {
        "evidence-timeline": timeline.timeline(bare),
        "transcript": transcript.transcript(bare) + player.facts(case.video),
        "prefilter-card": states.answer_first(),
        "mllm-card": NOTHING,
        "evidence-list": NOTHING,
        "disagreement": NOTHING,
        "copy-strip": NOTHING,
    }
