"""Tables and forms of the people page."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from coefvq.review.access import LOCAL, ROLES, Actor
from coefvq.review.exposure import PersonExposure
from coefvq.review.passwords import SHORTEST
from coefvq.review.users import Person, SignedIn
from coefvq.review.views import QueueView
from reviewer_ui.markup import NOTHING, Markup, ago, attribute, h, join, stamp

ABOUT = {
    "monitor": "reads operating figures, for programs",
    "viewer": "looks",
    "uploader": "adds videos",
    "reviewer": "decides cases",
    "lead": "also assigns cases, decides many, changes queues",
    "admin": "also adds and changes people",
}
STATES = {"fine": "fine", "warn": "nearly spent", "pause": "pause"}


def note(actor: Actor) -> Markup:
    """What holds as long as nobody is set up."""
    if actor.name != LOCAL.name:
        return NOTHING
    return h(
        '<p class="card tip">Nobody is set up: everyone at this machine is <b>local</b> and may do '
        "everything. Add an admin, and from then on everyone signs in.</p>"
    )


def gone(name: str) -> Markup:
    """The dialog for somebody who is not there."""
    return h('<h2 id="user-dialog-title">{}</h2><p>There is no such user.</p>{}', name, _close())


def listing(names: Sequence[str], rows: Iterable[Sequence[object]]) -> Markup:
    """A table; on a phone each cell says what it is."""
    head = join(h('<th scope="col">{}</th>', name) for name in names)
    body = join(
        h(
            "<tr>{}</tr>",
            join(
                h('<td data-name="{}"><div>{}</div></td>', name, cell)
                for name, cell in zip(names, cells, strict=True)
            ),
        )
        for cells in rows
    )
    return h("<table><thead><tr>{}</tr></thead><tbody>{}</tbody></table>", head, body)


def table(found: list[Person], actor: Actor) -> Markup:
    """Everyone who was set up."""
    if not found:
        return h('<p class="muted">Nobody yet.</p>')
    names = ("Name", "Roles", "Queues", "Last seen", "State", "Change")
    return listing(names, [_person(person, actor) for person in found])


def _person(person: Person, actor: Actor) -> tuple[object, ...]:
    mine = Markup(' <span class="muted">you</span>') if person.name == actor.name else NOTHING
    roles = join((h('<span class="role">{}</span>', role) for role in person.roles), " ")
    queues = "all" if person.queues is None else ", ".join(person.queues) or "none"
    seen = stamp(person.last_seen_at) if person.last_seen_at else "never"
    return (
        h("<b>{}</b>{}", person.name, mine),
        roles,
        queues,
        seen,
        _state(person),
        _buttons(person),
    )


def _locked(person: Person) -> bool:
    return person.locked_until is not None and person.locked_until > datetime.now(UTC)


def _state(person: Person) -> Markup:
    if person.disabled:
        return h('<span class="out">disabled</span>')
    if _locked(person):
        return h('<span class="out">locked after wrong passwords</span>')
    return h("<span>active</span>")


def _buttons(person: Person) -> Markup:
    shut = person.disabled or _locked(person)
    words = "Enable" if person.disabled else "Unlock" if shut else "Disable"
    return h(
        '<span class="row-buttons"><button type="button" class="plain" data-do="edit-user"'
        ' data-name="{}" aria-label="Edit {}">Edit</button>'
        '<button type="button" class="plain" data-do="{}" data-name="{}" aria-label="{} {}">{}'
        "</button></span>",
        person.name,
        person.name,
        "enable-user" if shut else "disable-user",
        person.name,
        words,
        person.name,
        words,
    )


def _boxes(legend: str, name: str, choices: Iterable[tuple[str, str, str]],
           chosen: Iterable[str]) -> Markup:  # fmt: skip
    on = set(chosen)
    return h(
        "<fieldset><legend>{}</legend>{}</fieldset>",
        legend,
        join(
            h(
                '<label class="box"><input type="checkbox" name="{}" value="{}"{}><span>{}'
                "{}</span></label>",
                name,
                value,
                attribute("checked", value in on),
                words,
                h(' <span class="muted">{}</span>', more) if more else NOTHING,
            )
            for value, words, more in choices
        ),
    )


def _roles(chosen: Iterable[str]) -> Markup:
    return _boxes("Roles", "roles", ((role, role, ABOUT[role]) for role in ROLES), chosen)


def _queues(queues: tuple[QueueView, ...], chosen: tuple[str, ...] | None) -> Markup:
    """Which queues' cases somebody is given; nothing where there are no queues."""
    if not queues:
        return NOTHING
    every = _boxes("Queues", "all_queues", (("yes", "all", "also new ones"),),
                   () if chosen is not None else ("yes",))  # fmt: skip
    return every + _boxes("or only", "queues", ((q.id, q.name, "") for q in queues), chosen or ())


def _limit(prefix: str, seconds: float | None) -> Markup:
    return h(
        '<label class="text" for="{}-limit">Severe material a shift, minutes <span class="muted">'
        'empty: as set for all</span><input id="{}-limit" name="limit_min" type="number" min="0"'
        ' max="1440" step="1" value="{}"></label>',
        prefix,
        prefix,
        "" if seconds is None else f"{seconds / 60:g}",
    )


def _password(prefix: str, words: str) -> Markup:
    return h(
        '<label class="text" for="{}-password">{} <span class="muted">at least {} characters'
        '</span><input id="{}-password" name="password" type="password"'
        ' autocomplete="new-password" minlength="{}" maxlength="1024" required></label>',
        prefix,
        words,
        SHORTEST,
        prefix,
        SHORTEST,
    )


def add_form(queues: tuple[QueueView, ...], *, first: bool) -> Markup:
    """The form for a new person; the first one is an admin."""
    return h(
        '<form data-form="add_user"><div class="fields"><label class="text" for="add-name">Name '
        '<span class="muted">letters, digits, . _ -</span><input id="add-name" name="name"'
        ' autocomplete="off" autocapitalize="none" spellcheck="false" maxlength="64" required>'
        "</label>{}{}</div>{}{}"
        '<div><button type="submit" class="primary">Add</button></div></form>',
        _password("add", "Password"),
        _limit("add", None),
        _roles(("admin",) if first else ("reviewer",)),
        _queues(queues, None),
    )


def edit_form(person: Person, queues: tuple[QueueView, ...]) -> Markup:
    """What the dialog shows: roles, queues, limit; below it a new password."""
    return h(
        '<h2 id="user-dialog-title">{}</h2>'
        '<form data-form="save_user"><input type="hidden" name="name" value="{}">{}{}{}'
        '<div class="form-end"><button type="submit" class="primary">Save</button>{}</div></form>'
        '<form data-form="set_password" class="second"><input class="hidden" name="name"'
        ' autocomplete="username" readonly tabindex="-1" aria-hidden="true" value="{}">{}'
        '<p class="muted">They are signed out everywhere.</p>'
        '<div><button type="submit" class="plain">Set password</button></div></form>',
        person.name,
        person.name,
        _roles(person.roles),
        _queues(queues, person.queues),
        _limit("edit", person.exposure_limit_s),
        _close(),
        person.name,
        _password("edit", "New password"),
    )


def _close() -> Markup:
    return h('<button type="button" class="plain" data-do="close-user">Close</button>')


def signed_in(found: list[SignedIn]) -> Markup:
    """One line a browser."""
    if not found:
        return h('<p class="muted">Nobody is signed in.</p>')
    now = datetime.now(UTC)
    rows = [
        (h("<b>{}</b>", each.name), stamp(each.since),
         f"{ago((now - each.last_seen_at).total_seconds())} ago")
        for each in found
    ]  # fmt: skip
    return listing(("Name", "Since", "Last request"), rows)


def exposure_table(found: list[PersonExposure], severity: int) -> Markup:
    """Minutes of everyone who looked at severe material."""
    about = h('<p class="muted">Revealed material of severity {} and above.</p>', severity)
    if not found:
        return about + h('<p class="muted">Nobody has looked at any.</p>')
    return about + listing(("Name", "Minutes", "Of", "State"), [_exposed(each) for each in found])


def _exposed(each: PersonExposure) -> tuple[object, ...]:
    spent = each.exposure
    words = STATES[spent.state]
    if spent.pause_until is not None:
        words = f"{words} until {spent.pause_until:%H:%M} UTC"
    return (
        h("<b>{}</b>", each.name),
        f"{spent.spent_s / 60:.1f}",
        f"{spent.limit_s / 60:g}" if spent.limit_s else "no limit",
        h('<span class="{}">{}</span>', "out" if spent.state != "fine" else "", words),
    )
