"""What Review does beside the decision: preferences, the notice's text, exposure, notes."""

from __future__ import annotations

from coefvq.review import case_view, exposure, form, notes, preferences, queue, queues
from coefvq.review.access import Actor, Permission
from coefvq.review.views import CaseView
from coefvq.settings import Settings
from coefvq.store.session import Store
from reviewer_ui.calls import Answer, Args, BadCall, needed, number, table, text
from reviewer_ui.components import case_panel, player, states
from reviewer_ui.markup import NOTHING, Markup, h

MINUTE_S = 60.0


class CaseTools:
    """Calls that store something beside the case's state."""

    def __init__(self, store: Store, settings: Settings) -> None:
        self.store = store
        self.settings = settings

    def severe(self, actor: Actor, case: CaseView) -> bool:
        """Whether the video may violate a severe policy, of this task or another.

        Only looked up for who blurs by it; for everyone else a video counts as severe.
        """
        if preferences.load(self.store, actor)["blur"] != "severe":
            return True
        least = self.settings.exposure_severity
        return player.may_be_severe(case, least) or any(
            player.may_be_severe(case_view.view(self.store, self.settings, actor, other), least)
            for _, other in case.siblings
        )

    def restricted(self, actor: Actor, case: CaseView) -> bool:
        """Whether nothing of the video is to be kept by a browser."""
        return queues.is_restricted(self.store, actor, case.video.id)

    def save_preferences(self, actor: Actor, args: Args) -> Answer:
        """Change some of the reviewer's preferences."""
        return {"prefs": preferences.save(self.store, actor, table(args, "changes", object))}

    def notice(self, actor: Actor, args: Args) -> Answer:
        """The text to the uploader that goes with what is chosen in the form."""
        case = case_view.view(self.store, self.settings, actor, needed(args, "case"))
        labels, reasons = table(args, "labels", bool), table(args, "reasons", str)
        chosen = [policy for policy in case.policies if labels.get(policy.id)]
        return {
            "notice": form.notice_for(
                text(args, "action", limit=64),
                case.video.title,
                [policy.name for policy in chosen],
                [reasons[policy.id] for policy in chosen if policy.id in reasons],
            )
        }

    def exposure(self, actor: Actor, args: Args) -> Answer:
        """Add seconds that a revealed picture was looked at."""
        seconds = number(args, "seconds")
        if seconds is None:
            raise BadCall("seconds is missing. Reload the page.")
        found = exposure.note(self.store, self.settings, actor, needed(args, "case"), seconds)
        line = exposure_words(found)
        return {"state": found.state, **({"regions": {"late": line}} if line else {})}

    def exposure_line(self, actor: Actor) -> Markup:
        """The warning near the end of the budget; nothing before."""
        if not actor.may(Permission.DECIDE):
            return NOTHING
        return exposure_words(exposure.state(self.store, self.settings, actor))

    def rest(self, actor: Actor) -> Markup:
        """The pause that is due; nothing where none is."""
        if not actor.may(Permission.DECIDE):
            return NOTHING
        found = exposure.state(self.store, self.settings, actor)
        if found.pause_until is None:
            return NOTHING
        return states.rest(found.limit_s / MINUTE_S, found.pause_until)

    def add_note(self, actor: Actor, args: Args) -> Answer:
        """Add an internal note to the case."""
        notes.add(self.store, actor, needed(args, "case"), text(args, "text"))
        return self.panel(actor, needed(args, "case"), "Note added.")

    def assign(self, actor: Actor, args: Args) -> Answer:
        """Give the case to somebody, to the reviewer themselves, or to nobody."""
        case_id, kind = needed(args, "case"), text(args, "to", limit=16)
        names = {"me": actor.name, "nobody": None, "name": text(args, "name", limit=64) or None}
        if kind not in names or (kind == "name" and names["name"] is None):
            raise BadCall("Whom to? Type a name, or choose yourself.")
        queue.assign(self.store, actor, case_id, names[kind])
        return self.panel(actor, case_id, f"Assigned to {names[kind] or 'nobody'}.")

    def panel(self, actor: Actor, case_id: str, said: str) -> Answer:
        """The case panel as it is now, with what was done."""
        case = case_view.view(self.store, self.settings, actor, case_id)
        return {"regions": case_regions(case, actor), "summary": case_panel.summary(case),
                "said": said}  # fmt: skip


def case_regions(case: CaseView, actor: Actor) -> dict[str, Markup]:
    """What colleagues say and set about a case; polls refresh it."""
    return {
        "case-facts": case_panel.facts(case, actor.name, actor.may(Permission.ASSIGN)),
        "case-notes": case_panel.notes(case),
    }


def exposure_words(found: exposure.Exposure) -> Markup:
    """The budget in one line, once it is nearly spent."""
    if found.state == "fine":
        return NOTHING
    limit = found.limit_s / MINUTE_S
    if found.state == "pause":
        return h("<span>Finish this case, then a break is due</span>")
    return h(
        '<span title="Minutes of severe material that you looked at, of what a shift allows">'
        "Severe material: {} of {} min</span>",
        int(found.spent_s / MINUTE_S),
        f"{limit:.0f}",
    )
