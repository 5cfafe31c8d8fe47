"""Workers serve what is published; what is damaged is refused and the old model goes on."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from coefvq.cascade import Cascade
from coefvq.domain import PostedText, Stage
from coefvq.learning import promote as store_part
from coefvq.learning import roll_back
from coefvq.learning.registry import shipped_version
from coefvq.learning.shadow_view import shadow_comparison
from coefvq.media.limits import MediaLimits
from coefvq.prefilter.predict import Prefilter
from coefvq.review.access import LOCAL
from coefvq.router import Router
from coefvq.settings import Settings
from coefvq.store import assessments, events, shadow_scores, trained_models
from coefvq.store.session import Store, open_store
from coefvq.work import models as followed
from coefvq.work.models import ModelFollower, keep_shadows, models_without_keeping, usable
from coefvq.work.task_probability import Recalibration
from tests import gate_factory
from tests.gate_factory import NO_MLLM, Home
from tests.store_factory import result, settings_at, upload

STAGE = Stage.PREFILTER
WEIGHTS = "model.safetensors"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """No MLLM is loaded."""
    return settings_at(tmp_path / "home", mllm=NO_MLLM)


@pytest.fixture
def store(settings: Settings) -> Any:
    """SQLite is enough: what is asked of the store is tested beside it."""
    with open_store(settings.url) as opened:
        yield opened


@pytest.fixture
def home(store: Store, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    return gate_factory.home(store, settings, tmp_path, monkeypatch)


class NoMllm:
    """Is never asked."""

    version = "endpoint-none"
    covers: frozenset[str] = frozenset()


def cascade(settings: Settings) -> Cascade:
    """The shipped prefilter, nothing else."""
    none: Any = None
    mllm: Any = NoMllm()
    router = Router.from_settings(settings)
    return Cascade(Prefilter.load(), mllm, none, none, router, MediaLimits.from_settings(settings))


def refusals(store: Store, version: str) -> list[Any]:
    with store.read() as session:
        found = events.of_subject(session, trained_models.SUBJECT, version)
        return [event for event in found if event.kind == trained_models.REFUSED]


def test_what_is_published_is_served_and_rolled_back(home: Home) -> None:
    served, follower = cascade(home.settings), ModelFollower(home.store, home.settings)
    assert follower.refresh(served) and served.prefilter.version == home.base
    assert not follower.refresh(served)
    better = home.add(home.models.much)
    assert not follower.refresh(served)
    gate_factory.put_in_force(home.store, better)
    assert follower.refresh(served) and served.prefilter.version == better
    roll_back.rollback(home.store, home.settings, LOCAL, STAGE, note="back")
    assert follower.refresh(served) and served.prefilter.version == home.base
    roll_back.rollback(home.store, home.settings, LOCAL, STAGE, note="further")
    assert follower.refresh(served) and served.prefilter.version == shipped_version(STAGE)
    said = served.prefilter.assess(None, PostedText("hello", None))
    assert said.model_version == shipped_version(STAGE)


def test_a_store_without_publications_changes_nothing(store: Store, settings: Settings) -> None:
    served = cascade(settings)
    before = served.prefilter
    assert not ModelFollower(store, settings).refresh(served)
    assert served.prefilter is before and models_without_keeping(settings) == {}
    assert not ModelFollower(store, settings).refresh(object())


DAMAGE: dict[str, Callable[[Path], object]] = {
    "changed": lambda place: (place / WEIGHTS).write_bytes(b"x" * 100),
    "cut off": lambda place: (place / WEIGHTS).write_bytes((place / WEIGHTS).read_bytes()[:-9]),
    "gone": lambda place: (place / WEIGHTS).unlink(),
    "a pickle": lambda place: (place / WEIGHTS).write_bytes(b"\x80\x04evil"),
}


@pytest.mark.parametrize("spoil", DAMAGE.values(), ids=DAMAGE.keys())
def test_a_damaged_model_is_refused_and_the_old_one_serves(
    home: Home, spoil: Callable[[Path], object], monkeypatch: pytest.MonkeyPatch
) -> None:
    served, follower = cascade(home.settings), ModelFollower(home.store, home.settings)
    follower.refresh(served)
    better = home.add(home.models.much)
    place = home.settings.models_dir / better
    kept = (place / WEIGHTS).read_bytes()
    spoil(place)
    gate_factory.put_in_force(home.store, better)
    for _ in range(3):
        assert not follower.refresh(served) and served.prefilter.version == home.base
    (event,) = refusals(home.store, better)
    assert event.data["serving"] == home.base and WEIGHTS in event.data["why"]
    # A worker that starts anew serves the newest one whose files hold, and so do the figures.
    fresh = cascade(home.settings)
    ModelFollower(home.store, home.settings).refresh(fresh)
    assert fresh.prefilter.version == home.base
    assert usable(home.store, home.settings, STAGE)[0] == home.base
    assert Recalibration.in_force(home.store, home.settings).version == home.base
    # Put back from a backup, it serves after a while.
    (place / WEIGHTS).write_bytes(kept)
    monkeypatch.setattr(followed, "AGAIN_S", 0.0)
    assert follower.refresh(served) and served.prefilter.version == better


def test_where_nothing_published_can_be_used_the_shipped_model_serves(home: Home) -> None:
    (home.settings.models_dir / home.base / WEIGHTS).write_bytes(b"")
    served = cascade(home.settings)
    assert not ModelFollower(home.store, home.settings).refresh(served)
    assert served.prefilter.version == shipped_version(STAGE)
    assert refusals(home.store, home.base)


def test_whatever_a_model_throws_the_old_one_serves(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    def throws(*_: object) -> None:
        raise RuntimeError("out of memory")

    served, follower = cascade(home.settings), ModelFollower(home.store, home.settings)
    monkeypatch.setattr(followed, "load_model", throws)
    assert not follower.refresh(served)
    assert "RuntimeError: out of memory" in refusals(home.store, home.base)[0].data["why"]


def test_calls_that_keep_nothing_serve_what_is_published(home: Home) -> None:
    (folder,) = models_without_keeping(home.settings).values()
    assert folder == home.settings.models_dir / home.base
    loaded = Cascade.load(home.settings, models={STAGE: folder})
    assert loaded.prefilter.version == home.base


def test_a_shadow_scores_beside_and_is_compared(home: Home) -> None:
    better = home.add(home.models.much)
    store_part.shadow(home.store, home.settings, LOCAL, better, note="a look")
    served, follower = cascade(home.settings), ModelFollower(home.store, home.settings)
    follower.refresh(served)
    assert served.prefilter.version == home.base
    for number, item in enumerate(home.models.rows[:12]):
        video = upload(home.store, home.settings, b"%d" % number)
        live = served.prefilter.assess(None, item.posted)
        made = result("0" * 64)
        beside = follower.shadow(
            made.__class__(**{**vars(made), "posted": item.posted, "mllm": None})
        )
        assert [one.model_version for one in beside] == [better]
        with home.store.write() as session:
            assessments.add(session, video, live)
            keep_shadows(session, video, beside)
            keep_shadows(session, video, beside)  # scored again
    seen = shadow_comparison(home.store, LOCAL, better)
    assert (seen.n, seen.compared, seen.running, seen.live) == (12, 12, True, (home.base,))
    assert {one.policy for one in seen.policies} == {"hate_harassment", "scam_spam"}
    assert all(one.n == 12 and one.spread > 0 for one in seen.policies)
    store_part.end_shadow(home.store, LOCAL, STAGE)
    follower.refresh(served)
    assert follower.shadow(made) == []
    with home.store.read() as session:
        assert shadow_scores.count(session, better) == 12


def test_a_shadow_that_fails_says_nothing(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    better = home.add(home.models.much)
    store_part.shadow(home.store, home.settings, LOCAL, better, note="a look")
    follower = ModelFollower(home.store, home.settings)
    follower.refresh(cascade(home.settings))

    def throws(*_: object) -> None:
        raise RuntimeError("no")

    monkeypatch.setattr(Prefilter, "assess", throws)
    assert follower.shadow(result("0" * 64)) == []
