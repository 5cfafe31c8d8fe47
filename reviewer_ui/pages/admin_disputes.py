"""Admin: answers that differ are settled, appeals are upheld or overturned."""

from __future__ import annotations

from coefvq.review import adjudicate, appeals
from coefvq.review.access import Actor
from coefvq.review.views import DecisionForm
from reviewer_ui.calls import Answer, Args, BadCall, needed, table, text, whole
from reviewer_ui.components import disputes
from reviewer_ui.markup import Markup, h
from reviewer_ui.pages.admin_frame import Section, card

SHOWN = 50


def own_form(args: Args, comment: str) -> DecisionForm:
    """Read the short form of another answer."""
    return DecisionForm(
        labels=table(args, "labels", bool),
        action=text(args, "action", limit=64),
        reasons=table(args, "reasons", str),
        comment=comment,
        taxonomy_version=text(args, "taxonomy", limit=64) or None,
    )


def count(number: int) -> Markup:
    """What stands beside the section's name in the nav."""
    return h("{}", number) if number else Markup("")


class AdjudicationSection(Section):
    """Two independent answers side by side; a lead decides for one or gives another."""

    name = "adjudication"
    title = "Adjudication"
    files = ("admin_quality.css", "admin_quality.js")
    names = ("list_disputes", "settle_dispute")

    def shell(self) -> Markup:
        """One card."""
        return card("adjudication-queue", "Adjudication: answers that differ")

    def list_disputes(self, actor: Actor, args: Args) -> Answer:
        """The dispute at an offset, from the oldest on."""
        return {"regions": self._regions(actor, max(0, whole(args, "offset")))}

    def settle_dispute(self, actor: Actor, args: Args) -> Answer:
        """Decide the case, and show the next dispute."""
        answer = text(args, "answer", limit=16) or "own"
        if answer not in ("first", "second", "own"):
            raise BadCall("Choose the first answer, the second, or give another.")
        why = text(args, "why")
        adjudicate.settle(
            self.store,
            self.settings,
            actor,
            needed(args, "look"),
            answer,
            own_form(args, why) if answer == "own" else None,
            why,
        )
        regions = self._regions(actor, max(0, whole(args, "offset")))
        return {"regions": regions, "note": {"text": "Settled: the case is decided."},
                "focus": "#dispute"}  # fmt: skip

    def _regions(self, actor: Actor, offset: int) -> dict[str, Markup]:
        found = adjudicate.waiting(self.store, actor, limit=1, offset=offset)
        if offset and not found.items:  # somebody settled the last ones meanwhile
            offset = max(0, found.total - 1)
            found = adjudicate.waiting(self.store, actor, limit=1, offset=offset)
        return {
            "adjudication-queue": disputes.adjudication(found, offset),
            "nav-adjudication": count(found.total),
        }


class AppealsSection(Section):
    """Disputed decisions: uphold or overturn, with a reason."""

    name = "appeals"
    title = "Appeals"
    files = ("admin_quality.css", "admin_quality.js")
    names = ("list_appeals", "file_appeal", "resolve_appeal")

    def shell(self) -> Markup:
        """The list, and below it the form that files one."""
        return card("appeals-queue", "Appeals", after=disputes.file_form())

    def list_appeals(self, actor: Actor, args: Args) -> Answer:
        """Appeals of one state."""
        return {"regions": self._regions(actor, text(args, "state", limit=16) or "open")}

    def file_appeal(self, actor: Actor, args: Args) -> Answer:
        """File an appeal against the decision that stands on a case."""
        case_id = needed(args, "case").strip()
        filed = appeals.file(self.store, actor, case_id, text(args, "text"))
        return {"regions": self._regions(actor, "open"), "clear": "appeals",
                "note": {"text": f"Filed for {filed.title}."}}  # fmt: skip

    def resolve_appeal(self, actor: Actor, args: Args) -> Answer:
        """Uphold the decision, or overturn it."""
        outcome = text(args, "outcome", limit=16)
        if outcome not in ("uphold", "overturn"):
            raise BadCall("Uphold the decision or overturn it: press one of the buttons.")
        appeal, reason = needed(args, "appeal"), text(args, "reason")
        if outcome == "uphold":
            done = appeals.uphold(self.store, self.settings, actor, appeal, reason)
        else:
            form = own_form(args, reason)
            given = form if any(form.labels.values()) else None
            done = appeals.overturn(self.store, self.settings, actor, appeal, reason, given)
        return {"regions": self._regions(actor, "open"),
                "note": {"text": f"{done.state.capitalize()}."}}  # fmt: skip

    def _regions(self, actor: Actor, state: str) -> dict[str, Markup]:
        if state not in disputes.STATES:
            raise BadCall("Appeals are open, upheld or overturned.")
        found = appeals.list_appeals(self.store, actor, state, limit=SHOWN)
        figures = appeals.figures(self.store, actor)
        return {
            "appeals-queue": disputes.appeals(found, state, figures),
            "nav-appeals": count(figures.open),
        }
