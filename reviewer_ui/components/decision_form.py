"""The form a reviewer fills in: policies, reason, action, comment, notice, range, the buttons.

Ids of fields sit on their ``<label>``, so that the label and its control are one thing to
scripts and to assistive technology alike.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

from coefvq import taxonomy
from coefvq.review.views import CaseView, DecisionView, DraftView, PolicyView
from reviewer_ui.components import case_panel
from reviewer_ui.keys import action_key
from reviewer_ui.markup import NOTHING, Markup, attribute, clock, h, join, kbd, stamp
from reviewer_ui.words import STATES, plain

COMMENT_LIMIT = NOTICE_LIMIT = 2000


def _toggle(policy: PolicyView, draft: DraftView | None) -> Markup:
    on = bool(draft and draft.labels.get(policy.id))
    return h(
        '<button type="button" id="policy-{}" class="toggle" aria-pressed="{}" data-policy="{}"'
        ' data-key="{}" data-name="{}" data-reasons="{}" data-reason="{}" title="{}"'
        ' aria-keyshortcuts="{}">{} <span>{}</span><i class="dot"></i></button>',
        policy.id,
        "true" if on else "false",
        policy.id,
        policy.key,
        policy.name,
        json.dumps(policy.reasons),
        draft.reasons.get(policy.id, "") if draft and on else "",
        f"{policy.question} {policy.guideline}",
        policy.key,
        kbd(str(policy.key)),
        policy.name,
    )


def _toggles(case: CaseView) -> Markup:
    return h(
        '<div class="toggles" role="group" aria-label="Violated policies">{}</div>',
        join(_toggle(policy, case.draft) for policy in case.policies),
    )


@dataclass(frozen=True)
class Actions:
    """What may be done with a case.

    Attributes:
        labels: Action id to what people read.
        good: The id that goes with no violation.
        bad: The id that is proposed as soon as a policy is violated.
        skips: Reasons to pass a case over; the last is what Enter means.
        violations: The ids that go with a violation; ``None``: all but ``good``.
    """

    labels: dict[str, str]
    good: str
    bad: str
    skips: tuple[str, ...] = ("later",)
    violations: frozenset[str] | None = None

    def violates(self, action: str) -> bool:
        """Whether an action goes with a violation."""
        return action != self.good if self.violations is None else action in self.violations


def _actions(actions: Actions, case: CaseView) -> Markup:
    """The script follows the toggles between ``good`` and ``bad``."""
    draft = case.draft
    marked = draft and any(draft.labels.get(policy.id) for policy in case.policies)
    proposed = actions.bad if marked else actions.good
    chosen = draft.action if draft and draft.action in actions.labels else proposed
    options = join(
        h('<option value="{}"{} data-violation="{}">{}</option>', a,
          attribute("selected", a == chosen), "1" if actions.violates(a) else "", label)
        for a, label in actions.labels.items()
    )  # fmt: skip
    return h(
        '<label class="field" id="decision-action"><span class="hidden">Action</span>'
        '<select name="action" data-good="{}" data-bad="{}" aria-keyshortcuts="{}">{}</select>{}'
        "</label>",
        actions.good,
        actions.bad,
        action_key("action"),
        options,
        kbd(action_key("action")),
    )


def _reason() -> Markup:
    return h(
        '<label class="field" id="decision-reason"><span class="hidden">Reason</span>'
        '<select name="reason" disabled aria-keyshortcuts="r">'
        '<option value="">No reason needed</option></select>{}</label>',
        kbd(action_key("reason")),
    )


def _comment(draft: DraftView | None) -> Markup:
    return h(
        '<label class="field" id="decision-comment"><span class="hidden">Comment</span>'
        '<input name="comment" type="text" maxlength="{}" value="{}" placeholder="Comment"'
        ' autocomplete="off" aria-keyshortcuts="c">{}</label>',
        COMMENT_LIMIT,
        draft.comment if draft else "",
        kbd(action_key("comment")),
    )


def _notice(draft: DraftView | None) -> Markup:
    """The message to the uploader: one line until it is typed in, and then over its neighbours,
    so that nothing moves. The script asks the server for the text that goes with the choice."""
    return h(
        '<label class="field" id="decision-notice"><span class="hidden">Notice to the uploader'
        '</span><textarea name="notice" rows="1" maxlength="{}" autocomplete="off"'
        ' data-draft="{}" aria-keyshortcuts="{}" placeholder="No notice to the uploader">{}'
        "</textarea>{}</label>",
        NOTICE_LIMIT,
        "true" if draft else "false",
        action_key("notice"),
        draft.notice if draft else "",
        kbd(action_key("notice")),
    )


def _range(draft: DraftView | None) -> Markup:
    """Where the violation shows; the keys ``[`` and ``]`` take the player's time."""
    start = draft.start_s if draft else None
    end = draft.end_s if draft else None
    sides = join(
        h(
            '<button type="button" data-do="{}" data-value="{}" aria-keyshortcuts="{}"'
            ' aria-label="{}">{}<span class="word">{}</span><span class="value">{}</span></button>',
            f"range-{side}",
            "" if value is None else f"{value:.2f}",
            action_key(f"range-{side}"),
            label,
            kbd(action_key(f"range-{side}")),
            word,
            clock(value),
        )
        for side, word, value, label in (
            ("start", "from", start, "Range starts at the player's time"),
            ("end", "to", end, "Range ends at the player's time"),
        )
    )  # fmt: skip
    return h(
        '<div id="decision-range" class="field" role="group" aria-label="Range that shows it">{}'
        '<button type="button" class="clear" data-do="range-clear" aria-label="Clear the range">×'
        "</button></div>",
        sides,
    )


def _buttons(blind: bool) -> Markup:
    rest = (("skip-case", "skip", "Skip"), ("second-look", "second-look", "Second look"),
            ("undo-decision", "undo", "Undo last"))  # fmt: skip
    others = join(
        h(
            '<button type="button" id="{}" data-do="{}" aria-keyshortcuts="{}">{} {}</button>',
            element,
            action,
            action_key(action),
            label,
            kbd(action_key(action)),
        )
        for element, action, label in rest
    )
    return h(
        '<div class="buttons"><button type="button" id="submit-decision" class="primary"'
        ' data-do="submit" aria-keyshortcuts="Enter">{} {}</button>{}'
        '<span class="say muted" aria-live="polite"></span></div>',
        "Send your answer" if blind else "Submit and next",
        kbd("Enter"),
        others,
    )


def _skip_choice(reasons: tuple[str, ...]) -> Markup:
    """Takes the place of the buttons while a reason to skip is chosen; the last is Enter's."""
    keys = [*map(str, range(1, len(reasons))), "Enter"]
    buttons = join(
        h('<button type="button" data-skip="{}" data-key="{}">{} {}</button>', reason, key,
          kbd(key), reason)
        for key, reason in zip(keys, reasons, strict=True)
    )  # fmt: skip
    return h(
        '<div class="skip-choice" role="group" aria-label="Why do you skip it?" hidden>'
        '<div class="head"><b>Why do you skip it?</b><button type="button" class="quiet"'
        ' data-do="skip-cancel">Go back {}</button></div><div class="buttons">{}</div></div>',
        kbd("Esc"),
        buttons,
    )


def decided_line(decision: DecisionView) -> Markup:
    """What was decided on this case before, in one line."""
    bad = [name.replace("_", " ") for name, label in decision.labels.items() if label != "ok"]
    said = ", ".join(bad) if bad else "no violation"
    undone = " (undone)" if decision.undone_at else ""
    return h(
        '<p class="decided">{}: <strong>{}</strong>, {} by {}{}</p>',
        stamp(decision.decided_at),
        said,
        "a correction" if decision.correction else "as the machine",
        decision.reviewer,
        undone,
    )


def _status(case: CaseView) -> Markup:
    flags = ["second look"] if case.second_look else []
    if case.route is not None and case.route.audit:
        flags.append("random audit")
    if case.state != "queued":
        flags.append(plain(STATES, case.state))
    return h('<span class="muted flags">{}</span>{}', join(flags, " · "), case_panel.summary(case))


def held(case: CaseView) -> Markup:
    """Says that somebody else has the case, and what becomes of what was typed."""
    if case.lease is None or case.lease.mine:
        return NOTHING
    kept = "Your draft is kept. " if case.draft else ""
    return h(
        '<div class="held" role="status"><span><b>{} is on it.</b> {}You can look, and decide '
        "when it is free again.</span>"
        '<button type="button" class="ask" data-do="next">Next case</button></div>',
        case.lease.holder,
        kept,
    )


def decision_form(case: CaseView, actions: Actions, tabs: Markup = NOTHING) -> Markup:
    """Render the form of a case; the draft, where there is one, is already in it.

    Args:
        tabs: The way to the same video's other cases.

    Without a lease of one's own the form says who holds the case, and takes nothing. Of a blind
    case the first Enter sends the answer, and a second one the decision.
    """
    token = case.lease.token if case.lease and case.lease.mine else None
    last = case.decisions[0] if case.decisions else None
    return h(
        '<div class="form" data-case="{}" data-token="{}" data-verdict="{}" data-taxonomy="{}"'
        ' data-expires="{}"{}>'
        '<p class="form-error" role="alert"></p>'
        '<div class="head"><h2>Your decision <span class="reads">{}</span> {}</h2>'
        '<span class="head-end">{}</span></div>{}{}{}'
        '<div class="fields">{}{}{}</div><div class="fields texts">{}{}</div>{}{}</div>',
        case.id,
        "" if token is None else token,
        case.verdict_id or "",
        taxonomy.version(),
        case.lease.expires_at.timestamp() if case.lease and case.lease.mine else "",
        attribute("data-blind", case.blind),
        case.task_name,
        tabs,
        _status(case),
        held(case),
        decided_line(last) if last else NOTHING,
        _toggles(case),
        _reason(),
        _actions(actions, case),
        _range(case.draft),
        _comment(case.draft),
        _notice(case.draft),
        _buttons(case.blind),
        _skip_choice(actions.skips),
    )
