"""Fine-tuning the embedded MLLM on a shift: what is gained, what is forgotten, how long it takes.

    python -m benchmarks.tune_shift --data DIR --out DIR [--scenario coded] [--corrections 500]

Simulated moderators decide videos of a kind that the shipped model is weak on; the model is tuned
on the snapshot's training part (70 %), calibrated on its validation part (10 %), and both models
are measured on other videos of that kind and on what the shipped model was good at.

``coded``: tweets that nothing was trained on, written with digits for letters, as uploaders do to
pass a filter (policy ``hate_harassment``). ``clickbait``: headlines, where a house rule counts
clickbait as spam (``scam_spam``): another rule rather than another domain. The old sets are
unseen tweets as they are, and texts that the shipped model was trained on, on which forgetting
shows most: MultiHateClip (title, description, transcript) and TubeSpam comments.

``--used FILE`` is a JSON list of the numbers of those tweets that the shipped model was trained
on; without it they are drawn again from the recipe of its training mixture.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from coefvq.domain import ExpensiveSignals, PostedText, TimedText
from coefvq.learning import clip_corpora, compose
from coefvq.learning.candidate import Candidate
from coefvq.learning.dataset.items import GivenSignals, LabelledVideo, Split
from coefvq.learning.fused.mixture import build_mixture
from coefvq.learning.measures import auc, bootstrap
from coefvq.learning.monitor import Quiet
from coefvq.learning.text_corpora import (
    HATE,
    SCAM,
    TextItem,
    davidson,
    headlines,
    multihateclip,
    youtube_spam,
)
from coefvq.learning.tune.options import TuneOptions
from coefvq.learning.tune.parent import Parent
from coefvq.learning.tune.policies import parts_of
from coefvq.learning.tune.run import tune_mllm
from coefvq.learning.tune.states import Kept, read_states
from coefvq.mllm.fused.shipped import SHIPPED, read_shipped
from coefvq.settings import load_settings

_DIGITS = str.maketrans("aeiostAEIOST", "431057431057")
_WRONG_VOTES = 0.05
_HARMLESS = 4
"""One tweet in so many is harmless."""
Scores = tuple[np.ndarray, np.ndarray]


def main() -> int:
    """Read the command line, tune, measure, print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.tune_shift", description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--used", type=Path)
    parser.add_argument("--scenario", choices=("coded", "clickbait"), default="coded")
    parser.add_argument("--corrections", type=int, default=500)
    parser.add_argument("--held", type=int, default=400, help="shifted videos to measure on")
    parser.add_argument("--old", type=int, default=240, help="videos of each old set")
    parser.add_argument("--ordinary", type=int, default=0, help="old decisions in the snapshot")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--option", action="append", default=[], metavar="NAME=VALUE")
    given = parser.parse_args()
    options = TuneOptions.of({"seed": given.seed, **dict(o.split("=") for o in given.option)})
    policy, shifted, ordinary, old = texts(given)
    parent = Parent.open(read_shipped(SHIPPED), load_settings().cache_dir)
    decided = [*shifted[: given.corrections], *ordinary[: given.ordinary]]
    rest = shifted[given.corrections : given.corrections + given.held]
    print(f"{given.scenario}: {policy}, {len(decided)} decided videos, seed {given.seed}")
    states = given.out / "states"
    snapshot = moderated(parent, decided, policy, given.out / "run" / "work" / "states", given.seed)
    candidate = tuned(snapshot, decided, given.out, options)
    made = Parent.open(read_shipped(candidate.folder), load_settings().cache_dir).as_served()
    report("shifted", policy, rest, parent, made, states, given.seed)
    for name, (its_policy, items) in old.items():
        report(name, its_policy, items[: given.old], parent, made, states, given.seed)
    return 0


def texts(
    given: argparse.Namespace,
) -> tuple[str, list[TextItem], list[TextItem], dict[str, tuple[str, list[TextItem]]]]:
    """Policy, shifted texts, ordinary texts of the old kind, and old sets by name."""
    chance = random.Random(given.seed)
    used = used_tweets(given.data, given.used)
    tweets = [t for t in davidson(given.data) if int(t.id.split("/")[1]) not in used]
    videos, comments = multihateclip(given.data), youtube_spam(given.data)
    for rows in (tweets, videos, comments):
        chance.shuffle(rows)
    wanted = (given.corrections, given.held, given.old, given.ordinary)
    decided, rest, clean, ordinary = mixed(tweets, wanted, chance)
    old = {
        "unseen tweets": (HATE, clean),
        "TubeSpam (trained on)": (SCAM, comments),
        "MultiHateClip (trained on)": (HATE, videos),
    }
    if given.scenario == "coded":
        fresh = [replace(t, caption=coded(t.caption or "")) for t in (*decided, *rest)]
        return HATE, fresh, ordinary, old
    lines = [
        replace(t, labels={SCAM: int(t.id.startswith("clickbait"))}) for t in headlines(given.data)
    ]
    chance.shuffle(lines)
    return SCAM, lines, comments[given.old :], old


def mixed(
    tweets: Sequence[TextItem], sizes: Sequence[int], chance: random.Random
) -> list[list[TextItem]]:
    """Disjoint sets of tweets with the same share of harmless ones, which are scarce."""
    kinds = [[t for t in tweets if t.labels[HATE] == label] for label in (0, 1)]
    found = []
    for size in sizes:
        rows = []
        for kind, count in zip(kinds, (size // _HARMLESS, size - size // _HARMLESS), strict=True):
            if len(kind) < count:
                raise SystemExit(f"{sum(sizes)} tweets are too many: harmless ones are scarce.")
            rows += [kind.pop() for _ in range(count)]
        chance.shuffle(rows)
        found.append(rows)
    return found


def coded(text: str) -> str:
    """Digits for letters, but not in names and addresses."""
    words = text.split()
    return " ".join(w if w.startswith(("@", "http")) else w.translate(_DIGITS) for w in words)


def used_tweets(data: Path, known: Path | None) -> set[int]:
    """Numbers of the tweets in the shipped model's training mixture."""
    if known is not None:
        return set(json.loads(known.read_text(encoding="utf-8")))
    specs = compose.plan(clip_corpora.footage(data), 0, 1.0)
    made = [compose._item(spec, Path("not-rendered")) for spec in specs]
    clips = [*clip_corpora.fights(data), *clip_corpora.scenes(data), *clip_corpora.gradio_media()]
    examples = build_mixture(data, [*clips, *made])
    learnt = [e for e in examples if e.part not in ("tweet_held", "tweet_dialect")]
    parts = {p for e in learnt if "davidson" in e.id for p in e.id.replace("#", "/").split("/")}
    return {int(part) for part in parts if part.isdigit()}


def video(item: TextItem, policy: str) -> LabelledVideo:
    """A text as a video without media."""
    digest = int(hashlib.sha256(item.group.encode()).hexdigest()[:8], 16) % 10
    split: Split = "train" if digest < 7 else "validation" if digest == 7 else "test"
    return LabelledVideo(
        item.id, None, PostedText(item.title, item.caption), item.group, split,
        {policy: item.labels[policy]}, {policy: 1.0},
    )  # fmt: skip


def signals(items: Sequence[TextItem]) -> GivenSignals:
    """Speech as one line; nothing else is known."""
    found = {}
    for item in items:
        speech = (TimedText(0.0, len(item.speech) / 15, item.speech),) if item.speech else None
        heard = ExpensiveSignals("set", speech=speech, speech_understood=True if speech else None)
        found[item.id] = (None, heard)
    return GivenSignals(found)


def states_of(
    items: Sequence[TextItem], policy: str, parent: Parent, folder: Path, seed: int
) -> list[Kept]:
    """What the frozen half makes of texts; those that the stage does not answer are left out."""
    videos = [video(item, policy) for item in items]
    found = read_states(videos, signals(items), parent, folder, seed=seed, monitor=Quiet())
    return [one for one in found.kept if policy not in one.why_not]


def probabilities(model: Parent, policy: str, kept: Sequence[Kept]) -> np.ndarray:
    """What a checkpoint says of videos."""
    said = []
    for start in range(0, len(kept), 8):
        said += model.answers([one.lower() for one in kept[start : start + 8]])
    readout = model.shipped.readout.policies[policy]
    return readout.probability(parts_of(readout, model.slots.index(policy), kept, said))


def moderated(
    parent: Parent, items: Sequence[TextItem], policy: str, folder: Path, seed: int
) -> list[LabelledVideo]:
    """Three people decide each video, each wrong now and then; the majority counts.

    The states of what is learnt from are computed as the fine-tune orders them, so it finds them.
    """
    chance = random.Random(f"{seed}/moderators")
    learnt = sorted(items, key=lambda item: (video(item, policy).split, item.id))
    learnt = [item for item in learnt if video(item, policy).split in ("train", "validation")]
    kept = {one.video.video_id: one for one in states_of(learnt, policy, parent, folder, seed)}
    said = dict(zip(kept, probabilities(parent, policy, list(kept.values())), strict=True))
    threshold = parent.shipped.readout.thresholds[policy]
    found = []
    for item in items:
        truth = item.labels[policy]
        votes = tuple(truth ^ (chance.random() < _WRONG_VOTES) for _ in range(3))
        label = int(sum(votes) >= 2)
        machine = said.get(item.id)
        wrong = machine is not None and (machine >= threshold) != bool(label)
        one = video(item, policy)
        found.append(replace(
            one, labels={policy: label}, weights={policy: votes.count(label) / 3},
            machine={policy: None if machine is None else float(machine)},
            corrected=frozenset({policy}) if wrong else frozenset(),
        ))  # fmt: skip
    count = sum(bool(one.corrected) for one in found)
    print(
        f"{len(learnt)} in training and validation, of which the stage answers {len(kept)} and "
        f"{count} correct it; {sum(one.split == 'train' for one in found)} in training"
    )
    return found


def tuned(
    snapshot: Sequence[LabelledVideo], items: Sequence[TextItem], out: Path, options: TuneOptions
) -> Candidate:
    """Tune, and say what it cost."""
    wall, cpu = time.monotonic(), time.process_time()
    cache = load_settings().cache_dir
    found = tune_mllm(
        snapshot, signals(items), SHIPPED, out / "run", options=options, monitor=Told(),
        cache_dir=cache,
    )  # fmt: skip
    spent = time.process_time() - cpu
    print(f"tuned: {spent:.0f} CPU s, {time.monotonic() - wall:.0f} s on the clock")
    print(json.dumps(found.metrics, indent=1))
    return found


class Told(Quiet):
    """Prints the losses, and the CPU time of each part."""

    def __init__(self) -> None:
        self._what, self._since = "", time.process_time()

    def progress(self, done: int, total: int, what: str) -> None:
        """Say what a part took once the next begins."""
        if what != self._what or done == total:
            now = time.process_time()
            print(f"  {what}: {done}/{total}, {now - self._since:.0f} CPU s since", flush=True)
            self._what, self._since = what, now

    def loss(self, step: int, name: str, value: float) -> None:
        """Print some."""
        if name != "training" or step % 20 == 0:
            print(f"  step {step}: {name} {value:.4f}", flush=True)


def report(
    name: str, policy: str, items: Sequence[TextItem], parent: Parent, made: Parent, folder: Path,
    seed: int,
) -> None:  # fmt: skip
    """Both models on one set, with the interval of the difference over groups."""
    kept = states_of(items, policy, parent, folder, seed)
    labels = np.array([one.video.labels[policy] for one in kept], np.float64)
    before, after = (probabilities(model, policy, kept) for model in (parent, made))
    groups = [one.video.group for one in kept]
    at = np.arange(len(labels), dtype=np.float64)
    found = bootstrap(_difference(labels, before, after), labels, at, groups=groups, rounds=500)
    print(
        f"{name} ({policy}): n {len(kept)} of {len(items)}, AUC {auc(labels, before):.3f} -> "
        f"{auc(labels, after):.3f}, {found.value:+.3f} ({found.low:+.3f} to {found.high:+.3f})",
        flush=True,
    )


def _difference(
    labels: np.ndarray, before: np.ndarray, after: np.ndarray
) -> Callable[[np.ndarray, np.ndarray], float]:
    def measure(_: np.ndarray, at: np.ndarray) -> float:
        rows = at.astype(int)
        return auc(labels[rows], after[rows]) - auc(labels[rows], before[rows])

    return measure


if __name__ == "__main__":
    raise SystemExit(main())
