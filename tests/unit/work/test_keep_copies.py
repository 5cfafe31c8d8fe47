"""What ``coefvq score`` finds of copies among the store's originals."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from coefvq.domain import CheapSignals, MediaInfo
from coefvq.media.probe import probe
from coefvq.media.sampling import sample
from coefvq.originality.hashing import keyframe_hashes
from coefvq.review.users import OPERATOR
from coefvq.settings import Settings
from coefvq.signals.fingerprints import make_fingerprint
from coefvq.store.originals import KNOWN, LIBRARY
from coefvq.store.session import open_store
from coefvq.work.banks import add
from coefvq.work.keep import Keeper
from tests import media_factory
from tests.scenes import scene

SECONDS, SIZE = 6.0, (320, 240)


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> dict[str, MediaInfo]:
    """A clip, the same encoded again, the same mirrored, and another one."""
    folder = tmp_path_factory.mktemp("clips")
    made = {}
    for name, seed, mirrored, gop in (
        ("original", 1, False, 12),
        ("again", 1, False, 24),
        ("mirrored", 1, True, 12),
        ("another", 2, False, 12),
    ):
        path, picture = folder / f"{name}.mp4", scene(seed, mirrored, pace=0.15)
        made[name] = probe(
            media_factory.clip(path, SECONDS, SIZE, fps=12, gop=gop, picture=picture)
        )
    return made


def cheap(info: MediaInfo) -> CheapSignals:
    hashes, quality = keyframe_hashes(sample(info).frames)
    return CheapSignals("test", frame_hashes=hashes, frame_quality=quality)


def found(settings: Settings, info: MediaInfo, quick: bool = False) -> list[str] | None:
    keeper = Keeper.open(settings)
    try:
        matches = keeper.finder(settings, quick)(info, cheap(info))
        return None if matches is None else [match.reference for match in matches]
    finally:
        keeper.close()


def put(settings: Settings, info: MediaInfo, bank: str = KNOWN) -> None:
    with open_store(settings.url) as store:
        name = Path(info.path).name
        add(store, OPERATOR, make_fingerprint(info), reference=name, sha256=info.sha256, bank=bank)


@pytest.mark.parametrize("quick", [False, True], ids=["whole", "quick"])
def test_without_originals_nobody_looked(
    settings: Settings, clips: dict[str, MediaInfo], quick: bool
) -> None:
    assert found(settings, clips["original"], quick) is None


@pytest.mark.parametrize(
    ("name", "quick", "expected"),
    [
        pytest.param("again", False, ["original.mp4"], id="a copy"),
        pytest.param("mirrored", False, ["original.mp4"], id="an edited copy"),
        pytest.param("another", False, [], id="no copy"),
        pytest.param("original", False, ["original.mp4"], id="a known original itself"),
        pytest.param("again", True, ["original.mp4"], id="keyframes that look alike are followed"),
        pytest.param("another", True, None, id="keyframes that do not prove nothing"),
    ],
)
def test_what_is_found(
    settings: Settings,
    clips: dict[str, MediaInfo],
    name: str,
    quick: bool,
    expected: list[str] | None,
) -> None:
    put(settings, clips["original"])
    assert found(settings, clips[name], quick) == expected


def test_a_file_of_the_library_is_no_copy_of_itself(
    settings: Settings, clips: dict[str, MediaInfo]
) -> None:
    put(settings, clips["original"], LIBRARY)
    assert found(settings, clips["original"]) == []
    assert found(settings, clips["again"]) == ["original.mp4"]


def test_signals_without_hashes_are_not_near(
    settings: Settings, clips: dict[str, MediaInfo]
) -> None:
    put(settings, clips["original"])
    keeper = Keeper.open(settings)
    find = keeper.finder(settings, quick=True)
    assert find(clips["original"], CheapSignals("test")) is None
    poor = CheapSignals(
        "test", frame_hashes=np.zeros((2, 32), np.uint8), frame_quality=np.zeros(2, np.uint8)
    )
    assert find(clips["original"], poor) is None
    keeper.close()
