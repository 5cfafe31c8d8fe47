"""The Training page before anything is known: its cards and its dialog."""

from __future__ import annotations

from reviewer_ui.components import chrome
from reviewer_ui.components.training_words import STAGES
from reviewer_ui.markup import Markup, h, join

NOTE_LIMIT = 2000


def shell() -> Markup:
    """The empty page; the script fills the regions."""
    return h(
        '<div class="cv" data-page="training" style="visibility:hidden">{}'
        '<div class="routing training"><h1 class="hidden">Training</h1>'
        '<div id="training-note"></div>{}{}{}{}{}</div>{}'
        '<div class="notice off" role="status" aria-live="polite"></div></div>',
        chrome.header("/training", keys=False),
        _card("training-data", "What there is to learn from", _summary()),
        _card("training-models", "Models in force", _models()),
        _card("training-now", "Trainings", _trainings()),
        _card("training-gate", "Candidate against the model in force", _gate()),
        _card("training-past", "Publications", h('<div id="training-publications"></div>')),
        _dialog(),
    )


def _card(key: str, title: str, body: Markup) -> Markup:
    return h(
        '<section class="card" id="{}" aria-labelledby="{}-title"><h2 id="{}-title">{}</h2>{}'
        "</section>",
        key,
        key,
        key,
        title,
        body,
    )


def _summary() -> Markup:
    return h(
        '<div id="dataset-summary" aria-live="polite"><p class="muted"><i class="spin"'
        ' aria-hidden="true"></i>Counting what people decided…</p></div>'
    )


def _models() -> Markup:
    return h(
        '<div class="stages">{}</div>',
        join(
            h(
                '<div class="stage"><div class="force-head"><h3>{}</h3><span id="back-{}"></span>'
                '</div><div id="in-force-{}"></div><div id="start-{}"></div></div>',
                name,
                stage,
                stage,
                stage,
            )
            for stage, name in STAGES.items()
        ),
    )


def _trainings() -> Markup:
    return h('<div id="train-progress"></div><div id="training-runs"></div>')


def _gate() -> Markup:
    return h(
        '<label class="text choose" for="gate-version">Candidate<select id="gate-version">'
        '</select></label><div id="gate-table" aria-live="polite"></div>'
        '<div id="shadow-table"></div><div id="gate-actions"></div>'
    )


def _dialog() -> Markup:
    return h(
        '<dialog id="routing-dialog" aria-labelledby="routing-ask"><h2 id="routing-ask"></h2>'
        '<p id="routing-ask-more"></p><label class="text" for="routing-ask-note">Note'
        '<input id="routing-ask-note" maxlength="{}"></label><div class="form-end">'
        '<button type="button" class="primary" id="routing-yes"></button>'
        '<button type="button" class="plain" data-do="close-panel">Cancel</button></div></dialog>',
        NOTE_LIMIT,
    )
