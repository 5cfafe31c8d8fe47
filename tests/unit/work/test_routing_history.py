"""What the store knows for routing: predictions to fit on, and rates from audits."""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest

from coefvq.domain import Route, RouteName
from coefvq.errors import RoutingError
from coefvq.review import decide, queue
from coefvq.review.views import DecisionForm
from coefvq.routing.predictions_csv import read_predictions
from coefvq.routing_inputs import known_features
from coefvq.settings import Settings
from coefvq.store import cases
from coefvq.store.session import Store
from coefvq.store.tables import utcnow
from coefvq.work.routing_history import (
    NO_ANSWER,
    NO_AUDIT,
    NOT_DRAWN,
    OLD_MODEL,
    audit,
    history,
    write_predictions,
)
from tests.store_factory import ANN, route, scored

HUMAN = route(RouteName.HUMAN)
DRAWN = route(RouteName.AUTO_PASS, audit=True, propensity=0.05)
NOT = route(RouteName.AUTO_PASS, propensity=0.05)
FLAGGED = route(RouteName.AUTO_FLAG, propensity=0.05)


@dataclass
class Largest:
    """A prefilter as far as history needs it."""

    version: str = "prefilter-test"

    def task_probability(self, task_id: str, probabilities: Mapping[str, float]) -> float:
        return max(probabilities.values())


@dataclass
class Past:
    """Scores cases and decides them."""

    store: Store
    settings: Settings
    number: int = 0

    def case(self, way: Route, violation: bool | None = None, **how: object) -> str:
        self.number += 1
        content = f"video {self.number}".encode()
        ids = scored(self.store, self.settings, content, routes={"icd": way}, **how)  # type: ignore[arg-type]
        if violation is not None:
            self.decide(ids["icd"], violation)
        return ids["icd"]

    def decide(self, case_id: str, violation: bool) -> None:
        view = queue.open_case(self.store, self.settings, ANN, case_id)
        assert view.lease is not None and view.lease.token is not None
        reasons = {"hate_harassment": view.policies[1].reasons[0]} if violation else {}
        action = "remove" if violation else "keep"
        form = DecisionForm({"hate_harassment": violation}, action, reasons)
        decide.submit(self.store, self.settings, ANN, case_id, view.lease.token, form)

    def video(self, case_id: str) -> str:
        with self.store.read() as session:
            return cases.get(session, case_id).video_id


@pytest.fixture
def past(store: Store, settings: Settings) -> Past:
    return Past(store, settings)


def test_a_row_holds_what_both_stages_and_people_said(past: Past) -> None:
    case_id = past.case(HUMAN, True, title="a title")
    (row,) = history(past.store, "icd", Largest()).rows
    assert (row.item_id, row.label, row.weight) == (past.video(case_id), 1, 1.0)
    assert (row.prefilter, row.mllm) == (0.87 / 2, 0.87)
    assert (row.prefilter_ms, row.mllm_ms) == (84.0, 84.0)
    assert tuple(row.features) == known_features()
    assert row.features["prefilter_hate_harassment"] == 0.87 / 2
    assert (row.features["duration_s"], row.features["title_length"]) == (10.0, 7.0)
    assert math.isnan(row.features["caption_length"])


def test_an_audited_outcome_stands_for_many(past: Past) -> None:
    past.case(DRAWN, False, mllm=False)
    (row,) = history(past.store, "icd", Largest()).rows
    assert (row.label, row.mllm, row.mllm_ms) == (0, None, None)
    assert row.weight == pytest.approx(20.0)


@pytest.mark.parametrize(
    ("way", "how", "prefilter", "reason"),
    [
        pytest.param(NOT, {}, "prefilter-test", NOT_DRAWN, id="found by search"),
        pytest.param(HUMAN, {}, "prefilter-next", OLD_MODEL, id="an old model"),
        pytest.param(HUMAN, {"icd": {}}, "prefilter-test", NO_ANSWER, id="never judged"),
    ],
)
def test_what_would_mislead_is_left_out_and_counted(
    past: Past, way: Route, how: dict, prefilter: str, reason: str
) -> None:
    past.case(way, True, **how)
    with pytest.raises(RoutingError, match=f"1 {reason}"):
        history(past.store, "icd", Largest(prefilter))


def test_the_others_are_kept(past: Past) -> None:
    past.case(NOT, True)
    past.case(HUMAN, False)
    found = history(past.store, "icd", Largest())
    assert len(found.rows) == 1 and found.left_out == {NOT_DRAWN: 1}


def test_an_undone_decision_does_not_count(past: Past) -> None:
    past.case(HUMAN, True)
    decide.undo_last(past.store, past.settings, ANN)
    with pytest.raises(RoutingError, match="there is none yet"):
        history(past.store, "icd", Largest())


def test_the_newest_decision_counts(past: Past) -> None:
    case_id = past.case(HUMAN, True)
    past.decide(case_id, False)
    assert [row.label for row in history(past.store, "icd", Largest()).rows] == [0]


def test_other_tasks_are_apart(past: Past) -> None:
    past.case(HUMAN, True)
    with pytest.raises(RoutingError, match="No decision on task ucc"):
        history(past.store, "ucc", Largest())


def test_the_file_is_read_back_as_it_was(past: Past, tmp_path: Path) -> None:
    past.case(HUMAN, True, title="a title")
    past.case(DRAWN, False, mllm=False)
    rows = history(past.store, "icd", Largest()).rows
    write_predictions(rows, tmp_path / "p.csv")
    items = read_predictions(tmp_path / "p.csv")
    assert list(items.item_id) == [row.item_id for row in rows]
    assert items.label.tolist() == [1, 0]
    assert items.prefilter.tolist() == [row.prefilter for row in rows]
    assert items.has_mllm.tolist() == [True, False]
    assert items.weight.tolist() == [1.0, pytest.approx(20.0)]
    assert items.costs_given and items.mllm_cost.tolist() == [84.0, 84.0]
    assert items.feature_names == known_features()
    assert [path.name for path in tmp_path.iterdir() if path.suffix == ".part"] == []


def test_without_any_call_there_are_no_costs(past: Past, tmp_path: Path) -> None:
    past.case(DRAWN, False, mllm=False)
    write_predictions(history(past.store, "icd", Largest()).rows, tmp_path / "p.csv")
    with (tmp_path / "p.csv").open(encoding="utf-8") as file:
        head = next(csv.reader(file))
    assert head[:5] == ["item_id", "label", "prefilter", "mllm", "weight"]
    assert not read_predictions(tmp_path / "p.csv").costs_given


def test_rates_are_weighted_by_how_the_items_came(past: Past) -> None:
    """Ten sent, all violations; of many passed, two drawn: one miss stands for twenty."""
    for _ in range(4):
        past.case(HUMAN, True)
    past.case(DRAWN, True)
    past.case(DRAWN, False)
    for _ in range(6):
        past.case(NOT)
    report = audit(past.store, "icd")
    assert (report.items, report.labelled, report.audits) == (12, 6, 2)
    # 8 passed, half of them violations, beside 4 violations sent to people.
    assert report.estimate.miss_rate.value == pytest.approx(4 / 8)
    assert report.estimate.prevalence.value == pytest.approx(8 / 12)
    assert report.estimate.miss_rate.low < 0.5 < report.estimate.miss_rate.high


def test_what_somebody_looked_for_is_no_audit(past: Past) -> None:
    past.case(HUMAN, False)
    past.case(NOT, True)
    past.case(DRAWN, False)
    report = audit(past.store, "icd")
    assert (report.items, report.labelled) == (3, 2)
    assert report.estimate.prevalence.value == 0.0


def test_flagged_outcomes_give_the_precision(past: Past) -> None:
    past.case(route(RouteName.AUTO_FLAG, audit=True, propensity=0.05), True)
    past.case(route(RouteName.AUTO_FLAG, audit=True, propensity=0.05), False)
    past.case(FLAGGED)
    assert audit(past.store, "icd").estimate.precision.value == pytest.approx(0.5)


def test_a_call_that_failed_is_a_persons_case(past: Past) -> None:
    past.case(route(RouteName.MLLM), True)
    assert audit(past.store, "icd").estimate.prevalence.value == 1.0


def test_outcomes_from_before_audits_are_left_out_and_counted(past: Past) -> None:
    past.case(HUMAN, True)
    past.case(route(RouteName.AUTO_PASS))
    report = audit(past.store, "icd")
    assert (report.items, report.left_out) == (1, {NO_AUDIT: 1})


def test_without_decisions_there_is_no_estimate(past: Past) -> None:
    past.case(HUMAN)
    with pytest.raises(RoutingError, match="nothing is labelled"):
        audit(past.store, "icd")


def test_rates_of_a_period_are_from_its_verdicts_only(past: Past) -> None:
    past.case(HUMAN, True)
    past.case(DRAWN, False)
    now = utcnow()
    before, after = now - timedelta(days=1), now + timedelta(days=1)
    assert audit(past.store, "icd", since=before, until=after).items == 2
    for period in ({"since": after}, {"until": before}):
        with pytest.raises(RoutingError, match="nothing is labelled"):
            audit(past.store, "icd", **period)
