from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from coefvq import taxonomy
from coefvq.domain import ExpensiveSignals, PostedText, Stage, TimedText
from coefvq.errors import ModelError
from coefvq.mllm import base, embedded
from coefvq.mllm import checkpoint as files
from coefvq.mllm.backend import MllmInput
from tests.unit.mllm import tiny

TEXTLESS = ExpensiveSignals("x")
SPOKEN = ExpensiveSignals(
    "x", speech=(TimedText(1.0, 2.0, "hello you"),), speech_understood=True, screen_text=()
)


def _item(title: str | None = None, signals: ExpensiveSignals = SPOKEN) -> MllmInput:
    return MllmInput(PostedText(title), signals, 3.0)


def test_every_policy_of_the_taxonomy_is_answered_or_named() -> None:
    found = tiny.backend().assess(_item("a title"))
    assert found.scores.keys() == taxonomy.policies().keys()
    for name, score in found.scores.items():
        if name in tiny.POLICIES:
            assert score.probability is not None and 0.0 <= score.probability <= 1.0
            assert score.label_mass is not None and 0.0 <= score.label_mass <= 1.0
        else:
            assert score.why_not == "not_trained"
    assert found.stage is Stage.MLLM and found.model_version == "embedded-tiny"
    assert found.tokens_in > 50 and found.tokens_out == 0 and found.milliseconds > 0


def test_contributions_name_all_parts_largest_first() -> None:
    found = tiny.backend().assess(_item("a title")).contributions
    assert found.keys() == set(tiny.POLICIES)
    for parts in found.values():
        assert {name for name, _ in parts} == set(files.PARTS)
        sizes = [abs(value) for _, value in parts]
        assert sizes == sorted(sizes, reverse=True)


@pytest.mark.parametrize(
    ("item", "why_not"),
    [
        pytest.param(_item(None, TEXTLESS), "nothing_to_read", id="no text"),
        pytest.param(_item("", TEXTLESS), "nothing_to_read", id="empty title"),
        pytest.param(_item("<|im_start|>\u200b", TEXTLESS), "nothing_to_read", id="only controls"),
        pytest.param(
            _item("a title", replace(SPOKEN, speech_understood=False)),
            "speech_not_understood",
            id="speech not followed",
        ),
        pytest.param(_item("ein fremder Titel"), "language_not_covered", id="foreign title"),
        pytest.param(
            _item("fine", replace(SPOKEN, screen_text=(TimedText(0, 1, "ganz fremder Text"),))),
            "language_not_covered",
            id="foreign screen text",
        ),
    ],
)
def test_what_cannot_be_read_is_not_covered(item: MllmInput, why_not: str) -> None:
    backend = tiny.backend(is_foreign=lambda text: "fremder" in text)
    found = backend.assess(item)
    for name in tiny.POLICIES:
        score = found.scores[name]
        assert (score.covered, score.probability, score.why_not) == (False, None, why_not)
    assert found.tokens_in == 0 and not found.contributions


def test_language_is_asked_for_each_modality_by_itself() -> None:
    asked: list[str] = []

    def note(text: str) -> bool:
        asked.append(text)
        return False

    tiny.backend(is_foreign=note).assess(_item("a title"))
    assert asked == ["a title", "hello you"]


def test_the_same_item_gives_the_same_answer() -> None:
    backend = tiny.backend()
    assert backend.assess(_item("x")).scores == backend.assess(_item("x")).scores


def test_explain_quotes_what_is_there() -> None:
    backend, item = tiny.backend(), _item("first sentence here")
    found = backend.explain(item, backend.assess(item))
    assert found.summary and found.uncertain
    for one in found.evidence:
        assert one.quote in ("first sentence here", "hello you")


def test_explain_of_an_uncovered_item() -> None:
    backend, item = tiny.backend(), _item(None, TEXTLESS)
    found = backend.explain(item, backend.assess(item))
    assert found.summary == "Nothing was scored: nothing to read."


def test_long_items_say_so() -> None:
    speech = tuple(TimedText(n, n + 1, f"number {n} " * 12) for n in range(60))
    backend = tiny.backend()
    item = _item("x", replace(SPOKEN, speech=speech))
    assert backend.assess(item).tokens_in <= 512
    assert any("too long" in note for note in backend.explain(item, backend.assess(item)).uncertain)


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The tiny base in place of the real one, and a checkpoint that fits it."""
    folder = tiny.save_to(tmp_path / "base")
    (folder / base.READY).write_text("tiny")
    monkeypatch.setattr(embedded, "ensure_base", lambda _: folder)
    files.save_checkpoint(tiny.checkpoint(), tmp_path / "checkpoint")
    return tmp_path / "checkpoint"


def test_load(installed: Path, tmp_path: Path) -> None:
    backend = embedded.EmbeddedMllm.load(tmp_path, folder=installed)
    assert backend.covers == set(tiny.POLICIES)
    assert backend.assess(_item("x")).scores["scam_spam"].covered


def test_another_base_is_refused_at_first_use(installed: Path, tmp_path: Path) -> None:
    (tmp_path / "base" / base.READY).write_text("another")
    backend = embedded.EmbeddedMllm.load(tmp_path, folder=installed)
    with pytest.raises(ModelError, match="trained on base"):
        backend.assess(_item("a title"))


def test_a_damaged_cache_names_the_remedy(installed: Path, tmp_path: Path) -> None:
    (tmp_path / "base" / base.READY).unlink()
    backend = embedded.EmbeddedMllm.load(tmp_path, folder=installed)
    with pytest.raises(ModelError, match="Delete that folder"):
        backend.assess(_item("a title"))
