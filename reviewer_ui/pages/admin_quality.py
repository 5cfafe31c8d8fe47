"""Admin: golden cases and scores, agreement and anchoring, legal holds."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from coefvq import taxonomy
from coefvq.errors import StoreError
from coefvq.review import agreement_report, anchoring, golden, holds
from coefvq.review.access import Actor
from reviewer_ui.calls import Answer, Args, BadCall, needed, number, text, texts
from reviewer_ui.components import quality
from reviewer_ui.markup import Markup, h
from reviewer_ui.pages.admin_frame import Section, card

FILES = ("admin_quality.css", "admin_quality.js")


class GoldenSection(Section):
    """Cases whose answer is known, and how well reviewers answer them."""

    name = "golden"
    title = "Golden cases"
    files = FILES
    names = ("list_golden", "add_golden", "retire_golden")

    def shell(self) -> Markup:
        """The list with its form, and the scores."""
        form = h('<div id="golden-add"></div>')
        return card("golden-table", "Golden cases", after=form) + card(
            "golden-scores", "Scores on golden cases"
        )

    def list_golden(self, actor: Actor, args: Args) -> Answer:
        """Golden cases, and each reviewer's score over all time."""
        regions = self._regions(actor, retired=args.get("retired") is True)
        if args.get("first"):
            regions["golden-add"] = quality.golden_form()
        return {"regions": regions}

    def add_golden(self, actor: Actor, args: Args) -> Answer:
        """Make a golden case of a case."""
        given = text(args, "expected", limit=16) == "given"
        made = golden.add(
            self.store,
            actor,
            needed(args, "case").strip(),
            dict.fromkeys(texts(args, "violated"), True) if given else None,
            number(args, "start_s"),
            number(args, "end_s"),
            text(args, "note"),
        )
        return {"regions": self._regions(actor), "clear": "golden-add",
                "note": {"text": f"{made.title}: reviewers get it from now on."}}  # fmt: skip

    def retire_golden(self, actor: Actor, args: Args) -> Answer:
        """Show a golden case no more; answers that were given stay."""
        done = golden.retire(self.store, actor, needed(args, "golden"))
        return {"regions": self._regions(actor), "note": {"text": f"{done.title}: retired."}}

    def _regions(self, actor: Actor, *, retired: bool = False) -> dict[str, Markup]:
        listed = golden.list_golden(self.store, actor, retired=retired)
        found = golden.scores(self.store, actor)
        return {
            "golden-table": quality.golden(listed, retired),
            "golden-scores": quality.span(None) + quality.scores(found),
        }


class AgreementSection(Section):
    """Whether independent answers agree, and whether the machine's answer pulls."""

    name = "agreement"
    title = "Agreement"
    files = FILES
    names = ("show_agreement",)

    def shell(self) -> Markup:
        """A choice of task and time, and two cards."""
        choice = h('<div id="agreement-choice"></div>')
        return card("quality-agreement", "Agreement of independent answers", before=choice) + card(
            "quality-anchoring", "Anchoring: does the machine's answer pull?"
        )

    def show_agreement(self, actor: Actor, args: Args) -> Answer:
        """Figures of one task and time."""
        task = text(args, "task", limit=64) or next(iter(taxonomy.tasks()))
        taxonomy.task(task)
        days = text(args, "days", limit=8) if "days" in args else "90"
        if days not in quality.PERIODS:
            raise BadCall("Choose one of the times in the list.")
        since = datetime.now(UTC) - timedelta(days=int(days)) if days else None
        report = agreement_report.report(self.store, actor, task, since)
        pulled = anchoring.anchoring(self.store, actor, task, since)
        regions = {
            "quality-agreement": quality.agreement(report),
            "quality-anchoring": quality.span(since) + quality.anchoring(pulled),
        }
        if args.get("first"):
            regions["agreement-choice"] = quality.chooser(task, days)
        return {"regions": regions}


class HoldsSection(Section):
    """Legal holds: nothing deletes these videos."""

    name = "holds"
    title = "Legal holds"
    files = FILES
    names = ("list_holds", "place_hold", "ask_release", "release_hold")

    def shell(self) -> Markup:
        """The list, and below it the form that places one."""
        return card("holds-table", "Legal holds", after=quality.hold_form())

    def list_holds(self, actor: Actor, args: Args) -> Answer:
        """Holds that stand, or all of them."""
        return {"regions": self._regions(actor, released=args.get("released") is True)}

    def place_hold(self, actor: Actor, args: Args) -> Answer:
        """Keep a video from being deleted."""
        video_id = needed(args, "video").strip()
        made = holds.place(self.store, actor, video_id, text(args, "reason"))
        return {"regions": self._regions(actor), "clear": "holds",
                "note": {"text": f"{made.title}: nothing deletes it now."}}  # fmt: skip

    def ask_release(self, actor: Actor, args: Args) -> Answer:
        """The dialog that asks why a hold is not needed any more."""
        wanted = needed(args, "hold")
        item = next((h for h in holds.list_holds(self.store, actor) if h.id == wanted), None)
        if item is None:
            raise StoreError("This hold does not stand any more. Reload the page.")
        return {"regions": {"admin-dialog-body": quality.release_form(item)},
                "open": "admin-dialog"}  # fmt: skip

    def release_hold(self, actor: Actor, args: Args) -> Answer:
        """Let a video be deleted again."""
        hold = needed(args, "hold")
        done = holds.release(self.store, actor, hold, text(args, "reason"))
        return {"regions": self._regions(actor), "close": True,
                "note": {"text": f"{done.title}: released."}}  # fmt: skip

    def _regions(self, actor: Actor, *, released: bool = False) -> dict[str, Markup]:
        found = holds.list_holds(self.store, actor, released=released)
        return {"holds-table": quality.holds(found, released)}
