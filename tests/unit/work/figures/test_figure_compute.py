"""All figures out of a store: what is there, what is said where it cannot be given, the job."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from coefvq import taxonomy
from coefvq.domain import RouteName
from coefvq.errors import ModelError
from coefvq.routing.fit import fit_policy
from coefvq.routing.request import FitRequest
from coefvq.settings import Settings
from coefvq.store import figures, jobs, routing_policies
from coefvq.store.session import Store
from coefvq.store.tables import JobKind, JobState, utcnow
from coefvq.work.figures import clock, compute
from coefvq.work.figures.clock import FiguresClock
from coefvq.work.figures.windows import WINDOWS
from coefvq.work.routing_history import audit
from coefvq.work.worker import Worker
from tests.store_factory import FixedCascade, route
from tests.unit.work.figures.test_figure_operating import items
from tests.unit.work.test_routing_history import DRAWN, HUMAN, Largest, Past

NOT = route(RouteName.AUTO_PASS, propensity=0.05)
BY_TASK = ("operating", "calibration", "machine", "people", "miss")


@pytest.fixture
def past(store: Store, settings: Settings) -> Past:
    return Past(store, settings)


def computed(past: Past, **changes: object) -> dict[tuple[str, str], dict]:
    found = compute.compute(past.store, past.settings.model_copy(update=changes), Largest())
    assert json.loads(json.dumps(found, allow_nan=False)), "no NaN, plain JSON"
    return {(name, task): document for name, task, document in found}


def test_an_empty_store_has_every_figure_with_its_reason(past: Past) -> None:
    found = computed(past)
    tasks = list(taxonomy.tasks())
    assert {name for name, task in found if task == tasks[0]} == {
        *(f"{kind}.{window}" for kind in BY_TASK for window in WINDOWS),
        "drift",
    }
    assert "No case of this time is decided" in found["operating.30", "icd"]["traffic"]["why"]
    assert "No case" in found["miss.all", "icd"]["why"]
    assert "no baseline" in found["drift", "icd"]["advice"]
    assert found["throughput", ""]["days"]["videos"] == []
    assert found["ledger.7", ""]["videos"] == 0
    assert found[figures.RUN, ""]["seconds"] > 0


def test_a_few_cases_say_how_many_are_missing(past: Past) -> None:
    past.case(HUMAN, True)
    past.case(DRAWN, False)
    past.case(NOT)
    found = computed(past)
    assert "48 more decided cases" in found["operating.7", "icd"]["traffic"]["why"]
    miss = found["miss.7", "icd"]
    assert (miss["items"], miss["labelled"], miss["audits"]) == (3, 2, 1)
    assert miss["miss_rate"][0] == 0.0 and miss["miss_rate"][2] > 0.2
    assert miss["audits_missing"] > 0
    assert found["machine.7", "icd"]["all"]["n"] == 2
    assert found["ledger.7", ""]["videos"] == 3
    assert found["ledger.7", ""]["calls"] == 3 and found["ledger.7", ""]["timed"] == 2
    assert sum(number for _, number in found["throughput", ""]["days"]["videos"]) == 3


def test_rates_are_those_of_the_audit_command(past: Past) -> None:
    for _ in range(4):
        past.case(HUMAN, True)
    past.case(DRAWN, True)
    past.case(DRAWN, False)
    past.case(NOT, True)
    for _ in range(6):
        past.case(NOT)
    known, found = audit(past.store, "icd"), computed(past)["miss.all", "icd"]
    for name in ("miss_rate", "precision", "prevalence", "false_removal_rate"):
        value, low, high = getattr(known.estimate, name)[:3]
        assert found[name][1:] == pytest.approx([low, high], abs=1e-8), name
        assert found[name][0] == (None if value != value else pytest.approx(value))
    assert (found["items"], found["labelled"]) == (known.items, known.labelled)


def test_what_happened_before_the_window_does_not_count(past: Past) -> None:
    past.case(HUMAN, True)
    later = utcnow() + timedelta(days=20)
    found = compute.compute(past.store, past.settings, Largest(), now=later)
    by_key = {(name, task): document for name, task, document in found}
    assert [by_key[f"miss.{window}", "icd"]["items"] for window in WINDOWS] == [0, 1, 1, 1]
    assert [by_key[f"machine.{window}", "icd"]["n"] for window in WINDOWS] == [0, 1, 1, 1]
    assert [by_key[f"ledger.{window}", ""]["videos"] for window in WINDOWS] == [0, 1, 1, 1]


def test_without_the_prefilters_weights_the_reason_stands_everywhere(past, monkeypatch) -> None:
    def gone(*_: object) -> Largest:
        raise ModelError("The prefilter's weights are missing.")

    monkeypatch.setattr(compute.Recalibration, "in_force", gone)
    found = compute.compute(past.store, past.settings)
    documents = [document for name, task, document in found if task == "icd"]
    assert documents and all("weights are missing" in each["why"] for each in documents)


def test_a_published_policy_is_what_the_curve_is_of(past: Past) -> None:
    policy = fit_policy(items(300), FitRequest("entropy", budget=0.3))
    with past.store.write() as session:
        routing_policies.add(session, policy.version, policy.rule, policy.to_json(), "local")
        routing_policies.publish(session, "icd", policy.version, "local", "test")
    found = computed(past)
    assert found["operating.30", "icd"]["version"] == policy.version
    assert found["operating.30", "icd"]["published"] is True
    assert found["operating.30", "ucc"]["published"] is False


def test_a_policy_that_cannot_be_read_is_a_reason(past: Past) -> None:
    policy = fit_policy(items(300), FitRequest("entropy", budget=0.3))
    with past.store.write() as session:
        document = policy.to_json() | {"format": 99}
        routing_policies.add(session, "odd", policy.rule, document, "local")
        routing_policies.publish(session, "icd", "odd", "local", "test")
    found = computed(past)
    assert "format 99" in found["operating.30", "icd"]["why"]
    assert found["operating.30", "ucc"]["why"] is None


def test_the_worker_computes_and_keeps_them(past: Past, monkeypatch) -> None:
    monkeypatch.setattr(compute.Recalibration, "in_force", lambda *_: Largest())
    past.case(HUMAN, True)
    with past.store.write() as session:
        job = figures.queue(session).id
    assert Worker(past.settings, past.store, lambda _: FixedCascade()).run_once() == 1
    with past.store.read() as session:
        assert jobs.get(session, job).state == JobState.DONE.value
        kept = figures.get(session, "machine.7", "icd")
    assert kept is not None and kept[0]["n"] == 1


def test_the_clock_queues_once_and_only_when_it_is_time(past: Past, monkeypatch) -> None:
    times = iter(range(0, 10_000, 20))
    monkeypatch.setattr(clock.time, "monotonic", lambda: next(times))
    one, other = FiguresClock(past.store, 300.0), FiguresClock(past.store, 300.0)
    assert [one.look(), other.look(), one.look()] == [True, False, False]
    assert FiguresClock(past.store, 0.0).look() is False
    with past.store.read() as session:
        assert jobs.counts(session)["queued"] == 1
        assert figures.last_job(session).kind == JobKind.FIGURES.value
