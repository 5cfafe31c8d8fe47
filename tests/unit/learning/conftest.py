"""A tiny data folder in the shape of the real one: texts made up, clips drawn and encoded."""

from __future__ import annotations

import csv
import json
import random
from pathlib import Path

import pytest
from PIL import Image

from coefvq.learning.clip_corpora import MARKED_FIGHT_GROUPS
from coefvq.learning.compose import encode
from tests import media_factory

HATE_WORDS, KIND_WORDS = ("vermin", "subhuman", "filthy"), ("garden", "music", "bread")
SPAM_WORDS, TALK_WORDS = ("subscribe", "giveaway", "channel"), ("song", "video", "love")


def _line(words: tuple[str, ...], rng: random.Random) -> str:
    return f"{rng.choice(words)} {rng.choice(words)} number {rng.randint(0, 10**6)}"


def _write(path: Path, header: list[str], rows: list[list[object]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as handle:
        csv.writer(handle).writerows([header, *rows])


def _texts(folder: Path, rng: random.Random) -> None:
    folder.mkdir()
    with (folder / "multihateclip_en_train_valid.jsonl").open("w") as handle:
        for number in range(60):
            bad = number % 3 == 0
            row = {
                "id": str(number), "split": "train", "title": _line(HATE_WORDS if bad else
                KIND_WORDS, rng), "description": None, "transcript": str(rng.random()),
                "label": "hateful" if bad else "normal",
            }  # fmt: skip
            handle.write(json.dumps(row) + "\n")
    tweets = [
        ["offensive" if n % 2 else "neither", _line(HATE_WORDS if n % 2 else KIND_WORDS, rng)]
        for n in range(80)
    ]
    _write(folder / "davidson_tweets.csv", ["class", "text"], tweets)
    comments = [
        [f"0{n % 4}", _line(SPAM_WORDS if (n // 4) % 2 else TALK_WORDS, rng), (n // 4) % 2]
        for n in range(80)
    ]
    _write(folder / "youtube_spam_comments.csv", ["source", "text", "is_spam"], comments)
    for name in ("clickbait_headlines.txt", "non_clickbait_headlines.txt"):
        lines = [f"{_line(KIND_WORDS, rng)} news" for _ in range(20)]
        (folder / name).write_text("\n".join(lines))


def _film(path: Path, shake: float, seed: int) -> None:
    rng, frames = random.Random(seed), []
    for index in range(30):
        at = index / 60 + (rng.random() * shake if shake else 0)
        frames.append(Image.fromarray(media_factory.moving(at, 160, 120)))
    encode(frames, path, "libx264", 15, 26)


def _clips(data: Path) -> None:
    (data / "fights").mkdir()
    (data / "clips" / "scenes").mkdir(parents=True)
    # Only the first source is free of marks: few sources to compose from keep the tests quick.
    groups = ["g0", *sorted(MARKED_FIGHT_GROUPS)]
    rows: list[list[object]] = []
    for number in range(12):
        fight = number % 2
        name = f"clip{number}.mp4"
        _film(data / "fights" / name, 2.0 if fight else 0.0, number)
        rows.append([name, "fight" if fight else "nofight", groups[number // 2]])
    _write(data / "fights" / "labels.csv", ["file", "label", "source_group"], rows)
    _film(data / "clips" / "scenes" / "street.mp4", 0.0, 99)


@pytest.fixture(scope="session")
def tiny_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    data = tmp_path_factory.mktemp("data")
    _texts(data / "text", random.Random(0))
    _clips(data)
    return data
