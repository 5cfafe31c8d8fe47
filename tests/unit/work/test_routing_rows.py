"""History as columns: the same as row by row, read once, and never stale."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from coefvq.domain import RouteName
from coefvq.prefilter.predict import Prefilter
from coefvq.review import decide
from coefvq.settings import Settings
from coefvq.store import replay_rows
from coefvq.store.session import Store
from coefvq.work import routing_rows
from coefvq.work.routing_history import NO_ANSWER, NOT_DRAWN, OLD_MODEL, history
from coefvq.work.routing_rows import Rows
from coefvq.work.task_probability import Recalibration
from tests.store_factory import ANN, route
from tests.unit.work.past import DRAWN, HUMAN, Largest, Past

NOT = route(RouteName.AUTO_PASS, propensity=0.05)


@pytest.fixture
def past(store: Store, settings: Settings) -> Past:
    return Past(store, settings)


def rows_of(past: Past, version: str = "prefilter-test", task: str = "icd") -> Rows:
    return routing_rows.read(past.store, past.settings, task, Largest(version)).rows


def counting(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many cases each look at the store asked for."""
    asked: list[int] = []
    whole = replay_rows.some

    def some(session, wanted):
        asked.append(len(wanted))
        return whole(session, wanted)

    monkeypatch.setattr(replay_rows, "some", some)
    return asked


def test_the_columns_say_what_the_rows_of_a_fit_say(past: Past) -> None:
    past.case(HUMAN, True, title="a title")
    past.case(DRAWN, False, mllm=False)
    past.case(HUMAN, False, icd={"hate_harassment": 0.3, "scam_spam": 0.6})
    past.case(NOT, True)
    found, _ = rows_of(past).counted()
    listed = history(past.store, "icd", Largest())
    assert len(found) == len(listed.rows) == 3
    for place, row in enumerate(listed.rows):
        assert (found.label[place], found.prefilter[place]) == (row.label, row.prefilter)
        assert found.weight[place] == pytest.approx(row.weight)
        assert found.prefilter_ms[place] == row.prefilter_ms
        for value, mine in ((found.mllm[place], row.mllm), (found.mllm_ms[place], row.mllm_ms)):
            assert math.isnan(value) if mine is None else value == mine
        assert np.array_equal(found.features[place], list(row.features.values()), equal_nan=True)
    assert rows_of(past).left_out == listed.left_out == {NOT_DRAWN: 1}


@pytest.mark.parametrize(
    ("how", "prefilter", "reason"),
    [({}, "prefilter-next", OLD_MODEL), ({"icd": {}}, "prefilter-test", NO_ANSWER)],
    ids=["an old model", "never judged"],
)
def test_what_would_mislead_is_counted_and_left_out(past: Past, how, prefilter, reason) -> None:
    past.case(HUMAN, True, **how)
    found = rows_of(past, prefilter)
    assert found.left_out == {reason: 1} and len(found.counted()[0]) == 0


def test_another_mllms_answer_is_not_used_and_counted(past: Past) -> None:
    past.case(HUMAN, True)
    past.case(HUMAN, False)
    with past.store.write() as session:
        from coefvq.store.tables import AssessmentRow, VerdictRow

        first = session.query(VerdictRow).order_by(VerdictRow.id).first()
        other = session.get(AssessmentRow, first.mllm_id)
        values = {c.name: getattr(other, c.name) for c in other.__table__.columns}
        session.add(AssessmentRow(**values | {"id": "zz", "model_version": "mllm-old"}))
        session.flush()
        from coefvq.store import cases

        icd = next(row for row in session.query(VerdictRow).order_by(VerdictRow.id)
                   if cases.get(session, row.case_id).task == "icd")  # fmt: skip
        kept = {c.name: getattr(icd, c.name) for c in icd.__table__.columns}
        session.add(VerdictRow(**kept | {"id": "zz", "mllm_id": "zz"}))
        session.flush()
        cases.get(session, icd.case_id).verdict_id = "zz"
    found, others = rows_of(past).counted()
    assert others == 1
    assert np.isnan(found.mllm).tolist() == [True, False]


def test_only_what_changed_is_read_again(past: Past, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = counting(monkeypatch)
    first = past.case(HUMAN, True)
    past.case(HUMAN, False)
    assert len(rows_of(past)) == len(rows_of(past)) == 2
    past.case(HUMAN, True)
    assert len(rows_of(past)) == 3
    past.decide(first, False)
    assert rows_of(past).label.tolist() == [0, 0, 1]
    decide.undo_last(past.store, past.settings, ANN)
    assert rows_of(past).label.tolist() == [1, 0, 1]
    assert asked == [2, 1, 1, 1]


def test_what_is_gone_is_gone(past: Past) -> None:
    past.case(HUMAN, True)
    assert len(rows_of(past)) == 1
    decide.undo_last(past.store, past.settings, ANN)
    assert len(rows_of(past)) == 0 == len(rows_of(past, task="ucc"))


def kept_file(past: Past) -> Path:
    (found,) = (past.settings.cache_dir / "routing").iterdir()
    return found


@pytest.mark.parametrize("damage", [b"", b"PK\x03\x04 nothing", None], ids=["empty", "zip", "gone"])
def test_a_damaged_file_is_read_anew(past: Past, damage: bytes | None) -> None:
    past.case(HUMAN, True)
    before = rows_of(past)
    if damage is None:
        kept_file(past).unlink()
    else:
        kept_file(past).write_bytes(damage)
    assert rows_of(past).case.tolist() == before.case.tolist()


def test_another_prefilter_reads_anew(past: Past, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = counting(monkeypatch)
    past.case(HUMAN, True)
    rows_of(past)
    rows_of(past, "prefilter-next")
    assert asked == [1, 1]


def test_a_long_history_is_read_in_several_calls(
    past: Past, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(routing_rows, "MANY", 1)
    for _ in range(3):
        past.case(HUMAN, True)
    moments = iter([0.0, 0.0, 9.0, 0.0, 0.0, 0.0, 9.0])
    monkeypatch.setattr(routing_rows.time, "monotonic", lambda: next(moments))
    reads = [
        routing_rows.read(past.store, past.settings, "icd", Largest(), seconds=1.0)
        for _ in range(2)
    ]
    assert [(len(read.rows), read.missing) for read in reads] == [(1, 2), (3, 0)]
    assert reads[0].share == pytest.approx(1 / 3) and reads[1].share == 1.0


@pytest.mark.parametrize("task", ["icd", "ucc", "none"])
def test_the_task_probability_is_the_prefilters(task: str, monkeypatch) -> None:
    model, light = Prefilter.load(), Recalibration.shipped()
    assert light.version == model.version
    if task == "none":
        task = "icd"
        monkeypatch.setattr(light, "tasks", {})
        monkeypatch.setattr(model, "_trained", type("T", (), {"tasks": {}}))
    for given in ({"violence": 0.3, "watermark": 0.8}, {"scam_spam": 1e-6}, {"watermark": 1.0}, {}):
        assert light.task_probability(task, given) == model.task_probability(task, given)
