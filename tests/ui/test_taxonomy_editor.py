"""The taxonomy editor in a real browser: edit, publish, two leads, go back, drafts, bad input."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe

from coefvq import taxonomy
from coefvq.review import taxonomies
from coefvq.review.access import Actor
from coefvq.store import decisions
from tests import taxonomy_factory as make
from tests.taxonomy_factory import policy_row
from tests.ui.world import HOSTILE, World

pytestmark = pytest.mark.browser
LEO = Actor("leo", frozenset({"lead"}))
NEW = "tasks.0.policies.5"
PHONE = {"width": 390, "height": 844}


def enter(page: Any, app: str) -> None:
    page.goto(f"{app}/admin#taxonomy")
    loaded(page)


def again(page: Any) -> None:
    page.reload()
    loaded(page)


def loaded(page: Any) -> None:
    page.wait_for_selector("[data-page=admin].ready .tax-task")


def field(path: str) -> str:
    return f"[id='tx-{path}']"


def unfold(page: Any, path: str) -> None:
    page.click(f"details[data-path='{path}'] > summary")


def state(page: Any, words: str) -> None:
    page.wait_for_selector(f"#taxonomy-state:has-text('{words}')")


def add_policy(page: Any, name: str = "Gambling ads") -> None:
    page.click("[data-add=policy][data-path='tasks.0.policies']")
    page.wait_for_selector(f"details[data-path='{NEW}'][open]")
    page.keyboard.type(name)
    page.fill(field(f"{NEW}.question"), "Is gambling advertised?")
    page.fill(field(f"{NEW}.guideline"), "Advertisements for casinos and bets.")
    page.fill(field(f"{NEW}.reasons"), "casino\nbetting")
    page.check(f"details[data-path='{NEW}'] [value=visual]")


def publish(page: Any, note: str) -> None:
    page.click("[data-do=taxonomy-review]")
    page.wait_for_selector("#admin-dialog[open] .tax-publish")
    page.fill(".tax-publish textarea", note)
    page.click(".tax-publish [type=submit]")


def document(world: World) -> dict[str, Any]:
    return taxonomies.document_of(world.store, LEO)


def test_a_question_and_a_new_policy_are_published_and_asked_at_once(page, app, world):
    enter(page, app)
    unfold(page, "tasks.0.policies.1")
    page.fill(field("tasks.0.policies.1.question"), "Does it demean anybody?")
    state(page, "1 change, not published")
    add_policy(page)
    state(page, "2 changes, not published")
    assert page.input_value(field(f"{NEW}.id")) == "gambling_ads"
    page.click("[data-do=taxonomy-review]")
    page.wait_for_selector("#admin-dialog[open] .tax-publish")
    shown = page.inner_text("#admin-dialog")
    assert "Policy gambling_ads added to task icd" in shown
    assert "Does it demean anybody?" in shown and "open cases are of tasks that change" in shown
    page.keyboard.press("Escape")
    publish(page, "the gambling law of May")
    page.wait_for_selector(".notice:has-text('Version 1 is in force')")
    assert "the gambling law of May" in page.inner_text("#taxonomy-history")
    assert policy_row(document(world), "hate_harassment")["question"] == "Does it demean anybody?"
    page.goto(app)
    page.wait_for_selector("#policy-gambling_ads")
    assert page.get_attribute("#policy-hate_harassment", "title").startswith("Does it demean")
    page.wait_for_selector("#prefilter-card .score.off:has-text('Gambling ads')")
    assert "not covered" in page.inner_text("#prefilter-card .score.off:has-text('Gambling ads')")
    case_id = page.get_attribute("#decision-form .form", "data-case")
    page.keyboard.press("6")
    page.select_option("select[name=reason]", "casino")
    page.click("#submit-decision")
    page.wait_for_selector(".notice:has-text('stored')")
    with world.store.read() as session:
        row = decisions.standing(session, case_id)
    assert row.labels["gambling_ads"] == "violation"
    assert row.taxonomy_version == taxonomy.version() != taxonomy.packaged().version
    page.goto(f"{app}/library")
    page.wait_for_selector("[data-page=library].ready")
    page.select_option("#library-policies", "gambling_ads")
    assert page.faults == [] and page.outside == []


def test_the_second_lead_sees_what_the_first_did_and_loses_nothing(page, app, world):
    enter(page, app)
    add_policy(page)
    state(page, "1 change")
    theirs = make.document()
    policy_row(theirs, "scam_spam")["severity"] = 5
    taxonomies.publish(world.store, LEO, theirs, "scams are grave")
    page.click("[data-do=taxonomy-review]")
    page.wait_for_selector("#admin-dialog[open] .tax-publish")
    page.fill(".tax-publish textarea", "gambling")
    page.click(".tax-publish [type=submit]")
    page.wait_for_selector("#admin-dialog:has-text('Somebody was quicker')")
    told = page.inner_text("#admin-dialog")
    assert "leo published version 1" in told and "scams are grave" in told and "severity" in told
    page.click("#admin-dialog [data-do=taxonomy-rebase]")
    page.wait_for_selector("#taxonomy-head:has-text('Version 1')")
    state(page, "1 change, not published")
    assert page.input_value(field(f"{NEW}.question")) == "Is gambling advertised?"
    publish(page, "gambling")
    page.wait_for_selector(".notice:has-text('Version 2')")
    made = document(world)
    assert policy_row(made, "scam_spam")["severity"] == 5 and policy_row(made, "gambling_ads")


def test_a_draft_survives_a_reload_and_an_older_one_says_so(page, app, world):
    enter(page, app)
    unfold(page, "tasks.0.policies.0")
    page.fill(field("tasks.0.policies.0.question"), "Is anybody hurt?")
    state(page, "1 change")
    taxonomies.publish(world.store, LEO, make.with_policy("gambling"), "meanwhile")
    again(page)
    assert page.input_value(field("tasks.0.policies.0.question")) == "Is anybody hurt?"
    page.wait_for_selector("#taxonomy-head:has-text('began on an older version')")
    page.click("#taxonomy-head [data-do=taxonomy-rebase]")
    page.wait_for_selector("[data-path='tasks.0.policies.5'] code:has-text('gambling')")
    state(page, "1 change, not published")
    page.click(".tax-bar [data-do=taxonomy-discard]")
    page.wait_for_function("document.querySelector('#taxonomy-state').textContent === ''")
    asked = policy_row(make.document(), "violence")["question"]
    assert page.input_value(field("tasks.0.policies.0.question")) == asked
    again(page)
    assert page.input_value(field("tasks.0.policies.0.question")) == asked


def test_going_back_is_one_step_with_a_note(page, app, world):
    taxonomies.publish(world.store, LEO, make.without_policy("sexual"), "by mistake")
    enter(page, app)
    page.click("[data-back='0']")
    page.wait_for_selector("#admin-dialog:has-text('Go back to version 0?')")
    assert "Policy sexual added" in page.inner_text("#admin-dialog")
    page.fill(".tax-publish textarea", "it was a mistake")
    page.click(".tax-publish [type=submit]")
    page.wait_for_selector(".notice:has-text('Version 2')")
    page.wait_for_selector("[data-path='tasks.0.policies.2'] code:has-text('sexual')")
    assert document(world) == make.document()
    assert page.locator("#taxonomy-history > ol > li").count() == 3
    assert page.faults == []


def test_what_is_wrong_is_said_beside_the_field(page, app, world):
    enter(page, app)
    page.click("[data-add=action]")
    path = "actions.5"
    page.wait_for_selector(f"details[data-path='{path}'][open]")
    page.fill(field(f"{path}.name"), "Blur it")
    page.fill(field(f"{path}.notice"), "Your {video} is blurred")
    page.wait_for_selector(f"[id='tx-{path}.notice-say']:has-text('no field of a notice')")
    assert page.get_attribute(field(f"{path}.notice"), "aria-invalid") == "true"
    state(page, "1 to fix")
    page.click("[data-do=taxonomy-review]")
    page.wait_for_selector("#admin-dialog:has-text('Change this first')")
    assert "Action blur_it, notice" in page.inner_text("#admin-dialog")
    assert page.locator(".tax-publish").count() == 0
    page.keyboard.press("Escape")
    page.fill(field(f"{path}.notice"), "“{title}” breaks our rule on {policy} ({reason})")
    page.wait_for_selector(
        f"[id='tx-{path}.notice-preview']:has-text('“A walk by the river” breaks our rule on "
        "violence (fight or assault)')"
    )
    publish(page, " ")
    page.wait_for_selector("#admin-dialog [data-say]:has-text('Say in the note why')")
    assert taxonomies.current(world.store, LEO).version.number == 0


def test_rows_are_moved_and_removed_by_keyboard(page, app, world):
    enter(page, app)
    unfold(page, "tasks.0.policies.0")
    page.focus("[aria-label='Down policy violence']")
    page.keyboard.press("Enter")
    page.wait_for_selector(
        "details[data-path='tasks.0.policies.1'][open] code:has-text('violence')"
    )
    page.wait_for_function("document.activeElement.dataset.move === 'down'")
    page.focus("[aria-label='Remove policy violence']")
    page.keyboard.press("Enter")
    state(page, "1 change")
    publish(page, "not ours")
    page.wait_for_selector(".notice:has-text('Version 1')")
    assert "violence" not in taxonomy.policies()


def test_the_page_follows_what_another_process_published(page, app, world, tmp_path):
    page.goto(app)
    page.wait_for_selector("#policy-violence")
    file = tmp_path / "taxonomy.json"
    file.write_text(json.dumps(make.with_policy("gambling")), "utf-8")
    command = [sys.executable, "-m", "coefvq", "taxonomy", "import", str(file), "--note", "why"]
    environment = os.environ | {"COEFVQ_HOME": str(world.settings.home)}
    subprocess.run(command, env=environment, check=True, timeout=60)
    assert "gambling" not in taxonomy.policies()
    page.reload()
    page.wait_for_selector("#policy-gambling")


def test_hostile_texts_stay_texts(page, app, world):
    made = make.with_policy("gambling")
    policy_row(made, "gambling").update(name=HOSTILE[:60], question=HOSTILE, reasons=[HOSTILE[:80]])
    taxonomies.publish(world.store, LEO, made, HOSTILE)
    enter(page, app)
    assert HOSTILE[:60] in page.inner_text(f"details[data-path='{NEW}'] > summary")
    page.click("#taxonomy-history summary")
    page.click("[data-back='0']")
    page.wait_for_selector(".tax-publish")
    page.goto(app)
    page.wait_for_selector("#policy-gambling")
    page.goto(f"{app}/library")
    page.wait_for_selector("[data-page=library].ready")
    assert page.evaluate("window.pwned") is None


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [None, PHONE], ids=["desk", "phone"])
def test_axe_finds_nothing_and_nothing_sticks_out(page, app, world, scheme, size):
    page.emulate_media(color_scheme=scheme)
    if size:
        page.set_viewport_size(size)
    taxonomies.publish(world.store, LEO, make.with_policy("gambling"), "a note")
    enter(page, app)
    unfold(page, "tasks.0.policies.0")
    page.fill(field("tasks.0.policies.0.question"), "")
    unfold(page, "actions.1")
    state(page, "1 to fix")
    page.click("#taxonomy-history summary")
    assert violations(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= page.viewport_size["width"]
    page.click("[data-back='0']")
    page.wait_for_selector(".tax-publish")
    assert violations(page) == []


def violations(page: Any) -> list[str]:
    options = {"runOnly": ["wcag2a", "wcag2aa", "wcag21aa", "wcag22aa"]}
    found = Axe().run(page, context="#taxonomy, #admin-dialog", options=options)
    return [
        f"{each['id']}: {node['html'][:160]}"
        for each in found.response["violations"]
        for node in each["nodes"]
    ]
