"""The registry: files that stay what they were, whole or not at all, and where they come from."""

from __future__ import annotations

import errno
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from coefvq.domain import Stage
from coefvq.errors import ModelError, NotAllowed, StoreError, TrainingError
from coefvq.learning import model_list, registry
from coefvq.learning.model_list import models
from coefvq.learning.registry import folder_of, in_force, register, shipped_version
from coefvq.review.access import LOCAL, Actor
from coefvq.store import events, trained_models
from tests import gate_factory
from tests.gate_factory import Home

WEIGHTS = "model.safetensors"


def test_a_registered_model_tells_where_it_comes_from(home: Home) -> None:
    version = home.add(home.models.much)
    view = model_list.model(home.store, home.settings, LOCAL, version)
    assert (view.parent, view.snapshot_id, view.made_by) == (home.base, home.made.id, "ann")
    assert view.code["program"] and len(view.code["sources"]) == 16
    assert version in view.card and home.made.id in view.card and "sha256" in view.card
    assert not view.problem and not view.live
    with home.store.read() as session:
        (event,) = events.of_subject(session, trained_models.SUBJECT, version)
        assert event.kind == trained_models.REGISTERED and event.data["parent"] == home.base


def test_registering_twice_changes_nothing(home: Home) -> None:
    version = home.add(home.models.much)
    assert home.add(home.models.much, "again") == version
    with home.store.read() as session:
        assert len(events.of_subject(session, trained_models.SUBJECT, version)) == 1


def test_shipped_models_are_in_force_before_any_promotion(home: Home) -> None:
    with home.store.read() as session:
        assert in_force(session)[Stage.MLLM] == shipped_version(Stage.MLLM)
    for stage in Stage:
        folder = folder_of(home.store, home.settings, shipped_version(stage))
        assert list(folder.glob("*.safetensors"))
    assert sum(view.shipped for view in models(home.store, home.settings, LOCAL)) == 2


def _append(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b"x")


DAMAGE: dict[str, tuple[Callable[[Path], object], str]] = {
    "changed": (lambda f: _append(f / WEIGHTS), f"{WEIGHTS} was changed"),
    "description changed": (lambda f: _append(f / "model.json"), "model.json was changed"),
    "a file gone": (lambda f: (f / WEIGHTS).unlink(), f"{WEIGHTS} is missing"),
    "the folder gone": (shutil.rmtree, "is missing"),
    "a file more": (lambda f: (f / "evil.py").write_text("1"), "evil.py does not belong"),
}


@pytest.mark.parametrize(("spoil", "reason"), DAMAGE.values(), ids=DAMAGE.keys())
def test_a_change_on_disk_is_refused_and_mended_by_registering_again(
    home: Home, spoil: Callable[[Path], object], reason: str
) -> None:
    version = home.add(home.models.much)
    place = folder_of(home.store, home.settings, version)
    spoil(place)
    with pytest.raises(ModelError, match=reason):
        folder_of(home.store, home.settings, version)
    assert model_list.model(home.store, home.settings, LOCAL, version).problem
    report = home.gate(version)
    assert not report.passed and reason in report.reasons[0]
    home.add(home.models.much, "again")
    assert folder_of(home.store, home.settings, version) == place


def test_files_that_call_themselves_otherwise_are_refused(home: Home) -> None:
    made = gate_factory.candidate(home.models.much, home.folder / "c", home.base)
    text = (made.folder / "model.json").read_text().replace(made.version, "prefilter-1-other")
    (made.folder / "model.json").write_text(text)
    with pytest.raises(ModelError, match="call themselves prefilter-1-other"):
        register(home.store, home.settings, "ann", made, snapshot_id=home.made.id)


@pytest.mark.parametrize("name", ["../../evil", "a/b", "", "x" * 300, "PREFILTER", "a b c d"])
def test_a_name_that_is_no_version_is_refused(home: Home, name: str) -> None:
    from dataclasses import replace

    made = gate_factory.candidate(home.models.much, home.folder / "c", home.base)
    with pytest.raises(ModelError, match="no name of a model"):
        register(home.store, home.settings, "ann", replace(made, version=name),
                 snapshot_id=home.made.id)  # fmt: skip
    assert not (home.settings.home / "evil").exists()


def test_a_full_disk_leaves_nothing_and_says_so(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    made = gate_factory.candidate(home.models.much, home.folder / "c", home.base)
    with monkeypatch.context() as patch:
        patch.setattr(registry, "_copy", full)
        with pytest.raises(TrainingError, match="No space left"):
            register(home.store, home.settings, "ann", made, snapshot_id=home.made.id)
    assert [path.name for path in home.settings.models_dir.iterdir()] == [home.base]
    register(home.store, home.settings, "ann", made, snapshot_id=home.made.id)


def test_unknown_origins_and_models_are_refused(home: Home) -> None:
    made = gate_factory.candidate(home.models.much, home.folder / "c", home.base)
    with pytest.raises(TrainingError, match="no snapshot"):
        register(home.store, home.settings, "ann", made, snapshot_id="0" * 64)
    with pytest.raises(ModelError, match="no model"):
        folder_of(home.store, home.settings, "prefilter-1-nobody")
    with pytest.raises(StoreError, match="coefvq models list"):
        model_list.model(home.store, home.settings, LOCAL, "prefilter-1-nobody")
    with pytest.raises(NotAllowed):
        models(home.store, home.settings, Actor("eve", frozenset({"reviewer"})))
