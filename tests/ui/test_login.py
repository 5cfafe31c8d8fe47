"""The login page and the door behind it: over HTTP, and in a real browser."""

from __future__ import annotations

from collections.abc import Iterator
from http.cookies import SimpleCookie

import httpx
import pytest

from coefvq.review import sign_in, users
from coefvq.review.users import OPERATOR
from coefvq.settings import Settings
from coefvq.store.session import Store
from reviewer_ui.login import local_path, login_page, who_chip
from tests.people_fixtures import PASSWORD, add_one_a_role, quick_hashes
from tests.ui.conftest import Running
from tests.ui.world import HOSTILE, World

__all__ = ["quick_hashes"]
pytestmark = pytest.mark.usefixtures("quick_hashes")
COOKIE = "coefvq_sign_in"


@pytest.fixture
def team(world: World) -> World:
    """One person a role, named like the role."""
    add_one_a_role(world.store)
    return world


@pytest.fixture
def http(team: World) -> Iterator[httpx.Client]:
    with Running(team) as running, httpx.Client(base_url=running.url, timeout=20) as client:
        yield client


def enter(http: httpx.Client, name: str = "reviewer", password: str = PASSWORD, **more: str):  # type: ignore[no-untyped-def]
    return http.post("/login", data={"name": name, "password": password, **more})


def test_signing_in_sets_a_cookie_that_no_script_and_no_other_site_gets(http):
    answer = enter(http)
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    cookie = SimpleCookie(answer.headers["set-cookie"])[COOKIE]
    assert (cookie["httponly"], cookie["samesite"].lower()) == (True, "strict")
    assert (cookie["path"], cookie["domain"], cookie["secure"]) == ("/", "", "")
    assert int(cookie["max-age"]) == 86400
    assert http.get("/who").json() == {"name": "reviewer", "roles": ["reviewer"]}


def test_behind_https_the_cookie_is_secure(http):
    answer = http.post("/login", data={"name": "reviewer", "password": PASSWORD},
                       headers={"x-forwarded-proto": "https"})  # fmt: skip
    assert SimpleCookie(answer.headers["set-cookie"])[COOKIE]["secure"] is True


@pytest.mark.parametrize(
    ("name", "password"),
    [
        ("reviewer", "qwertz-123"),
        ("nobody", PASSWORD),
        ("reviewer", ""),
        ("", ""),
        (HOSTILE, "zq9"),
    ],
)
def test_a_failure_shows_the_form_again_and_sets_nothing(http, name, password):
    answer = enter(http, name, password)
    assert answer.status_code == 401
    assert "set-cookie" not in answer.headers
    assert "Name or password is wrong" in answer.text and 'role="alert"' in answer.text
    assert "<img" not in answer.text and (not password or password not in answer.text)
    assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b'{"name": "reviewer", "password": "x"}', "application/json"),
        (b"\xff\xfe", "application/x-www-form-urlencoded"),
        (b"&".join([b"a=1"] * 50), "application/x-www-form-urlencoded"),
        (b"name=" + b"x" * 10_000, "application/x-www-form-urlencoded"),
        (b"", "text/plain"),
    ],
    ids=["json", "not text", "many fields", "long", "empty"],
)
def test_what_is_no_form_signs_nobody_in(http, content, kind):
    answer = http.post("/login", content=content, headers={"content-type": kind})
    assert answer.status_code == 401 and "set-cookie" not in answer.headers


def test_five_wrong_passwords_lock_over_http(http):
    for _ in range(5):
        assert enter(http, password="wrong password").status_code == 401
    assert enter(http).status_code == 401
    assert enter(http, "lead").status_code == 303


NEXT = [
    ("/", "/"),
    ("/library?search=a%20b&status=failed", "/library?search=a%20b&status=failed"),
    ("/?case=01abc", "/?case=01abc"),
    ("", "/"),
    ("https://evil.example/", "/"),
    ("//evil.example/", "/"),
    ("///evil.example", "/"),
    ("/\\evil.example", "/"),
    ("\\\\evil.example", "/"),
    ("javascript:alert(1)", "/"),
    ("evil.example", "/"),
    ("/\t/evil.example", "/"),
    ("/ /evil.example", "/"),
    ("/\r\nset-cookie: a=b", "/"),
    ("/login?next=/login", "/"),
    ("/logout", "/"),
]


@pytest.mark.parametrize(("wanted", "goes"), NEXT)
def test_only_paths_of_ours_are_followed(wanted, goes):
    assert local_path(wanted) == goes


@pytest.mark.parametrize(("wanted", "goes"), [NEXT[1], NEXT[5], NEXT[7], NEXT[13]])
def test_a_posted_next_leads_nowhere_else(http, wanted, goes):
    answer = enter(http, next=wanted)
    assert (answer.status_code, answer.headers["location"]) == (303, goes)
    assert goes == "/" or goes in http.get("/login", params={"next": wanted}).text.replace(
        "&amp;", "&"
    )


@pytest.mark.parametrize(
    ("path", "to"),
    [
        ("/", "/login?next=/"),
        ("/library?search=a&status=failed", "/login?next=/library%3Fsearch%3Da%26status%3Dfailed"),
        ("/?case=01abc", "/login?next=/%3Fcase%3D01abc"),
        ("/admin", "/login?next=/admin"),
    ],
)
def test_a_page_leads_to_the_login_and_back(http, path, to):
    answer = http.get(path)
    assert (answer.status_code, answer.headers["location"]) == (303, to)
    back = enter(http, next=httpx.URL(to).params["next"])
    assert back.headers["location"] == path


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/media/x/proxy"),
        ("HEAD", "/media/x/proxy"),
        ("POST", "/upload"),
        ("GET", "/config"),
        ("GET", "/gradio_api/info"),
        ("GET", "/gradio_api/heartbeat/x"),
        ("POST", "/gradio_api/queue/join"),
        ("POST", "/gradio_api/component_server"),
        ("GET", "/theme.css"),
        ("GET", "/assets/index.js"),
        ("GET", "/who"),
        ("GET", "/login/"),
        ("POST", "/"),
        ("GET", "/UI/base.css"),
        ("GET", "/health/x"),
    ],
)
def test_nothing_else_answers_to_strangers(http, method, path):
    answer = http.request(method, path, headers={"accept": "*/*", "content-length": "0"})
    assert answer.status_code == 401
    assert method == "HEAD" or answer.json()["code"] == "signed_out"


@pytest.mark.parametrize("path", ["/login", "/ui/base.css", "/ui/login.css", "/health"])
def test_what_strangers_get(http, path):
    answer = http.get(path)
    assert answer.status_code == 200
    assert "x-frame-options" in answer.headers


@pytest.mark.parametrize("value", ["", "x", "a" * 43, '"quoted"', "a=b"])
def test_a_forged_cookie_is_nobodys(http, value):
    assert http.get("/who", headers={"cookie": f"{COOKIE}={value}"}).status_code == 401


def test_a_cookie_planted_before_is_not_the_one_that_counts(http):
    http.cookies.set(COOKIE, "planted" * 6, domain="127.0.0.1")
    made = SimpleCookie(enter(http).headers["set-cookie"])[COOKIE].value
    assert made != "planted" * 6
    for value, status in (("planted" * 6, 401), (made, 200)):
        with httpx.Client(base_url=http.base_url, headers={"cookie": f"{COOKIE}={value}"}) as other:
            assert other.get("/who").status_code == status


def test_signing_in_as_somebody_else_ends_the_first_sign_in(http):
    first = SimpleCookie(enter(http).headers["set-cookie"])[COOKIE].value
    enter(http, "lead")
    assert http.get("/who").json()["name"] == "lead"
    old = httpx.get(f"{http.base_url}/who", headers={"cookie": f"{COOKIE}={first}"})
    assert old.status_code == 401


def test_a_disabled_user_is_out_with_the_next_request(http, team):
    enter(http)
    assert http.get("/library").status_code == 200
    users.disable(team.store, OPERATOR, "reviewer")
    assert http.get("/who").status_code == 401
    assert http.get("/library").headers["location"] == "/login?next=/library"
    assert enter(http).status_code == 401


def test_signing_out_ends_the_token_and_forgets_the_cookie(http):
    token = SimpleCookie(enter(http).headers["set-cookie"])[COOKIE].value
    answer = http.post("/logout")
    assert (answer.status_code, answer.headers["location"]) == (303, "/login")
    assert COOKIE not in http.cookies
    again = httpx.get(f"{http.base_url}/who", headers={"cookie": f"{COOKIE}={token}"})
    assert again.status_code == 401
    assert http.post("/logout").status_code == 303  # twice does no harm


@pytest.mark.parametrize("path", ["/login", "/logout"])
def test_another_site_can_neither_sign_in_nor_out(http, path):
    enter(http)
    headers = {"origin": "http://evil.example"}
    assert http.post(path, headers=headers, data={"name": "lead"}).status_code == 403
    assert http.get("/who").json()["name"] == "reviewer"


def test_signing_out_is_no_link(http):
    enter(http)
    assert http.get("/logout").status_code == 405
    assert http.get("/who").status_code == 200


def test_without_users_nobody_signs_in(app):
    with httpx.Client(base_url=app) as client:
        assert client.get("/library").status_code == 200
        assert client.get("/who").json()["name"] == "local"
        assert client.get("/login?next=/library").headers["location"] == "/library"
        assert enter(client).status_code == 401


def test_the_first_user_closes_the_door_for_everyone(app, world):
    with httpx.Client(base_url=app) as client:
        users.add(world.store, OPERATOR, "mara", PASSWORD, ["admin"])
        assert client.get("/who").status_code == 401


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("review.example", 401),
        ("REVIEW.example:8443", 401),
        ("10.0.0.5", 401),
        ("localhost", 200),
        ("evil.example", 403),
        ("review.example.evil.example", 403),
        ("[", 403),
    ],
)
def test_the_name_of_a_proxy_is_answered_and_is_not_this_machine(world, host, status):
    settings = world.settings.model_copy(update={"allowed_hosts": "Review.example, 10.0.0.5"})
    with Running(World(settings, world.store, world.ids)) as running:
        assert httpx.get(f"{running.url}/who", headers={"host": host}).status_code == status


def test_the_chip_escapes_and_the_page_does_too(settings_and_store: tuple[Settings, Store]):
    settings, store = settings_and_store
    page = login_page('/"><script>alert(1)</script>', HOSTILE, HOSTILE)
    assert "<img" not in page and "<script>alert" not in page
    users.add(store, OPERATOR, "ann", PASSWORD, ["lead"])
    actor = sign_in.who(store, settings, sign_in.sign_in(store, settings, "ann", PASSWORD))
    assert actor is not None
    assert 'action="/logout"' in who_chip(actor) and ">ann<" in who_chip(actor)
    assert "/admin" in who_chip(actor)


@pytest.fixture
def settings_and_store(empty_world: World) -> tuple[Settings, Store]:
    return empty_world.settings, empty_world.store


@pytest.mark.browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_person_signs_in_works_and_signs_out(page, team, scheme):
    page.emulate_media(color_scheme=scheme)
    with Running(team) as running:
        page.goto(f"{running.url}/library?search=cooking")
        assert page.evaluate("document.documentElement.dataset.theme") == scheme
        assert page.evaluate("document.activeElement.id") == "login-user"
        page.keyboard.type("lead")
        page.keyboard.press("Tab")
        page.keyboard.type("wrong password")
        page.keyboard.press("Enter")
        page.wait_for_selector("#login-error")
        assert page.input_value("#login-user") == "lead"
        assert page.evaluate("document.activeElement.id") == "login-password"
        page.keyboard.type(PASSWORD)
        page.click("#login-submit")
        page.wait_for_selector("#library-grid a")
        assert page.url == f"{running.url}/library?search=cooking"
        page.goto(f"{running.url}/admin")
        page.click("text=Sign out")
        page.wait_for_selector("#login-user")
        page.goto(f"{running.url}/library")
        assert "/login?next=" in page.url
    assert page.outside == []
    assert [fault for fault in page.faults if "401" not in fault] == []


@pytest.mark.browser
def test_a_link_from_another_site_finds_whoever_is_signed_in(page, team):
    with Running(team) as running:
        page.goto(f"{running.url}/login?next=/library")
        page.fill("#login-user", "reviewer")
        page.fill("#login-password", PASSWORD)
        page.click("#login-submit")
        page.wait_for_selector("#library-grid a")
        link = f"<a href='{running.url}/library?search=audit'>look</a>"
        page.route("http://elsewhere.example/", lambda r: r.fulfill(
            body=link, content_type="text/html"))  # fmt: skip
        page.goto("http://elsewhere.example/")
        page.click("a")
        page.wait_for_url(f"{running.url}/library?search=audit")


@pytest.mark.browser
def test_the_login_page_works_without_scripts_and_on_a_phone(browser, team):
    context = browser.new_context(java_script_enabled=False, viewport={"width": 390, "height": 844})
    page = context.new_page()
    with Running(team) as running:
        page.goto(f"{running.url}/library")
        page.get_by_label("Name").fill("reviewer")
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Sign in").click()
        assert page.url == f"{running.url}/library"
    context.close()


@pytest.mark.browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_person_changes_their_password(page, team, scheme):
    page.emulate_media(color_scheme=scheme)
    with Running(team) as running:
        page.goto(running.url)
        page.fill("#login-user", "reviewer")
        page.fill("#login-password", PASSWORD)
        page.click("#login-submit")
        page.click("#who .name")
        page.fill("#password-old", PASSWORD)
        page.fill("#password-new", "another password")
        page.fill("#password-again", "another passwort")
        page.click("#password-submit")
        assert "the same twice" in page.inner_text("#login-error")
        page.fill("#password-old", PASSWORD)
        page.fill("#password-new", "another password")
        page.fill("#password-again", "another password")
        page.click("#password-submit")
        page.wait_for_selector("#password-done")
    with pytest.raises(sign_in.SignInRefused):
        sign_in.sign_in(team.store, team.settings, "reviewer", PASSWORD)
    assert sign_in.sign_in(team.store, team.settings, "reviewer", "another password")
