"""Routing's versions: what is in force, every kept version, publications, and the forms."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from coefvq.work.routing_versions import LARGEST, SETTINGS, PublicationView, Versions, VersionView
from reviewer_ui.markup import NOTHING, Markup, attribute, h, join, stamp

OBJECTIVES = (
    ("f1", "F1: as many right flags as possible"),
    ("ap", "average precision: the best order for a queue"),
    ("cost", "cost: a miss ten times dearer than a false alarm"),
)


def name_of(version: str) -> str:
    """A version as people read it."""
    return "the settings' entropy rule" if version == SETTINGS else version


def percent(value: float | None, digits: int = 1) -> str:
    """A share; an en dash where it is not known."""
    return "–" if value is None else f"{value * 100:.{digits}f}\u00a0%"


def table(head: Sequence[str], rows: Iterable[Sequence[object]], caption: str) -> Markup:
    """A table that scrolls inside its own box where it is too wide."""
    names = join(h('<th scope="col">{}</th>', name) for name in head)
    body = join(
        h(
            '<tr><th scope="row">{}</th>{}</tr>',
            row[0],
            join(h("<td>{}</td>", value) for value in row[1:]),
        )
        for row in rows
    )
    return h(
        '<div class="wide-table" tabindex="0" role="region" aria-label="{}"><table>'
        '<caption class="hidden">{}</caption><thead><tr>{}</tr></thead><tbody>{}</tbody></table>'
        "</div>",
        caption,
        caption,
        names,
        body,
    )


def lines(words: Iterable[str]) -> Markup:
    """One line a step."""
    return h('<ul class="steps">{}</ul>', join(h("<li>{}</li>", each) for each in words))


def tasks(names: Iterable[tuple[str, str]], chosen: str) -> Markup:
    """Which task the page is about."""
    return join(
        h(
            '<button type="button" class="plain" data-task="{}" aria-pressed="{}">{}</button>',
            task,
            "true" if task == chosen else "false",
            name,
        )
        for task, name in names
    )


def in_force(found: Versions) -> Markup:
    """What routes the task now, since when and why, and the way back."""
    now = next((each for each in found.kept if each.version == found.in_force), None)
    if now is None:
        return h(
            '<p><b class="version">the settings&#39; entropy rule</b> <span class="muted">{}</span>'
            '</p>{}<p class="muted">Nothing is published for {}. COEFVQ_ENTROPY_THRESHOLD, '
            "COEFVQ_HUMAN_ENTROPY_THRESHOLD and COEFVQ_AUDIT_SHARE say what holds.</p>",
            found.settings_version,
            lines(found.settings_rule),
            found.task,
        )
    last = found.publications[0]
    return h(
        '<div class="force-head"><p><b class="version">{}</b> <span class="muted">{} {} by {}'
        "</span></p>{}</div>{}{}{}{}",
        now.version,
        "rolled back to" if last.rollback else "published",
        stamp(last.at),
        last.by,
        _way_back(found),
        _note(last),
        lines(now.thresholds),
        _warning(now.problem),
        _others(found),
    )


def _note(last: PublicationView) -> Markup:
    return h('<p class="note"><q>{}</q></p>', last.note) if last.note else NOTHING


def _warning(words: str) -> Markup:
    return h('<p class="caution">{}</p>', words) if words else NOTHING


def _others(found: Versions) -> Markup:
    if not found.other_models:
        return NOTHING
    names = "; ".join(f"the {stage} is {model} now" for stage, model in found.other_models.items())
    return _warning(
        f"Models changed since it was published: {names}. Its thresholds were fitted on other "
        "answers: fit again."
    )


def _way_back(found: Versions) -> Markup:
    if found.back_to is None:
        return NOTHING
    return h(
        '<button type="button" class="plain back" data-do="rollback" data-to="{}">Roll back to {}'
        "</button>",
        found.back_to,
        found.back_to,
    )


def versions(found: Versions) -> Markup:
    """Every kept version."""
    if not found.kept:
        return h(
            '<p class="muted">No routing policy is kept yet. Fit one on this store&#39;s '
            "decisions, or bring one in that <code>coefvq routing fit</code> wrote.</p>"
        )
    head = ("Version", "For", "Budget", "Certificate", "Fitted on", "Brought in", "")
    rows = [_version(each, found) for each in found.kept]
    return table(head, rows, f"Routing versions of {found.task}")


def _version(each: VersionView, found: Versions) -> tuple[object, ...]:
    mine = each.version == found.in_force
    words = [each.rule, *each.thresholds, *(f"note: {note}" for note in each.notes)]
    name = h(
        "<details><summary><b>{}</b>{}{}</summary>{}{}</details>",
        each.version,
        Markup(' <span class="tag on">in force</span>') if mine else NOTHING,
        Markup(' <span class="tag out">cannot be used</span>') if each.problem else NOTHING,
        _warning(each.problem),
        lines(words),
    )
    fitted = (
        "–" if each.fitted_on is None else "{:,} cases, {:,} violations".format(*each.fitted_on)
    )
    return (
        name,
        each.objective or "–",
        percent(each.budget),
        each.certificate,
        fitted,
        h("{}<br><span class='muted'>{}</span>", each.made_by, stamp(each.made_at)),
        _choose(each, mine),
    )


def _choose(each: VersionView, mine: bool) -> Markup:
    if mine or each.problem:
        return NOTHING
    return h(
        '<button type="button" class="plain" data-choose="{}" aria-label="Try {}">Try…</button>',
        each.version,
        each.version,
    )


def choices(found: Versions) -> Markup:
    """Versions that can be held against the one in force."""
    usable = [each.version for each in found.kept if not each.problem]
    if found.in_force != SETTINGS:
        usable.append(SETTINGS)
    others = [version for version in usable if version != found.in_force]
    if not others:
        return h('<option value="">no other version yet</option>')
    return join(h('<option value="{}">{}</option>', each, name_of(each)) for each in others)


def publications(found: Versions) -> Markup:
    """Who published what, when and why."""
    if not found.publications:
        return h('<p class="muted">Nothing was published for {} yet.</p>', found.task)
    rows = [
        (
            h("{}{}", stamp(each.at), Markup(' <span class="tag on">in force</span>')
              if each.in_force else NOTHING),
            h("{}{}", "way back to " if each.rollback else "", each.version),
            each.by,
            h('<span class="said">{}</span>', each.note or "–"),
        )
        for each in found.publications
    ]  # fmt: skip
    return table(("When", "Version", "Who", "Why"), rows, f"Publications for {found.task}")


def bring_in_form() -> Markup:
    """Take a routing.json in."""
    return h(
        '<form data-form="bring_in" class="stack"><label class="text" for="routing-file">'
        'routing.json <span class="muted">at most 1 MB; no effect until it is published</span>'
        '<input id="routing-file" type="file" accept=".json,application/json"></label>'
        '<label class="text" for="routing-text">or its text<textarea id="routing-text" name="text"'
        ' rows="3" maxlength="{}" spellcheck="false"></textarea></label>'
        '<div><button type="submit" class="primary">Bring it in</button></div></form>',
        LARGEST,
    )


def fit_form() -> Markup:
    """Fit on the store's decisions."""
    options = join(h('<option value="{}">{}</option>', *each) for each in OBJECTIVES)
    return h(
        '<form data-form="fit" class="stack"><div class="fields">'
        '<label class="text" for="fit-objective">Objective<select id="fit-objective"'
        ' name="objective">{}</select></label>{}{}</div><p class="muted">The rule is chosen by '
        "cross-validation. At most 5,000 decided cases are used; it takes some seconds. The new "
        "version has no effect until it is published.</p>"
        '<div><button type="submit" class="primary">Fit</button></div></form>',
        options,
        _number("fit-budget", "budget", "MLLM budget, % of videos", "30", required=True),
        _number("fit-miss", "miss_rate", "Certify a miss rate of at most, %", ""),
    )


def _number(key: str, name: str, words: str, value: str, *, required: bool = False) -> Markup:
    more = NOTHING if required else Markup(' <span class="muted">empty: none</span>')
    return h(
        '<label class="text" for="{}">{}{}<input id="{}" name="{}" type="number" min="0" max="100"'
        ' step="any" value="{}"{}></label>',
        key,
        words,
        more,
        key,
        name,
        value,
        attribute("required", required),
    )
