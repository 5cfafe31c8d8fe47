"""Who may do what."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from coefvq.errors import NotAllowed, SettingsError
from coefvq.review import (
    case_view,
    decide,
    exposure,
    library,
    queue,
    uploads,
    users,
)
from coefvq.review.access import LOCAL, ROLES, Actor, Permission, require
from coefvq.review.views import DecisionForm
from coefvq.settings import Settings
from coefvq.store.session import Store
from tests.store_factory import media_file

NOBODY = Actor("nobody", frozenset())
VIEWER = Actor("vic", frozenset({"viewer"}))
UPLOADER = Actor("ula", frozenset({"uploader"}))
REVIEWER = Actor("ann", frozenset({"reviewer"}))
TEAM_LEAD = Actor("lea", frozenset({"lead"}))


V, U, D = Permission.VIEW, Permission.UPLOAD, Permission.DECIDE
MANY, ASSIGN = Permission.DECIDE_MANY, Permission.ASSIGN
LEAD, ADMINISTER, MEASURE = Permission.LEAD, Permission.ADMINISTER, Permission.MEASURE


@pytest.mark.parametrize(
    ("role", "may"),
    [
        pytest.param("monitor", {MEASURE}, id="monitor"),
        pytest.param("viewer", {V}, id="viewer"),
        pytest.param("uploader", {V, U}, id="uploader"),
        pytest.param("reviewer", {V, U, D}, id="reviewer"),
        pytest.param("lead", {V, U, D, MANY, ASSIGN, LEAD, MEASURE}, id="lead"),
        pytest.param("admin", set(Permission), id="admin"),
    ],
)
def test_roles(role: str, may: set[Permission]) -> None:
    actor = Actor("x", frozenset({role}))
    assert {permission for permission in Permission if actor.may(permission)} == may


def test_the_table_in_the_docs_is_the_table_in_the_code() -> None:
    text = (Path(__file__).parents[3] / "docs" / "security.md").read_text("utf-8")
    lines = [line for line in text.splitlines() if line.startswith("| ") and line.endswith("|")]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    head = next(row for row in cells if row[0] == "may")
    assert head[1:] == list(ROLES)
    shown = {row[0]: row[1:] for row in cells}
    for permission in Permission:
        expected = ["yes" if permission in ROLES[role] else "" for role in ROLES]
        assert shown[permission.value] == expected


def test_the_local_actor_may_everything_and_acts_in_the_least_role() -> None:
    assert all(LOCAL.may(permission) for permission in Permission)
    assert LOCAL.roles == frozenset(ROLES)
    assert LOCAL.role_for("decide") == "reviewer"


def test_an_unknown_role_gets_a_hint() -> None:
    with pytest.raises(SettingsError, match="Did you mean 'reviewer'"):
        Actor("x", frozenset({"reviwer"}))


@pytest.mark.parametrize(
    ("actor", "says"),
    [
        pytest.param(None, "Nobody is signed in", id="nobody"),
        pytest.param(NOBODY, r"nobody \(no role\) may not decide", id="no role"),
        pytest.param(VIEWER, r"vic \(viewer\) may not decide", id="viewer"),
    ],
)
def test_refusals_say_who_may_not_what(actor: Actor | None, says: str) -> None:
    with pytest.raises(NotAllowed, match=says):
        require(actor, "decide")


Call = Callable[[Store, Settings, Actor], object]
FORM = DecisionForm({}, "keep")
SERVICES: list[tuple[str, Actor, Call]] = [
    ("next_case", UPLOADER, lambda s, t, a: queue.next_case(s, t, a)),
    ("open_case", NOBODY, lambda s, t, a: queue.open_case(s, t, a, "c")),
    ("heartbeat", UPLOADER, lambda s, t, a: queue.heartbeat(s, t, a, "c", 1)),
    ("release", UPLOADER, lambda s, t, a: queue.release(s, a, "c", 1)),
    ("skip", UPLOADER, lambda s, t, a: queue.skip(s, t, a, "c", 1)),
    ("save_draft", UPLOADER, lambda s, t, a: queue.save_draft(s, a, "c", FORM)),
    ("drop_draft", UPLOADER, lambda s, t, a: queue.drop_draft(s, a, "c")),
    ("rationale", NOBODY, lambda s, t, a: queue.request_rationale(s, a, "c")),
    ("counts", NOBODY, lambda s, t, a: queue.counts(s, a)),
    ("view", NOBODY, lambda s, t, a: case_view.view(s, t, a, "c")),
    ("submit", UPLOADER, lambda s, t, a: decide.submit(s, t, a, "c", 1, FORM)),
    ("undo_last", UPLOADER, lambda s, t, a: decide.undo_last(s, t, a)),
    ("second_look", UPLOADER, lambda s, t, a: decide.second_look(s, t, a, "c", 1)),
    ("list_videos", NOBODY, lambda s, t, a: library.list_videos(s, t, a)),
    ("status_counts", NOBODY, lambda s, t, a: library.status_counts(s, a)),
    ("progress", NOBODY, lambda s, t, a: library.progress(s, t, a, [])),
    ("set_aside", NOBODY, lambda s, t, a: library.set_aside(s, a)),
    ("running", NOBODY, lambda s, t, a: library.running(s, a)),
    ("retry", VIEWER, lambda s, t, a: library.retry(s, a, "j")),
    ("media_file", NOBODY, lambda s, t, a: library.media_file(s, t, a, "v", "proxy")),
    ("exposure", UPLOADER, lambda s, t, a: exposure.state(s, t, a)),
    ("note", UPLOADER, lambda s, t, a: exposure.note(s, t, a, "c", 1.0)),
    ("exposures", REVIEWER, lambda s, t, a: exposure.today(s, t, a)),
    ("signed_in", REVIEWER, lambda s, t, a: users.signed_in(s, t, a)),
    ("list_people", TEAM_LEAD, lambda s, t, a: users.list_people(s, a)),
    ("add", TEAM_LEAD, lambda s, t, a: users.add(s, a, "", "")),
    ("change", TEAM_LEAD, lambda s, t, a: users.change(s, a, "x", roles=["none"])),
    ("set_password", TEAM_LEAD, lambda s, t, a: users.set_password(s, a, "x", "")),
    ("disable", TEAM_LEAD, lambda s, t, a: users.disable(s, a, "x")),
    ("enable", TEAM_LEAD, lambda s, t, a: users.enable(s, a, "x")),
]


@pytest.mark.parametrize(
    ("actor", "call"), [pytest.param(actor, call, id=name) for name, actor, call in SERVICES]
)
def test_every_service_asks_before_it_looks_anything_up(
    store: Store, settings: Settings, actor: Actor, call: Call
) -> None:
    with pytest.raises(NotAllowed):
        call(store, settings, actor)


def test_an_upload_without_the_right_leaves_the_file_alone(
    store: Store, settings: Settings, tmp_path: Path
) -> None:
    path = media_file(tmp_path)
    with pytest.raises(NotAllowed):
        uploads.register(store, settings, VIEWER, path)
    assert path.is_file()
