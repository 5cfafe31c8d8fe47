"""Review: one case, both stages, a decision, the next case."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gradio as gr

from coefvq.errors import CoefVQError, LeaseLost
from coefvq.review import case_view, decide, queue
from coefvq.review.access import Actor
from coefvq.review.views import CaseView, DecisionForm, QueueCounts
from coefvq.settings import Settings
from coefvq.store.session import Store
from reviewer_ui import ask
from reviewer_ui.calls import Answer, Args, needed, number, server_function, table, text, whole
from reviewer_ui.components import cards, chrome, player, timeline, transcript
from reviewer_ui.components.decision_form import Actions, decision_form
from reviewer_ui.keys import help_dialog, script_table
from reviewer_ui.markup import Markup, h, join
from reviewer_ui.theme import head

FILES = ("base.css", "review.css", "phone.css", "shared.js", "player.js", "form.js", "review.js")
BOOT = "window.CoefVQ.boot(element, server)"
ACTIONS = Actions(decide.ACTIONS, decide.DEFAULT_ACTION[False], decide.DEFAULT_ACTION[True])


def shell() -> Markup:
    """The empty page; each ``id`` is a region that answers fill."""
    return h(
        '<div class="cv" data-page="review" data-empty="off" data-keys="{}"'
        ' style="visibility:hidden">{}<div class="desk waiting">'
        '<div class="side"><section id="review-player" aria-label="Player"></section>'
        '<section id="evidence-timeline" class="card" aria-label="Evidence in time"></section>'
        '<section id="transcript" class="card" tabindex="0" aria-label="Transcript"></section>'
        "</div>"
        '<div class="side"><div class="cards">'
        '<section id="prefilter-card" class="card stage" tabindex="0" aria-label="Prefilter">'
        "</section>"
        '<section id="mllm-card" class="card stage" tabindex="0" aria-label="MLLM"></section></div>'
        '<section id="evidence-list" class="card" tabindex="0" aria-label="Evidence"></section>'
        '<section id="disagreement" class="card" aria-label="Do the stages agree"></section>'
        '<section id="decision-form" class="card" aria-label="Your decision"></section></div>'
        "</div>"
        '<div class="calm" id="calm"></div>'
        '<button type="button" class="primary to-form" data-do="to-form">Decide</button>{}'
        '<div class="notice off" role="status" aria-live="polite"></div></div>',
        script_table(),
        chrome.header("/", keys=True),
        help_dialog(),
    )


def tabs(case: CaseView) -> Markup:
    """The video's cases, one small tab a task."""
    pairs = sorted([(case.task, case.id), *case.siblings])
    links = join(
        h(
            '<a href="/?case={}" data-case="{}"{}>{}</a>',
            case_id,
            case_id,
            Markup(' aria-current="true"') if case_id == case.id else "",
            task,
        )
        for task, case_id in pairs
    )
    return h('<span class="tabs" role="group" aria-label="Task">{}</span>', links)


def machine_regions(case: CaseView, busy: str | None) -> dict[str, Markup]:
    """The parts that change when a stage answers; polls refresh them."""
    return {
        "evidence-timeline": timeline.timeline(case),
        "transcript": transcript.transcript(case) + player.facts(case.video),
        "prefilter-card": cards.prefilter_card(case),
        "mllm-card": cards.mllm_card(case, busy),
        "evidence-list": timeline.evidence_list(case),
        "disagreement": cards.disagreement(case),
    }


def calm(found: QueueCounts) -> Markup:
    """What the page says when no case is left, and why that may be."""
    lines = ["Every case is decided, held by somebody else or settled by the machine."]
    if found.scoring:
        lines = [f"Videos being scored: {found.scoring}."]
    if found.failed:
        lines.append(f"Videos that could not be scored: {found.failed}.")
    lines.append("New cases open here by themselves.")
    return h(
        '<h2>Nothing waits for you</h2><p class="muted">{}</p>'
        '<p><a href="/library">Go to the library</a></p>',
        " ".join(lines),
    )


class ReviewPage:
    """The page's calls. It keeps nothing: what there is to know is in the store."""

    def __init__(self, store: Store, settings: Settings) -> None:
        self.store = store
        self.settings = settings

    def functions(self) -> list[Callable[..., Any]]:
        """What the page's script can call."""
        names = ("open_case", "poll", "submit", "skip", "undo", "second_look", "save_draft",
                 "ask_mllm", "explain")  # fmt: skip
        return [server_function(name, getattr(self, name)) for name in names]

    def counts(self, actor: Actor) -> dict[str, Markup]:
        """The header's counts."""
        return {"queue-counts": chrome.counts(queue.counts(self.store, actor))}

    def show(self, actor: Actor, case: CaseView | None, note: Args | None = None) -> Answer:
        """Answer with a whole case, or with the calm page when there is none."""
        regions = self.counts(actor)
        if case is None:
            regions["calm"] = calm(queue.counts(self.store, actor))
        else:
            busy = ask.busy(self.store, actor, case)
            regions |= machine_regions(case, busy)
            regions["review-player"] = player.player(case.video)
            regions["decision-form"] = decision_form(case, ACTIONS, tabs(case))
        return {"case": case.id if case else None, "regions": regions, "note": note}

    def open_case(self, actor: Actor, args: Args) -> Answer:
        """Open the case of the address, or the next one."""
        wanted = text(args, "case", limit=64)
        if not wanted:
            return self.show(actor, queue.next_case(self.store, self.settings, actor))
        try:
            return self.show(actor, queue.open_case(self.store, self.settings, actor, wanted))
        except CoefVQError as error:
            following = queue.next_case(self.store, self.settings, actor)
            return self.show(actor, following, {"text": str(error), "bad": True})

    def poll(self, actor: Actor, args: Args) -> Answer:
        """Hold the lease, and refresh counts and what the machine says."""
        case_id, token = text(args, "case", limit=64), number(args, "token")
        if not case_id:
            following = queue.next_case(self.store, self.settings, actor)
            return self.show(actor, following)
        answer: Answer = {}
        if token is not None:
            answer = self._hold(actor, case_id, int(token))
        case = case_view.view(self.store, self.settings, actor, case_id)
        regions = machine_regions(case, ask.busy(self.store, actor, case))
        return answer | {"regions": self.counts(actor) | regions, "verdict": case.verdict_id}

    def _hold(self, actor: Actor, case_id: str, token: int) -> Answer:
        try:
            until = queue.heartbeat(self.store, self.settings, actor, case_id, token)
        except LeaseLost as error:
            return {"error": f"{error} Your draft is kept.", "lost": True}
        return {"expires": until.timestamp()}

    def submit(self, actor: Actor, args: Args) -> Answer:
        """Store the decision and show the next case."""
        done = decide.submit(
            self.store, self.settings, actor, needed(args, "case"), _token(args), _form(args)
        )
        words = "Correction stored." if done.correction else "Decision stored."
        return self.show(actor, done.next, {"text": words, "button": UNDO})

    def skip(self, actor: Actor, args: Args) -> Answer:
        """Pass the case over."""
        following = queue.skip(self.store, self.settings, actor, needed(args, "case"), _token(args))
        return self.show(actor, following, {"text": "Skipped. It comes back later.", "seconds": 3})

    def undo(self, actor: Actor, args: Args) -> Answer:
        """Take the last decision back and open its case again."""
        case = decide.undo_last(self.store, self.settings, actor)
        return self.show(actor, case, {"text": "Taken back. The form is as you sent it."})

    def second_look(self, actor: Actor, args: Args) -> Answer:
        """Leave the case to another person."""
        following = decide.second_look(
            self.store, self.settings, actor, needed(args, "case"), _token(args),
            text(args, "comment"),
        )  # fmt: skip
        return self.show(actor, following, {"text": "Left to another reviewer.", "seconds": 4})

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
        queue.request_rationale(self.store, actor, needed(args, "case"))
        return self.poll(actor, args)


UNDO = {"label": "Undo (z)", "action": "undo"}


def _token(args: Args) -> int:
    """The lease's token; a page that only looks has none.

    Raises:
        LeaseLost: There is none.
    """
    if number(args, "token") is None:
        raise LeaseLost("You do not hold this case. Reload it, or go on to the next one.")
    return whole(args, "token")


def _form(args: Args) -> DecisionForm:
    return DecisionForm(
        labels=table(args, "labels", bool),
        action=text(args, "action", limit=64),
        reasons=table(args, "reasons", str),
        comment=text(args, "comment"),
        start_s=number(args, "start_s"),
        end_s=number(args, "end_s"),
        verdict_id=text(args, "verdict_id", limit=64) or None,
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
