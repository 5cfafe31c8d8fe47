"""Admin: people and what they may do, who is signed in, exposure in this shift."""

from __future__ import annotations

from coefvq.review import exposure, queue, users
from coefvq.review.access import LOCAL, Actor, Permission, require
from coefvq.review.views import QueueView
from reviewer_ui.calls import Answer, Args, needed, number, text, texts
from reviewer_ui.components import people
from reviewer_ui.markup import Markup
from reviewer_ui.pages.admin_frame import Section, card


class PeopleSection(Section):
    """Leads see sign-ins and exposure; admins also the people."""

    name = "people"
    title = "People"
    files = ("admin_people.js",)
    names = ("overview", "edit_user", "add_user", "save_user", "set_password", "disable_user",
             "enable_user")  # fmt: skip

    def shell(self) -> Markup:
        """A card for each of the four parts."""
        return (
            card("users-table", "People")
            + card("user-add", "Add somebody")
            + card("signed-in", "Signed in", wide=False)
            + card("exposure-table", "Severe material in this shift", wide=False)
        )

    def overview(self, actor: Actor, args: Args) -> Answer:
        """Everything that the actor may see here."""
        require(actor, Permission.LEAD)
        at_work = users.signed_in(self.store, self.settings, actor)
        seen = exposure.today(self.store, self.settings, actor)
        regions = {
            "admin-note": people.note(actor),
            "signed-in": people.signed_in(at_work),
            "exposure-table": people.exposure_table(seen, self.settings.exposure_severity),
        }
        return {"regions": regions | self._people(actor)}

    def edit_user(self, actor: Actor, args: Args) -> Answer:
        """The form that changes one person."""
        name = needed(args, "name")
        person = next((p for p in users.list_people(self.store, actor) if p.name == name), None)
        form = people.edit_form(person, self._queues(actor)) if person else people.gone(name)
        return {"regions": {"user-form": form}, "open": "user-dialog"}

    def add_user(self, actor: Actor, args: Args) -> Answer:
        """Add somebody."""
        made = users.add(
            self.store,
            actor,
            text(args, "name", limit=200).strip(),
            text(args, "password"),
            texts(args, "roles", most=20),
            _queue_ids(args),
            _limit_s(args),
        )
        note = f"{made.name} can sign in."
        if actor.name == LOCAL.name:
            return {"leave": "/login?next=/admin", "note": {"text": note}}
        return self._done(actor, note) | {"clear": "user-add"}

    def save_user(self, actor: Actor, args: Args) -> Answer:
        """Change roles, queues and the exposure limit."""
        changed = users.change(
            self.store,
            actor,
            needed(args, "name"),
            roles=texts(args, "roles", most=20),
            queues=_queue_ids(args),
            exposure_limit_s=_limit_s(args),
        )
        return self._done(actor, f"{changed.name}: saved.")

    def set_password(self, actor: Actor, args: Args) -> Answer:
        """Give somebody a new password."""
        name = needed(args, "name")
        users.set_password(self.store, actor, name, text(args, "password"))
        return self._done(actor, f"{name}: new password, signed out everywhere.")

    def disable_user(self, actor: Actor, args: Args) -> Answer:
        """Shut somebody out."""
        person = users.disable(self.store, actor, needed(args, "name"))
        return self._done(actor, f"{person.name} is signed out and cannot sign in any more.")

    def enable_user(self, actor: Actor, args: Args) -> Answer:
        """Let somebody in again, or end a lock."""
        person = users.enable(self.store, actor, needed(args, "name"))
        return self._done(actor, f"{person.name} can sign in again.")

    def _done(self, actor: Actor, note: str) -> Answer:
        return {"regions": self._people(actor), "note": {"text": note}, "close": True}

    def _people(self, actor: Actor) -> dict[str, Markup]:
        """What only admins see; nothing for others."""
        if not actor.may(Permission.ADMINISTER):
            return {"users-table": Markup(""), "user-add": Markup("")}
        found = users.list_people(self.store, actor)
        queues = self._queues(actor)
        first = not found and actor.name == LOCAL.name
        return {
            "users-table": people.table(found, actor),
            "user-add": people.add_form(queues, first=first),
        }

    def _queues(self, actor: Actor) -> tuple[QueueView, ...]:
        return queue.counts(self.store, actor).queues


def _queue_ids(args: Args) -> list[str] | None:
    return None if args.get("queues") is None else texts(args, "queues")


def _limit_s(args: Args) -> float | None:
    minutes = number(args, "limit_min")
    return None if minutes is None else minutes * 60
