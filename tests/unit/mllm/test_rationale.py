from __future__ import annotations

import pytest

from coefvq.domain import Evidence, ExpensiveSignals, Modality, PostedText, Rationale, TimedText
from coefvq.mllm.backend import MllmInput
from coefvq.mllm.rationale import verify_quotes

SPAM = "Send 50 dollars to this link now, everybody wins a free phone, hurry up before it is gone."
KIND = (
    "This is a fair warning: never send money to strangers, such offers are always a lie, friends."
)


def _item() -> MllmInput:
    signals = ExpensiveSignals(
        "x",
        speech=(TimedText(3.0, 6.0, SPAM), TimedText(7.0, 9.0, KIND)),
        speech_understood=True,
        screen_text=(),
    )
    return MllmInput(PostedText("A title", None), signals, 9.0)


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
