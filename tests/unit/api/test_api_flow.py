"""The API's calls: submit, list, look, decide; what each answers and refuses."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest

from coefvq.review import case_view
from coefvq.store import leases
from coefvq.store.tables import (
    ApiRequestRow,
    CaseRow,
    DecisionRow,
    JobRow,
    QueueRow,
    SignalRequestRow,
    VideoRow,
)
from tests.store_factory import ANN, LOCAL, scored, upload
from tests.unit.api.conftest import Api

KEEP: dict[str, Any] = {"labels": {}, "action": "keep"}
SIGNALS = {"id": "a", "title": "t"}
REMOVE = {"labels": {"hate_harassment": True}, "action": "remove",
          "reasons": {"hate_harassment": "other"}, "comment": "said so"}  # fmt: skip


def test_a_file_comes_in_and_its_status_is_told(api: Api) -> None:
    query = {"name": "C:\\x\\clip.mp4", "title": "a walk", "uploader": "ann"}
    made = api.post("submit", "/videos", params=query, content=b"bytes")
    assert made.status_code == 202, made.text
    digest = hashlib.sha256(b"bytes").hexdigest()
    assert made.json() == {"id": made.json()["id"], "sha256": digest, "status": "waiting"}
    found = api.get("read", f"/videos/{made.json()['id']}").json()
    assert (found["status"], found["name"], found["uploader"]) == ("waiting", "clip.mp4", "ann")
    assert (found["tasks"], found["sha256"], found["error"]) == ({}, digest, None)
    assert list((api.settings.home / "uploads").iterdir()) == []


def test_a_scored_video_has_the_tasks_of_the_command_line(api: Api) -> None:
    case_ids = scored(api.store, api.settings)
    (item,) = api.get("read", "/videos").json()["items"]
    found = api.get("read", f"/videos/{item['id']}").json()
    icd = found["tasks"]["icd"]
    assert (icd["case_id"], icd["verdict"], icd["route"]) == (
        case_ids["icd"], "needs_human", "human",
    )  # fmt: skip
    assert set(icd) >= {"verdict", "probability", "route", "routing", "policies"}
    assert icd["policies"]["hate_harassment"]["final"] == 0.87
    assert found["cost"]["mllm_ms"] == 900 and found["models"]["mllm"] == "mllm-test"


def test_lists_go_on_where_the_page_before_ended(api: Api) -> None:
    ids = [upload(api.store, api.settings, bytes([n])) for n in range(5)]
    seen, cursor = [], None
    for _ in range(3):
        page = api.get("read", "/videos", limit=2, **({"cursor": cursor} if cursor else {})).json()
        seen += [item["id"] for item in page["items"]]
        cursor = page["next"]
    assert (seen, cursor) == (ids[::-1], None)
    cases = api.get("read", "/cases", limit=3).json()
    rest = api.get("read", "/cases", limit=200, cursor=cases["next"]).json()
    both = [each["id"] for each in cases["items"] + rest["items"]]
    assert len(set(both)) == 10 and both == sorted(both, reverse=True) and rest["next"] is None


@pytest.mark.parametrize(
    ("path", "query", "n"),
    [
        pytest.param("/videos", {"status": "to_review"}, 1, id="videos by status"),
        pytest.param("/videos", {"text": "walk"}, 1, id="videos by words"),
        pytest.param("/videos", {"policy": "hate_harassment"}, 1, id="videos by policy"),
        pytest.param("/videos", {"uploader": "nobody"}, 0, id="videos by uploader"),
        pytest.param("/cases", {"state": "queued"}, 1, id="cases by state"),
        pytest.param("/cases", {"task": "ucc"}, 2, id="cases by task"),
        pytest.param("/cases", {"task": "ucc", "state": "auto"}, 1, id="cases by both"),
        pytest.param("/cases", {"queue": "nowhere"}, 0, id="cases by queue"),
        pytest.param("/verdicts", {}, 2, id="verdicts"),
        pytest.param("/verdicts", {"task": "icd"}, 1, id="verdicts by task"),
        pytest.param("/verdicts", {"since": "2999-01-01T00:00:00Z"}, 0, id="verdicts to come"),
        pytest.param("/verdicts", {"until": "2001-01-01T00:00:00+02:00"}, 0, id="verdicts of old"),
    ],
)
def test_filters(api: Api, path: str, query: dict[str, str], n: int) -> None:
    scored(api.store, api.settings, title="a walk")
    upload(api.store, api.settings, b"other")
    answer = api.get("read", path, **query)
    assert (answer.status_code, len(answer.json()["items"])) == (200, n), answer.text


def test_a_case_shows_what_a_reviewer_sees(api: Api) -> None:
    case_id = scored(api.store, api.settings)["icd"]
    found = api.get("read", f"/cases/{case_id}").json()
    assert found["verdict"] == "needs_human" and found["route"]["rule"] == "entropy"
    assert found["prefilter"]["model"] and found["mllm"]["scores"]
    assert found["evidence"][0]["quote"] == "you people"
    assert found["transcript"][0]["text"] and found["screen_text"]
    assert str(api.settings.home) not in str(found)


def test_a_decision_opens_decides_and_gives_back(api: Api) -> None:
    case_id = scored(api.store, api.settings)["icd"]
    scored(api.store, api.settings, b"next")
    done = api.post("decide", f"/cases/{case_id}/decision", json=REMOVE)
    assert done.status_code == 200, done.text
    assert done.json()["case_id"] == case_id
    with api.store.read() as session:
        row = session.get_one(DecisionRow, done.json()["decision_id"])
        assert (row.reviewer, row.role) == ("key:decide", "reviewer")
        held = [leases.current(session, leases.CASE, each.id) for each in session.query(CaseRow)]
    assert held == [None] * 4  # neither this one nor the next
    (decision,) = api.get("read", f"/cases/{case_id}").json()["decisions"]
    assert decision["labels"]["hate_harassment"] == "violation"


def test_a_case_that_somebody_has_open_is_not_decided(api: Api) -> None:
    case_id = scored(api.store, api.settings)["icd"]
    with api.store.write() as session:
        leases.claim(session, leases.CASE, case_id, "ann", 60.0)
    refused = api.post("decide", f"/cases/{case_id}/decision", json=KEEP)
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "lease_lost")
    assert case_view.view(api.store, api.settings, ANN, case_id).state == "queued"


@pytest.mark.parametrize(
    ("body", "status", "says"),
    [
        pytest.param({}, 400, "labels", id="nothing"),
        pytest.param({"labels": {}, "action": "keep", "x": 1}, 400, "x", id="unknown field"),
        pytest.param({"labels": {"a": "yes"}, "action": "keep"}, 400, "labels.a", id="no truth"),
        pytest.param({"labels": [], "action": "keep"}, 400, "labels", id="a list"),
        pytest.param(KEEP | {"verdict_id": "../x"}, 400, "verdict_id", id="no id"),
        pytest.param(KEEP | {"verdict_id": "x"}, 422, "not a verdict", id="foreign verdict"),
        pytest.param(KEEP | {"action": "explode"}, 422, "Unknown action", id="no action"),
        pytest.param(KEEP | {"start_s": 1.0}, 422, "one end", id="half a range"),
        pytest.param(KEEP | {"start_s": -1.0, "end_s": 9e9}, 422, "range", id="outside"),
        pytest.param(REMOVE | {"comment": ""}, 422, "say more", id="no comment"),
        pytest.param({"labels": {"x\x00": True}, "action": "keep"}, 422, "not in task", id="NUL"),
    ],
)
def test_a_form_that_does_not_fit_is_refused(
    api: Api, body: dict[str, Any], status: int, says: str
) -> None:
    case_id = scored(api.store, api.settings)["icd"]
    answer = api.post("decide", f"/cases/{case_id}/decision", json=body)
    assert answer.status_code == status, answer.text
    assert says in answer.json()["error"]["message"]
    with api.store.read() as session:
        assert session.query(DecisionRow).count() == 0


def test_restricted_queues_are_closed_as_on_the_pages(api: Api) -> None:
    case_ids = scored(api.store, api.settings)
    with api.store.write() as session:
        session.add(QueueRow(id="shut", name="shut", policies=[], rules=[], restricted=True,
                             position=9))  # fmt: skip
        session.get_one(CaseRow, case_ids["icd"]).queue = "shut"
        video_id = session.query(VideoRow).one().id
    # A key has no list of queues, which means all of them; a person's list counts.
    assert api.get("read", f"/cases/{case_ids['icd']}").status_code == 200
    from coefvq.api import lookup
    from coefvq.errors import NotAllowed
    from coefvq.review.access import Actor

    shut_out = Actor("key:x", frozenset({"reviewer"}), frozenset({"other"}))
    with pytest.raises(NotAllowed):
        lookup.video(api.store, api.settings, shut_out, video_id)
    how: dict[str, Any] = {"state": None, "task": None, "queue": None, "video_id": None}
    cases = lookup.list_cases(api.store, api.settings, shut_out, None, 50, **how)
    assert [each["id"] for each in cases["items"]] == [case_ids["ucc"]]
    times: dict[str, Any] = {"task": None, "since": None, "until": None}
    verdicts = lookup.list_verdicts(api.store, api.settings, shut_out, None, 50, **times)
    assert [each["case_id"] for each in verdicts["items"]] == [case_ids["ucc"]]


def test_who_is_to_answer_first_is_told_no_machines_answer(api: Api) -> None:
    case_id = scored(api.store, api.settings)["icd"]
    with api.store.write() as session:
        row = session.get_one(CaseRow, case_id)
        row.audit = True
        video_id = row.video_id
    for scope, blind in (("decide", True), ("read", False)):
        task = api.get(scope, f"/videos/{video_id}").json()["tasks"]["icd"]
        case = api.get(scope, "/cases", task="icd").json()["items"][0]
        verdict = api.get(scope, "/verdicts", task="icd").json()["items"][0]
        badge = api.get(scope, "/videos").json()["items"][0]["cases"][0]
        whole = api.get(scope, f"/cases/{case_id}").json()
        for each in (task, case, verdict, whole):
            assert each["blind"] is blind and (each["verdict"] is None) is blind
        assert (badge["verdict"] is None) is blind and (case["rule"] is None) is blind
        assert (whole["mllm"] is None) is blind


def test_what_was_deleted_is_not_there(api: Api) -> None:
    from coefvq.review import deletion

    scored(api.store, api.settings)
    video_id = api.get("read", "/videos").json()["items"][0]["id"]
    deletion.delete_video(api.store, api.settings, LOCAL, video_id, "asked for")
    assert api.get("read", f"/videos/{video_id}").status_code == 404
    for path in ("/videos", "/cases", "/verdicts"):
        assert api.get("read", path).json()["items"] == [], path


def test_the_document_names_every_call(api: Api) -> None:
    found = api.get("metrics", "/openapi.json").json()
    assert set(found["paths"]) == {
        "/videos", "/videos/{video_id}", "/signals", "/signals/{request_id}", "/cases",
        "/cases/{case_id}", "/cases/{case_id}/decision", "/verdicts",
    }  # fmt: skip
    assert "HTTPBearer" in found["components"]["securitySchemes"]
    assert api.get("read", "/docs").status_code == 404


POSTS: dict[str, tuple[str, dict[str, Any], dict[str, Any], type[Any]]] = {
    "submit": ("/videos", {"content": b"one"}, {"content": b"two"}, VideoRow),
    "signals": ("/signals", {"json": SIGNALS}, {"json": SIGNALS | {"id": "b"}}, SignalRequestRow),
    "decide": ("/cases/{case}/decision", {"json": KEEP}, {"json": KEEP | {"comment": "x"}},
               DecisionRow),
}  # fmt: skip


@pytest.mark.parametrize("name", POSTS)
def test_a_request_that_comes_twice_is_done_once(api: Api, name: str) -> None:
    path, first, other, table = POSTS[name]
    case_ids = scored(api.store, api.settings)
    path = path.format(case=case_ids["icd"])
    with api.store.read() as session:
        before = session.query(table).count()
    scope = "decide"
    answers = [api.post(scope, path, key="abc", **first) for _ in range(3)]
    assert {answer.status_code for answer in answers} == {answers[0].status_code}, answers[0].text
    assert answers[0].is_success and len({answer.text for answer in answers}) == 1
    conflict = api.post(scope, path, key="abc", **other)
    assert (conflict.status_code, conflict.json()["error"]["code"]) == (409, "idempotency_conflict")
    again = api.post(scope, path, key="def", **first)
    assert again.is_success and again.json() != answers[0].json()
    with api.store.read() as session:
        assert session.query(table).count() == before + 2
        assert session.query(ApiRequestRow).count() == 2
    assert not any((api.settings.home / "uploads").glob("*"))


def test_two_at_once_do_one_thing(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second began before the first had ended: what it did is undone."""
    from coefvq.api import repeat

    first = api.post("submit", "/videos", key="k", content=b"x").json()
    monkeypatch.setattr(repeat.Once, "_known", lambda self, store: None)
    assert api.post("submit", "/videos", key="k", content=b"x").json() == first
    with api.store.read() as session:
        assert session.query(VideoRow).count() == session.query(JobRow).count() == 1
