"""What leads settle: two answers that differ, and decisions that somebody disputes."""

from __future__ import annotations

import json

from coefvq.review.adjudicate import Answer, Dispute, Disputes
from coefvq.review.appeals import AppealFigures, Appeals, AppealView
from coefvq.review.rates import Rate
from reviewer_ui.components import answers
from reviewer_ui.components.figures import rate
from reviewer_ui.components.people import listing
from reviewer_ui.markup import NOTHING, Markup, attribute, h, join, kbd, probability, stamp

STATES = {"open": "open", "upheld": "upheld", "overturned": "overturned"}


def adjudication(found: Disputes, offset: int) -> Markup:
    """One dispute at a time, the oldest first."""
    if not found.items:
        return h(
            '<p class="muted">Nothing to settle: no two independent answers differ. Answers are '
            "compared as soon as the second one is there.</p>"
        )
    about = h(
        '<p class="muted">Two people answered without seeing each other\'s answer. What you choose '
        "decides the case. {} {} {} choose, {} {} go on and back.</p>",
        *(kbd(key, silent=False) for key in ("1", "2", "o", "j", "k")),
    )
    return about + _dispute(found.items[0], offset, found.total)


def _dispute(item: Dispute, offset: int, total: int) -> Markup:
    return h(
        '<div id="dispute" class="dispute" tabindex="-1" data-keep data-look="{}" data-offset="{}"'
        ' aria-label="Answers that differ">{}{}<div class="sides">{}{}</div>{}{}</div>',
        item.id,
        offset,
        _steps(item, offset, total),
        answers.video(item.video_id, item.case_id, item.title, item.task) + _mine(item),
        _side(item, "first", "1", item.first),
        _side(item, "second", "2", item.second),
        _machine(item),
        _settle(item),
    )


def _mine(item: Dispute) -> Markup:
    if not (item.mine and item.allowed):
        return NOTHING
    return h('<p class="muted">One of these answers is yours; nobody else leads.</p>')


def _steps(item: Dispute, offset: int, total: int) -> Markup:
    return h(
        '<div class="steps"><span><b>{} of {}</b> <span class="muted">asked {}</span></span>'
        '<span class="row-buttons"><button type="button" class="plain" data-step="{}"{}>Previous'
        '</button><button type="button" class="plain" data-step="{}"{}>Next</button></span></div>',
        offset + 1,
        total,
        stamp(item.asked_at),
        offset - 1,
        attribute("disabled", offset == 0),
        offset + 1,
        attribute("disabled", offset + 1 >= total),
    )


def _side(item: Dispute, which: str, key: str, given: Answer) -> Markup:
    choose = NOTHING
    if item.allowed:
        choose = h(
            '<button type="button" class="primary" data-settle="{}" aria-keyshortcuts="{}">'
            "Decide for {} {}</button>",
            which,
            key,
            given.reviewer,
            kbd(key),
        )
    shown = answers.answer(given.reviewer, given.labels, given.reasons, given.action,
                           given.comment, given.start_s, given.end_s, given.at,
                           item.policies)  # fmt: skip
    return h('<div class="side-answer">{}{}</div>', shown, choose)


def _machine(item: Dispute) -> Markup:
    said = [
        f"{answers.policy_name(policy)} {probability(value)}"
        for policy, value in item.machine.items()
        if policy in item.policies
    ]
    words = ", ".join(said) or "it says nothing about these policies"
    return h('<p class="muted">Where they differ, the machine says: {}.</p>', words)


def _settle(item: Dispute) -> Markup:
    if not item.allowed:
        words = "One of the answers is yours" if item.mine else "You may not decide this case"
        return h('<p class="tip"><b>{}: somebody else settles it.</b></p>', words)
    return h(
        '<form data-form="settle_dispute" data-own>{}<details class="adding"><summary>Another '
        'answer {}</summary>{}<div><button type="submit" class="primary">Decide this</button>'
        "</div></details></form>",
        answers.why("why", "Why (kept with the decision)", needed=False),
        kbd("o"),
        answers.fields(item.task, "own"),
    )


def appeals(found: Appeals, state: str, figures: AppealFigures) -> Markup:
    """Appeals of one state, oldest open ones first, and what became of all."""
    if not found.items:
        words = "No appeal waits." if state == "open" else "None yet."
        listed = h('<p class="muted">{}</p>', words)
    else:
        listed = h('<ol class="appeals">{}</ol>', join(_appeal(item) for item in found.items))
        if found.total > len(found.items):
            listed += h('<p class="muted">{} more.</p>', found.total - len(found.items))
    return _states(state) + listed + _appeal_figures(figures)


def _states(chosen: str) -> Markup:
    return h(
        '<div class="row-buttons" role="group" aria-label="Which appeals">{}</div>',
        join(
            h('<button type="button" class="plain" data-call="list_appeals" data-args="{}"'
              ' aria-pressed="{}">{}</button>', json.dumps({"state": state}),
              "true" if state == chosen else "false", words)
            for state, words in STATES.items()
        ),
    )  # fmt: skip


def _appeal(item: AppealView) -> Markup:
    taken = item.decision
    return h(
        '<li class="appeal">{}<blockquote dir="auto">{}</blockquote><p class="muted">filed {} by '
        '{}</p><div class="side-answer">{}{}</div>{}</li>',
        answers.video(item.video_id, item.case_id, item.title, item.task),
        item.text,
        stamp(item.filed_at),
        item.filed_by,
        answers.answer(taken.reviewer, taken.labels, taken.reasons, taken.action, taken.comment,
                       taken.start_s, taken.end_s, taken.decided_at),
        h('<p>Told the uploader: <q dir="auto">{}</q></p>', taken.notice) if taken.notice else "",
        _resolve(item) if item.state == "open" else _resolved(item),
    )  # fmt: skip


def _resolved(item: AppealView) -> Markup:
    return h(
        '<p><b>{}</b> by {} {}: <q dir="auto">{}</q></p>',
        item.state.capitalize(),
        item.resolved_by or "–",
        stamp(item.resolved_at) if item.resolved_at else "",
        item.reason,
    )


def _resolve(item: AppealView) -> Markup:
    if not item.allowed:
        return h('<p class="tip"><b>The decision is yours: somebody else looks at it.</b></p>')
    return h(
        '<form data-form="resolve_appeal" data-own><input type="hidden" name="appeal" value="{}">'
        '{}<details class="adding"><summary>Overturn to another answer than “no violation”'
        '</summary>{}</details><div class="row-buttons"><button type="submit" class="plain"'
        ' name="outcome" value="uphold">Uphold the decision</button><button type="submit"'
        ' class="primary" name="outcome" value="overturn">Overturn it</button></div></form>',
        item.id,
        answers.why("reason", "Reason (kept with the outcome)"),
        answers.fields(item.task, f"appeal-{item.id}"),
    )


def _appeal_figures(found: AppealFigures) -> Markup:
    head = h(
        "<h3>Outcomes so far</h3><p>{} filed, {} open. Overturned: {}</p>",
        found.filed,
        found.open,
        rate(found.overturned, "none is resolved yet"),
    )
    if not found.overturned.n:
        return head
    return head + h(
        '<div class="pair">{}{}</div>',
        _overturned("Policy", [(answers.policy_name(name), r) for name, r in found.policies]),
        _overturned("Decision of", list(found.reviewers)),
    )


def _overturned(what: str, rows: list[tuple[str, Rate]]) -> Markup:
    return listing((what, "Overturned"), [(name, rate(share)) for name, share in rows])


def file_form() -> Markup:
    """The form that files an appeal in somebody's name."""
    return h(
        '<details class="adding"><summary>File an appeal</summary><form data-form="file_appeal">'
        '<label class="text">Case id<input name="case" maxlength="64" autocomplete="off"'
        ' spellcheck="false" required></label>{}<div><button type="submit" class="primary">File'
        "</button></div></form></details>",
        answers.why("text", "What the uploader says"),
    )
