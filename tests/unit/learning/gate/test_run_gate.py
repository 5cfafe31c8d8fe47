"""The whole gate on small prefilters: reports that are kept, and every refusal with its reason."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from benchmarks import gate_models
from coefvq.domain import Stage
from coefvq.errors import StoreError, TrainingError
from coefvq.learning.dataset.snapshot import Snapshot
from coefvq.learning.gate.run import report_of
from coefvq.learning.registry import shipped_version
from coefvq.prefilter.weights import Trained
from coefvq.store import events, trained_models
from tests import gate_factory
from tests.gate_factory import HATE, SCAM, Home


def test_a_better_model_passes_and_its_report_is_kept(home: Home) -> None:
    version = home.add(home.models.much)
    report = home.gate(version)
    assert report.passed, report.reasons
    kept = report_of(home.store, version)
    assert kept is not None and kept.to_json() == report.to_json()
    document = report.to_json()
    assert document["against"] == home.base and document["snapshot"]["id"] == home.made.id
    assert {row["policy"] for row in document["policies"]} >= {HATE, SCAM}
    assert document["overall"]["gain"]["low"] > 0 and document["cost"]["new_ms"] > 0
    assert [row["task"] for row in document["tasks"]] == ["icd"]
    assert document["videos"]["n"] == document["videos"]["test"] + document["videos"]["golden"]
    assert any(row["slice"].startswith("uploader with") for row in document["slices"])
    with home.store.read() as session:
        (event,) = [
            each for each in events.of_subject(session, trained_models.SUBJECT, version)
            if each.kind == trained_models.GATED
        ]  # fmt: skip
    assert event.data["passed"] is True


SPOILT: dict[str, tuple[Callable[[Trained], Trained], str]] = {
    "one policy ruined": (lambda m: gate_models.ruined(m, HATE), "hate_harassment: worse"),
    "calibration shifted": (
        lambda m: gate_models.shifted(m, 2.5, (SCAM,)), "scam_spam: its probabilities come true"
    ),
    "NaN": (gate_models.with_nan, "no numbers (NaN or infinity), first model.safetensors/surface"),
}  # fmt: skip


@pytest.mark.parametrize(("spoil", "reason"), SPOILT.values(), ids=SPOILT.keys())
def test_a_spoilt_model_is_refused(
    home: Home, spoil: Callable[[Trained], Trained], reason: str
) -> None:
    report = home.gate(home.add(spoil(home.models.much)))
    assert not report.passed
    assert any(reason in each for each in report.reasons), report.reasons


def test_a_worse_model_is_refused(home: Home) -> None:
    better = home.add(home.models.much)
    gate_factory.put_in_force(home.store, better)
    report = home.gate(home.base)
    assert not report.passed and report.against == better
    assert any("worse" in each for each in report.reasons)


def test_a_policy_that_is_dropped_is_refused(home: Home) -> None:
    made = gate_models.candidate(
        home.models.much, home.folder / "c", home.base, frozenset({HATE, "violence"})
    )
    version = gate_factory.register(
        home.store, home.settings, "ann", made, snapshot_id=home.made.id
    )
    (first, *_) = home.gate(version).reasons
    assert "It does not answer scam_spam" in first


def test_what_it_learnt_from_is_never_judged_on(home: Home) -> None:
    version = home.add(home.models.much)
    turned = tuple(
        replace(item, split="test") if item.split == "train" else item for item in home.models.rows
    )
    wrong = Snapshot("other", 9, turned, {}, home.folder)
    report = home.gate(version, snapshot=wrong)
    assert not report.passed and "of the held-out videos taught it" in report.reasons[0]
    assert not report.document["policies"]


def test_an_unknown_origin_is_refused(home: Home) -> None:
    made = gate_models.candidate(home.models.much, home.folder / "c", home.base)
    version = gate_factory.register(home.store, home.settings, "ann", made, snapshot_id=None)
    assert "Nobody knows what it learnt from" in home.gate(version).reasons[0]


def test_there_must_be_something_to_compare(home: Home) -> None:
    with pytest.raises(TrainingError, match="in force already"):
        home.gate(home.base)
    with pytest.raises(StoreError, match="no trained model"):
        home.gate(shipped_version(Stage.PREFILTER))


def test_a_stopped_gate_keeps_no_report(home: Home) -> None:
    from coefvq.errors import TrainingStopped
    from coefvq.learning.monitor import Quiet

    class Stops(Quiet):
        def check(self) -> None:
            raise TrainingStopped("stopped")

    version = home.add(home.models.much)
    with pytest.raises(TrainingStopped):
        home.gate(version, monitor=Stops())
    assert report_of(home.store, version) is None
