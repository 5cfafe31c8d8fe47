"""Admin's quality sections in a real browser: disputes, appeals, golden cases, holds."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe

from coefvq.review import appeals, decide, golden, holds, queue, users
from coefvq.review.access import Actor
from coefvq.review.views import CaseView, DecisionForm
from tests.people_fixtures import PASSWORD, add_one_a_role, quick_hashes
from tests.ui.conftest import Running
from tests.ui.test_review_page import standing
from tests.ui.world import HOSTILE, World

__all__ = ["quick_hashes"]
pytestmark = [pytest.mark.browser, pytest.mark.usefixtures("quick_hashes")]

ANN, BOB = (Actor(name, frozenset({"reviewer"})) for name in ("ann", "bob"))
LEAD = Actor("lead", frozenset({"lead"}))
PHONE = {"width": 390, "height": 844}
REASON = "demeaning a protected group"
HATE = DecisionForm(
    {"hate_harassment": True}, "remove", {"hate_harassment": REASON}, "I hear it", 0.5, 1.5
)
FINE = DecisionForm({}, "keep", comment=HOSTILE)


def token(case: CaseView) -> int:
    assert case.lease is not None and case.lease.token is not None
    return case.lease.token


def answer(world: World, actor: Actor, case_id: str, form: DecisionForm) -> None:
    """Open a case or look and decide it; the next one goes back."""
    opened = queue.open_case(world.store, world.settings, actor, case_id)
    sent = replace(form, verdict_id=opened.verdict_id)
    done = decide.submit(world.store, world.settings, actor, case_id, token(opened), sent)
    if done.next is not None:
        queue.release(world.store, actor, done.next.id, token(done.next))


def look_of(world: World, actor: Actor) -> CaseView:
    """The independent look that waits for somebody."""
    while (found := queue.next_case(world.store, world.settings, actor)) is not None:
        if found.id not in {world.case(name) for name in world.ids if name != "broken"}:
            return found
        queue.skip(world.store, world.settings, actor, found.id, token(found), reason="later")
    raise AssertionError("no look waits")


@pytest.fixture
def disputed(world: World) -> World:
    """Two people answered the argument, and differ; one person a role is set up."""
    add_one_a_role(world.store)
    drawn = world.settings.model_copy(update={"second_look_share": 1.0})
    made = replace(world, settings=drawn)
    answer(made, ANN, made.case("argument"), HATE)
    answer(made, BOB, look_of(made, BOB).id, FINE)
    return world


@pytest.fixture
def house(disputed: World) -> Iterator[str]:
    with Running(disputed) as running:
        yield running.url


def enter(page: Any, url: str, section: str, who: str = "lead") -> None:
    page.goto(f"{url}/login?next=/admin")
    page.fill("#login-user", who)
    page.fill("#login-password", PASSWORD)
    page.click("#login-submit")
    page.wait_for_selector("[data-page=admin].ready")
    page.click(f"#admin-nav [href$='#{section}']")


def noticed(page: Any, words: str) -> None:
    page.wait_for_selector(f".notice:not(.off):has-text('{words}')")


def test_the_second_answer_is_chosen_with_one_key(page, house, disputed):
    enter(page, house, "adjudication")
    region = page.locator("#adjudication-queue")
    assert page.inner_text("#nav-adjudication") == "1"
    shown = region.inner_text()
    assert "ann" in shown and "bob" in shown and REASON in shown and HOSTILE in shown
    assert "the machine says: hate, harassment 0.87" in shown
    assert page.locator(".side-answer .differs").count() == 2
    page.focus("#dispute")
    page.keyboard.press("2")
    noticed(page, "Settled")
    assert "Nothing to settle" in region.inner_text()
    assert page.inner_text("#nav-adjudication") == ""
    stands = standing(disputed, disputed.case("argument"))
    assert (stands.kind, stands.reviewer) == ("adjudication", "lead")
    assert set(stands.labels.values()) == {"ok"} and stands.action == "keep"
    assert page.faults == [] and page.outside == []
    assert page.evaluate("window.pwned") is None


def test_another_answer_with_a_reason_why(page, house, disputed):
    enter(page, house, "adjudication")
    page.fill("#dispute [name=why]", "Both missed the scam.")
    page.focus("#dispute")
    page.keyboard.press("o")
    assert not page.locator("[data-reason=scam_spam]").is_visible()
    page.check("#own-scam_spam")
    assert page.input_value("#dispute [name=action]") == "remove", "an action that fits"
    page.click("#dispute details.adding [type=submit]")
    noticed(page, "scam")  # no reason is chosen yet, and what was typed stays
    assert page.input_value("#dispute [name=why]") == "Both missed the scam."
    page.select_option("[data-reason=scam_spam]", index=1)
    page.click("#dispute details.adding [type=submit]")
    noticed(page, "Settled")
    stands = standing(disputed, disputed.case("argument"))
    bad = [policy for policy, label in stands.labels.items() if label == "violation"]
    assert (bad, stands.comment) == (["scam_spam"], "Both missed the scam.")


def test_an_appeal_is_filed_upheld_and_another_overturned(page, house, disputed):
    answer(disputed, BOB, disputed.case("plain"), HATE)
    appeals.file(disputed.store, LEAD, disputed.case("plain"), HOSTILE)
    enter(page, house, "appeals")
    assert HOSTILE in page.inner_text(".appeal blockquote")
    page.click("#appeals >> text=File an appeal")
    page.fill("#appeals [name=case]", disputed.case("argument"))
    page.fill("#appeals [name=text]", "It was a quote.")
    page.click("#appeals details.adding:not(.appeal *) [type=submit]")
    noticed(page, "Filed for crazy argument")
    assert page.inner_text("#nav-appeals") == "2"
    assert page.input_value("#appeals [name=text]") == ""
    first, second = page.locator(".appeal").nth(0), page.locator(".appeal").nth(1)
    second.locator("[name=reason]").fill("It quotes somebody else.")
    second.get_by_role("button", name="Overturn it").click()
    noticed(page, "Overturned.")
    stands = standing(disputed, disputed.case("argument"))
    assert (stands.kind, set(stands.labels.values())) == ("appeal", {"ok"})
    first.locator("[name=reason]").fill("It demeans.")
    first.get_by_role("button", name="Uphold the decision").click()
    noticed(page, "Upheld.")
    assert set(standing(disputed, disputed.case("plain")).labels.values()) == {"ok", "violation"}
    assert "No appeal waits." in page.inner_text("#appeals-queue")
    assert "50 % 1 of 2" in page.inner_text("#appeals-queue")
    page.click("#appeals >> text=overturned")
    page.wait_for_selector("#appeals-queue >> text=It quotes somebody else.")
    assert page.evaluate("window.pwned") is None


def test_golden_cases_are_added_as_decided_and_as_given_and_retired(page, house, disputed):
    enter(page, house, "golden")
    assert "No golden case is set up." in page.inner_text("#golden-table")
    page.click("#golden >> text=Add a golden case")
    assert not page.locator(".only-given").is_visible()
    page.fill("#golden [name=case]", disputed.case("argument"))
    page.fill("#golden [name=note]", "clear")
    page.click("#golden details [type=submit]")
    noticed(page, "crazy argument")
    page.fill("#golden [name=case]", disputed.case("quiet"))
    page.check("#golden [name=expected][value=given]")
    page.check("#golden [name=violated][value=violence]")
    page.fill("#golden [name=start_s]", "0.5")
    page.fill("#golden [name=end_s]", "2")
    page.click("#golden details [type=submit]")
    noticed(page, "a walk by the river")
    made = {item.title: item for item in golden.list_golden(disputed.store, LEAD)}
    walk = made["a walk by the river"]
    assert walk.labels["violence"] == "violation" and walk.labels["scam_spam"] == "ok"
    assert (walk.start_s, walk.end_s) == (0.5, 2.0)
    assert made["crazy argument at the station pt 1"].labels["hate_harassment"] == "violation"
    button = page.get_by_role("button", name="Retire a walk by the river")
    button.click()
    assert golden.list_golden(disputed.store, LEAD)[0].title == "a walk by the river"
    page.get_by_role("button", name="Really retire?").click()
    noticed(page, "retired")
    assert len(golden.list_golden(disputed.store, LEAD)) == 1


def test_a_hold_is_placed_and_released_with_a_reason(page, house, disputed):
    enter(page, house, "holds")
    page.click("#holds >> text=Place a hold")
    page.fill("#holds [name=video]", disputed.ids["hostile"])
    page.fill("#holds [name=reason]", "asked by the police")
    page.click("#holds details [type=submit]")
    noticed(page, "nothing deletes it now")
    assert [hold.video_id for hold in holds.list_holds(disputed.store, LEAD)] == [
        disputed.ids["hostile"]
    ]
    page.locator("#holds-table").get_by_role("button", name="Release").first.click()
    page.fill("#admin-dialog [name=reason]", "the court is done")
    page.click("#admin-dialog [type=submit]")
    noticed(page, "released")
    assert "No hold stands." in page.inner_text("#holds-table")
    assert not page.locator("#admin-dialog").is_visible()
    page.click("#holds >> text=Show released ones")
    page.wait_for_selector("#holds-table >> text=asked by the police")


def test_agreement_says_its_numbers_and_what_is_missing(page, house):
    enter(page, house, "agreement")
    shown = page.inner_text("#quality-agreement")
    assert "Cases with two answers: 1." in shown and "0 of 1" in shown
    assert "Nobody has answered a case blind" in page.inner_text(
        "#quality-anchoring"
    ) or "no answers yet" in page.inner_text("#quality-anchoring")
    page.select_option("#agreement [name=task]", "ucc")
    page.wait_for_selector("#quality-agreement >> text=No case has two independent answers")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [None, PHONE], ids=["desk", "phone"])
def test_axe_finds_nothing_and_nothing_sticks_out(page, house, disputed, scheme, size):
    appeals.file(disputed.store, LEAD, disputed.case("argument"), HOSTILE * 9)
    golden.add(disputed.store, LEAD, disputed.case("argument"), note=HOSTILE)
    holds.place(disputed.store, LEAD, disputed.ids["hostile"], HOSTILE)
    page.emulate_media(color_scheme=scheme)
    if size:
        page.set_viewport_size(size)
    enter(page, house, "adjudication", "admin")
    page.evaluate("document.querySelectorAll('.admin details').forEach((d) => { d.open = true })")
    rules = ["wcag2a", "wcag2aa", "wcag21aa", "wcag22aa"]
    found = Axe().run(page, options={"runOnly": rules}).response["violations"]
    assert [(each["id"], each["nodes"][0]["html"][:200]) for each in found] == []
    assert page.evaluate("document.documentElement.scrollWidth") <= page.viewport_size["width"]
    assert page.evaluate("window.pwned") is None


def test_a_look_stays_under_its_own_id_over_the_tabs_of_the_video(page, disputed):
    """From a look to the video's other case and back: never to the case behind the look."""
    made = replace(disputed, settings=disputed.settings.model_copy(
        update={"second_look_share": 1.0}))  # fmt: skip
    answer(made, ANN, made.case("plain"), HATE)
    users.add(made.store, users.OPERATOR, "bob", PASSWORD, ["reviewer"])
    look = look_of(made, BOB)
    with Running(made) as running:
        page.goto(f"{running.url}/login?next=/?case={look.id}")
        page.fill("#login-user", "bob")
        page.fill("#login-password", PASSWORD)
        page.click("#login-submit")
        page.wait_for_selector(f".form[data-case='{look.id}']")
        assert "ann" not in page.inner_text("body")
        page.click(".tabs a:not([aria-current])")
        page.wait_for_selector(f".form[data-case='{made.case('plain', 'ucc')}']")
        page.click(".tabs a:not([aria-current])")
        page.wait_for_selector(f".form[data-case='{look.id}']")
        page.keyboard.press("o")
        shown = page.inner_text("#case-panel")
        assert "waits for review" in shown and "ann" not in shown
        assert made.case("plain") not in page.content()
