"""Fragments and files of Insights: nothing runs, nothing is invented, every file is guarded."""

from __future__ import annotations

import csv
import io
import json
import re
from xml.etree import ElementTree

import pytest

from coefvq.errors import NotAllowed, StoreError
from coefvq.review.access import LOCAL, Actor
from coefvq.settings import Settings
from coefvq.store import figures
from coefvq.store.session import Store
from coefvq.work.figures import compute
from reviewer_ui import insights_files
from reviewer_ui.components import insights as shown
from reviewer_ui.components import insights_people, insights_tables
from reviewer_ui.components.insights_words import covered, lasting, percent, span
from reviewer_ui.pages.insights import InsightsCalls
from tests.store_fixtures import database_url, settings, store
from tests.unit.work.figures.test_figure_operating import items
from tests.unit.work.test_routing_history import Largest

__all__ = ["database_url", "settings", "store"]
HOSTILE = "<img src=x onerror=alert(1)>"
FORMULA = "=HYPERLINK(1)"
RATE = [0.5, 0.4, 0.6]


def curve() -> dict:
    """An operating document of simulated items."""
    from coefvq.routing.entropy import EntropyRouting
    from coefvq.work.figures import operating
    from coefvq.work.figures.sides import by_settings

    unit = operating.Unit(50.0, 0.1, 2.0, 500.0, 20.0)
    data = items()
    found = operating.table(by_settings(EntropyRouting(0.9, 0.8), 0.01, data), data, unit)
    return {"n": 400, "left_out": {HOSTILE: 3}, "why": None, "version": FORMULA, "rule": HOSTILE,
            "published": True, "since": 0.0, "until": 86_400.0,
            "traffic": found, "both": found}  # fmt: skip


def kept(store: Store, **documents: dict) -> None:
    names = {"operating": "operating.30", "calibration": "calibration.30", "miss": "miss.30",
             "machine": "machine.30", "people": "people.30", "ledger": "ledger.30"}  # fmt: skip
    with store.write() as session:
        for name, document in documents.items():
            task = "" if name in ("ledger", "throughput") else "icd"
            figures.put(session, names.get(name, name), task, compute.plain(document))


@pytest.fixture
def page(store: Store, settings: Settings) -> InsightsCalls:
    return InsightsCalls(store, settings)


def regions(page: InsightsCalls, **args: object) -> dict[str, str]:
    return page.overview(LOCAL, {"task": "icd", **args})["regions"]


@pytest.mark.parametrize("basis", ["traffic", "both"])
def test_the_dial_looks_up_what_the_server_says(page, store, basis) -> None:
    kept(store, operating=curve())
    found = regions(page, basis=basis)
    rows = json.loads(_unescape(re.search(r'data-rows="([^"]*)"', str(found["dial"])).group(1)))
    assert len(rows) == 51
    for at in (0, 13, 50):
        answer = page.dial(LOCAL, {"task": "icd", "basis": basis, "at": at})
        told = str(answer["regions"]["budget-figures"])
        for name in ("recall", "precision_range", "miss_rate", "load", "cost"):
            assert f'data-cell="{name}">{_escape(rows[at]["cells"][name])}<' in told, (at, name)


@pytest.mark.parametrize("at", [-1, 51, 10_000])
def test_a_step_that_is_not_there_is_refused(page, store, at) -> None:
    kept(store, operating=curve())
    with pytest.raises(Exception, match="a step of 0 to 50"):
        page.dial(LOCAL, {"task": "icd", "at": at})


def test_hostile_texts_are_text(page, store) -> None:
    people = {"pairs": 1, "policies": [], "adjudicated": 0, "redecided": {"n": 0, "hits": 0},
              "since": 0.0, "until": 1.0,
              "reviewers": [{"reviewer": HOSTILE, "pairs": 1, "agreement": _rate(), "golden": 0,
                             "kappa": _figure(), "golden_kappa": _figure(HOSTILE),
                             "upheld": _rate()}]}  # fmt: skip
    kept(store, operating=curve(), people=people)
    whole = "".join(str(each) for each in regions(page).values())
    assert "<img" not in whole and "&lt;img" in whole


def test_before_anything_is_computed_every_card_says_so(page) -> None:
    found = regions(page)
    for name in ("operating-curve", "miss-rate", "calibration-plot", "machine-table",
                 "agreement-table", "throughput-days", "drift-table", "cost-ledger"):  # fmt: skip
        assert "No figures yet" in found[name], name
    assert found["dial"] == "" and "never computed" in found["insights-age"]


def test_an_empty_store_says_what_is_missing_and_draws_nothing(page, store, settings) -> None:
    with store.write() as session:
        compute.keep(session, compute.compute(store, settings, Largest()))
    found = regions(page)
    assert "<svg" not in "".join(str(each) for each in found.values())
    assert "No case of this time is decided" in found["operating-curve"]
    assert "Missing: 50 more decided cases" in found["operating-curve"]
    assert "No case of this time has a person" in found["miss-rate"]
    assert "no baseline" in found["drift-table"]
    assert "No case was answered by two people" in found["agreement-table"]
    assert "No video was scored" in found["throughput-days"]
    assert "No case waits" in found["throughput-queue"]


@pytest.mark.parametrize("missing", [0, 1, 312, None])
def test_missing_audits_in_words(missing) -> None:
    told = str(insights_tables.missing({"audits_missing": missing}))
    assert {0: "within 5 points", None: "cannot be told"}.get(missing, f"About {missing}") in told


def test_asking_for_figures_shows_progress_and_ends(page, store) -> None:
    asked = page.compute(LOCAL, {})
    assert asked["busy"] and "waits for a worker" in asked["regions"]["insights-progress"]
    assert "disabled" in regions(page)["insights-age"]
    assert page.progress(LOCAL, {})["busy"]


FILES = ["operating.csv", "operating.svg", "ledger.csv", "agreement.csv", "miss-rate.csv",
         "machine.csv", "calibration.csv", "drift.csv", "throughput.csv", "waits.csv",
         "hours.csv"]  # fmt: skip


@pytest.mark.parametrize("file", FILES)
def test_every_file_is_for_leads_only(store, file) -> None:
    with pytest.raises(NotAllowed):
        insights_files.make(store, Actor("r", frozenset({"reviewer"})), file, {})


@pytest.mark.parametrize(
    ("file", "query"),
    [("nothing.csv", {}), ("operating.exe", {}), ("operating", {}), ("../x.csv", {}),
     ("operating.csv", {"basis": "x"}), ("operating.csv", {"days": "5"}),
     ("operating.csv", {}), ("ledger.svg", {})],
)  # fmt: skip
def test_files_that_are_not_there(store, file, query) -> None:
    with pytest.raises(StoreError):
        insights_files.make(store, LOCAL, file, query)


@pytest.mark.parametrize("file", FILES)
def test_files_of_an_empty_store_have_their_columns_or_a_reason(store, settings, file) -> None:
    with store.write() as session:
        compute.keep(session, compute.compute(store, settings, Largest()))
    if file.endswith(".svg"):
        with pytest.raises(StoreError):
            insights_files.make(store, LOCAL, file, {})
        return
    text, kind = insights_files.make(store, LOCAL, file, {})
    head = next(csv.reader(io.StringIO(text)))
    assert kind.startswith("text/csv") and head[-4:] == ["task", "covered_since", "covered_until",
                                                         "computed_at"]  # fmt: skip


def test_the_curve_as_csv_and_svg(store) -> None:
    kept(store, operating=curve())
    text, _ = insights_files.make(store, LOCAL, "operating.csv", {"task": "icd"})
    rows = list(csv.DictReader(io.StringIO(text)))
    assert len(rows) == 52 and [row["in_force"] for row in rows[-2:]] == ["0", "1"]
    assert float(rows[25]["budget"]) == 0.5 and 0 < float(rows[25]["recall"]) <= 1
    assert rows[0]["covered_until"].startswith("1970-01-02")
    svg, kind = insights_files.make(store, LOCAL, "operating.svg", {"task": "icd"})
    assert kind == "image/svg+xml" and ElementTree.fromstring(svg).get("role") == "img"


def test_cells_of_hostile_names_are_guarded(store) -> None:
    share = {"n": 1, "hits": 0, "rate": RATE}
    policy = {"policy": FORMULA, "sent": share, "audits": share, "missed": share}
    machine = {"n": 1, "policies": [policy]}
    kept(store, machine=machine)
    text, _ = insights_files.make(store, LOCAL, "machine.csv", {"task": "icd"})
    assert [row["policy"] for row in csv.DictReader(io.StringIO(text))] == ["'" + FORMULA] * 3


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "–"), (0.0, "0.0 %"), (0.00001, "< 0.1 %"), (0.99999, "> 99.9 %"), (1.0, "100.0 %"),
     (0.12345, "12.3 %")],
)  # fmt: skip
def test_shares_are_never_rounded_to_certainty(value, text) -> None:
    assert percent(value) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(None, "–"), (0.084, "84 ms"), (2.4, "2.4 s"), (300, "5.0 min"), (8000, "2.2 h"),
     (864_000, "10.0 d")],
)  # fmt: skip
def test_times_have_a_fitting_unit(seconds, text) -> None:
    assert lasting(seconds) == text


def test_words_without_values() -> None:
    assert span(None) == "" and covered({}) == ""
    assert "in force" not in shown.dial(None, "traffic")
    assert "One case was" in insights_people.section(
        {"pairs": 1, "policies": [], "reviewers": [], "adjudicated": 0,
         "redecided": {"n": 0, "hits": 0}, "until": 0.0}
    )  # fmt: skip


def _rate() -> dict:
    return {"hits": 1, "n": 2, "value": 0.5, "low": 0.1, "high": 0.9}


def _figure(why: str = "") -> dict:
    return {"value": None, "low": None, "high": None, "why_not": why}


def _unescape(text: str) -> str:
    from html import unescape

    return unescape(text)


def _escape(text: str) -> str:
    from html import escape

    return escape(text)
