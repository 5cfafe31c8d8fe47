"""The whole app over HTTP with the client that comes with it; and who may call what."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import create_engine

from coefvq.api.app import PREFIX, build_api
from coefvq.client import ApiError, Client
from coefvq.ops import metrics, readiness
from coefvq.review import api_keys, passwords
from coefvq.review.access import ROLES
from coefvq.review.users import OPERATOR
from coefvq.settings import Settings
from coefvq.store import figures
from coefvq.store.session import Store, open_store
from coefvq.store.tables import AlarmRow, CaseRow, VideoRow
from coefvq.work.worker import Worker
from tests import media_factory
from tests.people_fixtures import PASSWORD, QUICK, add_one_a_role
from tests.store_factory import FixedCascade, scored
from tests.ui.abilities import API_ROUTES, METRICS_KEYS, SCOPES
from tests.ui.conftest import Running
from tests.ui.world import World

DASHBOARD = Path(__file__).parents[2] / "ops" / "grafana.json"


@dataclass
class House:
    """The app with a person for each role and a key for each scope."""

    url: str
    store: Store
    settings: Settings
    keys: dict[str, str]
    cookies: dict[str, str]
    video_id: str
    case_id: str


@contextmanager
def opened(home: Path, people: bool) -> Iterator[House]:
    """Serve a store with one scored video."""
    settings = Settings(home=home)
    with pytest.MonkeyPatch.context() as patch, open_store(settings.url) as store:
        patch.setattr(passwords, "HASHER", QUICK)
        case_id = scored(store, settings)["icd"]
        with store.read() as session:
            video_id = session.query(VideoRow).one().id
        if people:
            add_one_a_role(store)
        keys = {scope: api_keys.create(store, OPERATOR, scope, [scope]) for scope in SCOPES}
        with Running(World(settings, store, {})) as running:
            signed = {who: _cookie(running.url, who) for who in ROLES} if people else {}
            yield House(running.url, store, settings, keys, signed, video_id, case_id)


def _cookie(url: str, who: str) -> str:
    answer = httpx.post(f"{url}/login", data={"name": who, "password": PASSWORD})
    return answer.cookies["coefvq_sign_in"]


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with opened(tmp_path_factory.mktemp("api") / "home", people=True) as made:
        yield made


def ask(house: House, method: str, path: str, headers: dict[str, str]) -> httpx.Response:
    """Make a request that would do something."""
    address = PREFIX + path.format(
        video_id=house.video_id, case_id=house.case_id, request_id="nobodys"
    )
    body: dict[str, Any] = {}
    if method == "POST":
        bodies = {"/videos": {"content": b"bytes"}, "/signals": {"json": {"id": "a"}}}
        body = bodies.get(path, {"json": {"labels": {}, "action": "keep"}})
    return httpx.request(method, house.url + address, headers=headers, timeout=30, **body)


def test_no_route_of_the_api_is_missing_in_the_table(house: House) -> None:
    api = build_api(house.store, house.settings, lambda _: False)
    routers = [getattr(found, "original_router", None) for found in api.routes]
    routes = [*api.routes, *itertools.chain(*(r.routes for r in routers if r is not None))]
    found = {
        (method, route.path)
        for route in routes
        for method in getattr(route, "methods", None) or ()
        if method != "HEAD"
    }
    assert found == set(API_ROUTES)


@pytest.mark.parametrize(("method", "path"), API_ROUTES, ids=" ".join)
def test_a_route_answers_each_key_as_the_table_says(house: House, method: str, path: str) -> None:
    for scope, status in API_ROUTES[method, path].items():
        answer = ask(house, method, path, {"authorization": f"Bearer {house.keys[scope]}"})
        assert answer.status_code == status, (scope, answer.text[:200])
    strangers = {"nobody": {}} | {
        who: {"cookie": f"coefvq_sign_in={cookie}"} for who, cookie in house.cookies.items()
    }
    for who, headers in strangers.items():
        assert ask(house, method, path, headers).status_code == 401, who


def test_figures_are_for_those_who_watch(house: House) -> None:
    def status(headers: dict[str, str]) -> int:
        return httpx.get(f"{house.url}/metrics", headers=headers).status_code

    for scope, expected in METRICS_KEYS.items():
        assert status({"authorization": f"Bearer {house.keys[scope]}"}) == expected, scope
    for role in ROLES:
        expected = 200 if role in ("monitor", "lead", "admin") else 403
        assert status({"cookie": f"coefvq_sign_in={house.cookies[role]}"}) == expected, role
    assert status({}) == status({"authorization": "Bearer cvq_x_y"}) == 401
    # A key opens nothing but the API and the figures.
    key = {"authorization": f"Bearer {house.keys['decide']}"}
    assert httpx.get(f"{house.url}/who", headers=key).status_code == 401


@pytest.mark.parametrize("path", ["%0a", "x%0a", "%0d%0aconfig", "../config", "%2e%2e/config"])
def test_no_way_round_through_the_apis_door(house: House, path: str) -> None:
    answer = httpx.get(f"{house.url}{PREFIX}/{path}")
    assert answer.status_code in {401, 404} and "components" not in answer.text


def test_from_a_file_to_a_decision_with_the_client(tmp_path: Path) -> None:
    clip = media_factory.clip(tmp_path / "clip.mp4", seconds=1.0)
    with opened(tmp_path / "home", people=False) as house:
        with Client(house.url, house.keys["decide"]) as api:
            first = api.submit(clip, title="a walk", uploader="ann", idempotency_key="one")
            assert api.submit(clip, title="a walk", uploader="ann", idempotency_key="one") == first
            with pytest.raises(ApiError) as refused:
                api.submit(clip, title="another", idempotency_key="one")
            assert (refused.value.status, refused.value.code) == (409, "idempotency_conflict")
            Worker(house.settings, house.store, lambda _: FixedCascade(), "w").run_once()
            video = api.wait(first["id"], timeout_s=5)
            case_id = video["tasks"]["icd"]["case_id"]
            assert api.case(case_id)["verdict"] == "needs_human"
            done = api.decide(case_id, {"labels": {}, "action": "keep"})
            assert done["case_id"] == case_id
            assert case_id in {case["id"] for case in api.cases(state="decided", limit=1)}
            assert len(list(api.videos(limit=1))) == 2
            verdicts = [each["id"] for each in api.verdicts(limit=1)]
            assert len(verdicts) == 4 and verdicts == sorted(verdicts)
            assert list(api.verdicts(cursor=verdicts[-1])) == []
        with Client(house.url) as local:  # nobody is set up: this machine needs no key
            assert len(list(local.cases())) == 4
        with Client(house.url, "cvq_wrong_key") as wrong, pytest.raises(ApiError) as refused:
            wrong.video(first["id"])
        assert refused.value.status == 401


def test_health_is_told_and_what_is_amiss(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with opened(tmp_path / "home", people=True) as house:
        for path in ("/health", "/healthz", "/readyz"):
            assert httpx.get(house.url + path).json() == {"status": "ok"}
        monkeypatch.setattr(readiness, "LEAST_FREE", 2**60)
        with house.store.write() as session:
            session.connection().exec_driver_sql("UPDATE alembic_version SET version_num = '0001'")
        answer = httpx.get(f"{house.url}/readyz")
        assert answer.status_code == 503 and set(answer.json()["failed"]) == {"disk", "schema"}
        assert str(tmp_path) not in answer.text
        assert httpx.get(f"{house.url}/healthz").status_code == 200
        away = create_engine(f"sqlite:///{tmp_path}/no/such/folder/store.sqlite3")
        with monkeypatch.context() as patch:
            patch.setattr(house.store, "engine", away)
            assert "store" in httpx.get(f"{house.url}/readyz").json()["failed"]
            assert httpx.get(f"{house.url}/healthz").status_code == 200


def figures_of(text: str) -> dict[str, float]:
    """Samples of Prometheus' text format."""
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines)}


def test_the_figures_say_what_the_store_holds(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path / "home", mllm_price_per_1k_tokens=2.0)
    with open_store(settings.url) as store:
        scored(store, settings)
        report = {"policy": "icd", "scores": {"psi": 0.31}}
        with store.write() as session:
            figures.put(session, "drift", "icd", {"why": None, "reports": [report]})
            figures.put(session, "miss.30", "icd", {"miss_rate": [0.05, 0.01, 0.12]})
            figures.put(session, "miss.30", "ucc", {"why": "No case yet."})
            session.add(AlarmRow(kind="drift", subject="icd", severity="warning", message="x",
                                 data={}))  # fmt: skip
            session.query(CaseRow).where(CaseRow.task == "icd").one().queue = 'odd "name"\n'
        found = figures_of(metrics.render(store, settings, OPERATOR).decode())
    expected = {
        'coefvq_queue_waiting{queue="odd \\"name\\"\\n",task="icd"}': 1,
        'coefvq_cases{state="queued"}': 1, 'coefvq_cases{state="auto"}': 1,
        'coefvq_escalated_share{task="icd",version="entropy-0.6"}': 1,
        'coefvq_routed_last_hour{task="ucc",version="entropy-0.6"}': 1,
        'coefvq_mllm_failures_last_hour{task="icd"}': 0,
        "coefvq_runs_last_hour": 1, "coefvq_decisions_last_hour": 0,
        'coefvq_stage_seconds{quantile="0.95",stage="mllm"}': 0.9,
        "coefvq_mllm_money_last_hour": 0,
        'coefvq_drift_psi{policy="icd",task="icd"}': 0.31,
        'coefvq_miss_rate{bound="high",task="icd"}': 0.12,
        'coefvq_alarms{kind="drift",severity="warning"}': 1,
    }  # fmt: skip
    assert {name: found.get(name) for name in expected} == expected
    assert not [name for name in found if "miss_rate" in name and "ucc" in name]


def test_the_dashboard_asks_for_figures_that_there_are() -> None:
    panels = json.loads(DASHBOARD.read_text("utf-8"))["panels"]
    asked = {
        name
        for panel in panels
        for target in panel["targets"]
        for name in re.findall(r"coefvq_\w+", target["expr"])
    }
    assert asked == {metric.name for metric in metrics.METRICS}
