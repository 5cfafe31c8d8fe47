"""Signals survive the cache unchanged, and damaged bytes are refused by name."""

from __future__ import annotations

import dataclasses
import io
import json
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from coefvq.domain import CheapSignals, ExpensiveSignals, TimedText
from coefvq.errors import StoreError
from coefvq.signals.serialise import dump, load

RNG = np.random.default_rng(0)
FULL = CheapSignals(
    extractor="cheap-1-abc",
    frame_embeddings=RNG.normal(size=(8, 1280)).astype(np.float32),
    frame_times_s=np.linspace(0, 7, 8, dtype=np.float32),
    visual=RNG.normal(size=49).astype(np.float32),
    motion=RNG.normal(size=46).astype(np.float32),
    sound=RNG.normal(size=47).astype(np.float32),
    warnings=("no_audio", "corrupt_frames"),
)
LINE = TimedText(0.5, 2.0, 'quote " and 強 \u2028', -0.3)
BOXED = TimedText(0.0, 1.0, "@user", 0.97, (0.1, 0.2, 0.3, 0.4))


def same(a: CheapSignals, b: CheapSignals) -> bool:
    pairs = [(getattr(a, f.name), getattr(b, f.name)) for f in dataclasses.fields(a)]
    return all(
        np.array_equal(x, y) and x.dtype == y.dtype if isinstance(x, np.ndarray) else x == y
        for x, y in pairs
    )


@pytest.mark.parametrize(
    "signals",
    [
        FULL,
        CheapSignals("cheap-1"),
        dataclasses.replace(FULL, sound=None, motion=None),
        dataclasses.replace(FULL, frame_embeddings=np.zeros((0, 1280), np.float32)),
    ],
    ids=["all", "nothing", "no sound", "no frames"],
)
def test_cheap_signals_come_back(signals):
    assert same(load(dump(signals)), signals)


@pytest.mark.parametrize(
    "signals",
    [
        ExpensiveSignals("expensive-1"),
        ExpensiveSignals("expensive-1", (), None, (), (0.0, 1.5), ("speech_partial",)),
        ExpensiveSignals("expensive-1", (LINE,), True, (BOXED, LINE), (0.0,)),
        ExpensiveSignals("expensive-1", (LINE,), False, None),
    ],
    ids=["nothing", "sound but no words", "both", "no screen"],
)
def test_expensive_signals_come_back(signals):
    assert load(dump(signals)) == signals


def test_absent_is_not_empty():
    absent, empty = ExpensiveSignals("e"), ExpensiveSignals("e", speech=(), screen_text=())
    assert load(dump(absent)).speech is None
    assert load(dump(empty)).speech == ()


@given(st.text(), st.floats(0, 1e6), st.none() | st.floats(-10, 1))
def test_any_text_comes_back(text, start, confidence):
    signals = ExpensiveSignals("e", speech=(TimedText(start, start + 1, text, confidence),))
    assert load(dump(signals)) == signals


def _npz_with_objects() -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, head=np.array([{"kind": "cheap"}], dtype=object))
    return buffer.getvalue()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"PK\x03\x04broken",
        b"\x80\x04not json",
        b"[]",
        b'{"kind": "other"}',
        b'{"kind": "expensive"}',
        dump(FULL)[:200],
        pickle.dumps(FULL.extractor),
        _npz_with_objects(),
        json.dumps({"kind": "expensive", "speech": [{"text": "no times"}]}).encode(),
    ],
    ids=[
        "empty", "broken zip", "noise", "list", "other kind", "fields missing", "cut short",
        "pickle", "pickled array", "odd line",
    ],
)  # fmt: skip
def test_damaged_bytes_are_refused(data):
    with pytest.raises(StoreError, match="signals cache"):
        load(data)
