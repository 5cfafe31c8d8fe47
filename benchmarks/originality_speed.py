"""How fast and how large the index of originals is, on made-up fingerprints.

``python -m benchmarks.originality_speed [--frames 1000000]``. Hashes are random: what does not
match in real footage differs by about half of its bits as these do. Embeddings are codes around
one base a video, without any other order, which is the hardest for lists.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from coefvq.originality import snapshot
from coefvq.originality.fingerprint import VERSION, Fingerprint
from coefvq.originality.flat import faiss_or_none
from coefvq.originality.index import Index
from coefvq.originality.quantise import decode

SECONDS = 30
VARIANTS = 8
PARTS = 6
ROUNDS = 15
_CHANGED = 0.3
_FALLBACK = 50_000


def fingerprint(rng: np.random.Generator, seconds: int) -> Fingerprint:
    """A made-up video: a hash a second, an embedding every other second."""
    codes = np.repeat(rng.integers(0, 256, (1, 64), dtype=np.uint8), (seconds + 1) // 2, axis=0)
    changed = rng.random(codes.shape) < _CHANGED
    codes[changed] = rng.integers(0, 256, int(changed.sum()), dtype=np.uint8)
    times = np.arange(seconds, dtype=np.float32)
    return Fingerprint(
        version=VERSION,
        duration_s=float(seconds),
        aspect=16 / 9,
        times_s=times,
        hashes=rng.integers(0, 256, (seconds, 32), dtype=np.uint8),
        quality=np.full(seconds, 90, np.uint8),
        thumbs=np.empty((0, 48, 48), np.uint8),
        code_times_s=times[::2],
        codes=codes[:, None],
    )


def videos(first: int, count: int, seconds: int) -> Iterator[tuple[int, Fingerprint]]:
    """So many videos under keys from ``first`` on, the same every time."""
    for key in range(first, first + count):
        yield key, fingerprint(np.random.default_rng(key), seconds)


def build(frames: int, use_faiss: bool = True) -> Index:
    """An index of videos of 30 s, added a thousand at a time."""
    index = Index(use_faiss=use_faiss)
    for first in range(0, frames // SECONDS, 1000):
        count = min(1000, frames // SECONDS - first)
        index.add_many(list(videos(first, count, SECONDS)))
    return index


def asked(index_of: int) -> tuple[list[NDArray[np.uint8]], NDArray[np.float32]]:
    """A 30 s video that is in the index, as the matcher asks: eight variants, six parts a look."""
    rng = np.random.default_rng(index_of)
    fp = fingerprint(rng, SECONDS)
    bits = np.unpackbits(fp.hashes, axis=1)
    for row in bits:
        row[rng.choice(256, 10, replace=False)] ^= 1
    turned = rng.integers(0, 256, (VARIANTS - 1, SECONDS, 32), dtype=np.uint8)
    whole = decode(fp.codes[:, 0])
    noise = rng.standard_normal((PARTS, *whole.shape)).astype(np.float32) * 0.06
    return [np.packbits(bits, axis=1), *turned], (whole + noise).reshape(-1, whole.shape[1])


def median_ms(call: Callable[[int], object]) -> tuple[float, float]:
    """Medians of the calls, milliseconds: wall time, and CPU time of all threads.

    CPU time shows what a call costs where other programs take their share of the machine.
    """
    call(0)
    wall, cpu = [], []
    for at in range(1, ROUNDS + 1):
        started, worked = time.perf_counter(), time.process_time()
        call(at)
        wall.append(time.perf_counter() - started)
        cpu.append(time.process_time() - worked)
    return 1000 * statistics.median(wall), 1000 * statistics.median(cpu)


def speeds(index: Index) -> None:
    """Print what looking one video up takes."""
    questions = [asked(at) for at in range(ROUNDS + 1)]

    def hashes(at: int) -> None:
        for variant in questions[at][0]:
            index.near_hashes(variant)

    def codes(at: int) -> None:
        index.near_codes(questions[at][1])

    def both(at: int) -> None:
        hashes(at)
        codes(at)

    looks = f"its {len(questions[0][1])} embeddings"
    print(f"  a {SECONDS} s video, medians of {ROUNDS}:")
    for name, call in (
        (f"{VARIANTS} variants of its hashes", hashes),
        (looks, codes),
        ("together", both),
    ):
        wall, cpu = median_ms(call)
        print(f"    {name}: {wall:.0f} ms ({cpu:.0f} ms of CPU)")
    print(f"  found by hash: {_found(index, questions, True):.3f}", end="")
    print(f", by embedding: {_found(index, questions, False):.3f} (share of looks)")


def _found(index: Index, questions: list[tuple], by_hash: bool) -> float:
    """Share of looks whose own video comes first."""
    right = []
    for key, (variants, vectors) in enumerate(questions):
        near = index.near_hashes(variants[0]) if by_hash else index.near_codes(vectors, 1)
        count = SECONDS if by_hash else len(vectors)
        right.append(len(np.unique(near.query[near.key == key])) / count)
    return float(np.mean(right))


def resident_mb() -> float:
    """Memory of this process that is in use, MB (10^6 bytes)."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024 / 1e6
    return float("nan")


def loaded(path: Path) -> None:
    """In a process of its own: memory and speeds of an index read from its snapshot."""
    small = build(1000 * SECONDS)  # what libraries allocate once is not the index's
    small.near_hashes(asked(0)[0][0])
    small.near_codes(asked(0)[1])
    del small
    before = resident_mb()
    started = time.perf_counter()
    index = Index.from_arrays(snapshot.load(path, VERSION))
    spent = time.perf_counter() - started
    kept = resident_mb() - before
    print(f"{index.frames:,} frames, {'faiss' if faiss_or_none() else 'numpy'}")
    print(f"  read from its snapshot in {spent:.2f} s; arrays {index.nbytes / 1e6:.1f} MB")
    print(f"  memory of the process grew by {kept:.1f} MB")
    speeds(index)
    print(f"  memory after these searches: {resident_mb() - before:.1f} MB more than before")
    added = list(videos(10**7, 1000, SECONDS))
    started = time.perf_counter()
    index.add_many(added)
    spent = time.perf_counter() - started
    print(f"  adding 1,000 videos ({1000 * SECONDS:,} frames): {spent:.2f} s")
    print(f"  memory afterwards: {resident_mb() - before:.1f} MB more than before")
    started = time.perf_counter()
    for key in range(1000):
        index.remove(key)
    print(f"  removing 1,000 videos: {time.perf_counter() - started:.2f} s")


def main() -> None:
    """Build, save, measure in a fresh process, then the fallback."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--frames", type=int, default=1_000_000)
    parser.add_argument("--loaded", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.loaded:
        loaded(options.loaded)
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "index"
        started = time.perf_counter()
        index = build(options.frames)
        print(f"built {index.frames:,} frames in {time.perf_counter() - started:.1f} s", flush=True)
        started = time.perf_counter()
        snapshot.save(path, index.arrays(), VERSION)
        size = path.stat().st_size / 1e6
        print(f"saved {size:.1f} MB in {time.perf_counter() - started:.2f} s", flush=True)
        del index
        command = [sys.executable, "-m", "benchmarks.originality_speed", "--loaded", str(path)]
        subprocess.run(command, check=True)
    print(f"{_FALLBACK:,} frames, numpy")
    speeds(build(_FALLBACK, use_faiss=False))


if __name__ == "__main__":
    main()
