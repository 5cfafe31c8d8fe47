"""Damaged bytes in any container: a described error or a usable result, never anything else."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from coefvq.errors import MediaError
from coefvq.media.limits import MediaLimits
from coefvq.media.probe import probe
from coefvq.media.sampling import sample
from coefvq.media.sound import read_sound

LIMITS = MediaLimits(max_decode_s=10.0, max_pixels=2_000_000)
CODES = {
    "unreadable_media",
    "unsupported_media",
    "no_video",
    "no_frames",
    "too_long",
    "too_many_pixels",
    "too_many_streams",
    "decode_timeout",
    "empty_file",
}
CONTAINERS = [
    "plain.mp4",
    "plain.mkv",
    "plain.webm",
    "plain.avi",
    "plain.ts",
    "plain.flv",
    "plain.mpg",
    "plain.wmv",
    "plain.gif",
]


def _use(path) -> None:
    try:
        info = probe(path, LIMITS)
        taken = sample(info, LIMITS)
        samples = read_sound(info, LIMITS)
    except MediaError as error:
        assert error.code in CODES
        return
    assert taken.distinct >= 1
    assert info.width <= LIMITS.max_side and info.height <= LIMITS.max_side
    assert info.duration_s >= 0
    assert samples is None or samples.ndim == 1


@pytest.mark.parametrize("name", CONTAINERS)
@settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    places=st.lists(st.tuples(st.floats(0, 1), st.binary(min_size=1, max_size=16)), min_size=1),
    keep=st.floats(0.05, 1.0),
)
def test_damage_anywhere(good, tmp_path, name, places, keep):
    data = bytearray(good(name).read_bytes())
    for place, noise in places:
        start = int(place * (len(data) - 1))
        data[start : start + len(noise)] = noise
    path = tmp_path / "damaged"
    path.write_bytes(bytes(data[: max(1, int(len(data) * keep))]))
    _use(path)


@pytest.mark.parametrize("name", CONTAINERS)
@settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    at=st.integers(0, 1500), value=st.sampled_from([b"\xff" * 4, b"\x7f\xff\xff\xff", b"\0" * 4])
)
def test_extreme_numbers_in_headers(good, tmp_path, name, at, value):
    data = bytearray(good(name).read_bytes())
    data[at : at + 4] = value
    path = tmp_path / "extreme"
    path.write_bytes(bytes(data))
    _use(path)
