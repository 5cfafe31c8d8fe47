"""Signals survive the cache unchanged, and damaged bytes are refused by name."""

from __future__ import annotations

import contextlib
import dataclasses
import io
import json
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

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
HEARD = ExpensiveSignals(
    "expensive-2-abc",
    (LINE,),
    True,
    (BOXED, LINE),
    (0.0, 1.5),
    ("speech_partial",),
    sound_states=RNG.normal(size=(20, 384)).astype(np.float16),
    motion=RNG.normal(size=99).astype(np.float32),
)


PACKED = (dump(FULL), dump(HEARD))


def _numbers(width: int) -> st.SearchStrategy[float]:
    return st.floats(width=width, allow_nan=False)


def same(a: CheapSignals | ExpensiveSignals, b: CheapSignals | ExpensiveSignals) -> bool:
    pairs = [(getattr(a, f.name), getattr(b, f.name)) for f in dataclasses.fields(a)]
    return type(a) is type(b) and all(
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
        HEARD,
        dataclasses.replace(HEARD, motion=None),
        dataclasses.replace(HEARD, sound_states=np.zeros((0, 384), np.float16)),
    ],
    ids=["nothing", "no words", "both", "no screen", "all", "no motion", "empty sound"],
)
def test_expensive_signals_come_back(signals):
    assert same(load(dump(signals)), signals)


def test_expensive_signals_of_the_first_format_can_be_read():
    old = {
        "kind": "expensive",
        "extractor": "expensive-1-abc",
        "speech": [dataclasses.asdict(LINE)],
        "speech_understood": True,
        "screen_text": [dataclasses.asdict(BOXED)],
        "frame_times_s": [0.0, 1.5],
        "warnings": [],
    }
    meant = ExpensiveSignals("expensive-1-abc", (LINE,), True, (BOXED,), (0.0, 1.5))
    assert same(load(json.dumps(old, ensure_ascii=False).encode()), meant)


def test_absent_is_not_empty():
    absent, empty = ExpensiveSignals("e"), ExpensiveSignals("e", speech=(), screen_text=())
    assert load(dump(absent)).speech is None
    assert load(dump(empty)).speech == ()


@given(st.text(), st.floats(0, 1e6), st.none() | st.floats(-10, 1))
def test_any_text_comes_back(text, start, confidence):
    signals = ExpensiveSignals("e", speech=(TimedText(start, start + 1, text, confidence),))
    assert same(load(dump(signals)), signals)


@given(
    st.none()
    | arrays(
        np.float16,
        st.tuples(st.integers(0, 120), st.just(384)),
        elements=_numbers(16),
        fill=_numbers(16),
    ),
    st.none() | arrays(np.float32, st.integers(0, 200), elements=_numbers(32)),
)
def test_any_arrays_come_back(states, motion):
    signals = ExpensiveSignals("e", sound_states=states, motion=motion)
    assert same(load(dump(signals)), signals)


@given(st.sampled_from(PACKED), st.data())
def test_a_damaged_byte_is_refused_or_harmless(packed, data):
    place = data.draw(st.integers(0, len(packed) - 1))
    byte = data.draw(st.integers(0, 255))
    with contextlib.suppress(StoreError):
        load(packed[:place] + bytes([byte]) + packed[place + 1 :])


def _repacked(**changes) -> bytes:
    with np.load(io.BytesIO(dump(HEARD))) as stored:
        parts = {name: stored[name] for name in stored.files}
    buffer = io.BytesIO()
    np.savez(buffer, **{**parts, **changes})
    return buffer.getvalue()


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
        dump(HEARD)[:-100],
        _repacked(motion=np.zeros(3, np.float64)),
        _repacked(sound_states=np.zeros(384, np.float16)),
        _repacked(head=np.zeros(9, np.uint8)),
        _repacked(head=np.frombuffer(b"[]", np.uint8)),
    ],
    ids=[
        "empty", "broken zip", "noise", "list", "other kind", "fields missing", "cut short",
        "pickle", "pickled array", "odd line", "states cut short", "doubles", "flat states",
        "no JSON", "head is a list",
    ],
)  # fmt: skip
def test_damaged_bytes_are_refused(data):
    with pytest.raises(StoreError, match="signals cache"):
        load(data)
