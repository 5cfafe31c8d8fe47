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
CALLS: dict[str, tuple[tuple[str, ...], dict[str, Any]]] = {
    "review-page.open_case": (EVERYONE, {}),
    "review-page.poll": (EVERYONE, {"case": "{case}"}),
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
    "library-page.browse": (EVERYONE, {}),
    "library-page.retry": (UPLOADERS, {"job": "x"}),
    "library-page.retry_all": (UPLOADERS, {}),
    "library-page.send": (REVIEWERS, {"videos": ["{video}"]}),
    "library-page.decide": (LEADS, FORM | {"decide_task": "icd", "videos": ["{video}"]}),
    "library-page.undo": (LEADS, {"undo_batch": "x"}),
    "library-page.save_filter": (EVERYONE, {"name": "mine", "query": "search=a"}),
    "library-page.drop_filter": (EVERYONE, {"filter": "x"}),
    "video-page.tell": (EVERYONE, {"id": "{video}"}),
    "admin-page.overview": (LEADS, {}),
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
    ("GET", "/media/{video_id}/{kind}"): OWN,
    ("HEAD", "/media/{video_id}/{kind}"): OWN,
    ("POST", "/upload"): OWN | {"viewer": 403},
    ("GET", "/ui/base.css"): SIGNED_IN | {NOBODY: 200},
    ("GET", "/"): PAGE,
    ("GET", "/library"): PAGE,
    ("GET", "/video"): PAGE,
    ("GET", "/admin"): PAGE,
}
"""Route to the status that each one gets."""
