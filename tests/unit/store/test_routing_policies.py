"""Routing policies in the store: final versions, publications, ways back."""

from __future__ import annotations

import pytest
from sqlalchemy.orm import Session

from coefvq.domain import Assessment, Stage
from coefvq.errors import StoreError
from coefvq.store import assessments, events, routing_policies
from coefvq.store.session import Store
from coefvq.store.tables import MediaRow, VideoRow

A, B, C = "entropy-a", "learned-b", "similar-c"


@pytest.fixture
def three(store: Store) -> Store:
    """A store that knows three versions and has published none."""
    with store.write() as session:
        for version in (A, B, C):
            routing_policies.add(session, version, version[:-2], {"name": version}, "ann")
    return store


def _publish(session: Session, *versions: str, task: str = "icd") -> None:
    for version in versions:
        routing_policies.publish(session, task, version, "ann", f"try {version}")


def _in_force(store: Store, task: str = "icd") -> str | None:
    with store.read() as session:
        row = routing_policies.in_force(session, task)
    return None if row is None else row.version


def test_a_version_is_kept_once_and_keeps_its_first_author(store: Store) -> None:
    with store.write() as session:
        first = routing_policies.add(session, A, "entropy", {"threshold": 0.6}, "ann")
        same = routing_policies.add(session, A, "entropy", {"threshold": 0.6}, "bob")
        assert first is same and same.created_by == "ann"
    with store.read() as session:
        assert list(routing_policies.policies(session)) == [A]


def test_a_version_cannot_get_another_content(three: Store) -> None:
    with pytest.raises(StoreError, match="it is final"), three.write() as session:
        routing_policies.add(session, A, "entropy", {"name": "other"}, "ann")


def test_numbers_come_back_to_the_last_digit(store: Store) -> None:
    document = {"x": 0.1 + 0.2, "least": -1e300, "deep": [[1 / 3]]}
    with store.write() as session:
        routing_policies.add(session, A, "entropy", document, "ann")
    with store.read() as session:
        assert routing_policies.policies(session)[A].document == document


def test_an_unknown_version_cannot_be_published(store: Store) -> None:
    with pytest.raises(StoreError, match="no routing policy"), store.write() as session:
        routing_policies.publish(session, "icd", "entropy-0", "ann")


def test_the_last_publication_of_each_task_is_in_force(three: Store) -> None:
    with three.write() as session:
        _publish(session, A, B)
        _publish(session, C, task="ucc")
    with three.read() as session:
        assert routing_policies.versions_in_force(session) == {"icd": B, "ucc": C}
        assert [row.version for row in routing_policies.history(session, "icd")] == [B, A]
        assert [row.version for row in routing_policies.history(session)] == [C, B, A]
    assert (_in_force(three), _in_force(three, "other")) == (B, None)


@pytest.mark.parametrize(
    ("published", "back_to"),
    [
        pytest.param([A, B], [A], id="once"),
        pytest.param([A, B, C], [B, A], id="further back each time"),
        pytest.param([A, A, B, B], [A], id="publishing the same again is no step"),
        pytest.param([A, B, A], [B, A], id="an old one published again is a step of its own"),
    ],
)
def test_the_way_back(three: Store, published: list[str], back_to: list[str]) -> None:
    with three.write() as session:
        _publish(session, *published)
    for version in back_to:
        with three.write() as session:
            routing_policies.rollback(session, "icd", "bob", "it flagged too much")
        assert _in_force(three) == version
    with pytest.raises(StoreError, match="no way back for task icd"), three.write() as session:
        routing_policies.rollback(session, "icd", "bob")
    with three.read() as session:
        rows = routing_policies.history(session, "icd")
    assert len(rows) == len(published) + len(back_to)
    assert sum(row.rollback for row in rows) == len(back_to)


def test_after_a_way_back_a_new_version_goes_on_from_there(three: Store) -> None:
    with three.write() as session:
        _publish(session, A, B)
        routing_policies.rollback(session, "icd", "bob")
        _publish(session, C)
        routing_policies.rollback(session, "icd", "bob")
    assert _in_force(three) == A


@pytest.mark.parametrize(
    ("published", "says"),
    [
        pytest.param([], "nothing is published", id="none"),
        pytest.param([A], f"{A} is the first", id="the first"),
    ],
)
def test_without_an_earlier_version_it_is_refused(
    three: Store, published: list[str], says: str
) -> None:
    with three.write() as session:
        _publish(session, *published)
    with pytest.raises(StoreError, match=says) as found, three.write() as session:
        routing_policies.rollback(session, "icd", "bob")
    assert "the settings' entropy rule applied" in str(found.value)


def test_tasks_go_back_by_themselves(three: Store) -> None:
    with three.write() as session:
        _publish(session, A, B)
        _publish(session, A, C, task="ucc")
        routing_policies.rollback(session, "ucc", "bob")
    assert (_in_force(three), _in_force(three, "ucc")) == (B, A)


def test_every_publication_is_an_event(three: Store) -> None:
    with three.write() as session:
        _publish(session, A, B)
        routing_policies.rollback(session, "icd", "bob", "back")
    with three.read() as session:
        found = [(e.kind, e.actor, e.data) for e in events.of_subject(session, "task", "icd")]
        assert events.verify(session) is None
    assert found == [
        ("routing.published", "ann", {"version": A, "note": f"try {A}"}),
        ("routing.published", "ann", {"version": B, "note": f"try {B}"}),
        ("routing.rolled_back", "bob", {"version": A, "note": "back"}),
    ]


def _answer(store: Store, stage: Stage, version: str) -> None:
    with store.write() as session:
        if session.get(MediaRow, "a" * 64) is None:
            session.add(MediaRow(sha256="a" * 64, file_name="a.mp4", size_bytes=1))
            session.flush()
            session.add(VideoRow(id="v", sha256="a" * 64, original_name="a.mp4", uploader="ann"))
            session.flush()
        assessments.add(session, "v", Assessment(stage, version, {}))


def _others(store: Store, version: str = A) -> dict[str, str]:
    with store.read() as session:
        return routing_policies.other_models(session, "icd", version)


def test_a_publication_remembers_the_models_that_answered(three: Store) -> None:
    _answer(three, Stage.PREFILTER, "p1")
    with three.write() as session:
        _publish(session, A)
        assert routing_policies.models_at_publication(session, "icd", A) == {"prefilter": "p1"}
        assert routing_policies.models_at_publication(session, "icd", B) == {}
    assert _others(three) == {}
    _answer(three, Stage.MLLM, "m1")  # was not known then: nothing to compare with
    assert _others(three) == {}
    _answer(three, Stage.PREFILTER, "p2")
    assert _others(three) == {"prefilter": "p2"}
    with three.write() as session:
        _publish(session, A)
    assert _others(three) == {}
    _answer(three, Stage.MLLM, "m2")
    assert _others(three) == {"mllm": "m2"}


def test_a_way_back_does_not_make_old_calibrations_fit_new_models(three: Store) -> None:
    _answer(three, Stage.PREFILTER, "p1")
    with three.write() as session:
        _publish(session, A)
    _answer(three, Stage.PREFILTER, "p2")
    with three.write() as session:
        _publish(session, B)
        routing_policies.rollback(session, "icd", "ann")
    assert _others(three, B) == {} and _others(three) == {"prefilter": "p2"}


def test_a_policy_that_is_not_there_is_named(three: Store) -> None:
    with three.read() as session:
        assert routing_policies.get(session, A).version == A
        with pytest.raises(StoreError, match="no routing policy none"):
            routing_policies.get(session, "none")
