"""Training: what there is to learn from, the models in force, and how a training is started."""

from __future__ import annotations

from collections.abc import Iterable

from coefvq.work.training_options import Option
from coefvq.work.training_summary import SPLITS, PolicyCount, Summary
from coefvq.work.training_views import Ancestor, InForce, PublicationView
from reviewer_ui.components.insights_words import lasting
from reviewer_ui.components.routing import lines, table
from reviewer_ui.components.training_words import STAGES, named, option
from reviewer_ui.markup import NOTHING, Markup, attribute, h, join, stamp


def summary(found: Summary) -> Markup:
    """Labels by policy and split, what is new, what is missing."""
    if found.why:
        return h(
            '<p class="none">{}</p><p class="muted">People&#39;s decisions are what a training '
            'learns from. <a href="/">Review some cases</a>, put a few with a known answer into '
            'the golden set on <a href="/admin">Admin</a>, and come back.</p>',
            found.why,
        )
    return h("{}{}{}", _facts(found), _missing(found.missing), _policies(found))


def _facts(found: Summary) -> Markup:
    new = found.labels - (found.since[2] if found.since else 0)
    facts = [
        ("labelled videos", f"{found.videos:,}"),
        ("labels", f"{found.labels:,}"),
        ("corrected by people", f"{found.corrected:,}"),
        ("drawn at random", f"{found.audits:,}"),
        ("golden", f"{found.golden:,}"),
    ]
    if found.since is not None:
        facts.insert(2, (f"labels since snapshot {found.since[0]}", f"{new:+,}" if new else "0"))
    return h(
        '<dl class="facts">{}</dl>',
        join(h("<div><dd>{}</dd><dt>{}</dt></div>", value, name) for name, value in facts),
    )


def _missing(found: Iterable[str]) -> Markup:
    said = list(found)
    return h('<div class="caution">{}</div>', lines(said)) if said else NOTHING


def _policies(found: Summary) -> Markup:
    head = ("Policy", "To learn from", "To tune", "To measure", "Golden", "New")
    rows = [
        (each.name, *(_split(each, name) for name in SPLITS), _new(each, found))
        for each in found.policies
    ]
    note = h(
        '<p class="muted">Violations and, after the stroke, labels that are none. A video keeps '
        "its split for ever; what measures is never learnt from.{}</p>",
        "" if found.since is None else h(" The last snapshot, {}, was made {}.", found.since[0],
                                         stamp(found.since[1])),
    )  # fmt: skip
    return h("{}{}", table(head, rows, "Labels by policy and split"), note)


def _split(count: PolicyCount, name: str) -> Markup:
    passed, violations = count.splits.get(name, (0, 0))
    if not passed and not violations:
        return h('<span class="muted">–</span>')
    return h('<b>{:,}</b> <span class="muted">/ {:,}</span>', violations, passed)


def _new(count: PolicyCount, found: Summary) -> str:
    new = count.total - count.before if found.since is not None else count.total
    return f"{new:+,}" if new else "–"


def in_force(found: InForce) -> Markup:
    """The model that answers for a stage now, where it comes from, and the way back."""
    return h(
        '<p>{} <span class="muted">{}</span></p>{}{}{}',
        named(found.version),
        _since(found),
        h('<p class="note"><q>{}</q></p>', found.note) if found.note else NOTHING,
        _origin(found),
        _shadow(found),
    )


def _since(found: InForce) -> Markup:
    if found.since is None:
        return h("comes with the project")
    words = "rolled back to" if found.rollback else "promoted"
    return h("{} {} by {}", words, stamp(found.since), found.by)


def _origin(found: InForce) -> Markup:
    if not found.chain:
        return NOTHING
    learnt = "" if found.snapshot is None else f"learnt from snapshot {found.snapshot}; "
    steps = join(h("<li>{}</li>", _ancestor(each)) for each in found.chain)
    return h(
        '<details class="chain"><summary>{}made from {}</summary><ol class="steps">{}</ol>'
        "</details>",
        learnt,
        found.chain[0].version,
        steps,
    )


def _ancestor(each: Ancestor) -> Markup:
    if each.shipped:
        return h("{}, which comes with the project", each.version)
    made = h(" {}", stamp(each.made_at)) if each.made_at else NOTHING
    number = "" if each.snapshot is None else f", snapshot {each.snapshot}"
    return h("{}{}{}", each.version, number, made)


def _shadow(found: InForce) -> Markup:
    if found.shadow is None:
        return NOTHING
    version, since = found.shadow
    return h(
        '<p><span class="tag">shadow</span> {} <span class="muted">since {}</span></p>',
        named(version),
        stamp(since),
    )


def way_back(found: InForce, key: str = "") -> Markup:
    """The button that puts the model before in force again."""
    if found.back_to is None:
        return NOTHING
    return h(
        '<button type="button" class="plain" data-do="rollback" data-stage="{}" data-to="{}"'
        ' data-from="{}"{}>Roll back to {}</button>',
        found.stage,
        found.back_to,
        found.version,
        h(' id="{}"', key) if key else NOTHING,
        found.back_to if len(found.back_to) < 24 else "the one before",
    )


def start_form(stage: str, known: Iterable[Option], blocked: str, took_s: float | None) -> Markup:
    """The button that begins a training, its options folded.

    Args:
        blocked: Why it cannot begin now; empty: it can.
        took_s: Seconds of the last one; ``None``: none was finished.
    """
    fields = join(_field(stage, each) for each in known)
    return h(
        '<form data-form="start" data-stage="{}" class="start"><div class="start-line">'
        '<button type="submit" class="primary" id="train-{}"{}>Train the {}</button>'
        '<span class="muted">{}</span></div><details class="options"><summary>Options</summary>'
        '<div class="fields">{}</div></details></form>',
        stage,
        stage,
        attribute("disabled", blocked),
        STAGES[stage] if stage == "mllm" else STAGES[stage].lower(),
        blocked or _lasts(took_s),
        fields,
    )


def _lasts(took_s: float | None) -> str:
    before = "" if took_s is None else f"the last one took {lasting(took_s)}; "
    return f"{before}scoring goes on meanwhile"


def _field(stage: str, each: Option) -> Markup:
    key = f"option-{stage}-{each.name}"
    if each.kind == "flag":
        return h(
            '<label class="box"><input type="checkbox" id="{}" name="{}"{}><span>{}</span></label>',
            key,
            each.name,
            attribute("checked", each.default),
            option(each.name),
        )
    return h(
        '<label class="text" for="{}">{}<input id="{}" name="{}" type="{}" step="any"'
        ' placeholder="{}"></label>',
        key,
        option(each.name),
        key,
        each.name,
        "text" if each.kind == "text" else "number",
        each.default,
    )


def publications(found: Iterable[PublicationView]) -> Markup:
    """Who put which model in force or into the shadow, when and why."""
    rows = [
        (
            h("{}{}", stamp(each.at), Markup(' <span class="tag on">in force</span>')
              if each.live else NOTHING),
            STAGES.get(each.stage, each.stage),
            h("{} {}", _what(each), named(each.version)),
            each.by,
            h('<span class="said">{}</span>', each.note or "–"),
        )
        for each in found
    ]  # fmt: skip
    if not rows:
        return h(
            '<p class="muted">Nothing was promoted yet: both models are the ones that come with '
            "the project.</p>"
        )
    return table(("When", "Stage", "What", "Who", "Why"), rows, "Publications of models")


def _what(each: PublicationView) -> str:
    if each.kind == "shadow":
        return "shadow ended of" if each.ended_at else "shadow of"
    return "way back to" if each.rollback else "promoted"
