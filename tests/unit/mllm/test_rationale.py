from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from coefvq import taxonomy
from coefvq.domain import (
    Assessment,
    Evidence,
    ExpensiveSignals,
    Modality,
    PolicyScore,
    PostedText,
    Rationale,
    Stage,
    TimedText,
)
from coefvq.mllm.backend import MllmInput
from coefvq.mllm.prompt import Line, lines_of
from coefvq.mllm.rationale import (
    MAX_POINTS,
    MAX_QUOTE,
    MAX_VARIANTS,
    Reading,
    variants,
    verify_quotes,
    write_rationale,
)

SPAM = "Send 50 dollars to this link now, everybody wins a free phone, hurry up before it is gone."
KIND = (
    "This is a fair warning: never send money to strangers, such offers are always a lie, friends."
)


def _item(**changes: object) -> MllmInput:
    signals = ExpensiveSignals(
        "x",
        speech=(TimedText(3.0, 6.0, SPAM), TimedText(7.0, 9.0, KIND)),
        speech_understood=True,
        screen_text=(),
    )
    values = {"posted": PostedText("A title", None), "expensive": signals, "duration_s": 9.0}
    return MllmInput(**{**values, **changes})


def _scores(line_sets: Sequence[Sequence[Line]]) -> dict[str, np.ndarray]:
    """A model that knows two words: "free" is bad, "warning" is good."""
    found = []
    for lines in line_sets:
        text = " ".join(line.raw for line in lines)
        found.append(0.3 + 0.5 * ("free" in text) - 0.2 * ("warning" in text))
    return {"scam_spam": np.array(found), "hate_harassment": np.full(len(found), 0.05)}


def _assessment(scam: float = 0.6, hate: float = 0.05, mass: float = 0.9) -> Assessment:
    scores = {
        name: PolicyScore(name, None, covered=False, why_not="not_trained")
        for name in taxonomy.policies()
    }
    scores["scam_spam"] = PolicyScore("scam_spam", scam, label_mass=mass)
    scores["hate_harassment"] = PolicyScore("hate_harassment", hate, label_mass=mass)
    return Assessment(Stage.MLLM, "v", scores)


def _explain(item: MllmInput, assessment: Assessment, truncated: bool = False) -> Rationale:
    reading = Reading(item, assessment, tuple(lines_of(item)), truncated)
    return write_rationale(reading, _scores)


def test_both_sides_with_quotes_times_and_figures() -> None:
    found = _explain(_item(), _assessment())
    bad, good = found.evidence
    assert (bad.quote, bad.start_s, bad.end_s) == (SPAM, 3.0, 6.0)
    assert bad.modality is Modality.SPEECH and bad.policy == "scam_spam"
    assert "0.60, without it 0.10" in bad.detail and bad.weight == pytest.approx(0.5)
    assert good.quote == KIND and "0.60, without it 0.80" in good.detail
    assert len(found.points_for) == len(found.points_against) == 1
    assert SPAM in found.points_for[0] and KIND in found.points_against[0]
    assert found.summary.startswith("The text scores 0.60 for scam, spam")
    assert found.summary.count(".") - found.summary.count("0.") == 1


def test_only_policies_near_the_decision_are_explained() -> None:
    found = _explain(_item(), _assessment())
    assert {one.policy for one in found.evidence} == {"scam_spam"}
    assert "hate" not in found.summary


@pytest.mark.parametrize(
    ("item", "assessment", "says"),
    [
        pytest.param(_item(), _assessment(), "reads text only", id="always"),
        pytest.param(_item(), _assessment(), "no caption, no screen text", id="absent"),
        pytest.param(_item(), _assessment(scam=0.55), "close to 0.50", id="thin margin"),
        pytest.param(_item(), _assessment(mass=0.2), "only 0.20", id="low label mass"),
        pytest.param(_item(), _assessment(), "Not covered (not trained): violence", id="policies"),
        pytest.param(
            _item(expensive=ExpensiveSignals("x")), _assessment(), "no speech track", id="no sound"
        ),
    ],
)
def test_what_is_uncertain_is_said(item: MllmInput, assessment: Assessment, says: str) -> None:
    assert any(says in note for note in _explain(item, assessment).uncertain)


def test_truncation_is_said() -> None:
    found = _explain(_item(), _assessment(), truncated=True)
    assert any("too long" in note for note in found.uncertain)


def test_nothing_covered_gives_no_points() -> None:
    scores = {
        name: PolicyScore(name, None, covered=False, why_not="speech_not_understood")
        for name in taxonomy.policies()
    }
    found = _explain(_item(), Assessment(Stage.MLLM, "v", scores))
    assert found.summary == "Nothing was scored: speech not understood."
    assert not found.evidence and not found.points_for


@pytest.mark.parametrize(
    ("quote", "modality", "kept"),
    [
        pytest.param("free phone", Modality.SPEECH, True, id="verbatim"),
        pytest.param("a free telephone", Modality.SPEECH, False, id="made up"),
        pytest.param("Free Phone", Modality.SPEECH, False, id="other case"),
        pytest.param("free phone", Modality.CAPTION, False, id="other modality"),
        pytest.param("A title", Modality.CAPTION, True, id="title"),
        pytest.param("it is gone. This is a fair", Modality.SPEECH, True, id="over a line's end"),
        pytest.param("free phone", Modality.VISUAL, False, id="no source"),
        pytest.param(None, Modality.VISUAL, True, id="no quote"),
    ],
)
def test_quotes_are_verified(quote: str | None, modality: Modality, kept: bool) -> None:
    rationale = Rationale("s", evidence=(Evidence(modality, 0.0, 1.0, quote, "d"),))
    assert bool(verify_quotes(rationale, _item()).evidence) is kept


def test_long_lines_are_quoted_in_part_and_verbatim() -> None:
    text = "free " + "word " * 100
    item = _item(posted=PostedText(None, text), expensive=ExpensiveSignals("x"))
    (one,) = _explain(item, _assessment(scam=0.8)).evidence
    assert one.quote is not None and len(one.quote) <= MAX_QUOTE and one.quote in text


def _lines(count: int, field: str = "speech") -> list[Line]:
    return [Line(field, "x" * (1 + n % 7), float(n), n + 1.0) for n in range(count)]


@pytest.mark.parametrize("count", [1, 5, MAX_VARIANTS, 17, 90])
def test_variants_leave_every_line_out_once(count: int) -> None:
    found = variants(_lines(count))
    assert len(found) <= MAX_VARIANTS
    assert sorted(index for gone in found for index in gone) == list(range(count))


def test_variants_never_mix_fields() -> None:
    lines = _lines(20) + _lines(20, "screen_text")
    for gone in variants(lines):
        assert len({lines[index].field for index in gone}) == 1


def test_at_most_five_points_a_side() -> None:
    long = "a line that is much longer than a hundred and twenty characters, so it is never merged "
    speech = tuple(
        TimedText(n, n + 1.0, f"{long} with number {n} and more words") for n in range(12)
    )
    item = _item(expensive=ExpensiveSignals("x", speech=speech))

    def score(line_sets: Sequence[Sequence[Line]]) -> dict[str, np.ndarray]:
        return {"scam_spam": np.array([0.03 * len(lines) for lines in line_sets])}

    reading = Reading(item, _assessment(scam=0.4), tuple(lines_of(item)), False)
    assert len(write_rationale(reading, score).points_for) == MAX_POINTS
