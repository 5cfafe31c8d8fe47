"""What leads are told of agreement and of the machine's pull, from answers in the store."""

from __future__ import annotations

import pytest

from coefvq import taxonomy
from coefvq.domain import RouteName
from coefvq.errors import NotAllowed, SettingsError
from coefvq.review import adjudicate, agreement_report, anchoring, blind, decide, golden, queue
from coefvq.review.agreement import cohen_kappa, krippendorff_alpha
from coefvq.review.agreement_report import NO_GOLDEN, NO_PAIRS, ONE_LABEL
from coefvq.settings import Settings
from coefvq.store.session import Store
from coefvq.store.tables import utcnow
from tests.store_factory import route
from tests.unit.review.quality import (
    ANN,
    BOB,
    CYD,
    HATE,
    KEEP,
    LEA,
    answer,
    differing,
    scored,
    shares,
    take,
    token_of,
)


def test_an_empty_store_says_why(store: Store) -> None:
    found = agreement_report.report(store, LEA, "icd")
    assert (found.pairs, found.reviewers, found.adjudicated) == (0, (), 0)
    assert [each.policy for each in found.policies] == [
        policy.id for policy in taxonomy.task("icd").policies
    ]
    for each in found.policies:
        assert (each.alpha.value, each.alpha.why_not, each.agreement.value) == (
            None,
            NO_PAIRS,
            None,
        )
    with pytest.raises(SettingsError, match="Unknown task"):
        agreement_report.report(store, LEA, "icc")
    with pytest.raises(NotAllowed):
        agreement_report.report(store, ANN, "icd")


def test_one_reviewer_only_has_no_pair(store: Store, settings: Settings) -> None:
    case_id = scored(store, settings)["icd"]
    answer(store, shares(settings, second=1.0), case_id, HATE)
    assert agreement_report.report(store, LEA, "icd").pairs == 0


def test_pairs_by_policy_and_reviewer(store: Store, settings: Settings) -> None:
    answers = [(HATE, HATE), (HATE, HATE), (HATE, KEEP), (KEEP, KEEP), (KEEP, KEEP)]
    for number, (first, second) in enumerate(answers):
        differing(store, settings, bytes([number + 1]), first, second)
    found = agreement_report.report(store, LEA, "icd")
    by = {each.policy: each for each in found.policies}
    hate, other = by["hate_harassment"], by["violence"]
    assert (found.pairs, hate.pairs, hate.agreement.hits) == (5, 5, 4)
    said = [("v", "v")] * 2 + [("v", "o")] + [("o", "o")] * 2
    assert hate.alpha.value == pytest.approx(krippendorff_alpha(said), abs=1e-9)
    assert hate.alpha.value and hate.alpha.low is not None and hate.alpha.high is not None
    assert hate.alpha.low < hate.alpha.value < hate.alpha.high == 1.0
    assert (other.alpha.value, other.alpha.why_not) == (None, ONE_LABEL)
    ann, bob = found.reviewers
    assert (ann.reviewer, bob.reviewer, ann.pairs, bob.pairs) == ("ann", "bob", 5, 5)
    ones = ["v", "v", "v", "o", "o"] + ["o"] * 20
    twos = ["v", "v", "o", "o", "o"] + ["o"] * 20
    assert ann.kappa.value == pytest.approx(cohen_kappa(ones, twos), abs=1e-9)
    assert bob.kappa.value == pytest.approx(ann.kappa.value)
    assert (ann.golden, ann.golden_kappa.why_not, ann.agreement.hits) == (0, NO_GOLDEN, 4)
    assert agreement_report.report(store, LEA, "ucc").pairs == 0
    assert agreement_report.report(store, LEA, "icd", since=utcnow()).pairs == 0


def test_rulings_and_golden_answers_count_beside_the_pairs(
    store: Store, settings: Settings
) -> None:
    look = differing(store, settings)
    adjudicate.settle(store, settings, LEA, look.id, "second")
    golden.add(store, LEA, look.case_id)
    queue_one = scored(store, settings, b"2")["icd"]
    seen = take(store, shares(settings, golden=1.0), CYD)
    assert seen.id != queue_one
    decide.submit(store, settings, CYD, seen.id, token_of(seen), HATE)
    found = agreement_report.report(store, LEA, "icd")
    assert (found.pairs, found.adjudicated, found.first_upheld.hits) == (1, 1, 0)
    by = {each.reviewer: each for each in found.reviewers}
    assert (by["ann"].upheld.hits, by["ann"].upheld.n) == (0, 1)
    assert (by["bob"].upheld.hits, by["bob"].upheld.n) == (1, 1)
    assert (by["cyd"].pairs, by["cyd"].golden, by["cyd"].kappa.why_not) == (0, 1, NO_PAIRS)
    assert by["cyd"].golden_kappa.value is not None


def test_who_decides_again_saw_the_first_answer(store: Store, settings: Settings) -> None:
    for number, second in enumerate((HATE, KEEP)):
        case_id = scored(store, settings, bytes([number + 1]))["icd"]
        answer(store, settings, case_id, HATE, ANN)
        answer(store, settings, case_id, second, BOB)
    found = agreement_report.report(store, LEA, "icd")
    assert (found.pairs, found.redecided.hits, found.redecided.n) == (0, 1, 2)


def test_an_undone_decision_leaves_no_pair(store: Store, settings: Settings) -> None:
    differing(store, settings, second=HATE)
    decide.undo_last(store, settings, ANN)
    assert agreement_report.report(store, LEA, "icd").pairs == 0


def blindly(store: Store, settings: Settings, first: bool, final: object, number: int) -> None:
    """One case on which the machine leans to hate, answered blind first."""
    every = shares(settings, blind=1.0)
    case_id = scored(store, settings, bytes([number]))["icd"]
    token = token_of(queue.open_case(store, every, ANN, case_id))
    blind.first_answer(store, every, ANN, case_id, token, {"hate_harassment": first})
    decide.submit(store, every, ANN, case_id, token, final)  # type: ignore[arg-type]


def test_the_machines_pull(store: Store, settings: Settings) -> None:
    empty = anchoring.anchoring(store, LEA)
    assert (empty.answered, empty.changed.value, empty.shift) == (0, None, None)
    blindly(store, settings, False, HATE, 1)  # towards the machine
    blindly(store, settings, True, KEEP, 2)  # away from it
    blindly(store, settings, False, KEEP, 3)
    blindly(store, settings, True, HATE, 4)
    for number, form in ((5, HATE), (6, HATE), (7, HATE), (8, KEEP)):
        answer(store, settings, scored(store, settings, bytes([number]))["icd"], form, BOB)
    found = anchoring.anchoring(store, LEA, "icd")
    assert (found.answered, found.changed.hits, found.changed.n) == (4, 2, 4)
    assert (found.towards.hits, found.away.hits, found.towards.n) == (1, 1, 2)
    assert (found.blind.hits, found.blind.n, found.seen.hits, found.seen.n) == (2, 4, 3, 4)
    assert found.shift == pytest.approx(0.25)
    assert anchoring.anchoring(store, LEA, "ucc").answered == 0
    assert anchoring.anchoring(store, LEA, since=utcnow()).seen.n == 0
    with pytest.raises(NotAllowed):
        anchoring.anchoring(store, ANN)


def test_audits_and_cases_that_were_looked_for_are_other_cases(
    store: Store, settings: Settings
) -> None:
    audit = route(RouteName.AUTO_PASS, audit=True, propensity=0.01, escalated=False)
    drawn = scored(store, settings, b"1", routes={"icd": audit})["icd"]
    token = token_of(queue.open_case(store, settings, ANN, drawn))
    blind.first_answer(store, settings, ANN, drawn, token, {})
    decide.submit(store, settings, ANN, drawn, token, HATE)
    sought = scored(store, settings, b"2", routes={"icd": route(RouteName.AUTO_FLAG)})["icd"]
    answer(store, settings, sought, HATE)
    found = anchoring.anchoring(store, LEA)
    assert (found.answered, found.changed.hits) == (1, 1)
    assert (found.blind.n, found.seen.n, found.shift) == (0, 0, None)


def test_an_answer_at_once_was_not_anchored(store: Store, settings: Settings) -> None:
    case_id = scored(store, settings)["icd"]
    answer(store, shares(settings, blind=1.0), case_id, HATE)
    found = anchoring.anchoring(store, LEA)
    assert (found.answered, found.blind.n, found.seen.n) == (0, 1, 0)
