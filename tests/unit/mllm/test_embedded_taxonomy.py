"""The embedded backend where the taxonomy is another than its checkpoint was trained on."""

from __future__ import annotations

from pathlib import Path

import pytest

from coefvq.mllm.embedded import EmbeddedMllm
from tests import taxonomy_factory as make
from tests.unit.mllm import tiny_backend as tiny


@pytest.fixture(scope="module")
def backend(tmp_path_factory: pytest.TempPathFactory):
    with pytest.MonkeyPatch.context() as patch:
        checkpoint: Path = tiny.install(patch, tmp_path_factory.mktemp("tiny"))
        yield tiny.load(checkpoint)


def test_a_new_policy_is_not_covered_and_one_that_is_gone_is_not_answered(
    backend: EmbeddedMllm,
) -> None:
    gone = sorted(tiny.POLICIES)[0]
    found = make.without_policy(gone)
    make.task_row(found, "icd")["policies"].append(make.policy("gambling"))
    made = make.install(found)
    said = backend.assess(tiny.item())
    assert said.scores.keys() == made.policies.keys()
    assert (said.scores["gambling"].covered, said.scores["gambling"].why_not) == (
        False, "not_trained",
    )  # fmt: skip
    rationale = backend.explain(tiny.item(), said)
    assert rationale.summary
    assert all(item.policy != gone for item in rationale.evidence)


def test_nothing_that_it_knows_is_left(backend: EmbeddedMllm) -> None:
    found = make.document()
    found["tasks"] = [{"id": "health", "name": "Health", "policies": [make.policy("quackery")]}]
    made = make.install(found, 2)
    said = backend.assess(tiny.item())
    assert list(said.scores) == list(made.policies) == ["quackery"]
    assert backend.explain(tiny.item(), said).uncertain
