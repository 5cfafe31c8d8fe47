"""Who may make which call and use which route: the tables behind ``test_abilities.py``."""

from __future__ import annotations

from typing import Any

from coefvq.review.queue import SKIP_REASONS as SKIPS
from tests.people_fixtures import PASSWORD

EVERYONE = ("viewer", "uploader", "reviewer", "lead", "admin")
UPLOADERS, REVIEWERS, LEADS, ADMINS = (EVERYONE[start:] for start in (1, 2, 3, 4))
NOBODY = "nobody"

FORM = {"labels": {}, "action": "keep"}
CASE = {"case": "{case}", "token": 1}
TARGET = {"name": "target"}
ROUTING = {"task": "icd", "expected": "settings"}
CALLS: dict[str, tuple[tuple[str, ...], dict[str, Any]]] = {
    "review-page.open_case": (EVERYONE, {}),
    "review-page.poll": (EVERYONE, {"case": "{case}"}),
    "review-page.first_answer": (REVIEWERS, CASE | FORM),
    "review-page.submit": (REVIEWERS, CASE | FORM),
    "review-page.skip": (REVIEWERS, CASE | {"reason": SKIPS[0]}),
    "review-page.undo": (REVIEWERS, {}),
    "review-page.second_look": (REVIEWERS, CASE | {"comment": "please"}),
    "review-page.save_draft": (REVIEWERS, CASE | FORM),
    "review-page.ask_mllm": (REVIEWERS, {"case": "{case}"}),
    "review-page.explain": (EVERYONE, {"case": "{case}"}),
    "review-page.choose_queue": (EVERYONE, {"queue": "", "case": ""}),
    "review-page.save_preferences": (EVERYONE, {"changes": {}}),
    "review-page.notice": (EVERYONE, CASE | {"action": "keep", "labels": {}, "reasons": {}}),
    "review-page.exposure": (REVIEWERS, {"case": "{case}", "seconds": 1.0}),
    "review-page.add_note": (REVIEWERS, {"case": "{case}", "text": "a note"}),
    "review-page.assign": (LEADS, {"case": "{case}", "to": "name", "name": "target"}),
    "review-page.copy_pair": (EVERYONE, {"case": "{case}", "match": "x"}),
    "review-page.answer_copy": (REVIEWERS, {"case": "{case}", "match": "x", "said": "confirmed"}),
    "library-page.browse": (EVERYONE, {}),
    "library-page.retry": (UPLOADERS, {"job": "x"}),
    "library-page.retry_all": (UPLOADERS, {}),
    "library-page.send": (REVIEWERS, {"videos": ["{video}"]}),
    "library-page.decide": (LEADS, FORM | {"decide_task": "icd", "videos": ["{video}"]}),
    "library-page.undo": (LEADS, {"undo_batch": "x"}),
    "library-page.save_filter": (EVERYONE, {"name": "mine", "query": "search=a"}),
    "library-page.drop_filter": (EVERYONE, {"filter": "x"}),
    "video-page.tell": (EVERYONE, {"id": "{video}"}),
    "video-page.copy_pair": (EVERYONE, {"id": "{video}", "match": "x"}),
    "video-page.answer_copy": (REVIEWERS, {"id": "{video}", "match": "x", "said": "confirmed"}),
    "routing-page.overview": (LEADS, {}),
    "routing-page.bring_in": (LEADS, {"task": "icd", "text": "{}"}),
    "routing-page.fit": (LEADS, {"task": "icd", "objective": "f1", "budget": 30}),
    "routing-page.replay": (LEADS, {"task": "icd", "version": "x"}),
    "routing-page.publish": (LEADS, ROUTING | {"version": "x", "note": "why"}),
    "routing-page.rollback": (LEADS, ROUTING),
    "routing-page.start_trial": (LEADS, ROUTING | {"kind": "shadow", "version": "x", "note": "y"}),
    "routing-page.stop_trial": (LEADS, {"trial": "x"}),
    "routing-page.show_trial": (LEADS, {"task": "icd", "trial": "x"}),
    "training-page.overview": (LEADS, {}),
    "training-page.summary": (LEADS, {}),
    "training-page.look": (LEADS, {}),
    "training-page.start": (LEADS, {"stage": "prefilter", "options": {"folds": "3"}}),
    "training-page.cancel": (LEADS, {"run": "x"}),
    "training-page.resume": (LEADS, {"run": "x"}),
    "training-page.compare": (LEADS, {"version": "x"}),
    "training-page.show": (LEADS, {"version": "x"}),
    "training-page.promote": (LEADS, {"version": "x", "note": "why", "expected": "y"}),
    "training-page.shadow": (LEADS, {"version": "x", "note": "why"}),
    "training-page.end_shadow": (LEADS, {"stage": "prefilter"}),
    "training-page.rollback": (LEADS, {"stage": "prefilter", "expected": "x"}),
    "exports-page.overview": (LEADS, {}),
    "exports-page.count": (LEADS, {"format": "csv"}),
    "exports-page.run": (LEADS, {"format": "csv"}),
    "exports-page.progress": (LEADS, {}),
    "exports-page.show_card": (LEADS, {"export": "x"}),
    "exports-page.stop": (LEADS, {"export": "x"}),
    "exports-page.remove": (LEADS, {"export": "x"}),
    "insights-page.overview": (LEADS, {"task": "icd"}),
    "insights-page.dial": (LEADS, {"task": "icd", "at": 3}),
    "insights-page.compute": (LEADS, {}),
    "insights-page.progress": (LEADS, {}),
    "insights-page.list_alarms": (LEADS, {}),
    "insights-page.acknowledge_alarm": (LEADS, {"alarm": "x"}),
    "admin-page.frame": (LEADS, {}),
    "admin-page.overview": (LEADS, {}),
    "admin-page.list_queues": (LEADS, {}),
    "admin-page.add_queue": (LEADS, {"name": "Urgent", "promised_min": 30}),
    "admin-page.edit_queue": (LEADS, {"queue": "urgent"}),
    "admin-page.save_queue": (LEADS, {"queue": "urgent", "name": "Urgent"}),
    "admin-page.move_queue": (LEADS, {"queue": "urgent", "by": -1}),
    "admin-page.remove_queue": (LEADS, {"queue": "urgent"}),
    "admin-page.list_disputes": (LEADS, {"offset": 0}),
    "admin-page.settle_dispute": (LEADS, {"look": "x", "answer": "first"}),
    "admin-page.list_appeals": (LEADS, {"state": "open"}),
    "admin-page.file_appeal": (LEADS, {"case": "{case}", "text": "it was a joke"}),
    "admin-page.resolve_appeal": (LEADS, {"appeal": "x", "outcome": "uphold", "reason": "y"}),
    "admin-page.list_golden": (LEADS, {"first": True}),
    "admin-page.add_golden": (LEADS, {"case": "{case}", "expected": "given"}),
    "admin-page.retire_golden": (LEADS, {"golden": "x"}),
    "admin-page.show_agreement": (LEADS, {"task": "icd", "days": "90", "first": True}),
    "admin-page.list_banks": (LEADS, {}),
    "admin-page.remove_original": (LEADS, {"bank": "originals", "reference": "film.mp4"}),
    "admin-page.list_holds": (LEADS, {}),
    "admin-page.place_hold": (LEADS, {"video": "{video}", "reason": "asked by the police"}),
    "admin-page.ask_release": (LEADS, {"hold": "x"}),
    "admin-page.release_hold": (LEADS, {"hold": "x", "reason": "over"}),
    "admin-page.list_events": (LEADS, {"kind": "case.", "first": True}),
    "admin-page.show_event": (LEADS, {"seq": 1}),
    "admin-page.verify_events": (LEADS, {}),
    "admin-page.taxonomy": (LEADS, {}),
    "admin-page.taxonomy_draw": (LEADS, {"document": {"tasks": [], "actions": []}}),
    "admin-page.taxonomy_check": (LEADS, {"document": {"tasks": [], "actions": []}}),
    "admin-page.taxonomy_review": (LEADS, {"number": 0}),
    "admin-page.taxonomy_publish": (LEADS, {"number": 0, "note": "as it was"}),
    "admin-page.taxonomy_rebase": (LEADS, {"document": {"tasks": [], "actions": []}, "base": "x"}),
    "admin-page.edit_user": (ADMINS, TARGET),
    "admin-page.add_user": (ADMINS, {"name": "new", "password": PASSWORD, "roles": ["viewer"]}),
    "admin-page.save_user": (ADMINS, TARGET | {"roles": ["viewer"]}),
    "admin-page.set_password": (ADMINS, TARGET | {"password": "another password"}),
    "admin-page.disable_user": (ADMINS, TARGET),
    "admin-page.enable_user": (ADMINS, TARGET),
}
"""Call to who may make it, and arguments such as its page sends."""

SIGNED_IN = dict.fromkeys(EVERYONE, 200)
PAGE = SIGNED_IN | {NOBODY: 303}
OWN = SIGNED_IN | {NOBODY: 401}
ROUTES: dict[tuple[str, str], dict[str, int]] = {
    ("GET", "/login"): SIGNED_IN | {NOBODY: 200},
    ("POST", "/login"): dict.fromkeys((*EVERYONE, NOBODY), 401),  # without a password
    ("GET", "/logout"): dict.fromkeys((*EVERYONE, NOBODY), 405),
    ("POST", "/logout"): dict.fromkeys((*EVERYONE, NOBODY), 303),
    ("GET", "/who"): OWN,
    ("GET", "/password"): PAGE,
    ("POST", "/password"): dict.fromkeys(EVERYONE, 400) | {NOBODY: 401},  # without the old one
    ("GET", "/health"): SIGNED_IN | {NOBODY: 200},
    ("GET", "/healthz"): SIGNED_IN | {NOBODY: 200},
    ("GET", "/readyz"): SIGNED_IN | {NOBODY: 200},
    ("GET", "/metrics"): dict.fromkeys(EVERYONE, 403) | dict.fromkeys(LEADS, 200) | {NOBODY: 401},
    ("GET", "/media/{video_id}/{kind}"): OWN,
    ("HEAD", "/media/{video_id}/{kind}"): OWN,
    ("POST", "/upload"): OWN | {"viewer": 403},
    ("GET", "/ui/base.css"): SIGNED_IN | {NOBODY: 200},
    ("GET", "/"): PAGE,
    ("GET", "/library"): PAGE,
    ("GET", "/video"): PAGE,
    ("GET", "/routing"): PAGE,
    ("GET", "/routing/diff.csv"): dict.fromkeys(EVERYONE, 403)
    | dict.fromkeys(LEADS, 400)
    | {NOBODY: 401},
    ("GET", "/training"): PAGE,
    ("GET", "/exports"): PAGE,
    ("GET", "/exports/{export_id}.zip"): dict.fromkeys(EVERYONE, 403)
    | dict.fromkeys(LEADS, 404)
    | {NOBODY: 401},
    # without a format
    ("POST", "/exports/import"): dict.fromkeys(EVERYONE, 403)
    | dict.fromkeys(LEADS, 400)
    | {NOBODY: 401},
    ("GET", "/alarms/bell"): OWN,
    ("GET", "/reports/{month}.html"): dict.fromkeys(EVERYONE, 403)
    | dict.fromkeys(LEADS, 200)
    | {NOBODY: 401},
    ("GET", "/insights"): PAGE,
    # nothing is computed there yet
    ("GET", "/insights/{file}"): dict.fromkeys(EVERYONE, 403)
    | dict.fromkeys(LEADS, 404)
    | {NOBODY: 401},
    ("GET", "/admin"): PAGE,
    ("GET", "/admin/events.csv"): dict.fromkeys(EVERYONE, 403)
    | dict.fromkeys(LEADS, 200)
    | {NOBODY: 401},
}
"""Route to the status that each one gets."""

READ, SUBMIT, DECIDE, METRICS = SCOPES = ("read", "submit", "decide", "metrics")
SEES = {READ: 200, SUBMIT: 200, DECIDE: 200, METRICS: 403}
API_ROUTES: dict[tuple[str, str], dict[str, int]] = {
    ("POST", "/videos"): {READ: 403, SUBMIT: 202, DECIDE: 202, METRICS: 403},
    ("GET", "/videos"): SEES,
    ("GET", "/videos/{video_id}"): SEES,
    ("POST", "/signals"): {READ: 403, SUBMIT: 202, DECIDE: 202, METRICS: 403},
    # asked for by another key
    ("GET", "/signals/{request_id}"): {READ: 403, SUBMIT: 404, DECIDE: 404, METRICS: 403},
    ("GET", "/cases"): SEES,
    ("GET", "/cases/{case_id}"): SEES,
    ("POST", "/cases/{case_id}/decision"): {READ: 403, SUBMIT: 403, DECIDE: 200, METRICS: 403},
    ("GET", "/verdicts"): SEES,
    ("GET", "/openapi.json"): dict.fromkeys(SCOPES, 200),
}
"""Route of the API to the status that a key of each scope gets; without a key it is always 401,
whoever is signed in."""
METRICS_KEYS = {READ: 403, SUBMIT: 403, DECIDE: 403, METRICS: 200}
"""The same for ``/metrics``, which people who are signed in may read as well."""
