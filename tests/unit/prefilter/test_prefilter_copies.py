"""From matches to the prefilter's answer on re-uploads."""

from __future__ import annotations

from dataclasses import replace

import pytest

from coefvq import taxonomy
from coefvq.domain import Assessment, CopyMatch, Modality, PolicyScore, Stage, WhyNot
from coefvq.prefilter.copies import CONFIRMED, NOTHING_FOUND, PRIOR, with_copies
from coefvq.routing.entropy import EntropyRouting

FILM = CopyMatch("/data/film.mp4", "originals", 0.97, 3.2, 12.9, 63.0, 72.5, ("mirror",))
OURS = CopyMatch("01abc", "library", 0.80, 0.0, 5.0, 1.0, 6.0, video_id="01abc")


def plain() -> Assessment:
    scores = {name: PolicyScore(name, 0.2) for name in taxonomy.policies()}
    scores["reupload"] = PolicyScore("reupload", None, False, "not_trained")
    return Assessment(Stage.PREFILTER, "test", scores, contributions={"violence": (("x", 0.1),)})


@pytest.mark.parametrize(
    ("copies", "expected"),
    [
        pytest.param((), NOTHING_FOUND, id="nothing found"),
        pytest.param((FILM,), 0.97, id="its calibrated score"),
        pytest.param((OURS, FILM), 0.97, id="the likeliest"),
        pytest.param((replace(FILM, score=1.0),), 1 - 1e-4, id="never certain"),
        pytest.param((replace(OURS, confirmed=True), FILM), CONFIRMED, id="confirmed"),
    ],
)
def test_the_probability(copies: tuple[CopyMatch, ...], expected: float) -> None:
    found = with_copies(plain(), copies)
    assert found.scores["reupload"] == PolicyScore("reupload", pytest.approx(expected))
    others = {name: score for name, score in found.scores.items() if name != "reupload"}
    assert others == {k: v for k, v in plain().scores.items() if k != "reupload"}
    assert found.contributions["violence"] == (("x", 0.1),)


@pytest.mark.parametrize("why", [WhyNot.NOT_SEARCHED, WhyNot.NO_MEDIA])
def test_nobody_looked(why: WhyNot) -> None:
    found = with_copies(plain(), None, why)
    assert found.scores["reupload"] == PolicyScore("reupload", None, False, why)
    assert found.evidence == () and "reupload" not in found.contributions


def test_a_search_that_found_nothing_is_sure_enough_to_pass() -> None:
    assert 0.0 < NOTHING_FOUND < PRIOR
    assert EntropyRouting().after_prefilter(NOTHING_FOUND).name.value == "auto_pass"
    assert EntropyRouting().after_prefilter(0.97).name.value == "auto_flag"
    moved = with_copies(plain(), ()).contributions["reupload"]
    assert moved[0][0] == "no earlier footage found" and moved[0][1] < 0


def test_every_match_is_evidence_with_its_seconds() -> None:
    found = with_copies(plain(), (OURS, FILM))
    best, other = found.evidence
    assert (best.modality, best.policy, best.quote) == (Modality.COPY, "reupload", None)
    assert (best.start_s, best.end_s) == (3.2, 12.9)
    assert best.detail == "same footage as “film.mp4” of originals 1:03–1:12, mirrored"
    assert other.detail == "same footage as video 01abc 0:01–0:06"
    assert best.weight == pytest.approx(0.87)
    ((words, moved), *rest) = found.contributions["reupload"]
    assert words == best.detail and moved > 0
    assert rest == [(other.detail, 0.0)]


def test_without_the_policy_nothing_changes() -> None:
    first = plain()
    del first.scores["reupload"]
    assert with_copies(first, (FILM,)) is first
