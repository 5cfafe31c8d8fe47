"""The package's public names, and what importing them costs."""

from __future__ import annotations

import subprocess
import sys

import pytest

import coefvq.routing as routing


@pytest.mark.parametrize("name", routing.__all__)
def test_every_public_name_is_there(name: str) -> None:
    assert getattr(routing, name).__module__.startswith("coefvq.routing.")


def test_an_unknown_name_is_refused() -> None:
    with pytest.raises(AttributeError, match="no attribute 'fit_polcy'"):
        routing.fit_polcy  # noqa: B018


@pytest.mark.parametrize(
    ("statement", "absent"),
    [
        pytest.param("import coefvq.routing", ("sklearn", "scipy", "torch"), id="the package"),
        pytest.param(
            "from coefvq.routing import fit_policy", ("torch", "sqlalchemy", "gradio"), id="fitting"
        ),
        pytest.param("import coefvq.routing.published", ("sklearn", "torch"), id="one video"),
    ],
)
def test_imports_stay_light(statement: str, absent: tuple[str, ...]) -> None:
    code = f"{statement}; import sys; print([m for m in {absent!r} if m in sys.modules])"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
