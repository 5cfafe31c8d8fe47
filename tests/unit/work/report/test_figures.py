"""The figures of a month, counted by hand."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from coefvq import taxonomy
from coefvq.errors import NotAllowed, SettingsError
from coefvq.review.access import Actor
from coefvq.store.session import Store
from coefvq.work.report import figures_of
from coefvq.work.report.model import Month, Rate, median, percentile_95
from tests.unit.work.alarms.conftest import NOW, Scene

LEAD = Actor("lea", frozenset({"lead"}))


def figures(scene_or_store: Any, month: str = "2026-11", now: datetime = NOW) -> dict[str, Any]:
    """Every table of a report by section and table."""
    store = getattr(scene_or_store, "store", scene_or_store)
    found = json.loads(json.dumps(figures_of(store, LEAD, month, now).to_json(), allow_nan=False))
    return found | {section["id"]: section["tables"] for section in found["sections"]}


@pytest.mark.parametrize(
    ("name", "since", "until"),
    [
        ("2026-10", datetime(2026, 10, 1, tzinfo=UTC), datetime(2026, 11, 1, tzinfo=UTC)),
        ("2025-12", datetime(2025, 12, 1, tzinfo=UTC), datetime(2026, 1, 1, tzinfo=UTC)),
        ("2024-02", datetime(2024, 2, 1, tzinfo=UTC), datetime(2024, 3, 1, tzinfo=UTC)),
    ],
)
def test_a_month_is_one_in_utc(name: str, since: datetime, until: datetime) -> None:
    found = Month.named(name, NOW)
    assert (found.since, found.until) == (since, until)


@pytest.mark.parametrize(
    ("name", "says"),
    [("2026-13", "no month"), ("2026-1", "no month"), ("../x", "no month"), ("", "no month"),
     ("2026-12", "not begun"), ("0001-01", "no month"), ("9999-12", "no month"),
     ("2026-11\n", "no month"), ("٢٠٢٦-10", "no month")],
)  # fmt: skip
def test_what_is_no_month_is_refused(name: str, says: str) -> None:
    with pytest.raises(SettingsError, match=says):
        Month.named(name, NOW)


@pytest.mark.parametrize(
    ("values", "middle", "late"),
    [([], None, None), ([5.0], 5.0, 5.0), ([1.0, 3.0], 2.0, 3.0),
     ([float(n) for n in range(1, 101)], 50.5, 95.0)],
)  # fmt: skip
def test_median_and_95th_percentile(values: list[float], middle: Any, late: Any) -> None:
    assert (median(values).value, percentile_95(values).value) == (middle, late)


def test_a_rate_of_nothing_is_unknown() -> None:
    assert Rate.of(0, 0).value is None and Rate.of(1, 4).value == 0.25


def test_volumes(full: Scene) -> None:
    found = figures(full)["volumes"]
    # two videos more stand behind the looks
    assert found["all"] == [{
        "Videos uploaded": 14, "Different files": 1, "Uploaders": 5, "Decisions": 7, "Undone": 0,
        "People who decided": 2,
    }]  # fmt: skip
    (icd,) = found["tasks"]
    assert icd["Escalated"]["value"] == pytest.approx(4 / 14)
    assert {name: icd[name] for name in list(icd)[3:]} == {
        "Passed automatically": 6, "Flagged automatically": 4, "Sent to people": 4,
        "Drawn for an audit": 3, "Decided": 7,
    }  # fmt: skip
    violence = next(
        row for row in found["policies"] if row["Policy"] == taxonomy.policy("violence").name
    )
    assert (violence["Decided: violation"], violence["Decided: none"]) == (4, 3)
    assert {row["Action"]: row["Decisions"] for row in found["actions"]} == {
        "Keep": 3, "Remove": 3, "Warn the uploader": 1,
    }  # fmt: skip


def test_the_miss_rate_is_that_of_the_months_audits(full: Scene) -> None:
    found = figures(full)["misses"]
    rates = {row["Rate"]: row["Value"] for row in found["misses"]}
    assert rates["Miss rate"]["value"] == 0.0 and rates["Miss rate"]["high"] > 0.3
    assert rates["Precision of flags"]["value"] == 1.0
    (row,) = found["basis"]
    assert (row["Outcomes"], row["Decided by people, sent or drawn"], row["Audits drawn"]) == (
        12,
        6,
        3,
    )


def test_agreement_and_appeals(full: Scene) -> None:
    found = figures(full)
    same = {row["Looks"]: row["Same answer"] for row in found["agreement"]["agreement"]}
    assert (same["Golden cases"]["value"], same["Golden cases"]["n"]) == (0.9, 10)
    assert (same["Second looks"]["value"], same["Second looks"]["n"]) == (0.75, 4)
    (row,) = found["appeals"]["appeals"]
    assert (row["Filed"], row["Answered"], row["Open at the month's end"]) == (3, 2, 1)
    assert row["Overturned"]["value"] == 0.5
    assert row["Median time to an answer"] == timedelta(days=2).total_seconds()


def test_times_in_the_queue_and_costs(full: Scene) -> None:
    found = figures(full)
    (urgent,) = found["waits"]["waits"]
    assert (urgent["Queue"], urgent["Decisions"]) == ("Urgent", 3)
    assert (urgent["Median"], urgent["95th percentile"]) == (26 * 3600.0, 48 * 3600.0)
    (prefilter,) = found["costs"]["costs"]
    assert (prefilter["Stage"], prefilter["Runs"]) == ("Prefilter", 14)
    assert (prefilter["Time in all"], prefilter["Mean a run"]) == pytest.approx((1.4, 0.1))


def test_changes_and_alarms_name_nobody(full: Scene) -> None:
    found = figures(full)
    assert [len(found["changes"][name]) for name in ("routing", "models", "taxonomies")] == [1] * 3
    about = [row["About"] for row in found["alarms"]["alarms"]]
    assert "a reviewer" in about and "ann" not in json.dumps(found)
    assert "lea" not in [word for row in found["changes"]["routing"] for word in row.values()]


def test_transparency_figures(full: Scene) -> None:
    found = figures(full)["transparency"]
    counted = {
        (row["Restriction"], row["Detected and decided by"]): row["Number"]
        for row in found["measures"]
    }
    assert counted["Remove", "automated means, a person decided"] == 1
    assert counted["Warn the uploader", "automated means, a person decided"] == 1
    assert counted["Remove", "random audit, a person decided"] == 1
    assert counted["Remove", "found by a person, who decided"] == 1
    assert sum(n for (_, by), n in counted.items() if "no person" in by) == 2
    (complaints,) = found["complaints"]
    assert (complaints["Received"], complaints["Reversed"], complaints["Upheld"]) == (3, 1, 1)
    assert {row["Value"] for row in found["unknown"]} == {"not known here"}
    assert {row["Article"] for row in found["unknown"]} >= {"15(1)(a)", "24(2)", "42(2)(c)"}


def test_other_months_have_their_own(full: Scene) -> None:
    october = figures(full, "2026-10")
    assert october["complete"] and not october["nothing"]
    assert october["volumes"]["all"][0]["Videos uploaded"] == 1
    assert october["appeals"]["appeals"][0]["Filed"] == 1
    assert not figures(full)["complete"]


def test_an_undone_decision_is_counted_as_undone(full: Scene) -> None:
    from coefvq.store import decisions
    from coefvq.store.tables import DecisionRow

    with full.store.write() as session:
        row = session.query(DecisionRow).order_by(DecisionRow.id).first()
        assert row is not None
        decisions.undo(session, row, "ann", NOW)
    (row_,) = figures(full)["volumes"]["all"]
    assert (row_["Decisions"], row_["Undone"]) == (6, 1)


def test_a_month_without_data_says_so(store: Store) -> None:
    found = figures(store)
    assert found["nothing"]
    assert found["volumes"]["tasks"] == found["misses"]["misses"] == []
    assert all(row["Value"]["value"] is None for row in found["transparency"]["automated"])


def test_policies_that_are_gone_keep_their_id(scene: Scene) -> None:
    scene.video(policy="long_gone", task="old_task")
    scene.flush()
    found = figures(scene)["volumes"]
    assert found["policies"][0]["Policy"] == "long_gone" and found["tasks"][0]["Task"] == "old_task"


def test_reports_are_for_leads(store: Store) -> None:
    with pytest.raises(NotAllowed):
        figures_of(store, Actor("ann", frozenset({"reviewer"})), "2026-10", NOW)
