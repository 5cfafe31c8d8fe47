"""Made-up data in the shape of the real sets, and a tiny model to train on it."""

from __future__ import annotations

import csv
import json
import random
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from coefvq.domain import PostedText, TimedText
from coefvq.learning.clip_corpora import VIOLENCE, ClipItem
from coefvq.learning.fused.composed import Hosts
from coefvq.learning.fused.example import ALWAYS, POLICIES, Example, Place, Words
from coefvq.learning.fused.runs import Bench
from coefvq.learning.text_corpora import HATE, SCAM, TextItem
from coefvq.mllm.fused.items import FusedItem
from coefvq.mllm.fused.trained import LoraSizes, add_lora
from tests.unit.mllm.fused import parts

LORA = LoraSizes(rank=2, alpha=4)
SPLIT = 1
GOOD, BAD = ("garden", "music", "bread"), ("vermin", "filthy", "subhuman")


def sentence(number: int, bad: bool) -> str:
    """Five words, all different from those of other numbers; one of them decides."""
    word = (BAD if bad else GOOD)[number % 3]
    return f"{word} a{number:04} b{number:04} c{number:04} talk"


def tweets(count: int = 900) -> list[TextItem]:
    """Harmless, hateful and offensive in turn; the last few look like dialect."""
    found = []
    for number in range(count):
        kind = ("neither", "hate", "offensive")[number % 3]
        tags = (f"class:{kind}",) + (("aae_like",) if number >= count - 30 else ())
        found.append(
            TextItem(
                id=f"davidson/{number}", group=f"davidson/{number}", source="davidson",
                caption=sentence(number, kind != "neither"), labels={HATE: int(kind != "neither")},
                tags=tags,
            )
        )  # fmt: skip
    return found


def comments(count: int = 80) -> list[TextItem]:
    """Under four videos, half of them spam."""
    return [
        TextItem(
            id=f"youtube_spam/{n}", group=f"youtube_spam/0{n % 4}", source="youtube_spam",
            caption=sentence(5000 + n, (n // 4) % 2 == 1), labels={SCAM: (n // 4) % 2},
        )
        for n in range(count)
    ]  # fmt: skip


HOSTS = Hosts([f"calm line {n} of the day" for n in range(40)], [f"scenes/{n}" for n in range(5)])


def clips() -> list[ClipItem]:
    """Fights from ten sources, ordinary clips and composed ones; no file is read."""
    nowhere = Path("nowhere.mp4")
    found = [
        ClipItem(f"fights/{n}.mp4", f"fights/s{n // 2}", "fights", nowhere, {VIOLENCE: n % 2})
        for n in range(20)
    ]
    found += [
        ClipItem(f"scenes/{n}.mp4", f"scenes/{n}", "scenes", nowhere, {VIOLENCE: 0})
        for n in range(5)
    ]
    labels = dict.fromkeys(POLICIES[3:], 0)
    found += [
        ClipItem(f"composed/{n}.mp4", f"fights/s{n % 10}", "composed", nowhere, labels)
        for n in range(10)
    ]
    return found


def write_sets(folder: Path) -> Path:
    """Text sets as files, large enough for all parts of the mixture."""
    rows = [
        {
            "id": str(n), "split": "train", "title": sentence(n, n % 3 == 0), "description": None,
            "transcript": f"word{n} other{n} third{n} fourth{n}",
            "label": "hateful" if n % 3 == 0 else "normal",
        }
        for n in range(40)
    ]  # fmt: skip
    text = "\n".join(map(json.dumps, rows))
    (folder / "multihateclip_en_train_valid.jsonl").write_text(text, encoding="utf-8")
    posted = [[item.tags[0].removeprefix("class:"), item.caption] for item in tweets(2400)]
    _write(folder / "davidson_tweets.csv", ["class", "text"], posted)
    said = [[item.group[-2:], item.caption, item.labels[SCAM]] for item in comments()]
    _write(folder / "youtube_spam_comments.csv", ["source", "text", "is_spam"], said)
    for name in ("clickbait_headlines.txt", "non_clickbait_headlines.txt"):
        lines = [f"news {n} of the {name}" for n in range(1950)]
        (folder / name).write_text("\n".join(lines), encoding="utf-8")
    return folder


def _write(path: Path, head: list[str], rows: list[list[Any]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as handle:
        csv.writer(handle).writerows([head, *rows])


def example(id: str = "one", part: str = "video", fold: int = ALWAYS, **changes: Any) -> Example:
    """An example that is its own group."""
    given: dict[str, Any] = {"id": id, "part": part, "group": id, "fold": fold}
    return Example(**(given | changes))


def text_of(example: Example, place: Place) -> str:
    """The words of one place, not yet recognised."""
    if place == "caption":
        return example.caption or ""
    words: Words = getattr(example, place)
    if words is None or isinstance(words, tuple):
        return " ".join(line.text for line in words or ())
    return words.text


def ten_clips() -> tuple[list[Example], list[FusedItem]]:
    """Ten clips with all modalities: four hateful or not, four scams or not, two fights or not."""
    known: list[tuple[str, str, Place, int]] = [
        ("composed_speech", HATE, "speech", 2),
        ("composed_screen_text", HATE, "screen_text", 2),
        ("composed_caption", SCAM, "caption", 4),
        ("fights", VIOLENCE, "pictures", 2),
    ]
    rows = [(part, policy, place) for part, policy, place, count in known for _ in range(count)]
    examples, items = [], []
    for number, (part, policy, place) in enumerate(rows):
        bad = number % 2 == 1
        examples.append(
            example(
                f"{part}/{number}", part, targets={policy: int(bad)}, align=True,
                footage=f"clip{number}", evidence=(policy, place) if bad else None,
            )
        )  # fmt: skip
        items.append(_with_words(parts.item(number), place, sentence(number, bad)))
    return examples, items


def _with_words(item: FusedItem, place: Place, words: str) -> FusedItem:
    if place == "pictures":
        return item
    if place == "caption":
        return replace(item, posted=PostedText(item.posted.title, words))
    return replace(item, **{place: (TimedText(0.0, 2.0, words),)})  # type: ignore[arg-type]


def bench(
    examples: Sequence[Example], items: Sequence[FusedItem], folder: Path, seed: int = 0
) -> Bench:
    """A tiny model with adapters; its slots are ``POLICIES`` (see the fixture ``six_slots``)."""
    model = parts.model(seed=seed, late_text_layer=SPLIT)
    add_lora(model, LORA)
    said: list[str] = []
    return Bench(model, parts.processor(late_text_layer=SPLIT), examples, items, folder, SPLIT,
                 seed, said.append, {})  # fmt: skip


def small_mixture(folds: int = 3) -> tuple[list[Example], list[FusedItem]]:
    """Videos, comments and fights in folds, with what else is measured; one word decides."""
    chance = random.Random(0)
    examples, items = [], []
    for number in range(24):
        fold, bad = number % folds, (number // folds) % 2 == 1
        for part, policy in (("video", HATE), ("comment", SCAM), ("fights", VIOLENCE)):
            id = f"fights/{number}.mp4" if part == "fights" else f"{part}/set/{number}"
            footage = id if part == "fights" else None
            targets = {policy: int(bad)}
            align = number < 4
            examples.append(example(id, part, fold, targets=targets, footage=footage, align=align))
            items.append(_toy_item(part, number, bad, chance))
    for number in range(4):
        bad = number % 2 == 1
        held = example(f"tweet_held/set/{number}", "tweet_held", -2, targets={HATE: 0})
        examples.append(held)
        items.append(_toy_item("video", 100 + number, bad, chance))
    return examples, items


def _toy_item(part: str, number: int, bad: bool, chance: random.Random) -> FusedItem:
    if part == "fights":
        item = parts.item(number, without=("caption", "speech", "screen_text", "sound"))
        assert item.motion is not None
        return replace(item, motion=np.asarray(item.motion) + 2.0 * bad)
    word = (BAD if bad else GOOD)[chance.randrange(3)]
    return FusedItem(PostedText(f"{word} thing {number}", f"{word} again"))
