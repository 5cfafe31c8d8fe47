"""Fit the codebook of frame embeddings that coefvq/originality/weights ships.

Run as ``python tools/make_codebook.py PATH...`` on folders of videos and pictures.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import av
import cv2
import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save_file
from scipy.cluster.vq import kmeans2

from coefvq.originality.quantise import CENTRES, CODEBOOK, COMPONENTS, PARTS, Codebook, unit, whiten
from coefvq.signals.fingerprints import region_features

_SEED = 7
_FRAMES = 12  # of one file at most
# Whitening to the full would blow up axes on which few sources say anything.
_SHRINK = 0.1


def pictures_of(path: Path) -> Iterator[NDArray[np.uint8]]:
    """Yield up to twelve frames of a video or picture, at least half a second apart."""
    with av.open(str(path)) as media:
        last, count = -1.0, 0
        for frame in media.decode(video=0):
            if frame.time is not None and frame.time < last + 0.5:
                continue
            last, count = frame.time or 0.0, count + 1
            yield np.asarray(frame.to_ndarray(format="rgb24"), np.uint8)
            if count == _FRAMES:
                return


def edited(picture: NDArray[np.uint8], rng: np.random.Generator) -> list[NDArray[np.uint8]]:
    """A frame and four edits of it, as 224 x 224."""
    height, width = picture.shape[:2]
    keep = rng.uniform(0.65, 0.9)
    top, left = (int(side * (1 - keep) * rng.random()) for side in (height, width))
    crop = picture[top : top + int(height * keep), left : left + int(width * keep)]
    grey = np.repeat(picture.mean(axis=2, keepdims=True), 3, axis=2) * rng.uniform(0.7, 1.3)
    pad = int(height * rng.uniform(0.05, 0.25))
    boxed = cv2.copyMakeBorder(picture, pad, pad, pad, pad, cv2.BORDER_CONSTANT)
    found = [picture, picture[:, ::-1], crop, np.clip(grey, 0, 255).astype(np.uint8), boxed]
    size = (224, 224)
    return [
        np.asarray(
            cv2.resize(np.ascontiguousarray(one), size, interpolation=cv2.INTER_AREA), np.uint8
        )
        for one in found
    ]


def fit(features: NDArray[np.float32], rng: np.random.Generator) -> Codebook:
    """Fit axes and centres to features (n, 1280)."""
    features = unit(features)
    mean = features.mean(axis=0)
    values, vectors = np.linalg.eigh(np.cov((features - mean).T))
    order = np.argsort(values)[::-1][:COMPONENTS]
    scale = np.sqrt(values[order] + _SHRINK * values[order].mean())
    axes = (vectors[:, order] / scale).astype(np.float16)
    book = Codebook(mean.astype(np.float16).astype(np.float32), axes.astype(np.float32), axes)
    parts = whiten(features, book).reshape(len(features), PARTS, -1)
    centres = [
        kmeans2(parts[:, part], CENTRES, iter=20, minit="++", seed=rng)[0] for part in range(PARTS)
    ]
    return book._replace(centres=np.stack(centres).astype(np.float32))


def main(paths: list[str]) -> None:
    """Fit to all files under the paths and write the codebook."""
    rng = np.random.default_rng(_SEED)
    suffixes = {".mp4", ".mkv", ".webm", ".avi", ".jpg", ".jpeg", ".png"}
    places = [Path(path) for path in paths]
    found = [f for p in places for f in ([p] if p.is_file() else sorted(p.rglob("*")))]
    files = [f for f in found if f.suffix in suffixes]
    rows = []
    for file in files:
        for picture in pictures_of(file):
            rows.append(region_features(np.stack(edited(picture, rng))))
    features = np.concatenate(rows)
    book = fit(features.reshape(-1, features.shape[-1]), rng)
    CODEBOOK.parent.mkdir(exist_ok=True)
    save_file({name: array.astype(np.float16) for name, array in book._asdict().items()}, CODEBOOK)
    print(f"{len(files)} files, {features.shape[0] * features.shape[1]} vectors: {CODEBOOK}")


if __name__ == "__main__":
    main(sys.argv[1:])
