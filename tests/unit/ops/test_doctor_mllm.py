"""What the doctor says of the MLLM stage, for each profile."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import Any

import pytest
import torch
from click.testing import CliRunner

from coefvq.cli.doctor import doctor
from coefvq.errors import ModelError
from coefvq.mllm import profiles
from coefvq.ops import doctor as packages
from coefvq.ops import mllm_checks as checks
from coefvq.ops.check import Check
from coefvq.ops.doctor import examine
from coefvq.settings import Settings
from tests.unit.mllm import tiny_backend as tiny
from tests.unit.mllm.endpoint import server


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory):
    with pytest.MonkeyPatch.context() as patch:
        yield tiny.install(patch, tmp_path_factory.mktemp("tiny"))


@pytest.fixture
def embedded(checkpoint: Path, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Backends that were made."""
    made: list[Any] = []

    def load(_: Settings) -> Any:
        made.append(tiny.load(checkpoint))
        return made[-1]

    monkeypatch.setattr(profiles, "load_backend", load)
    return made


def by_name(found: list[Check]) -> dict[str, Check]:
    return {one.name: one for one in found}


def found_with(settings: Settings, speed: bool = False) -> dict[str, Check]:
    return by_name(list(checks.mllm_checks(settings, speed)))


@pytest.fixture
def no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)


def with_torchvision(monkeypatch: pytest.MonkeyPatch, there: bool) -> None:
    found = importlib.util.find_spec
    monkeypatch.setattr(
        checks,
        "find_spec",
        lambda name: ("spec" if there else None) if name == "torchvision" else found(name),
    )


def test_the_embedded_backend_is_named_and_nothing_is_loaded(embedded, no_gpu) -> None:
    found = found_with(Settings())
    assert found["mllm"].state == "ok"
    assert found["mllm"].found.startswith("embedded, fused-")
    for name in tiny.POLICIES:
        assert name in found["mllm"].found
    assert "checked in" in found["mllm"].found
    assert "mllm speed" not in found
    assert [one.loaded for one in embedded] == [False]


def test_speed_is_measured_where_it_is_asked_for(embedded) -> None:
    found = found_with(Settings(), speed=True)["mllm speed"]
    assert found.state == "ok" and embedded[0].loaded
    for part in ("s a made-up video of 10 s", "tokens", f"median of {checks.PASSES}", "loaded in"):
        assert part in found.found


def test_the_measured_video_has_every_modality(embedded) -> None:
    backend = profiles.load_backend(Settings())
    item = checks._full_item(backend)
    batch = backend.scorer().processor(item)
    for name in ("pixel_values", "sound_features", "motion_features"):
        assert name in batch, name
    # only the tokens that stand for absent modalities are left out
    assert int(batch["attention_mask"].sum()) == batch["input_ids"].shape[1] - 6


def test_a_backend_without_a_scorer_is_measured_by_its_answers() -> None:
    class Slow:
        version, covers, calls = "v", frozenset({"violence"}), 0

        def assess(self, item: Any) -> None:
            assert item.expensive.speech and item.posted.title
            self.calls += 1

    backend = Slow()
    found = checks._speed(backend)  # type: ignore[arg-type]
    assert backend.calls == 1 + checks.PASSES
    assert "the first" in found.found and "text only" in found.found


@pytest.mark.parametrize(
    ("torchvision", "gpu", "says"),
    [
        pytest.param(False, False, "torchvision, in an environment apart and a GPU", id="neither"),
        pytest.param(False, True, "it would need torchvision", id="no torchvision"),
        pytest.param(True, False, "it would need a GPU", id="no GPU"),
        pytest.param(True, True, "would run here", id="both"),
    ],
)
def test_what_the_omni_profile_lacks(embedded, monkeypatch, torchvision, gpu, says) -> None:
    with_torchvision(monkeypatch, torchvision)
    monkeypatch.setattr(checks, "_gpu_name", lambda: "some GPU" if gpu else "")
    found = found_with(Settings())
    assert found["mllm omni"].state == "ok" and says in found["mllm omni"].found
    assert "COEFVQ_MLLM=endpoint:URL#MODEL" in found["mllm endpoint"].found


@pytest.mark.parametrize(("gpu", "state"), [("", "warning"), ("some GPU", "ok")])
def test_a_configured_omni_profile_is_told_its_gpu(embedded, monkeypatch, gpu, state) -> None:
    monkeypatch.setattr(checks, "_gpu_name", lambda: gpu)
    found = found_with(Settings(mllm="omni:big"))
    assert found["mllm GPU"].state == state
    assert (found["mllm GPU"].remedy == "") is (state == "ok")
    assert "mllm omni" not in found and found["mllm"].found.startswith("omni, ")


def test_an_omni_profile_that_cannot_run_is_a_finding(monkeypatch, tmp_path) -> None:
    missing = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda n, *a: None if n == "torchvision" else missing(n, *a)
    )
    found = by_name(examine(Settings(mllm="omni:big", home=tmp_path)))
    assert found["mllm"].state == "failed"
    assert "requirements-omni.txt" in found["mllm"].found


@pytest.mark.parametrize(
    ("reply", "state", "says"),
    [
        pytest.param(server.Reply({"data": []}), "ok", "answers in", id="answers"),
        pytest.param(server.Reply({}, status=404), "ok", "without a list", id="no list"),
        pytest.param(server.Reply({}, status=401), "failed", "COEFVQ_ENDPOINT_KEY", id="key"),
        pytest.param(server.Reply(drop=True), "failed", "", id="hangs up"),
    ],
)
def test_a_configured_endpoint_is_asked_once(reply, state, says) -> None:
    with server.serving(lambda seen: reply) as fake:
        found = found_with(Settings(mllm=f"endpoint:{fake.url}#some"))
        assert [(one.method, one.path.endswith("/models")) for one in fake.seen] == [("GET", True)]
    assert found["mllm endpoint"].state == state
    assert says in found["mllm endpoint"].found and fake.url in found["mllm endpoint"].found
    assert bool(found["mllm endpoint"].remedy) is (state == "failed")
    assert found["mllm"].found.startswith("endpoint, ")


def test_an_endpoint_that_is_not_there_fails(no_gpu) -> None:
    with server.serving(lambda seen: server.Reply({})) as fake:
        url = fake.url
    found = found_with(Settings(mllm=f"endpoint:{url}#some"))["mllm endpoint"]
    assert found.state == "failed" and "COEFVQ_MLLM" in found.remedy


def test_a_setting_that_is_wrong_is_a_finding(tmp_path) -> None:
    found = by_name(examine(Settings(mllm="embeded", home=tmp_path)))["mllm"]
    assert found.state == "failed" and "Did you mean 'embedded'" in found.found


def test_a_damaged_checkpoint_is_a_finding(monkeypatch, tmp_path) -> None:
    def fail(_: Settings) -> None:
        raise ModelError("The fused model cannot be read. Reinstall coefvq.")

    monkeypatch.setattr(profiles, "load_backend", fail)
    found = by_name(examine(Settings(home=tmp_path)))
    assert found["mllm"].state == "failed" and "Reinstall" in found["mllm"].found
    assert found["prefilter"].state == "ok"
    assert {"mllm omni", "mllm endpoint"} <= found.keys()


@pytest.mark.parametrize("option", [True, False])
def test_the_command_takes_the_option(embedded, monkeypatch, tmp_path, option) -> None:
    monkeypatch.setenv("COEFVQ_HOME", str(tmp_path))
    monkeypatch.delenv("COEFVQ_MLLM", raising=False)
    arguments = ["--json", *(["--speed"] if option else [])]
    done = CliRunner().invoke(doctor, arguments)
    names = {one["name"] for one in json.loads(done.stdout)["checks"]}
    assert {"mllm", "mllm omni", "mllm endpoint", "prefilter"} <= names
    assert ("mllm speed" in names) is option


@pytest.mark.parametrize(
    ("mllm", "state"),
    [("embedded", "failed"), ("endpoint:http://127.0.0.1:9/v1#m", "failed"), ("omni:big", None)],
)
def test_torchvision_is_a_mistake_only_where_the_omni_profile_is_not_used(
    monkeypatch, tmp_path, mllm, state
) -> None:
    found = importlib.util.find_spec
    monkeypatch.setattr(
        packages, "find_spec", lambda name: "spec" if name == "torchvision" else found(name)
    )
    rows = by_name(list(packages._packages(Settings(mllm=mllm, home=tmp_path))))
    assert (rows["torchvision"].state if "torchvision" in rows else None) == state
