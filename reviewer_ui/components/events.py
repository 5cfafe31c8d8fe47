"""The chain of events for people: a filter, sentences, raw JSON on demand, what verifying found."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

from coefvq.review.events_view import ChainCheck, EventPage, EventView, EventWish
from reviewer_ui.components.grid import case_url
from reviewer_ui.markup import NOTHING, Markup, ago, attribute, h, join, stamp
from reviewer_ui.words import ROUTES, plain

CSV_PATH = "/admin/events.csv"
_SHORT = 140
_TIME = "%Y-%m-%dT%H:%M"


def options(found: tuple[str, ...], chosen: str) -> Markup:
    """Kinds that occur, each group of them first as a whole."""
    groups: dict[str, list[str]] = {}
    for kind in found:
        groups.setdefault(kind.partition(".")[0] + ".", []).append(kind)
    made = [h('<option value="">all kinds</option>')]
    for group, kinds in groups.items():
        if len(kinds) > 1:
            made.append(_option(group, f"{group[:-1]}: all", chosen))
        made += [_option(kind, _title(kind), chosen) for kind in kinds]
    return join(made)


def _option(value: str, words: str, chosen: str) -> Markup:
    return h('<option value="{}"{}>{}</option>', value,
             attribute("selected", value == chosen), words)  # fmt: skip


def _title(kind: str) -> str:
    return kind.replace(".", ": ").replace("_", " ")


def search(found: tuple[str, ...], wish: EventWish) -> Markup:
    """The form that filters. It stays as it is while the table below it changes."""
    return h(
        '<form data-form="list_events" class="filter" role="search"><label class="text">Kind'
        '<select name="kind">{}</select></label>{}{}{}{}'
        '<div class="filter-end"><button type="submit" class="primary">Show</button>'
        '<button type="reset" class="plain">Clear</button></div></form>',
        options(found, wish.kind),
        _field("actor", "Who", "text", wish.actor, "a name"),
        _field("subject", "About", "text", wish.subject, "id of a case, video, queue, person"),
        _field("since", "From, UTC", "datetime-local", _moment(wish.since)),
        _field("until", "Before, UTC", "datetime-local", _moment(wish.until)),
    )


def _field(name: str, words: str, kind: str, value: str, hint: str = "") -> Markup:
    return h(
        '<label class="text">{}<input name="{}" type="{}" value="{}" placeholder="{}"'
        ' autocomplete="off" spellcheck="false" maxlength="200"></label>',
        words,
        name,
        kind,
        value,
        hint,
    )


def _moment(value: Any) -> str:
    return value.strftime(_TIME) if value else ""


def table(found: EventPage, wish: EventWish, first: bool) -> Markup:
    """One page of events, with the ways to the older ones, to a file and through the chain.

    Args:
        first: Whether this page begins with the newest.
    """
    if not found.events:
        rows = h('<p class="muted">No event fits. Widen the time, or clear a field.</p>')
    else:
        rows = h('<ol class="events">{}</ol>', join(_row(event) for event in found.events))
    older = NOTHING
    if found.older is not None:
        older = h('<button type="button" class="plain" data-older="{}">Older</button>', found.older)
    newest = NOTHING if first else h(
        '<button type="button" class="plain" data-older="">Newest</button>'
    )  # fmt: skip
    return h(
        '{}<div class="row-buttons events-end">{}{}'
        '<a class="plain" href="{}" download>Download as CSV</a></div>',
        rows,
        newest,
        older,
        csv_url(wish),
    )


def csv_url(wish: EventWish) -> str:
    """Address of the same events as a file."""
    asked = {"kind": wish.kind, "actor": wish.actor, "subject": wish.subject,
             "since": _moment(wish.since), "until": _moment(wish.until)}  # fmt: skip
    given = {name: value for name, value in asked.items() if value}
    return CSV_PATH + (f"?{urlencode(given)}" if given else "")


def _row(event: EventView) -> Markup:
    return h(
        '<li><span class="when">{}</span><span class="what" dir="auto"><b>{}</b> {}</span>'
        '<button type="button" class="quiet" data-call="show_event" data-args="{}"'
        ' aria-label="Event {} as it is stored">{}</button></li>',
        stamp(event.at),
        event.actor,
        sentence(event),
        json.dumps({"seq": event.seq}),
        event.seq,
        f"#{event.seq}",
    )


def raw(event: EventView) -> Markup:
    """The event as it is stored, for the dialog."""
    body = {
        "seq": event.seq, "at": event.at.isoformat(), "actor": event.actor, "kind": event.kind,
        "subject_kind": event.subject_kind, "subject_id": event.subject_id, "data": event.data,
        "prev_hash": event.prev_hash, "hash": event.hash,
    }  # fmt: skip
    return h(
        '<h2 id="admin-dialog-title">Event {}</h2><p dir="auto"><b>{}</b> {}</p>'
        '<pre class="raw" tabindex="0">{}</pre>'
        '<button type="button" class="plain" data-do="close-panel">Close</button>',
        event.seq,
        event.actor,
        sentence(event),
        json.dumps(body, indent=2, ensure_ascii=False),
    )


def check(found: ChainCheck | None) -> Markup:
    """The button that verifies, and what it found the last time."""
    button = h(
        '<button type="button" class="plain" data-do="verify-chain">Verify the chain</button>'
    )
    if found is None:
        said = h('<span class="muted">Each event holds the hash of the one before it.</span>')
    elif found.broken is None:
        said = h(
            '<span role="status"><b>All {} events fit.</b> <span class="muted">Newest hash '
            '<code title="{}">{}…</code>: kept elsewhere, it proves later that none is '
            "missing at the end.</span></span>",
            f"{found.events:,}",
            found.newest,
            found.newest[:16],
        )
    else:
        said = h(
            '<span role="alert"><b class="out">The chain is broken at event {}: {}.</b> What '
            "stands from there on proves nothing. Compare with a backup.</span>",
            found.broken.seq,
            found.broken.why,
        )
    return h('<div class="chain">{}{}</div>', button, said)


def sentence(event: EventView) -> Markup:
    """What happened, in words; texts of people and videos stay texts."""
    maker = _SENTENCES.get(event.kind, _other)
    try:
        return maker(event, event.data)
    except (KeyError, IndexError, TypeError, ValueError, AttributeError):
        return _other(event, event.data)  # an older version wrote other fields


Words = Callable[[EventView, dict[str, Any]], Markup]


def _short(value: object) -> str:
    text = str(value)
    return text if len(text) <= _SHORT else text[: _SHORT - 1] + "…"


def _quote(value: object) -> Markup:
    return h(": <q>{}</q>", _short(value)) if value else NOTHING


def about(event: EventView) -> Markup:
    """The thing it happened to; cases and videos are links."""
    kind, name, where = event.subject_kind, event.subject_id, None
    if isinstance(case := event.data.get("case"), str):
        kind, name = "case", case
    if isinstance(video := event.data.get("video"), str):
        kind, name = "video", video
    if kind == "case":
        where = case_url(name)
    if kind == "video":
        where = "/video?" + urlencode({"id": name})
    words = f"{kind.replace('_', ' ')} {_short(name)}"
    return h('<a href="{}">{}</a>', where, words) if where else h("{}", words)


def _did(what: str, name: str = "") -> Words:
    """``what`` with the subject in place of ``{}``, and a text of the data as a quote."""
    return lambda event, data: h(what, about(event)) + _quote(data.get(name) if name else None)


def _other(event: EventView, data: dict[str, Any]) -> Markup:
    """A kind without a sentence of its own: its words, the subject, short fields."""
    told = [f"{key.replace('_', ' ')} {value}" for key, value in data.items()
            if isinstance(value, str | int | float) and value != ""]  # fmt: skip
    more = h(' <span class="muted">{}</span>', _short(", ".join(told))) if told else NOTHING
    return h("{}: {}", _title(event.kind), about(event)) + more


def _decided(event: EventView, data: dict[str, Any]) -> Markup:
    labels = data.get("labels") or {}
    bad = [name.replace("_", " ") for name, label in labels.items() if label == "violation"]
    said = ", ".join(bad) or "no violation"
    action = str(data.get("action", "")).replace("_", " ")
    return h("decided {}: <b>{}</b>{}", about(event), said, f", {action}" if action else "")


def _scored(event: EventView, data: dict[str, Any]) -> Markup:
    routes = [f"{task} {plain(ROUTES, str(found))}" for task, found in data["routes"].items()]
    return h("scored {}{}", about(event), f": {', '.join(routes)}" if routes else "")


def _assigned(event: EventView, data: dict[str, Any]) -> Markup:
    return h("assigned {} to <b>{}</b>", about(event), data.get("to") or "nobody")


def _person(what: str) -> Words:
    def words(event: EventView, data: dict[str, Any]) -> Markup:
        roles = data.get("roles")
        more = f" ({', '.join(map(str, roles))})" if isinstance(roles, list) else ""
        return h("{} <b>{}</b>{}", what, event.subject_id, more)

    return words


def _queue(what: str) -> Words:
    def words(event: EventView, data: dict[str, Any]) -> Markup:
        moved = data.get("moved", 0)
        tail = f"; waiting cases that moved: {moved}" if moved else ""
        return h("{} queue <b>{}</b>{}", what, data.get("name") or event.subject_id, tail)

    return words


def _paused(event: EventView, data: dict[str, Any]) -> Markup:
    return h("was sent to a break: {} of severe material", ago(float(data["limit_s"])))


def _batch(event: EventView, data: dict[str, Any]) -> Markup:
    if "undone" in data:
        return h("took back {} decisions of {}", data["undone"], about(event))
    return h("decided {} cases at once, {} were refused: {}", data["done"], data["refused"],
             about(event))  # fmt: skip


def _filled(template: str, *names: str, quote: str = "") -> Words:
    """The subject and fields of the data in a template; one field more as a quote."""

    def words(event: EventView, data: dict[str, Any]) -> Markup:
        given = (str(data[name]).replace("_", " ") for name in names)
        return h(template, about(event), *given) + _quote(data.get(quote) if quote else None)

    return words


_SENTENCES: dict[str, Words] = {
    "video.uploaded": _did("uploaded {}", "name"),
    "video.compared": _did("compared {} with earlier footage"),
    "video.scored": _scored,
    "video.deleted": _did("deleted {}", "reason"),
    "job.set_aside": _did("set {} aside: it failed for good", "code"),
    "job.retried": _did("queued {} again"),
    "case.claimed": _did("opened {} to work on it"),
    "case.skipped": _did("skipped {}", "reason"),
    "case.assigned": _assigned,
    "case.second_look": _did("asked for a second look at {}", "comment"),
    "case.sent": _did("sent {} to review"),
    "case.explained": _did("explained {}"),
    "case.label_next": _did("chose {} for labelling", "reason"),
    "case.noted": _did("wrote a note on {}"),
    "case.decided": _decided,
    "decision.undone": _did("took back the decision on {}"),
    "batch.decided": _batch,
    "batch.undone": _batch,
    "user.added": _person("added"),
    "user.changed": _person("changed"),
    "user.disabled": _person("shut out"),
    "user.enabled": _person("let in again"),
    "user.password_set": _person("set a new password for"),
    "user.locked": _person("too many wrong passwords: locked"),
    "user.signed_in": lambda event, data: h("signed in"),
    "user.signed_out": lambda event, data: h("signed out"),
    "exposure.paused": _paused,
    "queue.added": _queue("added"),
    "queue.changed": _queue("changed"),
    "queue.removed": _queue("removed"),
    "filter.shared": _did("shared {}", "name"),
    "filter.deleted": _did("deleted {}", "name"),
    "case.first_answer": _did("answered {} before the machine's answer showed"),
    "golden.added": _did("made a golden case of {}"),
    "golden.retired": _did("retired {}"),
    "hold.placed": _did("placed a legal hold on {}", "reason"),
    "hold.released": _did("released the legal hold on {}", "reason"),
    "appeal.filed": _did("filed an appeal against the decision on {}"),
    "appeal.upheld": _did("upheld the decision on {}"),
    "appeal.overturned": _did("overturned the decision on {}"),
    "look.asked": _did("decided, and a second person is asked too: {}"),
    "look.claimed": _did("opened {} to answer it independently"),
    "look.answered": _did("answered {} independently"),
    "look.reopened": _did("took back the answer on {}"),
    "look.skipped": _did("skipped {}", "reason"),
    "look.withdrawn": _did("withdrew {}: nobody wants its answer any more"),
    "look.adjudicated": _filled("settled {} by the answer: {}", "answer"),
    "routing.published": _filled("published routing version {1} for {0}", "version", quote="note"),
    "routing.rolled_back": _filled(
        "rolled {0} back to routing version {1}", "version", quote="note"
    ),
    "routing.kept": _did("kept {}"),
    "trial.started": _filled("started a {1} trial of {2} for {0}", "kind", "version", quote="note"),
    "trial.ended": _filled("ended the {1} trial of {2} for {0}", "kind", "version", quote="note"),
    "taxonomy.published": _did("published {}", "note"),
    "dataset.made": _filled("froze dataset snapshot {1}", "number"),
    "dataset.video_removed": _did("took {} out of all dataset snapshots"),
    "training.started": _filled("started a training of the {1}", "stage"),
    "training.cancel_asked": _filled("asked the training of the {1} to stop", "stage"),
    "training.resumed": _filled("resumed a training of the {1}", "stage"),
    "training.done": _filled("trained the {1}: {2}", "stage", "version"),
    "training.cancelled": _filled("stopped a training of the {1}", "stage"),
    "training.failed": _filled("a training of the {1} failed", "stage"),
    "model.registered": _filled("kept a model of the {1}, made from {2}", "stage", "parent"),
    "model.gated": _filled("compared {0} with {1}", "against"),
    "model.promoted": _filled("put {1} in force", "version", quote="note"),
    "model.rolled_back": _filled("rolled back to {1}", "version", quote="note"),
    "model.shadowed": _filled("let {1} score in the shadow", "version"),
    "model.shadow_ended": _filled("took {1} out of the shadow", "version"),
    "alarm.raised": _filled("raised an alarm: {1}, {2} ({3})", "kind", "subject", "severity"),
    "alarm.cleared": _filled("ended the alarm: {1}, {2}", "kind", "subject", quote="why"),
    "alarm.acknowledged": _did("acknowledged {}"),
}
