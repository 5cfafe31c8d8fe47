"""Hashes in ThreatExchange's formats: what goes out comes in again, what is wrong is told."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from coefvq.originality import exchange
from coefvq.originality.exchange import (
    AS_NEAR_BITS,
    ExchangeError,
    read_json,
    read_text,
    thinned,
    write_json,
    write_text,
)
from coefvq.originality.fingerprint import Fingerprint, from_bytes, to_bytes
from coefvq.originality.index import Index
from tests.unit.originality.originals_factory import made, random_hashes

HASH = "e271017837246aaccddea259648fb7d62f435c89d9e99b2497763e216c8d055c"
REFERENCE = "".join(
    f"{frame},{quality},{HASH},{frame / 30:.3f}\n"
    for frame, quality in ((0, 100), (1, 100), (7, 99), (8, 49), (16, 0), (24, 100))
)


def test_text_as_threatexchange_writes_it() -> None:
    read = read_text(REFERENCE.splitlines())
    assert read.name == ""
    assert len(read.sha256) == 64
    times = [frame / 30 for frame in (0, 1, 7, 8, 16, 24)]
    assert read.fp.times_s.tolist() == pytest.approx(times, abs=1e-3)
    assert read.fp.quality.tolist() == [100, 100, 99, 49, 0, 100]
    assert read.fp.hashes[0].tobytes().hex() == HASH
    assert read.fp.duration_s == pytest.approx(0.8)


def test_what_came_in_can_be_stored_and_found_by_its_hashes() -> None:
    fp = from_bytes(to_bytes(read_text(REFERENCE.splitlines()).fp))
    index = Index()
    index.add(5, fp)
    assert len(index.near_hashes(fp.hashes[:1])) == 4
    assert fp.thumbs.shape == (0, 48, 48)


@given(st.integers(0, 40), st.integers(0, 2**20), st.text(max_size=30))
def test_json_lines_come_back_as_they_were(count: int, seed: int, name: str) -> None:
    rng = np.random.default_rng(seed)
    hashes = random_hashes(seed, count + 1)
    fp = made(hashes, quality=rng.integers(0, 101, count + 1))
    line = write_json(name, "ab" * 32, fp)
    assert line.count("\n") == 1 and line.endswith("\n")
    read = read_json(line)
    assert (read.name, read.sha256, read.fp.duration_s) == (name, "ab" * 32, fp.duration_s)
    for field in ("hashes", "quality", "times_s"):
        assert np.array_equal(getattr(read.fp, field), getattr(fp, field))
    again = read_text(write_text(fp))
    assert np.array_equal(again.fp.hashes, fp.hashes)


def test_a_vpdq_signal_is_read_and_its_features_are_three_fields() -> None:
    signal = json.loads(write_json("a", "", made(random_hashes(1, 2))))["vpdq"]
    assert signal[1].split(",")[1:] == ["90", "1.000"]
    assert len(read_json(json.dumps(signal)).fp.times_s) == 2


def test_the_same_hashes_have_the_same_digest() -> None:
    fp = made(random_hashes(1, 3))
    one, two = read_text(write_text(fp)), read_json(write_json("x", "no digest", fp))
    assert one.sha256 == two.sha256 != read_text(REFERENCE.splitlines()).sha256


BAD_TEXT = {
    "nothing": ("", "no frame"),
    "blank": ("\n \n", "no frame"),
    "prose": ("this is no hash file", "line 1 is not frame,quality"),
    "three fields": (f"0,100,{HASH}", "line 1 is not"),
    "five fields": (f"0,100,{HASH},0.0,1", "line 1 is not"),
    "no frame number": (f"x,100,{HASH},0.0", "line 1 is not"),
    "short hash": (f"0,100,{HASH[1:]},0.0", "64 hex digits"),
    "long hash": (f"0,100,{HASH}a,0.0", "64 hex digits"),
    "no hex": (f"0,100,{'g' * 64},0.0", "64 hex digits"),
    "quality above": (f"0,101,{HASH},0.0", "quality '101'"),
    "quality below": (f"0,-1,{HASH},0.0", "quality '-1'"),
    "quality no number": (f"0,good,{HASH},0.0", "quality 'good'"),
    "time before": (f"0,100,{HASH},-1", "no time"),
    "time nan": (f"0,100,{HASH},nan", "no time"),
    "time inf": (f"0,100,{HASH},inf", "no time"),
    "second line": (f"0,100,{HASH},0\n1,100,{HASH},x", "line 2"),
}


@pytest.mark.parametrize("name", BAD_TEXT)
def test_bad_text_is_refused_with_its_line(name: str) -> None:
    text, says = BAD_TEXT[name]
    with pytest.raises(ExchangeError, match=says):
        read_text(text.splitlines())


BAD_JSON = {
    "no json": ("{", "not JSON"),
    "deep": ("[" * 100_000, "not JSON"),
    "a number": ("3", "A line is"),
    "no hashes": ('{"name": "a"}', "A line is"),
    "hashes as text": ('{"vpdq": "abc"}', "A line is"),
    "a number as frame": ('{"vpdq": [1]}', "Frame 0"),
    "four fields": (json.dumps({"vpdq": [f"{HASH},1,2,3"]}), "Frame 0"),
    "nothing in it": ('{"vpdq": []}', "no frame"),
    "bad quality": (json.dumps({"vpdq": [f"{HASH},1e9,2"]}), "frame 0: quality"),
}


@pytest.mark.parametrize("name", BAD_JSON)
def test_bad_json_is_refused(name: str) -> None:
    line, says = BAD_JSON[name]
    with pytest.raises(ExchangeError, match=says):
        read_json(line)


def test_endless_hashes_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exchange, "MOST_FRAMES", 3)
    with pytest.raises(ExchangeError, match="more than 3"):
        read_text(f"{at},100,{HASH},{at}" for at in range(10**9))


def walking(seconds: float, bits_a_frame: int, rate: float = 30.0) -> Fingerprint:
    """A list with 30 hashes a second, each so many bits from the one before."""
    rng = np.random.default_rng(3)
    bits = rng.integers(0, 2, 256, dtype=np.uint8)
    hashes = []
    for _ in range(int(seconds * rate)):
        bits[rng.choice(256, bits_a_frame, replace=False)] ^= 1
        hashes.append(np.packbits(bits))
    times = np.arange(len(hashes), dtype=np.float32) / np.float32(rate)
    return replace(made(np.array(hashes)), times_s=times, duration_s=seconds)


@pytest.mark.parametrize(
    ("bits_a_frame", "least", "most"),
    [
        pytest.param(0, 9, 10, id="still: one a second"),
        pytest.param(1, 15, 30, id="slow"),
        pytest.param(4, 60, 110, id="faster"),
        pytest.param(20, 300, 300, id="every frame another picture"),
    ],
)
def test_thinning_leaves_out_what_says_the_same(bits_a_frame: int, least: int, most: int) -> None:
    whole = walking(10.0, bits_a_frame)
    thin = thinned(whole)
    assert least <= len(thin.times_s) <= most
    assert (thin.times_s[0], thin.duration_s) == (whole.times_s[0], whole.duration_s)
    kept = np.searchsorted(thin.times_s, whole.times_s, side="right") - 1
    off = np.bitwise_count(whole.hashes ^ thin.hashes[kept]).sum(axis=1)
    assert off.max() <= AS_NEAR_BITS
    assert (whole.times_s - thin.times_s[kept]).max() < 1.0
    again = thinned(thin)
    assert np.array_equal(again.times_s, thin.times_s)


def test_thinning_keeps_where_a_picture_becomes_clear() -> None:
    whole = walking(1.0, 0)
    whole.quality[:] = 10
    whole.quality[12:20] = 90
    assert thinned(whole).times_s.tolist() == whole.times_s[[0, 12, 20]].tolist()


@given(st.integers(1, 60), st.integers(0, 2**20))
def test_any_list_can_be_thinned(count: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    quality = rng.integers(0, 101, count)
    whole = made(random_hashes(seed, count), quality=quality)
    thin = thinned(whole)
    assert 1 <= len(thin.times_s) <= count
    assert len(thin.times_s) == len(thin.hashes) == len(thin.quality)
