"""What the shipped weights do on texts and clips that they were not trained on."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageDraw

from coefvq.domain import Assessment, PostedText
from coefvq.learning.compose import encode
from coefvq.media.probe import probe
from coefvq.prefilter.explain import spoken
from coefvq.prefilter.features import CHANGE_NAMES
from coefvq.prefilter.predict import Prefilter
from coefvq.signals.extract import CheapExtractor
from coefvq.signals.motion import MOTION_NAMES
from coefvq.signals.visual import VISUAL_NAMES

SPAM = (
    "Check out my channel and subscribe, I give away free iPhones http://bit.ly/win",
    "EARN $500 A DAY working from home!!! visit www.easy-cash-now.com",
    "please subscribe to my channel guys and like my new video",
)
PLAIN = (
    "A quiet walk through the old town in the rain",
    "How to bake sourdough bread at home",
    "I love this part of the song, it reminds me of my grandmother",
)


@pytest.fixture(scope="module")
def prefilter() -> Prefilter:
    return Prefilter.load(is_foreign=lambda text: text.startswith("Das ist"))


@pytest.fixture(scope="module")
def extractor() -> CheapExtractor:
    return CheapExtractor()


def _score(prefilter: Prefilter, title: str | None, caption: str | None, policy: str) -> float:
    probability = prefilter.assess(None, PostedText(title, caption)).scores[policy].probability
    assert probability is not None
    return probability


def _noise(seed: int) -> Image.Image:
    """A picture with detail at all sizes."""
    rng, total = np.random.default_rng(seed), np.zeros((240, 320, 3))
    for size in (4, 16, 64):
        grain = Image.fromarray(rng.integers(0, 255, (size, size, 3), np.uint8))
        total += np.asarray(grain.resize((320, 240), Image.Resampling.BICUBIC)) / 3
    return Image.fromarray(total.astype(np.uint8))


def _filmed() -> list[Image.Image]:
    """A camera that sways over a scene while something crosses it."""
    wide = _noise(1).resize((480, 360))
    frames = []
    for index in range(60):
        x, y = 70 + 60 * np.sin(index / 9), 50 + 40 * np.cos(index / 13)
        frame = wide.crop((int(x), int(y), int(x) + 320, int(y) + 240))
        ImageDraw.Draw(frame).ellipse((index * 5, 90, index * 5 + 60, 170), fill=(200, 60, 40))
        noise = np.random.default_rng(index).normal(0, 6, (240, 320, 3))
        frames.append(Image.fromarray(np.clip(np.asarray(frame) + noise, 0, 255).astype(np.uint8)))
    return frames


def _stills() -> list[Image.Image]:
    return [_noise(2 + index // 20) for index in range(60)]


def _page() -> list[Image.Image]:
    """A white page of text lines under a bar, scrolled down step by step."""
    page = Image.new("RGB", (320, 900), (252, 252, 252))
    draw = ImageDraw.Draw(page)
    for line in range(70):
        draw.text(
            (20, 10 + 13 * line), "settings account help and more words " * 2, fill=(30, 30, 30)
        )
    frames = []
    for index in range(60):
        frame = page.crop((0, 8 * (index // 6) * 4, 320, 8 * (index // 6) * 4 + 240))
        bar = ImageDraw.Draw(frame)
        bar.rectangle((0, 0, 320, 22), fill=(225, 225, 230))
        bar.text((60, 5), "https://example.org/settings", fill=(90, 90, 90))
        frames.append(frame)
    return frames


@pytest.fixture(scope="module")
def made(
    prefilter: Prefilter, extractor: CheapExtractor, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Assessment]:
    folder, found = tmp_path_factory.mktemp("clips"), {}
    for name, frames in {"filmed": _filmed(), "stills": _stills(), "page": _page()}.items():
        path = folder / f"{name}.mp4"
        encode(frames, path, "libx264", 20, 23)
        found[name] = prefilter.assess(extractor.extract(probe(path)), PostedText())
    return found


def _p(assessment: Assessment, policy: str) -> float:
    probability = assessment.scores[policy].probability
    assert probability is not None
    return probability


@pytest.mark.parametrize("field", ["title", "caption"])
def test_spam_is_told_from_harmless_words_in_either_field(prefilter: Prefilter, field: str) -> None:
    def score(text: str) -> float:
        title, caption = (text, None) if field == "title" else (None, text)
        return _score(prefilter, title, caption, "scam_spam")

    assert min(score(text) for text in SPAM) > 0.5
    assert max(score(text) for text in PLAIN) < 0.25


def test_attacks_on_people_score_above_harmless_words(prefilter: Prefilter) -> None:
    bad = _score(prefilter, "these stupid bitches are trash, hoes", None, "hate_harassment")
    good = max(_score(prefilter, text, None, "hate_harassment") for text in PLAIN)
    assert bad > 0.6 > 0.4 > good


def test_the_words_that_moved_a_score_are_named(prefilter: Prefilter) -> None:
    moved = prefilter.assess(None, PostedText(None, SPAM[0])).contributions["scam_spam"]
    named = " ".join(name for name, change in moved if change > 0)
    assert any(word in named for word in ("channel", "subscribe", "check", "links"))


def test_a_foreign_caption_is_not_covered(prefilter: Prefilter) -> None:
    got = prefilter.assess(None, PostedText("Das ist ein Titel"))
    assert got.scores["hate_harassment"].why_not == "language_not_covered"


def test_an_absent_caption_is_not_an_empty_one(prefilter: Prefilter) -> None:
    absent = _score(prefilter, PLAIN[0], None, "hate_harassment")
    assert absent != _score(prefilter, PLAIN[0], "", "hate_harassment")


def test_still_pictures_are_told_from_filmed_motion(made: dict[str, Assessment]) -> None:
    """Against an assumed rate of 0.05, a fourfold probability is clear evidence."""
    assert _p(made["stills"], "static_slideshow") > 0.2
    assert _p(made["filmed"], "static_slideshow") < 0.1
    moved = made["stills"].contributions["static_slideshow"]
    assert any(change > 0 for _, change in moved)


def test_a_recorded_page_is_told_from_filmed_motion(made: dict[str, Assessment]) -> None:
    assert _p(made["page"], "screen_recording") > _p(made["filmed"], "screen_recording")
    assert _p(made["page"], "screen_recording") > 0.5


def test_all_trained_policies_answer_for_a_real_clip(made: dict[str, Assessment]) -> None:
    for assessment in made.values():
        covered = {name for name, score in assessment.scores.items() if score.covered}
        assert covered == {
            "violence", "hate_harassment", "scam_spam",
            "watermark", "static_slideshow", "screen_recording",
        }  # fmt: skip


@pytest.mark.parametrize("name", (*VISUAL_NAMES, *MOTION_NAMES, *CHANGE_NAMES))
def test_every_statistic_has_a_name_for_people(name: str) -> None:
    assert spoken(name) != name
