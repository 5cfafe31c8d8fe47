"""The people page in a real browser: the first admin, adding, changing, shutting out, leads."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe

from coefvq.review import exposure, queues, sign_in, users
from coefvq.review.access import Actor
from coefvq.review.sign_in import SignInRefused
from coefvq.review.users import OPERATOR
from coefvq.store import events
from coefvq.store.tables import QueueRow, utcnow
from tests.people_fixtures import PASSWORD, add_one_a_role, quick_hashes
from tests.ui.conftest import Running
from tests.ui.world import World

__all__ = ["quick_hashes"]
pytestmark = [pytest.mark.browser, pytest.mark.usefixtures("quick_hashes")]
PHONE = {"width": 390, "height": 844}


@pytest.fixture
def team(world: World) -> World:
    """One person a role, a queue, and a reviewer who has seen enough."""
    add_one_a_role(world.store)
    with world.store.write() as session:
        session.add(QueueRow(id="urgent", name="Urgent <b>", policies=[], rules=[], position=1))
    reviewer = Actor("reviewer", frozenset({"reviewer"}))
    for minutes in range(50, 0, -1):
        then = utcnow() - timedelta(minutes=minutes)
        exposure.note(world.store, world.settings, reviewer, world.case("argument"), 60.0, then)
    return world


@pytest.fixture
def house(team: World) -> Iterator[str]:
    with Running(team) as running:
        yield running.url


def enter(page: Any, url: str, who: str, path: str = "/admin") -> None:
    page.goto(f"{url}/login?next={path}")
    page.fill("#login-user", who)
    page.fill("#login-password", PASSWORD)
    page.click("#login-submit")
    page.wait_for_selector("[data-page=admin].ready")


def row(page: Any, name: str) -> Any:
    return page.locator("#users-table tr", has=page.locator(f"[data-name='{name}']"))


def noticed(page: Any, words: str) -> None:
    page.wait_for_selector(f".notice:not(.off):has-text('{words}')")


def people(world: World) -> dict[str, users.Person]:
    return {person.name: person for person in users.list_people(world.store, OPERATOR)}


def test_the_first_admin_is_added_here_and_signs_in(page, app, world):
    page.goto(f"{app}/admin")
    page.wait_for_selector("[data-page=admin].ready")
    assert "everyone at this machine is local" in page.inner_text("#admin-note")
    assert page.locator("#user-add [value=admin]").is_checked()
    page.fill("#add-name", "mara")
    page.fill("#add-password", PASSWORD)
    page.click("#user-add [type=submit]")
    page.wait_for_selector("#login-user")
    assert page.url == f"{app}/login?next=/admin"
    assert list(people(world)) == ["mara"]
    enter(page, app, "mara")
    assert page.inner_text("#admin-note") == ""
    assert "mara" in page.inner_text("#who")


def test_adding_somebody_with_a_queue_and_a_limit(page, house, team):
    enter(page, house, "admin")
    page.fill("#add-name", "ann")
    page.fill("#add-password", PASSWORD)
    page.fill("#add-limit", "20")
    page.check("#user-add [value=uploader]")
    page.check("#user-add [name=queues][value=urgent]")
    assert not page.locator("#user-add [name=all_queues]").is_checked()
    page.click("#user-add [type=submit]")
    noticed(page, "ann can sign in.")
    made = people(team)["ann"]
    assert (made.roles, made.queues) == (("uploader", "reviewer"), ("urgent",))
    assert made.exposure_limit_s == 1200.0
    assert "urgent" in row(page, "ann").inner_text()
    assert page.input_value("#add-name") == page.input_value("#add-password") == ""
    assert page.faults == [] and page.outside == []


@pytest.mark.parametrize(
    ("name", "password", "says"),
    [("viewer", PASSWORD, "a user viewer already"), ("a b", PASSWORD, "does not fit"),
     ("correct.horse", "correct.horse", "must not be the name")],
)  # fmt: skip
def test_what_does_not_fit_is_said_and_stays_in_the_form(page, house, name, password, says):
    enter(page, house, "admin")
    page.fill("#add-name", name)
    page.fill("#add-password", password)
    page.click("#user-add [type=submit]")
    noticed(page, says)
    assert page.input_value("#add-name") == name


def test_changing_roles_and_the_password(page, house, team):
    enter(page, house, "admin")
    row(page, "viewer").get_by_role("button", name="Edit viewer").click()
    page.wait_for_selector("#user-dialog[open]")
    assert page.locator("#user-form [value=viewer][name=roles]").is_checked()
    page.uncheck("#user-form [name=roles][value=viewer]")
    page.check("#user-form [name=roles][value=lead]")
    page.click("#user-form >> text=Save")
    noticed(page, "viewer: saved.")
    assert people(team)["viewer"].roles == ("lead",)
    row(page, "viewer").get_by_role("button", name="Edit viewer").click()
    page.fill("#edit-password", "another password")
    page.click("#user-form >> text=Set password")
    noticed(page, "viewer: new password")
    assert sign_in.sign_in(team.store, team.settings, "viewer", "another password")


def test_shutting_out_and_letting_in(page, house, team):
    enter(page, house, "admin")
    row(page, "uploader").get_by_role("button", name="Disable uploader").click()
    noticed(page, "cannot sign in any more")
    assert "disabled" in row(page, "uploader").inner_text()
    with pytest.raises(SignInRefused):
        sign_in.sign_in(team.store, team.settings, "uploader", PASSWORD)
    row(page, "uploader").get_by_role("button", name="Enable uploader").click()
    noticed(page, "can sign in again")
    assert sign_in.sign_in(team.store, team.settings, "uploader", PASSWORD)


def test_the_only_admin_cannot_shut_themselves_out(page, house, team):
    enter(page, house, "admin")
    row(page, "admin").get_by_role("button", name="Disable admin").click()
    noticed(page, "the only admin")
    assert not people(team)["admin"].disabled


def test_a_locked_account_is_unlocked_here(page, house, team):
    for _ in range(5):
        with pytest.raises(SignInRefused):
            sign_in.sign_in(team.store, team.settings, "reviewer", "wrong password")
    enter(page, house, "admin")
    assert "locked" in row(page, "reviewer").inner_text()
    row(page, "reviewer").get_by_role("button", name="Unlock reviewer").click()
    noticed(page, "can sign in again")
    assert sign_in.sign_in(team.store, team.settings, "reviewer", PASSWORD)


def test_leads_see_exposure_and_sign_ins_and_no_people(page, house):
    enter(page, house, "lead")
    assert "lead" in page.inner_text("#signed-in")
    shown = page.inner_text("#exposure-table")
    assert "reviewer" in shown and "50.0" in shown and "nearly spent" in shown
    for name in ("#users-table", "#user-add"):
        assert not page.locator(name).is_visible()
    assert "People" not in page.locator("h2:visible").all_inner_texts()


def test_a_reviewer_is_told_that_this_is_not_for_them(page, house):
    page.goto(f"{house}/login?next=/admin")
    page.fill("#login-user", "reviewer")
    page.fill("#login-password", PASSWORD)
    page.click("#login-submit")
    page.wait_for_selector("#admin-note:has-text('may not')")
    assert not page.locator(".admin section").first.is_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("path", ["/login", "/admin"])
@pytest.mark.parametrize("size", [None, PHONE], ids=["desk", "phone"])
def test_axe_finds_nothing_and_nothing_sticks_out(page, house, scheme, path, size):
    page.emulate_media(color_scheme=scheme)
    if size:
        page.set_viewport_size(size)
    if path == "/login":
        page.goto(f"{house}/login")
    else:
        enter(page, house, "admin")
        row(page, "reviewer").get_by_role("button", name="Edit reviewer").click()
        page.wait_for_selector("#user-dialog[open]")
        assert _violations(page) == []
        page.keyboard.press("Escape")
    assert _violations(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= page.viewport_size["width"]


def _violations(page: Any) -> list[str]:
    found = Axe().run(page, options={"runOnly": ["wcag2a", "wcag2aa", "wcag21aa", "wcag22aa"]})
    return [
        f"{each['id']}: {node['html'][:160]}"
        for each in found.response["violations"]
        for node in each["nodes"]
    ]


def test_queues_are_added_changed_ordered_and_removed(page, house, team):
    enter(page, house, "lead")
    page.click("#queues >> text=Add a queue")
    page.fill("#new-queue-name", "Hate <i>")
    page.fill("#queue-add [name=promised_min]", "30")
    page.check("#queue-add [value=hate_harassment]")
    page.check("#queue-add [name=rules][value=audit]")
    page.click("#queue-add [type=submit]")
    noticed(page, "Hate <i>: added")
    made = {each.name: each for each in queues.list_queues(team.store, OPERATOR)}
    hate = made["Hate <i>"]
    assert (hate.promised_age_s, hate.policies, hate.rules) == (
        1800.0, ("hate_harassment",), ("audit",)
    )  # fmt: skip
    page.get_by_role("button", name="Move Hate <i> up").click()
    noticed(page, "number 1 now")
    assert [q.name for q in queues.list_queues(team.store, OPERATOR)] == ["Hate <i>", "Urgent <b>"]
    page.get_by_role("button", name="Edit Hate <i>").click()
    page.wait_for_selector("#admin-dialog[open]")
    page.check("#admin-dialog [name=restricted]")
    page.uncheck("#admin-dialog [value=audit]")
    page.click("#admin-dialog [type=submit]")
    noticed(page, "saved")
    assert queues.list_queues(team.store, OPERATOR)[0].restricted
    assert "restricted" in page.inner_text("#queues-table")
    page.get_by_role("button", name="Remove Urgent <b>").click()
    page.get_by_role("button", name="Really remove?").click()
    noticed(page, "Cases that moved elsewhere")
    assert [q.name for q in queues.list_queues(team.store, OPERATOR)] == ["Hate <i>"]


def test_events_are_filtered_shown_as_stored_and_verified(page, house, team):
    with team.store.write() as session:
        for number in range(120):
            events.append(session, "robot", "case.skipped", "case", "c1",
                          {"reason": f"<i>{number}</i>"})  # fmt: skip
    enter(page, house, "lead")
    rows = page.locator("#events-table li")
    assert rows.count() == 100
    page.fill("#events [name=actor]", "robot")
    page.click("#events [type=submit]")
    page.wait_for_function("!document.querySelector('#events-table').innerText.includes('signed')")
    assert "<i>119</i>" in rows.first.inner_text()
    page.click("#events-table >> text=Older")
    page.wait_for_function("document.querySelectorAll('#events-table li').length === 20")
    page.click("#events-table [data-call=show_event] >> nth=0")
    page.wait_for_selector("#admin-dialog[open]")
    assert '"reason": "<i>19</i>"' in page.inner_text("#admin-dialog pre")
    page.keyboard.press("Escape")
    with page.expect_download() as got:
        page.click("text=Download as CSV")
    lines = Path(got.value.path()).read_text().splitlines()
    assert len(lines) == 121 and lines[0].startswith("seq,at,actor")
    page.click("text=Verify the chain")
    page.wait_for_selector("#events-chain >> text=events fit")
    assert page.faults == []


def test_the_links_lead_to_the_sections_of_this_page(page, house):
    enter(page, house, "lead")
    page.click("#admin-nav [href$='#events']")
    page.wait_for_function("document.querySelector('#events').getBoundingClientRect().top < 120")
    assert page.url.endswith("/admin#events")
    current = page.locator("#admin-nav [aria-current]")
    assert current.all_inner_texts() == ["Events"]
