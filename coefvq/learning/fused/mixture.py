"""The mixture that the fused model learns from: which words, pictures, labels and folds.

Text sets have no pictures, and picture sets no words; a video has both. So harmless footage is
put under part of the texts and harmless words over the footage, without regard to labels.
"""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from coefvq.domain import TimedText
from coefvq.learning import clip_corpora, compose, text_corpora
from coefvq.learning.clip_corpora import VIOLENCE, ClipItem
from coefvq.learning.clip_signals import OnClip
from coefvq.learning.crossval import grouped_folds
from coefvq.learning.fused.composed import WEAK, Hosts, composed_hate, composed_scam
from coefvq.learning.fused.example import ALWAYS, HELD, Example, Recognised
from coefvq.learning.fused.steering import padded
from coefvq.learning.fused.texts import assign_folds, move_to, moved_video, timed
from coefvq.learning.spoken import clean
from coefvq.learning.text_corpora import HATE, TextItem

FOLDS = 5
ALIGN_VIDEO = 0
"""The one video of TubeSpam that the first phase learns from; figures come from the others."""
_ALIGN_FOLDS = (0,)
"""Folds of footage whose composed clips the first phase sees."""
_ALIGN_HEADLINES = 120
_ORDINARY = 0.2
_STEERED_SHARE = 0.12
_TWEETS, _HEARD_TWEETS, _ALIGN_TWEETS = 2000, 200, 200
"""Of each label."""


def build_mixture(
    data_dir: Path, clips: Sequence[ClipItem], *, seed: int = 0, scale: float = 1.0
) -> list[Example]:
    """Read all sets and place their texts and footage. The same arguments give the same list.

    Args:
        clips: What ``picture_clips`` gave.
        scale: Keeps this share of the items of each part, for trials.
    """
    chance = random.Random(f"{seed}/mixture")
    folds = clip_folds(clips, seed)
    headlines = [t for t in text_corpora.headlines(data_dir) if t.id.startswith("clickbait")]
    chance.shuffle(headlines)
    ordinary = [clip.id for clip in clips if clip.source in ("scenes", "gradio")]
    hosts = Hosts([item.text for item in headlines[:1500]], ordinary)
    calm = {f: [c.id for c in clips if folds[c.id] == f and _is_fights(c)] for f in range(FOLDS)}
    examples = _pictures(clips, folds, hosts, chance)
    examples += _videos(data_dir, calm, clips, seed, chance)
    comments = text_corpora.youtube_spam(data_dir)
    sources = sorted({item.group for item in comments})
    comment_folds = [sources.index(item.group) for item in comments]
    examples += _comments(comments, comment_folds, ordinary, chance)
    examples += composed_scam(comments, comment_folds, hosts, seed)
    tweets = text_corpora.davidson(data_dir, weak_scam=True)
    examples += composed_hate(tweets, hosts, seed)
    examples += _tweet_slices(tweets, examples, chance)
    examples += _more_tweets(tweets, examples, seed)
    examples += _headlines(headlines[1500:], ordinary, chance)
    return _thinned(examples, scale, chance) + _steered(examples, scale, chance)


def picture_clips(data_dir: Path, work: Path, *, seed: int = 0, scale: float = 1.0,
                  on_clip: OnClip | None = None) -> list[ClipItem]:  # fmt: skip
    """Labelled fights, ordinary clips and clips composed for the unoriginal kinds."""
    specs = compose.plan(clip_corpora.footage(data_dir), seed, scale)
    made = compose.compose(specs, work / compose.RECIPE_VERSION, on_clip)
    return [
        *clip_corpora.fights(data_dir),
        *clip_corpora.scenes(data_dir),
        *clip_corpora.gradio_media(),
        *made,
    ]


def clip_folds(clips: Sequence[ClipItem], seed: int) -> dict[str, int]:
    """Fold of each clip; its source footage decides."""
    groups = [clip.group for clip in clips]
    labels = [clip.labels.get(VIOLENCE, 0) for clip in clips]
    dealt = grouped_folds(groups, labels, FOLDS, seed)
    return {clip.id: int(fold) for clip, fold in zip(clips, dealt, strict=True)}


def _is_fights(clip: ClipItem) -> bool:
    return clip.source == "fights"


def _pictures(
    clips: Sequence[ClipItem], folds: dict[str, int], hosts: Hosts, chance: random.Random
) -> list[Example]:
    """Each clip without a word, and fights once more under harmless words.

    The first phase sees what some of the composed kinds look like, but no label of a fight.
    """
    examples = []
    for clip in clips:
        weights = {} if clip.source in ("fights", "composed") else {VIOLENCE: _ORDINARY}
        bare = Example(
            id=clip.id,
            part=clip.source,
            group=clip.group,
            fold=folds[clip.id],
            footage=clip.id,
            targets=_picture_targets(clip),
            weights=weights,
            evidence=(VIOLENCE, "pictures") if clip.labels.get(VIOLENCE) else None,
            align=clip.source == "composed" and folds[clip.id] in _ALIGN_FOLDS,
        )
        examples.append(bare)
        if clip.source != "composed":
            caption = chance.choice(hosts.lines)
            under = replace(bare, id=f"{clip.id}#words", part=f"{clip.source}_words")
            examples.append(replace(under, caption=caption, speech=_lines(chance, hosts)))
    return examples


def _picture_targets(clip: ClipItem) -> dict[str, int]:
    if clip.source == "composed":
        return dict(clip.labels)
    ordinary = dict.fromkeys(compose.UCC_POLICIES, 0) if clip.source in ("scenes", "gradio") else {}
    return {**ordinary, **clip.labels}


def _lines(chance: random.Random, hosts: Hosts) -> tuple[TimedText, ...] | None:
    if chance.random() < 0.5:
        return None
    return tuple(timed(". ".join(chance.sample(list(hosts.lines), 2)), chance))


def _videos(
    data_dir: Path,
    calm: dict[int, list[str]],
    clips: Sequence[ClipItem],
    seed: int,
    chance: random.Random,
) -> list[Example]:
    """Real videos' texts: as they are, and with texts moved, cut or dropped, over footage."""
    labels = {clip.id: clip.labels for clip in clips}
    videos = text_corpora.multihateclip(data_dir, weak_scam=True)
    examples = []
    for item, fold in zip(videos, assign_folds(videos, HATE, FOLDS, seed), strict=True):
        examples.append(_text_example(item, "video", fold))
        moved = _text_example(moved_video(item, chance), "video_moved", fold, chance)
        if chance.random() < 0.6 and calm[fold]:
            footage = chance.choice(calm[fold])
            targets = {**moved.targets, **labels[footage]}
            moved = replace(moved, footage=footage, targets=targets)
        examples.append(moved)
    return examples


def _text_example(
    item: TextItem, part: str, fold: int, chance: random.Random | None = None
) -> Example:
    return Example(
        id=f"{part}/{item.id}",
        part=part,
        group=item.group,
        fold=fold,
        title=item.title,
        caption=item.caption,
        speech=tuple(timed(item.speech, chance)) if item.speech else None,
        screen_text=tuple(timed(item.screen_text, chance)) if item.screen_text else None,
        targets=item.labels,
        weights=dict.fromkeys(item.weak, WEAK),
    )


def _comments(
    comments: Sequence[TextItem], folds: Sequence[int], footage: Sequence[str],
    chance: random.Random,
) -> list[Example]:  # fmt: skip
    """Comments as captions; every third once more in another field, over footage."""
    examples = []
    for item, fold in zip(comments, folds, strict=True):
        align = fold == ALIGN_VIDEO
        group = "comment/" + " ".join(re.findall(r"\w+", item.text.lower()))
        plain = replace(_text_example(item, "comment", fold), group=group, align=align)
        examples.append(plain)
        if chance.random() < 0.35:
            moved = move_to(item, chance.choice(("title", "speech", "screen_text")))
            other = _text_example(moved, "comment_moved", fold, chance)
            shown = chance.choice(footage) if chance.random() < 0.7 else None
            examples.append(replace(other, group=group, footage=shown, align=align))
    return examples


def _tweet_slices(
    tweets: Sequence[TextItem], examples: Sequence[Example], chance: random.Random
) -> list[Example]:
    """Harmless tweets that nothing trains on, with and without dialect marks."""
    used = {part for e in examples for part in e.id.split("/") if e.part.startswith("composed_")}
    free = [t for t in tweets if not t.labels[HATE] and t.id.split("/")[-1] not in used]
    marked = [t for t in free if "aae_like" in t.tags]
    plain = chance.sample([t for t in free if "aae_like" not in t.tags], 200)
    return [
        replace(_text_example(item, part, HELD), targets={HATE: 0})
        for part, rows in (("tweet_held", plain), ("tweet_dialect", marked))
        for item in rows
    ]


def _more_tweets(
    tweets: Sequence[TextItem], examples: Sequence[Example], seed: int
) -> list[Example]:
    """Tweets for the word head, which needs more of them than the language model can read:
    as captions, and a part of them again as the recogniser hears them."""
    chance = random.Random(f"{seed}/more tweets")
    used = {part for e in examples for part in e.id.split("/") if "davidson" in e.id}
    free = [t for t in tweets if t.id.split("/")[-1] not in used and "aae_like" not in t.tags]
    kinds = [[t for t in free if t.labels[HATE] == label] for label in (0, 1)]
    most = min(_TWEETS, *map(len, kinds))
    made = []
    for rows in kinds:
        for number, item in enumerate(chance.sample(rows, most)):
            example = replace(_text_example(item, "tweet", ALWAYS), weights={})
            align = _HEARD_TWEETS <= number < _HEARD_TWEETS + _ALIGN_TWEETS
            example = replace(example, targets={HATE: item.labels[HATE]}, align=align)
            made.append(example)
            words = clean(item.text)
            if number < _HEARD_TWEETS and words:
                spoken = Recognised("hear_clearly", words, chance.randrange(1 << 30))
                name = f"tweet_heard/{item.id}"
                heard = replace(example, id=name, part="tweet_heard", caption=None, speech=spoken)
                made.append(heard)
    return made


def _headlines(
    lines: Sequence[TextItem], footage: Sequence[str], chance: random.Random
) -> list[Example]:
    examples = []
    for number, item in enumerate(lines[:400]):
        held = number >= 250
        field = chance.choice(("title", "caption", "speech", "screen_text"))
        part = "headline_held" if held else "headline"
        made = _text_example(move_to(item, field), part, HELD if held else ALWAYS, chance)
        shown = chance.choice(footage) if chance.random() < 0.5 else None
        examples.append(replace(made, footage=shown, align=number < _ALIGN_HEADLINES))
    return examples


def _thinned(examples: Sequence[Example], scale: float, chance: random.Random) -> list[Example]:
    if scale >= 1.0:
        return list(examples)
    return [example for example in examples if chance.random() < scale]


def _steered(examples: Sequence[Example], scale: float, chance: random.Random) -> list[Example]:
    texts = ("video_moved", "comment", "composed_speech", "composed_screen_text",
             "composed_caption", "headline")  # fmt: skip
    wanted = [e for e in examples if e.part in texts and e.fold != HELD]
    count = int(len(wanted) * _STEERED_SHARE * min(1.0, scale))
    return [padded(example, chance) for example in chance.sample(wanted, count)]
