from __future__ import annotations

import importlib.util

import pytest

from coefvq.errors import SettingsError
from coefvq.mllm.profiles import Profile, load_backend, parse_profile
from coefvq.settings import Settings


@pytest.mark.parametrize(
    ("text", "profile"),
    [
        ("embedded", Profile("embedded")),
        (" embedded ", Profile("embedded")),
        ("omni:/models/big", Profile("omni", model="/models/big")),
        ("omni:org/name:tag", Profile("omni", model="org/name:tag")),
        (
            "endpoint:http://127.0.0.1:8000/v1#m",
            Profile("endpoint", model="m", url="http://127.0.0.1:8000/v1"),
        ),
    ],
)
def test_profiles(text: str, profile: Profile) -> None:
    assert parse_profile(text) == profile


@pytest.mark.parametrize(
    ("text", "says"),
    [
        pytest.param("embeded", "Did you mean 'embedded'", id="typo"),
        pytest.param("Endpoint:http://x#m", "Did you mean 'endpoint'", id="case"),
        pytest.param("", "Known: embedded, endpoint, omni", id="empty"),
        pytest.param("gpt", "unknown profile 'gpt'", id="unknown"),
        pytest.param("embedded:x", "takes nothing", id="embedded with model"),
        pytest.param("omni:", "omni:MODEL", id="omni without model"),
        pytest.param("omni", "omni:MODEL", id="omni alone"),
        pytest.param("endpoint:http://x", "endpoint:URL#MODEL", id="no model"),
        pytest.param("endpoint:file:///etc/passwd#m", "endpoint:URL#MODEL", id="file address"),
        pytest.param("endpoint:#m", "endpoint:URL#MODEL", id="no address"),
    ],
)
def test_bad_profiles_say_the_remedy(text: str, says: str) -> None:
    with pytest.raises(SettingsError, match="COEFVQ_MLLM") as caught:
        parse_profile(text)
    assert says in str(caught.value)


def test_the_omni_profile_names_what_is_missing_here_and_the_command(monkeypatch) -> None:
    found = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *a: None if name == "torchvision" else found(name)
    )
    with pytest.raises(SettingsError, match="needs torchvision") as caught:
        load_backend(Settings(mllm="omni:big"))
    assert "pip install -r requirements-omni.txt" in str(caught.value)
    assert "COEFVQ_MLLM=embedded" in str(caught.value)
