"""An answer on a case outside of Review: shown in words, or given in a short form."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from urllib.parse import quote

from coefvq import taxonomy
from coefvq.taxonomy import OTHER_REASON, Policy
from reviewer_ui.components.grid import case_url
from reviewer_ui.components.player import media_url
from reviewer_ui.markup import NOTHING, Markup, attribute, clock, h, join, stamp

TEXT_LIMIT = 2000
VIOLATION = "violation"


def policy_name(policy_id: str) -> str:
    """What people read for a policy; one that is gone keeps its id."""
    known = taxonomy.policies().get(policy_id)
    return known.name if known else policy_id.replace("_", " ")


def action_words(action_id: str) -> str:
    """What people read for an action; one that is gone keeps its id."""
    known = taxonomy.actions().get(action_id)
    return known.name if known else action_id.replace("_", " ")


def labels(found: Mapping[str, str], reasons: Mapping[str, str],
           differ: tuple[str, ...] = ()) -> Markup:  # fmt: skip
    """The violated policies with their reasons; those on which answers differ stand out."""
    bad = [policy for policy, label in found.items() if label == VIOLATION]
    rows = [
        h(
            '<li{}><b class="out">{}</b>{}</li>',
            Markup(' class="differs"') if policy in differ else NOTHING,
            policy_name(policy),
            h(" · {}", reasons[policy].replace("_", " ")) if reasons.get(policy) else NOTHING,
        )
        for policy in bad
    ]
    rows += [
        h('<li class="differs">{}: no violation</li>', policy_name(policy))
        for policy in differ
        if policy not in bad
    ]
    if not rows:
        return h('<p class="given">no violation</p>')
    return h('<ul class="given">{}</ul>', join(rows))


def answer(who: str, found: Mapping[str, str], reasons: Mapping[str, str], action: str,
           comment: str, start_s: float | None, end_s: float | None, at: datetime,
           differ: tuple[str, ...] = ()) -> Markup:  # fmt: skip
    """One person's answer: who, what, where in the video, why, when."""
    place = NOTHING if start_s is None else h("<p>At {}–{}</p>", clock(start_s), clock(end_s))
    return h(
        '<p class="by"><b>{}</b> <span class="muted">{}</span></p>{}<p>{}</p>{}{}',
        who,
        stamp(at),
        labels(found, reasons, differ),
        action_words(action),
        place,
        h('<p dir="auto"><q>{}</q></p>', comment) if comment else NOTHING,
    )


def video(video_id: str, case_id: str, title: str, task: str) -> Markup:
    """What the answer is about, with its player folded and the ways to case and history."""
    return h(
        '<div class="about"><b dir="auto">{}</b> <span class="muted">{}</span> '
        '<a href="{}" target="_blank" rel="noopener">Case</a> '
        '<a href="/video?id={}" target="_blank" rel="noopener">History</a></div>'
        '<details class="watch"><summary>Watch the video</summary><video src="{}" controls muted '
        'preload="none" controlslist="nodownload noremoteplayback" disablepictureinpicture '
        "playsinline></video></details>",
        title,
        task_name(task),
        case_url(case_id),
        quote(video_id),
        media_url(video_id, "proxy"),
    )


def task_name(task_id: str) -> str:
    """What people read for a task; one that is gone keeps its id."""
    known = taxonomy.tasks().get(task_id)
    return known.name if known else f"{task_id} (gone)"


def fields(task_id: str, prefix: str) -> Markup:
    """The fields of another answer: policies with a reason each, and the action."""
    known = taxonomy.tasks().get(task_id)
    if known is None:
        return h('<p class="muted">Task {} is not in the taxonomy any more.</p>', task_id)
    return h(
        '<input type="hidden" name="taxonomy" value="{}">'
        '<fieldset class="own"><legend>Violated policies</legend>{}</fieldset>'
        '<div class="fields"><label class="text">Action<select name="action">{}</select>'
        "</label></div>",
        taxonomy.version(),
        join(_policy(policy, prefix) for policy in known.policies),
        _actions(),
    )


def _policy(policy: Policy, prefix: str) -> Markup:
    options = join(
        h('<option value="{}">{}</option>', reason, reason.replace("_", " "))
        for reason in (*policy.reasons, OTHER_REASON)
    )
    return h(
        '<div class="own-policy"><label class="box"><input type="checkbox" data-policy="{}"'
        ' id="{}-{}"><span>{}</span></label><select data-reason="{}" aria-label="Reason: {}">'
        '<option value="">Reason…</option>{}</select></div>',
        policy.id,
        prefix,
        policy.id,
        policy.name,
        policy.id,
        policy.name,
        options,
    )


def _actions() -> Markup:
    rules = taxonomy.in_force()
    good = rules.default_action(False).id
    return join(
        h(
            '<option value="{}" data-violation="{}"{}{}>{}</option>',
            action.id,
            "1" if action.violation else "",
            attribute("data-default", action.id in (good, rules.default_action(True).id)),
            attribute("selected", action.id == good),
            action.name,
        )
        for action in rules.action_list
    )


def why(name: str, label: str, *, needed: bool = True) -> Markup:
    """A field for a reason in one's own words."""
    return h(
        '<label class="text">{}<textarea name="{}" rows="2" maxlength="{}"{}></textarea></label>',
        label,
        name,
        TEXT_LIMIT,
        attribute("required", needed),
    )
