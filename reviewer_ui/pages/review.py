"""Review: one case, both stages, a decision, the next case."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gradio as gr

from coefvq import taxonomy
from coefvq.errors import CoefVQError, LeaseLost, StoreError
from coefvq.review import blind, case_view, decide, exposure, preferences, queue
from coefvq.review.access import Actor, Permission
from coefvq.review.views import CaseView, DecisionForm, QueueCounts
from coefvq.settings import Settings
from coefvq.store.session import Store
from reviewer_ui import ask
from reviewer_ui.calls import (
    Answer,
    Args,
    BadCall,
    needed,
    number,
    server_function,
    table,
    text,
    whole,
)
from reviewer_ui.components import (
    case_panel,
    chrome,
    copy_pair,
    player,
    queues,
    states,
)
from reviewer_ui.components.case_regions import machine_regions, tabs
from reviewer_ui.components.decision_form import Actions, decision_form
from reviewer_ui.keys import help_dialog, script_table
from reviewer_ui.login import who_chip
from reviewer_ui.markup import NOTHING, Markup, h
from reviewer_ui.pages.copy_calls import CaseCopies
from reviewer_ui.pages.review_tools import CaseTools, case_regions
from reviewer_ui.theme import head

FILES = ("base.css", "review.css", "panels.css", "copy_pair.css", "phone.css", "shared.js",
         "prefs.js", "player.js", "notice.js", "form.js", "panels.js", "copy_pair.js",
         "review.js")  # fmt: skip
BOOT = "window.CoefVQ.boot(element, server)"
SKIPS = (*queue.SKIP_REASONS, "later")
GONE = "The case that was here is gone: its video was deleted. This is the next one."
SENT_FIRST = "Your answer is kept. Compare; Enter sends the decision and opens the next case."
UNDO = {"label": "Undo (z)", "action": "undo"}


def shell() -> Markup:
    """The empty page; each ``id`` is a region that answers fill."""
    return h(
        '<div class="cv" data-page="review" data-empty="off" data-keys="{}" data-undo="{}"'
        ' style="visibility:hidden">{}<main class="desk waiting">'
        '<div class="side"><section id="review-player" aria-label="Player"></section>'
        '{}<section id="evidence-timeline" class="card" aria-label="Evidence in time">{}</section>'
        '<section id="transcript" class="card" tabindex="0" aria-label="Transcript">{}</section>'
        "</div>"
        '<div class="side"><div class="cards">'
        '<section id="prefilter-card" class="card stage" tabindex="0" aria-label="Prefilter">{}'
        "</section>"
        '<section id="mllm-card" class="card stage" tabindex="0" aria-label="MLLM">{}</section>'
        "</div>"
        '<section id="evidence-list" class="card" tabindex="0" aria-label="Evidence">{}</section>'
        '<section id="disagreement" class="card" aria-label="Do the stages agree">{}</section>'
        '<section id="decision-form" class="card" aria-label="Your decision">{}</section></div>'
        "</main>"
        '<section class="calm" id="calm" aria-label="No case"></section>'
        '<div class="no-answer" role="alert"><h2>The server did not answer</h2><p class="muted">'
        "Is it still running? Nothing is lost.</p>"
        '<button type="button" class="primary wide" data-do="again">Try again</button></div>'
        '<button type="button" class="primary to-form" data-do="to-form">Decide</button>{}{}{}{}'
        '<div class="notice off" role="status" aria-live="polite"></div></div>',
        script_table(),
        f"{decide.UNDO_S:.0f}",
        chrome.header("/", keys=True),
        copy_pair.section(),
        *(states.skeleton(lines) for lines in (4, 6, 5, 5, 2, 1)),
        states.skeleton(3, tall=True),
        help_dialog(),
        queues.dialog(),
        case_panel.dialog(),
        player.settings_dialog(),
    )


class ReviewPage:
    """The page's calls. It keeps nothing: what there is to know is in the store."""

    def __init__(self, store: Store, settings: Settings) -> None:
        self.store = store
        self.settings = settings
        self.tools = CaseTools(store, settings)
        self.copies = CaseCopies(store, settings, self.tools)

    def functions(self) -> list[Callable[..., Any]]:
        """What the page's script can call."""
        mine = ("open_case", "poll", "first_answer", "submit", "skip", "undo", "second_look",
                "save_draft", "ask_mllm", "explain", "choose_queue")  # fmt: skip
        tools = ("save_preferences", "notice", "exposure", "add_note", "assign")
        parts = [(self, mine), (self.tools, tools), (self.copies, ("copy_pair", "answer_copy"))]
        return [server_function(name, getattr(on, name)) for on, names in parts for name in names]

    def chosen(self, actor: Actor, found: QueueCounts | None = None) -> str | None:
        """The queue that the actor chose, where it still is one of theirs."""
        wanted = preferences.load(self.store, actor)["queue"]
        if wanted is None:
            return None
        queue_view = queues.find(found or queue.counts(self.store, actor), wanted)
        return queue_view.id if queue_view else None

    def header(self, actor: Actor) -> tuple[dict[str, Markup], Markup]:
        """The header's counts, alarms and list of queues; and the calm page, made from them."""
        found = queue.counts(self.store, actor)
        chosen = self.chosen(actor, found)
        return {
            "queue-counts": chrome.counts(found, switch=True, chosen=chosen),
            "late": self.tools.exposure_line(actor) or queues.late(found),
            "queue-rows": queues.rows(found, chosen),
        }, states.calm(found, queues.find(found, chosen))

    def show(self, actor: Actor, case: CaseView | None, note: Args | None = None) -> Answer:
        """Answer with a whole case, or with why there is none: a pause, or nothing waits."""
        regions, calm = self.header(actor)
        if case is None:
            rest = self.tools.rest(actor)
            regions |= {"calm": rest, "late": NOTHING} if rest else {"calm": calm}
        else:
            regions |= self._case(actor, case)
        return {"case": case.id if case else None, "regions": regions, "note": note}

    def _case(self, actor: Actor, case: CaseView) -> dict[str, Markup]:
        busy = ask.busy(self.store, actor, case)
        regions = machine_regions(case, busy) | case_regions(case, actor)
        regions |= self.copies.regions(actor, case)
        regions["review-player"] = player.player(
            case.video, self.tools.severe(actor, case), self.tools.restricted(actor, case)
        )
        regions["decision-form"] = decision_form(case, _actions(), tabs(case))
        return regions

    def go_on(self, actor: Actor, note: Args | None = None) -> Answer:
        """Answer with the next case; who only looks is given none."""
        if not actor.may(Permission.DECIDE):
            answer = self.show(actor, None, note)
            answer["regions"]["calm"] = states.only_looks()
            return answer
        return self.after(
            actor,
            lambda: queue.next_case(self.store, self.settings, actor, queue_id=self.chosen(actor)),
            note,
        )

    def after(self, actor: Actor, act: Callable[[], CaseView | None], note: Args | None) -> Answer:
        """Do something that ends with the next case, and show that or why there is none."""
        try:
            following = act()
        except exposure.Rest:
            following = None
        return self.show(actor, following, note)

    def choose_queue(self, actor: Actor, args: Args) -> Answer:
        """Take cases from another queue from now on, and open its next one.

        The case at hand goes back to its queue; its draft is kept.
        """
        wanted, case_id = text(args, "queue", limit=64) or None, text(args, "case", limit=64)
        preferences.save(self.store, actor, {"queue": wanted})
        if case_id and number(args, "token") is not None:
            queue.release(self.store, actor, case_id, _token(args))
        return self.go_on(actor)

    def open_case(self, actor: Actor, args: Args) -> Answer:
        """Open the case of the address, or the next one."""
        wanted = text(args, "case", limit=64)
        answer = self._open(actor, wanted) if wanted else self.go_on(actor)
        if args.get("first"):
            answer["prefs"] = preferences.load(self.store, actor)
            answer["regions"]["who"] = who_chip(actor)
        return answer

    def _open(self, actor: Actor, case_id: str) -> Answer:
        try:
            return self.after(
                actor, lambda: queue.open_case(self.store, self.settings, actor, case_id), None
            )
        except CoefVQError as error:
            return self.go_on(actor, {"text": str(error), "bad": True})

    def poll(self, actor: Actor, args: Args) -> Answer:
        """Hold the lease, and refresh counts and what the machine and colleagues say."""
        case_id, token = text(args, "case", limit=64), number(args, "token")
        if not case_id:
            return self.go_on(actor)
        try:
            case = case_view.view(self.store, self.settings, actor, case_id)
        except StoreError:
            return self.go_on(actor, {"text": GONE, "bad": True})
        answer = {} if token is None else self._hold(actor, case_id, int(token))
        regions = machine_regions(case, ask.busy(self.store, actor, case))
        regions |= case_regions(case, actor) | self.header(actor)[0]
        return answer | {"regions": regions, "verdict": case.verdict_id,
                         "summary": case_panel.summary(case)}  # fmt: skip

    def _hold(self, actor: Actor, case_id: str, token: int) -> Answer:
        try:
            until = queue.heartbeat(self.store, self.settings, actor, case_id, token)
        except LeaseLost as error:
            return {"error": str(error), "lost": True}
        return {"expires": until.timestamp()}

    def submit(self, actor: Actor, args: Args) -> Answer:
        """Store the decision and show the next case."""
        note: Args = {"text": "Decision stored.", "button": UNDO, "undo": True}

        def act() -> CaseView | None:
            done = decide.submit(
                self.store, self.settings, actor, needed(args, "case"), _token(args),
                _form(args), queue_id=self.chosen(actor),
            )  # fmt: skip
            if done.correction:
                note["text"] = "Correction stored."
            return done.next

        return self.after(actor, act, note)

    def first_answer(self, actor: Actor, args: Args) -> Answer:
        """Store what was answered blind, and show the machine's answer beside the filled form.

        The player is left as it is: nothing about it changes for who watches.
        """
        case_id, form = needed(args, "case"), _form(args)
        queue.save_draft(self.store, actor, case_id, form)
        case = blind.first_answer(
            self.store, self.settings, actor, case_id, _token(args), form.labels
        )
        answer = self.show(actor, case, {"text": SENT_FIRST, "seconds": 8})
        del answer["regions"]["review-player"]
        return answer

    def skip(self, actor: Actor, args: Args) -> Answer:
        """Pass the case over, with the reason why."""
        reason = text(args, "reason", limit=64)
        if reason not in SKIPS:
            raise BadCall("Say why you skip it: choose one of the reasons.")
        return self.after(
            actor,
            lambda: queue.skip(
                self.store, self.settings, actor, needed(args, "case"), _token(args),
                reason=reason, queue_id=self.chosen(actor),
            ),
            {"text": "Skipped. It comes back later.", "seconds": 4},
        )  # fmt: skip

    def undo(self, actor: Actor, args: Args) -> Answer:
        """Take the last decision back and open its case again."""
        case = decide.undo_last(self.store, self.settings, actor)
        return self.show(actor, case, {"text": "Taken back. The form is as you sent it."})

    def second_look(self, actor: Actor, args: Args) -> Answer:
        """Leave the case to another person."""
        return self.after(
            actor,
            lambda: decide.second_look(
                self.store, self.settings, actor, needed(args, "case"), _token(args),
                text(args, "comment"), queue_id=self.chosen(actor),
            ),
            {"text": "Left to another reviewer.", "seconds": 4},
        )  # fmt: skip

    def save_draft(self, actor: Actor, args: Args) -> Answer:
        """Keep the form as it is."""
        queue.save_draft(self.store, actor, needed(args, "case"), _form(args))
        return {}

    def ask_mllm(self, actor: Actor, args: Args) -> Answer:
        """Queue the second stage for this video."""
        ask.ask_mllm(self.store, actor, needed(args, "case"))
        return self.poll(actor, args)

    def explain(self, actor: Actor, args: Args) -> Answer:
        """Queue an explanation of the second stage's answer."""
        queue.request_rationale(self.store, actor, needed(args, "case"), self.settings)
        return self.poll(actor, args)


def _token(args: Args) -> int:
    """The lease's token; a page that only looks has none.

    Raises:
        LeaseLost: There is none.
    """
    if number(args, "token") is None:
        raise LeaseLost("You do not hold this case. Reload it, or go on to the next one.")
    return whole(args, "token")


def _actions() -> Actions:
    rules = taxonomy.in_force()
    return Actions(
        {action.id: action.name for action in rules.action_list},
        rules.default_action(False).id,
        rules.default_action(True).id,
        SKIPS,
        frozenset(action.id for action in rules.action_list if action.violation),
    )


def _form(args: Args) -> DecisionForm:
    return DecisionForm(
        labels=table(args, "labels", bool),
        action=text(args, "action", limit=64),
        reasons=table(args, "reasons", str),
        comment=text(args, "comment"),
        start_s=number(args, "start_s"),
        end_s=number(args, "end_s"),
        verdict_id=text(args, "verdict_id", limit=64) or None,
        notice=text(args, "notice"),
        taxonomy_version=text(args, "taxonomy", limit=64) or None,
    )


def review_page(store: Store, settings: Settings) -> gr.HTML:
    """Put the page into the current ``gr.Blocks``."""
    return gr.HTML(
        shell(),
        html_template="${value}",  # made and escaped here; see markup.py for why not {{value}}
        js_on_load=BOOT,
        head=head(*FILES),
        server_functions=ReviewPage(store, settings).functions(),
        apply_default_css=False,
        padding=False,
        elem_id="review-page",
    )
