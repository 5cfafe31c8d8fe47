"""Partners' lists of hashes, thinned as they are on import: how many are left, what is still found.

    python -m benchmarks.originality_lists --clips DIR --hashes DIR [--bits 0 4 8 ...]

Each clip of ``--clips`` is looked up in the lists of ``--hashes`` (vPDQ text, ``NAME.txt``), one
list at a time; whole lists are the measure. A pair counts where both have one name, and where the
whole list was found as well; what only the thinned list finds is told apart.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from coefvq.media.probe import probe
from coefvq.originality.exchange import AS_NEAR_BITS, read_text, thinned
from coefvq.originality.fingerprint import Fingerprint
from coefvq.originality.hashes_alone import Agreement, agreements
from coefvq.originality.index import Index
from coefvq.signals.fingerprints import make_fingerprint

Found = dict[tuple[str, str], Agreement]
_BYTES = 36  # a hash with its time in the index


def main(arguments: Sequence[str] | None = None) -> int:
    """Run from the command line; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clips", type=Path, required=True)
    parser.add_argument("--hashes", type=Path, required=True)
    parser.add_argument("--bits", type=int, nargs="+", default=[0, 4, 8, AS_NEAR_BITS, 16, 20, 24])
    given = parser.parse_args(arguments)
    lists = {path.stem: whole(path) for path in sorted(given.hashes.glob("*.txt"))}
    clips = {path.stem: make_fingerprint(probe(path)) for path in sorted(given.clips.glob("*.mp4"))}
    print(f"{len(clips)} clips, {len(lists)} lists")
    print(
        "kept       hashes  KB of index  pairs found  also found  lost  looks agreeing (own list)"
    )
    everything = found_in(clips, lists)
    show("all", lists, everything, everything)
    for bits in given.bits:
        thin = {name: thinned(fp, bits) for name, fp in lists.items()}
        show(f"> {bits} bits", thin, found_in(clips, thin), everything)
    return 0


def whole(path: Path) -> Fingerprint:
    """A list as it was sent."""
    with path.open() as lines:
        return read_text(lines).fp


def found_in(clips: dict[str, Fingerprint], lists: dict[str, Fingerprint]) -> Found:
    """What is found of each clip in each list alone."""
    found = {}
    for name, fp in lists.items():
        index = Index()
        index.add_many([(1, fp)])
        for clip, query in clips.items():
            if best := agreements(query, index):
                found[clip, name] = best[0]
    return found


def show(kept: str, lists: dict[str, Fingerprint], found: Found, everything: Found) -> None:
    """One line of the table."""
    hashes = sum(len(fp.times_s) for fp in lists.values())
    own = [one.share for (clip, name), one in found.items() if clip == name]
    lost, more = everything.keys() - found.keys(), found.keys() - everything.keys()
    shares = f"{np.min(own):.2f}-{np.max(own):.2f}, {len(own)} clips" if own else "none"
    print(
        f"{kept:<10} {hashes:6d} {hashes * _BYTES / 1024:12.1f} {len(found):12d} "
        f"{len(more):11d} {len(lost):5d}  {shares}"
    )


if __name__ == "__main__":
    raise SystemExit(main())
