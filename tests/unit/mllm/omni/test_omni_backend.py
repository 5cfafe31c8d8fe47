"""What is asked and answered, over a scorer that says what it is told to."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest
import torch

from coefvq import taxonomy
from coefvq.domain import Assessment, ExpensiveSignals, MediaInfo, PostedText, Stage, TimedText
from coefvq.errors import ModelError
from coefvq.media.probe import probe
from coefvq.mllm.backend import MllmBackend, MllmInput
from coefvq.mllm.endpoint.labels import Labels
from coefvq.mllm.omni import backend as omni
from coefvq.mllm.omni import prompt
from coefvq.mllm.omni.backend import Engine, OmniMllm
from coefvq.mllm.omni.families import Family
from coefvq.mllm.omni.reader import Reader
from tests import media_factory as make
from tests.unit.mllm.omni.stubs import STILLS, VIDEO, StubProcessor

SEEN = {"violence", "sexual", "dangerous_acts", "watermark", "screen_recording"}
READ = {"hate_harassment", "scam_spam"}
NEVER = {"reupload", "static_slideshow"}
DEAF = Family("stub", "none")
YES = Labels(0.75, 0.9)


class StubScorer:
    """Answers by the words of the question; counts videos read."""

    def __init__(self, answer: Any = YES, written: str = ""):
        self.answer, self.written = answer, written
        self.reads: list[dict[str, Any]] = []
        self.questions: list[list[int]] = []

    def read(self, inputs: dict[str, Any]) -> str:
        self.reads.append(inputs)
        return f"cache {len(self.reads)}"

    def ask(self, cache: str, ids: list[int]) -> Labels | None:
        assert cache == f"cache {len(self.reads)}"
        self.questions.append(ids)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    def write(self, cache: str, ids: list[int], max_tokens: int) -> tuple[str, int]:
        self.questions.append(ids)
        return self.written, 3


def backend(scorer: StubScorer, family: Family = VIDEO, **options: Any) -> OmniMllm:
    def make_engine() -> Engine:
        return Engine(Reader(StubProcessor(), family), scorer)  # type: ignore[arg-type]

    return OmniMllm(make_engine, family, "stub-1", **options)


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> MediaInfo:
    return probe(make.clip(tmp_path_factory.mktemp("clips") / "a.mp4", 2.0))


def item(info: MediaInfo | None, **signals: Any) -> MllmInput:
    spoken = (TimedText(0.0, 2.0, "send me your password"),)
    given = {"speech": spoken, "speech_understood": True, "screen_text": ()} | signals
    return MllmInput(PostedText("Title", "win a phone"), ExpensiveSignals("x", **given), 2.0, info)


def why_nots(assessment: Assessment) -> dict[str, str | None]:
    return {name: score.why_not for name, score in assessment.scores.items()}


def test_every_policy_is_asked_after_one_look_at_the_video(clip: MediaInfo) -> None:
    scorer = StubScorer()
    mllm = backend(scorer)
    found = mllm.assess(item(clip))
    assert isinstance(mllm, MllmBackend) and mllm.covers == SEEN | READ
    assert (found.stage, found.model_version) == (Stage.MLLM, mllm.version)
    assert why_nots(found) == dict.fromkeys(SEEN | READ) | dict.fromkeys(NEVER, "not_trained")
    assert list(found.scores) == list(taxonomy.policies())
    assert found.scores["violence"].probability == 0.75
    assert found.scores["violence"].label_mass == 0.9
    assert len(scorer.reads) == 1 and len(scorer.questions) == found.tokens_out == 7
    tokens = scorer.reads[0]["input_ids"].shape[1] + sum(map(len, scorer.questions))
    assert found.tokens_in == tokens


def test_shared_part_and_question_join_to_one_prompt(clip: MediaInfo) -> None:
    scorer = StubScorer()
    backend(scorer).assess(item(clip))
    tokens = StubProcessor().tokenizer
    shared = tokens.decode(scorer.reads[0]["input_ids"][0])
    for policy, ids in zip(
        [p for p in taxonomy.policies().values() if p.id in SEEN | READ],
        scorer.questions,
        strict=True,
    ):
        text = shared + tokens.decode(ids)
        assert f"}}\n\nRule: {policy.guideline.split()[0]}" in text
        assert policy.question in text
        assert text.endswith("Yes or No.<|im_end|>\n<|im_start|>assistant\n")
    assert "win a phone" in shared and "send me your password" in shared


@pytest.mark.parametrize(
    ("family", "options", "changed", "why"),
    [
        pytest.param(VIDEO, {"frames": 0}, {}, dict.fromkeys(SEEN, "not_trained"), id="no frames"),
        pytest.param(
            VIDEO,
            {},
            {"speech_understood": False},
            {},
            id="all is heard, so the transcript does not matter",
        ),
        pytest.param(
            VIDEO,
            {"sound_s": 1.0},
            {"speech_understood": False},
            dict.fromkeys([*READ, "sexual", "dangerous_acts"], "speech_not_understood"),
            id="only a part is heard",
        ),
        pytest.param(
            DEAF,
            {},
            {"speech_understood": False},
            dict.fromkeys([*READ, "sexual", "dangerous_acts"], "speech_not_understood"),
            id="nothing is heard",
        ),
    ],
)
def test_what_is_not_covered(clip: MediaInfo, family, options, changed, why) -> None:
    found = backend(StubScorer(), family, **options).assess(item(clip, **changed))
    expected = dict.fromkeys(SEEN | READ) | dict.fromkeys(NEVER, "not_trained") | why
    assert why_nots(found) == expected


def test_without_a_file_only_the_text_is_judged() -> None:
    found = backend(StubScorer()).assess(item(None))
    assert {why_nots(found)[name] for name in SEEN} == {"no_media"}
    assert found.scores["scam_spam"].covered


def test_a_file_that_is_gone_leaves_the_text(clip: MediaInfo, tmp_path: Path) -> None:
    gone = dataclasses.replace(clip, path=str(tmp_path / "gone.mp4"))
    found = backend(StubScorer()).assess(item(gone))
    assert {why_nots(found)[name] for name in SEEN} == {"no_frames"}
    assert found.scores["scam_spam"].covered


@pytest.mark.parametrize(
    ("family", "why"), [(VIDEO, None), (DEAF, "nothing_to_read")], ids=["heard", "not heard"]
)
def test_without_any_text_speech_is_judged_if_it_is_heard(clip, family, why) -> None:
    silent = MllmInput(PostedText(), ExpensiveSignals("x", speech=(), screen_text=()), 2.0, clip)
    found = backend(StubScorer(), family).assess(silent)
    assert {why_nots(found)[name] for name in READ} == {why}


def test_an_answer_without_a_label_is_not_covered(clip: MediaInfo) -> None:
    found = backend(StubScorer(None)).assess(item(clip))
    assert {why_nots(found)[name] for name in SEEN | READ} == {"no_probability"}


def test_the_model_is_loaded_once_and_only_when_needed(clip: MediaInfo) -> None:
    made: list[int] = []
    scorer = StubScorer()

    def make_engine() -> Engine:
        made.append(1)
        return Engine(Reader(StubProcessor(), VIDEO), scorer)  # type: ignore[arg-type]

    mllm = OmniMllm(make_engine, VIDEO, "stub")
    empty = MllmInput(PostedText(), ExpensiveSignals("x"), None)
    assert mllm.version and not mllm.assess(empty).tokens_out and made == []
    mllm.assess(item(clip))
    mllm.assess(item(clip))
    assert made == [1]


def test_the_version_tells_what_the_model_was_given() -> None:
    versions = {
        backend(StubScorer(), family, **options).version
        for family, options in (
            (VIDEO, {}),
            (VIDEO, {"frames": 8}),
            (VIDEO, {"sound_s": 10.0}),
            (DEAF, {}),
        )
    }
    assert len(versions) == 4 and all(v.endswith("-uncalibrated") for v in versions)
    # A model that takes 30 s is not said to have heard 60.
    assert "-sound30-" in backend(StubScorer(), VIDEO, sound_s=60.0).version


def test_full_memory_says_what_to_change(clip: MediaInfo) -> None:
    scorer = StubScorer(torch.OutOfMemoryError("CUDA out of memory"))
    with pytest.raises(ModelError, match="COEFVQ_OMNI_FRAMES=8, now 16") as caught:
        backend(scorer).assess(item(clip))
    assert "COEFVQ_OMNI_SOUND_S=15, now 30" in str(caught.value)
    assert "smaller model" in str(caught.value)


def test_full_memory_does_not_hold_the_model_locked(clip: MediaInfo) -> None:
    scorer = StubScorer(torch.OutOfMemoryError("CUDA out of memory"))
    mllm = backend(scorer)
    with pytest.raises(ModelError):
        mllm.assess(item(clip))
    scorer.answer = Labels(0.5, 1.0)
    assert mllm.assess(item(clip)).scores["violence"].covered


def test_single_pictures_are_told_with_their_times(clip: MediaInfo) -> None:
    scorer = StubScorer()
    backend(scorer, STILLS).assess(item(clip))
    text = StubProcessor().tokenizer.decode(scorer.reads[0]["input_ids"][0])
    assert "The pictures are frames of the video at 0:0" in text


POINT = {"policy": "scam_spam", "quote": "send me your password", "remark": "asks for it"}
LIE = {"policy": "scam_spam", "quote": "send me your money", "remark": "asks for it"}


def test_reasons_keep_only_quotes_that_are_there(clip: MediaInfo) -> None:
    written = json.dumps({"for": [POINT, LIE], "against": [], "summary": "A scam."})
    scorer = StubScorer(written=f"```json\n{written}\n```")
    mllm = backend(scorer)
    found = mllm.explain(item(clip), mllm.assess(item(clip)))
    assert [one.quote for one in found.evidence] == ["send me your password"]
    assert "A scam." in found.summary
    assert any("dropped" in note and "1" in note for note in found.uncertain)
    asked = StubProcessor().tokenizer.decode(scorer.questions[-1])
    assert "letter by letter" in asked and "scam_spam:" in asked


@pytest.mark.parametrize(
    ("written", "says"),
    [
        pytest.param("I cannot do that.", "not the JSON", id="prose"),
        pytest.param('{"for": [', "not the JSON", id="cut off"),
        pytest.param("", "not the JSON", id="nothing"),
    ],
)
def test_no_reasons_says_why(clip: MediaInfo, written: str, says: str) -> None:
    mllm = backend(StubScorer(written=written))
    found = mllm.explain(item(clip), mllm.assess(item(clip)))
    assert says in found.summary and not found.evidence


def test_nothing_covered_is_not_explained(clip: MediaInfo) -> None:
    scorer = StubScorer(None)
    mllm = backend(scorer)
    found = mllm.explain(item(clip), mllm.assess(item(clip)))
    assert "no policy is covered" in found.summary and len(scorer.reads) == 1


@pytest.mark.parametrize(
    ("family", "options", "note"),
    [
        pytest.param(DEAF, {}, omni.DEAF, id="deaf model"),
        pytest.param(VIDEO, {"sound_s": 0.0}, omni.UNHEARD, id="sound off"),
        pytest.param(VIDEO, {"sound_s": 1.0}, omni.PARTLY_HEARD.format(1.0), id="long sound"),
        pytest.param(VIDEO, {}, None, id="all heard"),
    ],
)
def test_what_was_not_heard_is_said(clip: MediaInfo, family, options, note) -> None:
    mllm = backend(StubScorer(written="{}"), family, **options)
    found = mllm.explain(item(clip), mllm.assess(item(clip)))
    assert [one for one in found.uncertain if "sound" in one] == ([note] if note else [])


def test_questions_begin_where_the_shared_part_ends() -> None:
    for policy in taxonomy.policies().values():
        assert prompt.question(policy).startswith(f": {policy.guideline.split()[0]}")
