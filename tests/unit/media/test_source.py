"""The reader that stands between a file and the decoder."""

from __future__ import annotations

import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coefvq.errors import MediaError
from coefvq.media.limits import Deadline, MediaLimits
from coefvq.media.source import LocalFile, shown


@pytest.fixture
def path(tmp_path):
    """A file of ten thousand known bytes."""
    made = tmp_path / "bytes.bin"
    made.write_bytes(bytes(range(250)) * 40)
    return made


@pytest.fixture
def source(path):
    """The file, open."""
    opened = LocalFile(path, MediaLimits())
    yield opened
    opened.close()


def test_it_reads_like_a_file(source, path):
    assert source.read(4) == b"\0\1\2\3"
    assert source.tell() == 4
    assert source.read(100_000) == path.read_bytes()[4:]
    assert source.read(1) == b""


@pytest.mark.parametrize(
    ("offset", "whence", "position"),
    [
        (10, os.SEEK_SET, 10),
        (5, os.SEEK_CUR, 8),
        (-10, os.SEEK_END, 9990),
        (0, os.SEEK_END, 10_000),
        (20_000, os.SEEK_SET, 20_000),
    ],
)
def test_it_seeks_like_a_file(source, offset, whence, position):
    source.read(3)
    assert source.seek(offset, whence) == position
    assert source.tell() == position


@pytest.mark.parametrize(
    ("offset", "whence"),
    [(-1, os.SEEK_SET), (-4, os.SEEK_CUR), (-10_001, os.SEEK_END), (-(2**62), 0), (0, 99)],
)
def test_a_place_that_cannot_be_is_an_error_number(source, offset, whence):
    source.read(3)
    assert source.seek(offset, whence) < 0
    assert source.tell() == 3


def test_a_failing_disk_ends_the_file_and_is_remembered(source, monkeypatch):
    def fail(*_: object) -> bytes:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr("coefvq.media.source.os.read", fail)
    assert source.read(10) == b""
    assert source.failure.errno == 5


def test_behind_the_end_there_is_nothing(source):
    source.seek(20_000)
    assert source.read(10) == b""


def test_a_growing_file_ends_where_it_ended_at_first(source, path):
    with path.open("ab") as more:
        more.write(b"x" * 5000)
    assert len(source.read(1_000_000)) == 10_000
    assert source.read(10) == b""
    source.seek(0, os.SEEK_END)
    assert source.tell() == 10_000


def test_past_the_deadline_it_reads_as_ended(path):
    source = LocalFile(path, MediaLimits(max_decode_s=0.0))
    assert source.read(10) == b""
    source.close()


def test_it_has_no_name_to_guess_a_format_from(source):
    assert not hasattr(source, "name")


def test_closing_twice_is_harmless(path):
    source = LocalFile(path, MediaLimits())
    source.close()
    source.close()


def test_a_refused_file_is_closed_again(path):
    before = len(os.listdir("/proc/self/fd"))
    with pytest.raises(MediaError) as caught:
        LocalFile(path, MediaLimits(max_bytes=9_999))
    assert caught.value.code == "too_large"
    assert "COEFVQ_MAX_BYTES" in str(caught.value)
    assert len(os.listdir("/proc/self/fd")) == before


def test_the_largest_size_is_allowed(path):
    LocalFile(path, MediaLimits(max_bytes=10_000)).close()


def test_a_file_without_permission_is_named(path, monkeypatch):
    def refuse(*_: object, **__: object) -> int:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("coefvq.media.source.os.open", refuse)
    with pytest.raises(MediaError, match="Permission denied"):
        LocalFile(path, MediaLimits())


def test_a_file_exchanged_for_a_pipe_while_opening_is_refused(path, tmp_path, monkeypatch):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    really_open = os.open
    monkeypatch.setattr("coefvq.media.source.os.open", lambda _, flags: really_open(pipe, flags))
    with pytest.raises(MediaError, match="exchanged"):
        LocalFile(path, MediaLimits())


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("plain.mp4", "plain.mp4"),
        ("ünï🎬.mp4", "ünï🎬.mp4"),
        ("a\nb\x07c\x1b[0m.mp4", "a?b?c?[0m.mp4"),
        ("right\u202eleft", "right?left"),
        ("x" * 500, "x" * 300),
    ],
    ids=["plain", "unicode", "control", "direction", "long"],
)
def test_names_in_messages_are_printable(name, text):
    assert shown(name) == text


@given(st.text())
def test_any_name_becomes_one_printable_line(name):
    assert shown(name).isprintable()
    assert len(shown(name)) <= 300


@settings(max_examples=50, deadline=None)
@given(
    data=st.binary(min_size=1, max_size=300),
    moves=st.lists(st.tuples(st.integers(0, 400), st.integers(0, 100)), max_size=10),
)
def test_any_order_of_reads_gives_the_bytes(tmp_path_factory, data, moves):
    path = tmp_path_factory.mktemp("any") / "f"
    path.write_bytes(data)
    source = LocalFile(path, MediaLimits())
    for offset, count in moves:
        source.seek(offset)
        assert source.read(count) == data[offset : offset + count]
    source.close()


@pytest.mark.parametrize(("seconds", "passed"), [(0.0, True), (1000.0, False)])
def test_a_deadline_passes(seconds, passed):
    deadline = Deadline(seconds, started=Deadline(0.0).started - 1.0)
    assert deadline.passed is passed
