from __future__ import annotations

import io
import os
import shutil
import wave

import numpy as np
import pytest

from coefvq.errors import MediaError, SettingsError
from coefvq.learning import spoken
from coefvq.learning.spoken import clean, speak

needs_espeak = pytest.mark.skipif(
    shutil.which(spoken.PROGRAM) is None and "CI" not in os.environ,
    reason="espeak-ng is not installed",
)


@pytest.mark.parametrize(
    ("posted", "said"),
    [
        ("RT @some_one: look at this", "look at this"),
        ("thanks @friend_1 for it", "thanks for it"),
        ("see https://t.co/aB1 now", "see now"),
        ("see www.x.org/a?b=c now", "see now"),
        ("youtube.com/watch all of it", "all of it"),
        ("go to freestuff.com today", "go to freestuff dot com today"),
        ("go to freestuff  . net today", "go to freestuff dot net today"),
        ("come with me. Me too", "come with me. Me too"),
        ("fish &amp; chips &#128514;&#128514;", "fish and chips"),
        ("one<br />two <b>three</b>", "one. two three"),
        ("so happy :D :-) today", "so happy today"),
        ("stop!!!!! really???", "stop! really?"),
        ("sooooooo good", "soo good"),
        ("#blessed and #happy", "blessed and happy"),
        ("I’m here\ufeff 日本", "I'm here"),
        ("win $500, 100% free", "win $500, 100% free"),
        ("[[h@'loU]] hello", "h 'loU hello"),
        ("", ""),
    ],
    ids=lambda value: value[:16] or "empty",
)
def test_only_what_a_person_would_say_is_left(posted: str, said: str) -> None:
    assert clean(posted) == said
    assert clean(said) == said


@needs_espeak
def test_speech_is_sixteen_kilohertz_mono_of_a_likely_length() -> None:
    sound = speak("this is a plain line of seven or eight words", 5)
    assert sound.dtype == np.float32 and sound.ndim == 1
    assert 2 * 16_000 < len(sound) < 8 * 16_000
    assert 0.25 < float(np.abs(sound).max()) <= 1.0


@needs_espeak
def test_the_same_seed_says_it_the_same_way_and_others_differ() -> None:
    first, again = speak("hello there", 3), speak("hello there", 3)
    np.testing.assert_array_equal(first, again)
    assert len({speak("hello there", seed).tobytes() for seed in range(5)}) == 5


@needs_espeak
def test_lead_and_tail_are_added_around_the_words() -> None:
    bare, placed = speak("hello", 4), speak("hello", 4, lead_s=1.5, tail_s=0.5)
    assert len(placed) - len(bare) == pytest.approx(2 * 16_000, abs=2)


@needs_espeak
@pytest.mark.parametrize("text", ["--version", "-w /tmp/never.wav hello", "$(true) `true`"])
def test_no_word_of_a_text_acts_as_an_option(text: str) -> None:
    assert len(speak(text, 1)) > 8000


def test_the_text_is_not_on_the_command_line(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[list[str], bytes]] = []

    def run(command: list[str], *, input: bytes, **_: object) -> object:
        seen.append((command, input))
        return type("Done", (), {"stdout": _wav(22_050, 22_050)})()

    monkeypatch.setattr(spoken.subprocess, "run", run)
    sound = speak("secret words", 1)
    command, given = seen[0]
    assert given == b"secret words" and not any("secret" in part for part in command)
    assert 16_000 < len(sound) < 3 * 16_000


def test_nothing_to_say_is_a_short_silence() -> None:
    sound = speak("", 2)
    assert 0 < len(sound) < 3 * 16_000 and not sound.any()


def test_long_texts_are_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[str] = []

    def silent(_: list[str], text: str) -> np.ndarray:
        given.append(text)
        return np.zeros(9, np.float32)

    monkeypatch.setattr(spoken, "_synthesise", silent)
    speak("word " * 500, 1)
    assert len(given[0].split()) == spoken.MOST_WORDS


def test_a_missing_program_is_named_with_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spoken, "PROGRAM", "espeak-ng-that-is-not-there")
    with pytest.raises(SettingsError, match=r"espeak-ng is not installed.*apt-get"):
        speak("hello", 1)


@pytest.mark.parametrize("program", ["false", "true", "cat"])
def test_a_text_that_cannot_be_spoken_is_an_error_of_that_text(
    program: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spoken, "_command", lambda rng, clear: [program])
    if program == "true":  # no sound at all is not an error
        assert not speak("hello", 1).any()
        return
    with pytest.raises(MediaError, match="text of 5 letters"):
        speak("hello", 1)


def test_a_background_is_faint_and_only_under_some() -> None:
    voice = np.sin(np.arange(16_000) / 8).astype(np.float32)
    levels = []
    for seed in range(40):
        mixed = spoken._with_background(voice, voice, spoken.random.Random(seed), seed)
        under = float(np.sqrt(np.mean((mixed - voice) ** 2) / np.mean(voice**2)))
        levels.append(20 * np.log10(max(under, 1e-9)))
    assert 5 < sum(level < -100 for level in levels) < 35
    assert max(levels) < -24 and min(level for level in levels if level > -100) > -42


def _wav(rate: int, samples: int) -> bytes:
    out = io.BytesIO()
    with wave.open(out, "wb") as handle:
        handle.setnchannels(1)
        handle.setsampwidth(2)
        handle.setframerate(rate)
        tone = np.sin(np.arange(samples) / 10) * 9000
        handle.writeframes(tone.astype("<i2").tobytes())
    return out.getvalue()
