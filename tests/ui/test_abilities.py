"""Who gets what: every call of every page and every route, as nobody and in every role.

A call or route that is missing in the tables here fails: whoever adds one says who may use it.
"""

from __future__ import annotations

import itertools
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr
import httpx
import pytest
from sqlalchemy import select

from coefvq.review import passwords, users
from coefvq.review.queue import SKIP_REASONS as SKIPS
from coefvq.review.users import OPERATOR
from coefvq.settings import Settings
from coefvq.store import cases
from coefvq.store.session import open_store
from coefvq.store.tables import CaseRow, QueueRow
from reviewer_ui.build import build_app, build_blocks
from tests.people_fixtures import PASSWORD, QUICK, add_one_a_role
from tests.ui.abilities import (
    CALLS,
    EVERYONE,
    FORM,
    LEADS,
    NOBODY,
    ROUTES,
)
from tests.ui.conftest import Running
from tests.ui.world import World, make_clip


@dataclass
class House:
    """The app with one person a role, each with their cookie."""

    url: str
    world: World
    cookies: dict[str, str]
    components: dict[str, int]

    def client(self, who: str) -> httpx.Client:
        """Somebody's browser."""
        headers = {"cookie": f"coefvq_sign_in={self.cookies[who]}"} if who in self.cookies else {}
        return httpx.Client(base_url=self.url, headers=headers, timeout=30)

    def call(self, who: str, name: str, args: dict[str, Any]) -> httpx.Response:
        """Make a call as somebody."""
        page, function = name.split(".")
        body = {"component_id": self.components[page], "fn_name": function, "session_hash": "s",
                "data": self.filled(args)}  # fmt: skip
        with self.client(who) as client:
            return client.post("/gradio_api/component_server", json=body)

    def filled(self, args: Any) -> Any:
        """Put real ids into arguments."""
        known = {"{case}": self.world.case("argument"), "{video}": self.world.ids["argument"]}
        if isinstance(args, dict):
            return {key: self.filled(value) for key, value in args.items()}
        if isinstance(args, list):
            return [self.filled(value) for value in args]
        return known.get(args, args) if isinstance(args, str) else args


@contextmanager
def opened(home: Path, ids: dict[str, str]) -> Iterator[House]:
    """Open a filled library with one person a role in it."""
    settings = Settings(home=home)
    with pytest.MonkeyPatch.context() as patch, open_store(settings.url) as store:
        patch.setattr(passwords, "HASHER", QUICK)
        world = World(settings, store, dict(ids))
        add_one_a_role(store)
        users.add(store, OPERATOR, "target", PASSWORD, ["viewer"])
        with Running(world) as running:
            cookies = {who: _sign_in(running.url, who) for who in EVERYONE}
            house = House(running.url, world, cookies, {})
            with house.client("admin") as client:
                for component in client.get("/config").json()["components"]:
                    house.components[component["props"].get("elem_id") or ""] = component["id"]
            yield house


@pytest.fixture(scope="module")
def house(
    filled: tuple[Path, dict[str, str]], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[House]:
    """One for the module: what one call changes, no other test here looks at."""
    home = tmp_path_factory.mktemp("abilities") / "home"
    shutil.copytree(filled[0], home)
    with opened(home, filled[1]) as made:
        yield made


@pytest.fixture
def fresh_house(filled: tuple[Path, dict[str, str]], tmp_path: Path) -> Iterator[House]:
    """One of the test's own."""
    shutil.copytree(filled[0], tmp_path / "fresh")
    with opened(tmp_path / "fresh", filled[1]) as made:
        yield made


def _sign_in(url: str, who: str) -> str:
    answer = httpx.post(f"{url}/login", data={"name": who, "password": PASSWORD})
    return answer.cookies["coefvq_sign_in"]


def handlers(blocks: gr.Blocks) -> set[str]:
    """Names of everything that a page's script, or anybody who can post, can call."""
    return {
        f"{block.elem_id}.{name}"
        for block in blocks.blocks.values()
        for name, value in vars(block).items()
        if getattr(value, "_is_server_fn", False)
    }


def own_routes(app: Any) -> set[tuple[str, str]]:
    """Method and path of our own routes."""
    routers = [getattr(found, "original_router", None) for found in app.routes]
    routes = [*app.routes, *itertools.chain(*(r.routes for r in routers if r is not None))]
    return {
        (method, route.path) for route in routes for method in getattr(route, "methods", None) or ()
    }


def test_no_call_is_missing_in_the_table(house):
    found = handlers(build_blocks(house.world.store, house.world.settings))
    assert found - set(CALLS) == set(), "say in CALLS who may make these"
    assert set(CALLS) - found == set(), "these are gone"


def test_every_event_of_gradios_own_is_none(house):
    blocks = build_blocks(house.world.store, house.world.settings)
    assert list(blocks.fns.values()) == [], "an event handler is a call too: use server_function"


def test_no_route_is_missing_in_the_table(house):
    app = build_app(house.world.settings, house.world.store)
    missing = own_routes(app) - set(ROUTES)
    assert missing == set(), "say in ROUTES who gets what"
    pages = {f"/{route}" for route, *_ in build_blocks(house.world.store,
                                                      house.world.settings).pages}  # fmt: skip
    assert pages <= {path for _, path in ROUTES}


@pytest.mark.parametrize("name", CALLS)
def test_a_call_is_answered_to_those_who_may_make_it(house, name):
    may, args = CALLS[name]
    stranger = house.call(NOBODY, name, args)
    assert (stranger.status_code, stranger.json()["code"]) == (401, "signed_out")
    for who in EVERYONE:
        answer = house.call(who, name, args)
        assert answer.status_code == 200, (who, answer.text)
        code = answer.json().get("code", "")
        assert (code == "not_allowed") is (who not in may), (who, answer.json().get("error"))
        assert code != "bad_call", f"these arguments prove nothing: {answer.json()}"


@pytest.mark.parametrize(("method", "path"), ROUTES, ids=" ".join)
def test_a_route_answers_each_one_as_the_table_says(house, tmp_path, method, path):
    clip = make_clip(tmp_path / "clip.mp4", 0.4).read_bytes() if path == "/upload" else b""
    address = path.format(
        video_id=house.world.ids["argument"],
        kind="poster",
        month="2026-10",
        file="ledger.csv",
        export_id="x",
    )
    for who, status in ROUTES[method, path].items():
        with house.client(who) as client:
            if path == "/logout":  # with a cookie of its own: the others are still needed
                client.headers["cookie"] = "coefvq_sign_in=spent"
            answer = client.request(method, address, content=clip or None)
            assert answer.status_code == status, (who, answer.text[:200])


def gradio_paths(routes: Any, prefix: str = "") -> Iterator[tuple[str, str]]:
    """Every route that Gradio brings along."""
    for route in routes:
        inner = getattr(route, "original_router", None) or getattr(route, "app", None)
        context = getattr(route, "include_context", None)
        below = prefix + (getattr(context, "prefix", "") or "")
        if getattr(route, "methods", None):
            for method in route.methods:
                yield method, prefix + route.path
        elif inner is not None and hasattr(inner, "routes"):
            yield from gradio_paths(inner.routes, below + (getattr(route, "path", "") or ""))


def test_no_route_of_gradios_answers_a_stranger(house):
    app = build_app(house.world.settings, house.world.store)
    own = {path for _, path in ROUTES}
    asked, open_ = 0, []
    with house.client(NOBODY) as client:
        for method, path in sorted(set(gradio_paths(app.routes))):
            if path in own:
                continue
            for start in ("", "/gradio_api"):
                address = start + re.sub(r"\{[^}]*\}", "x", path)
                answer = client.request(
                    method, address, content=b"{}" if method == "POST" else None
                )
                asked += 1
                if answer.status_code not in {303, 401, 403, 404, 413} or (
                    answer.status_code == 303 and "/login" not in answer.headers["location"]
                ):
                    open_.append((method, address, answer.status_code))
    assert asked > 60
    assert open_ == []


FORGED = [
    ("review-page.submit", {"case": "forged", "token": 1} | FORM, "store"),
    ("review-page.submit", {"case": "{case}", "token": 999} | FORM, "lease_lost"),
    ("review-page.submit", {"case": "{case}", "token": -1} | FORM, "lease_lost"),
    ("review-page.skip", {"case": "forged", "token": 1, "reason": SKIPS[0]}, "store"),
    ("review-page.exposure", {"case": "forged", "seconds": 1}, "store"),
    ("review-page.exposure", {"case": "{case}", "seconds": 3600}, "bad_exposure"),
    ("review-page.add_note", {"case": "forged", "text": "x"}, "store"),
    ("review-page.poll", {"case": "../../etc/passwd"}, None),
]


@pytest.mark.parametrize(("name", "args", "code"), FORGED)
def test_forged_ids_and_tokens_are_refused(house, name, args, code):
    answer = house.call("reviewer", name, args).json()
    if code is not None:
        assert answer["code"] == code, answer
    assert "Traceback" not in str(answer)


def token_in(answer: httpx.Response) -> int:
    """The lease's token that a page was given."""
    found = re.search(r'data-token="(\d+)"', answer.json()["regions"]["decision-form"])
    assert found is not None
    return int(found.group(1))


def test_somebody_elses_lease_token_decides_nothing(fresh_house):
    case = {"case": fresh_house.world.case("plain")}
    token = {"token": token_in(fresh_house.call("reviewer", "review-page.open_case", case))}
    forged = fresh_house.call("lead", "review-page.submit", case | token | FORM).json()
    assert forged["code"] == "lease_lost"
    drafted = fresh_house.call("viewer", "review-page.save_draft", case | FORM).json()
    assert drafted["code"] == "not_allowed"
    mine = fresh_house.call("reviewer", "review-page.submit", case | token | FORM).json()
    assert "code" not in mine, mine
    taken_back = fresh_house.call("lead", "review-page.undo", {}).json()
    assert taken_back["code"] == "decision_refused"


@pytest.mark.parametrize("who", ["viewer", "uploader"])
def test_who_only_looks_is_given_no_case_and_no_lease(house, who):
    assert house.call(who, "review-page.open_case", {}).json()["case"] is None
    named = house.call(who, "review-page.open_case", {"case": "{case}"}).json()
    assert named["case"] == house.world.case("argument")
    assert 'data-token=""' in named["regions"]["decision-form"]


def test_a_reviewer_of_one_queue_is_given_no_case_of_another(fresh_house):
    store, world = fresh_house.world.store, fresh_house.world
    with store.write() as session:
        for name in ("first", "second"):
            session.add(QueueRow(id=name, name=name, policies=[], rules=[], restricted=True,
                                 position=len(name)))  # fmt: skip
        for row in session.scalars(select(CaseRow).where(CaseRow.state == "queued")):
            row.queue = "second"
        cases.get(session, world.case("plain")).queue = "first"
    users.change(store, OPERATOR, "reviewer", queues=["first"])
    given = fresh_house.call("reviewer", "review-page.open_case", {})
    assert given.json()["case"] == world.case("plain")
    skipped = {"case": world.case("plain"), "token": token_in(given), "reason": SKIPS[0]}
    assert fresh_house.call("reviewer", "review-page.skip", skipped).json()["case"] in {
        None, world.case("plain"),
    }  # fmt: skip
    users.change(store, OPERATOR, "reviewer", queues=[])
    assert fresh_house.call("reviewer", "review-page.open_case", {}).json()["case"] is None


@pytest.mark.parametrize(
    "extra",
    [{"role": "admin"}, {"roles": ["admin"]}, {"actor": "admin"}, {"name": "admin"},
     {"session_hash": "admin"}, {"username": "admin"}],
)  # fmt: skip
def test_a_role_in_the_arguments_changes_nothing(house, extra):
    args = {"password": PASSWORD, "name": "intruder", "roles": ["admin"]} | extra
    assert house.call("viewer", "admin-page.add_user", args).json()["code"] == "not_allowed"


@pytest.mark.parametrize(
    "headers",
    [{"x-forwarded-user": "admin"}, {"authorization": "Basic YWRtaW46YWRtaW4="},
     {"x-forwarded-for": "127.0.0.1"}, {"cookie": "access-token=x; access-token-unsecure=x"},
     {"cookie": "coefvq_sign_in=local"}],
)  # fmt: skip
def test_no_header_makes_somebody_of_nobody(house, headers):
    assert httpx.get(f"{house.url}/who", headers=headers).status_code == 401


def test_leads_see_no_people_and_admins_do(house):
    seen = {who: house.call(who, "admin-page.overview", {}).json()["regions"] for who in LEADS}
    assert (seen["lead"]["users-table"], seen["lead"]["user-add"]) == ("", "")
    assert "target" in seen["admin"]["users-table"] and "<form" in seen["admin"]["user-add"]
    assert "lead" in seen["lead"]["signed-in"]
    assert "argon2" not in str(seen)
