"""Does the gate refuse what is worse and let pass what is better? On real texts.

    python -m benchmarks.gate --data DIR [--better 20] [--out FILE.json]

reads MultiHateClip, tweets and comments (docs/data.md). Each round draws which texts are taught,
which are the gate's test split, and which only measure the truth. *Better*: the model in force has
learnt from little, the candidate from more. *Spoilt*: the model in force has learnt from more, and
candidates are trained on wrong labels or on little, or are better ones that were damaged.
"""

from __future__ import annotations

import json
import random
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import click
import numpy as np

from benchmarks.gate_models import (
    candidate,
    flipped,
    noisy,
    ruined,
    sharpened,
    shifted,
    slow,
    text_model,
    with_nan,
)
from coefvq.domain import PostedText, Stage
from coefvq.errors import CoefVQError
from coefvq.learning import text_corpora
from coefvq.learning.candidate import Candidate
from coefvq.learning.dataset import files, make
from coefvq.learning.dataset.items import GivenSignals, LabelledVideo, Split
from coefvq.learning.gate.run import run_gate
from coefvq.learning.measures import auc
from coefvq.learning.registry import register, shipped_version
from coefvq.learning.text_corpora import HATE, SCAM, TextItem, near_duplicate_groups
from coefvq.prefilter.predict import Prefilter
from coefvq.prefilter.weights import Trained
from coefvq.settings import Settings, load_settings
from coefvq.store import model_publications
from coefvq.store.session import Store, open_store
from coefvq.store.tables import SnapshotRow

TWEETS = 1600
LITTLE, MORE, MOST = 0.12, 0.45, 0.9
"""Shares of what may be taught."""
NO_MLLM = "endpoint:http://127.0.0.1:9/v1#none"
"""Only the prefilter is judged: no round waits for the MLLM."""


@dataclass(frozen=True)
class Texts:
    """One draw of the sets: ``taught`` in random order, ``test`` for the gate, ``truth``."""

    taught: list[LabelledVideo]
    test: list[LabelledVideo]
    truth: list[LabelledVideo]

    def some(self, share: float) -> list[LabelledVideo]:
        """The first part of what may be taught."""
        return self.taught[: int(share * len(self.taught))]


@dataclass(frozen=True)
class Bench:
    """A store with one model in force."""

    store: Store
    settings: Settings
    folder: Path
    texts: Texts
    parent: str
    snapshot_id: str
    current: Trained


def read_texts(data: Path) -> list[LabelledVideo]:
    """All texts with the policy that their set labels; near duplicates share a group."""
    tweets = text_corpora.davidson(data)
    chosen = random.Random(0).sample(tweets, min(TWEETS, len(tweets)))
    rows = [*text_corpora.multihateclip(data), *chosen, *text_corpora.youtube_spam(data)]
    groups = near_duplicate_groups(item.text for item in rows)
    return [_video(item, group) for item, group in zip(rows, groups, strict=True)]


def _video(item: TextItem, group: int) -> LabelledVideo:
    labels = {name: label for name, label in item.labels.items() if name in (HATE, SCAM)}
    return LabelledVideo(
        video_id=item.id.replace("/", "-"), sha256=None,
        posted=PostedText(item.title, item.caption), group=f"group-{group}", split="train",
        labels=labels, language="en", propensities=dict.fromkeys(labels, 1.0),
    )  # fmt: skip


def draw(videos: Sequence[LabelledVideo], seed: int) -> Texts:
    """Deal whole groups: half may be taught, a fifth is tested on, the rest is the truth."""
    rng = random.Random(seed)
    names = sorted({item.group for item in videos})
    place = {name: rng.random() for name in names}
    parts: dict[str, list[LabelledVideo]] = {"train": [], "test": [], "truth": []}
    for item in videos:
        at = place[item.group]
        part = "train" if at < 0.5 else "test" if at < 0.7 else "truth"
        split: Split = "train" if part == "train" else "test"
        parts[part].append(replace(item, split=split))
    rng.shuffle(parts["train"])
    return Texts(parts["train"], parts["test"], parts["truth"])


def open_bench(texts: Texts, in_force: Trained) -> Bench:
    """A fresh store in which a model is in force, with a snapshot of what was taught."""
    folder = Path(tempfile.mkdtemp(prefix="coefvq-gate-"))
    settings = load_settings(home=folder / "home", mllm=NO_MLLM)
    store = open_store(settings.url)
    snapshot_id = _snapshot(store, settings, [*texts.taught, *texts.test])
    made = candidate(in_force, folder / "in-force", shipped_version(Stage.PREFILTER))
    register(store, settings, "bench", made, snapshot_id=snapshot_id)
    with store.write() as session:
        model_publications.publish(
            session, Stage.PREFILTER, made.version, "bench", "in force", routing={},
            before={"models": {}, "routing": {}},
        )  # fmt: skip
    return Bench(store, settings, folder, texts, made.version, snapshot_id, in_force)


def _snapshot(store: Store, settings: Settings, rows: Sequence[LabelledVideo]) -> str:
    ordered = sorted(rows, key=lambda item: item.video_id)
    lines = [files.line_of(item) for item in ordered]
    made = files.id_of(map(files.digest_of, lines))
    folder = settings.datasets_dir / made
    folder.mkdir(parents=True, exist_ok=True)
    files.write_whole(folder / files.ITEMS, lines)
    with store.write() as session:
        session.add(SnapshotRow(id=made, number=1 + session.query(SnapshotRow).count(),
                                document={}, videos=len(lines), labels=len(lines),
                                made_by="bench"))  # fmt: skip
    return made


def judged(bench: Bench, made: Candidate, snapshot_id: str | None = None) -> tuple[bool, list[str]]:
    """Register a candidate and let the gate look at it; whether it passed, and the reasons."""
    try:
        origin = snapshot_id or bench.snapshot_id
        register(bench.store, bench.settings, "bench", made, snapshot_id=origin)
    except CoefVQError as error:
        return False, [f"not registered: {error}"]
    return gated(bench, made.version)


def gated(bench: Bench, version: str) -> tuple[bool, list[str]]:
    """The gate's answer on a registered candidate."""
    make.items_now = lambda session, wanted=None: []  # type: ignore[assignment]
    try:
        report = run_gate(bench.store, bench.settings, version, signals=GivenSignals())
    except CoefVQError as error:
        return False, [str(error)]
    return report.passed, list(report.reasons)


def truth(model: Trained, texts: Texts) -> dict[str, float]:
    """AUC by policy on texts that neither a training nor a gate saw."""
    prefilter = Prefilter(model, "truth")
    found = {}
    for policy in (HATE, SCAM):
        rows = [item for item in texts.truth if policy in item.labels]
        scores = [prefilter.assess(None, item.posted).scores[policy].probability for item in rows]
        labels = [item.labels[policy] for item in rows]
        found[policy] = round(auc(labels, np.array(scores, dtype=float)), 4)
    return found


def better(videos: Sequence[LabelledVideo], rounds: int) -> Iterator[dict[str, Any]]:
    """Candidates that learnt from several times as much as the model in force."""
    for seed in range(rounds):
        texts = draw(videos, 100 + seed)
        shares = (LITTLE * (0.6 + 0.04 * seed), MORE * (0.7 + 0.05 * seed))
        old, new = (text_model(texts.some(share)) for share in shares)
        bench = open_bench(texts, old)
        made = candidate(new, bench.folder / "candidate", bench.parent)
        passed, reasons = judged(bench, made)
        yield {
            "name": f"{len(texts.some(shares[0]))} -> {len(texts.some(shares[1]))} texts",
            "passed": passed, "reasons": reasons,
            "truth": {"old": truth(old, texts), "new": truth(new, texts)},
        }  # fmt: skip
        close(bench)


Maker = Callable[[Bench, Trained], tuple[bool, list[str]]]


def spoilt() -> dict[str, Maker]:
    """By name, how a bad candidate is made and put before the gate."""
    both = (HATE, SCAM)

    def taught_wrongly(share: float, policies: Sequence[str] = both) -> Maker:
        def make_it(bench: Bench, best: Trained) -> tuple[bool, list[str]]:
            rows = flipped(bench.texts.some(MORE), share, 7, policies)
            return _judged(bench, text_model(rows))

        return make_it

    def taught_little(share: float) -> Maker:
        return lambda bench, best: _judged(bench, text_model(bench.texts.some(share)))

    def damaged(change: Callable[[Trained], Trained]) -> Maker:
        return lambda bench, best: _judged(bench, change(best))

    def in_force(change: Callable[[Trained], Trained]) -> Maker:
        return lambda bench, best: _judged(bench, change(bench.current))

    return {
        "labels flipped, 20 %": taught_wrongly(0.2),
        "labels flipped, 35 %": taught_wrongly(0.35),
        "labels flipped, 50 %": taught_wrongly(0.5),
        "labels of one policy flipped, 30 %": taught_wrongly(0.3, (SCAM,)),
        "calibration shifted up by 1.5": damaged(lambda best: shifted(best, 1.5, both)),
        "calibration shifted down by 1.5": damaged(lambda best: shifted(best, -1.5, both)),
        "three times too sure": damaged(lambda best: sharpened(best, 3.0, both)),
        "noise in the weights in force, 4x": in_force(lambda now: noisy(now, 4.0, 1)),
        "noise in the weights in force, 8x": in_force(lambda now: noisy(now, 8.0, 2)),
        "noise in the weights, 16x": damaged(lambda best: noisy(best, 16.0, 3)),
        "one policy ruined: hate": damaged(lambda best: ruined(best, HATE)),
        "one policy ruined: scam": damaged(lambda best: ruined(best, SCAM)),
        "trained on a tenth": taught_little(0.045),
        "trained on a quarter": taught_little(0.11),
        "a policy no longer covered": _uncovered,
        "NaN in the weights": damaged(with_nan),
        "slow": damaged(slow),
        "weights cut off": _cut_off,
        "weights are a pickle": _pickle,
        "changed on disk after it was registered": _changed,
        "learnt from the test split": _cheat,
    }


def _judged(bench: Bench, model: Trained) -> tuple[bool, list[str]]:
    made = candidate(model, Path(tempfile.mkdtemp(dir=bench.folder)), bench.parent)
    return judged(bench, made)


def _uncovered(bench: Bench, best: Trained) -> tuple[bool, list[str]]:
    folder = Path(tempfile.mkdtemp(dir=bench.folder))
    covers = frozenset(best.covers) - {SCAM}
    return judged(bench, candidate(best, folder, bench.parent, covers))


def _cut_off(bench: Bench, best: Trained) -> tuple[bool, list[str]]:
    made = candidate(best, Path(tempfile.mkdtemp(dir=bench.folder)), bench.parent)
    path = made.folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-1000])
    return judged(bench, made)


def _pickle(bench: Bench, best: Trained) -> tuple[bool, list[str]]:
    import pickle

    made = candidate(best, Path(tempfile.mkdtemp(dir=bench.folder)), bench.parent)
    (made.folder / "model.safetensors").write_bytes(pickle.dumps({"weights": [1.0]}))
    return judged(bench, made)


def _changed(bench: Bench, best: Trained) -> tuple[bool, list[str]]:
    made = candidate(best, Path(tempfile.mkdtemp(dir=bench.folder)), bench.parent)
    register(bench.store, bench.settings, "bench", made, snapshot_id=bench.snapshot_id)
    path = bench.settings.models_dir / made.version / "model.safetensors"
    body = bytearray(path.read_bytes())
    body[-1] ^= 1
    path.write_bytes(bytes(body))
    found = gated(bench, made.version)
    shutil.rmtree(path.parent)  # the next registration of this model puts it back
    return found


def _cheat(bench: Bench, best: Trained) -> tuple[bool, list[str]]:
    rows = [*bench.texts.some(MORE), *(replace(i, split="train") for i in bench.texts.test)]
    learnt = _snapshot(bench.store, bench.settings, rows)
    made = candidate(text_model(rows), Path(tempfile.mkdtemp(dir=bench.folder)), bench.parent)
    register(bench.store, bench.settings, "bench", made, snapshot_id=learnt)
    from coefvq.learning.dataset.read import read_snapshot

    held_out = read_snapshot(bench.store, bench.settings, bench.snapshot_id)
    make.items_now = lambda session, wanted=None: []  # type: ignore[assignment]
    report = run_gate(
        bench.store, bench.settings, made.version, snapshot=held_out, signals=GivenSignals()
    )
    return report.passed, list(report.reasons)


def bad(videos: Sequence[LabelledVideo]) -> Iterator[dict[str, Any]]:
    """Every kind of bad candidate against one model in force."""
    texts = draw(videos, 1)
    current, best = text_model(texts.some(MORE)), text_model(texts.some(MOST))
    bench = open_bench(texts, current)
    for name, maker in spoilt().items():
        passed, reasons = maker(bench, best)
        yield {"name": name, "passed": passed, "reasons": reasons}
    close(bench)


def close(bench: Bench) -> None:
    """Take the store away."""
    bench.store.close()
    shutil.rmtree(bench.folder, ignore_errors=True)


@click.command()
@click.option("--data", type=click.Path(path_type=Path, exists=True, file_okay=False),
              required=True, help="Folder with text/.")  # fmt: skip
@click.option("--better", "rounds", type=click.IntRange(0, 200), default=20, show_default=True)
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="All of it as JSON.")
def main(data: Path, rounds: int, out: Path | None) -> None:
    """Say which candidates pass the gate."""
    videos, begun = read_texts(data), time.monotonic()
    found: dict[str, list[dict[str, Any]]] = {"spoilt": [], "better": []}
    for name, rows in (("spoilt", bad(videos)), ("better", better(videos, rounds))):
        for row in rows:
            found[name].append(row)
            _tell(row)
            if out is not None:
                out.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    refused = sum(not row["passed"] for row in found["spoilt"])
    accepted = sum(row["passed"] for row in found["better"])
    click.echo(f"spoilt: {refused} of {len(found['spoilt'])} refused")
    click.echo(f"better: {accepted} of {len(found['better'])} accepted")
    click.echo(f"{time.monotonic() - begun:.0f} s")


def _tell(row: dict[str, Any]) -> None:
    word = "passed" if row["passed"] else "refused"
    why = row["reasons"][0] if row["reasons"] else ""
    click.echo(f"{word:<8} {row['name']}: {row.get('truth', '')} {why}")


if __name__ == "__main__":
    main()
