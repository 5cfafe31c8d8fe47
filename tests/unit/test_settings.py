"""Settings: every one documented, unknown ones refused with the nearest name."""

from __future__ import annotations

from pathlib import Path

import pytest

from coefvq.errors import SettingsError
from coefvq.settings import PREFIX, Settings, load_settings

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(PREFIX + name.upper(), raising=False)


def test_the_environment_is_read(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("COEFVQ_HOME", str(tmp_path))
    settings = load_settings()
    assert settings.home == tmp_path
    assert settings.url == f"sqlite:///{tmp_path / 'coefvq.sqlite3'}"
    assert {settings.media_dir.parent, settings.previews_dir.parent} == {tmp_path}


def test_a_database_url_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COEFVQ_DATABASE_URL", "postgresql://host/name")
    assert load_settings().url == "postgresql://host/name"


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        pytest.param("COEFVQ_HOMES", "x", "COEFVQ_HOME", id="misspelt"),
        pytest.param("COEFVQ_ENTROPY_TRESHOLD", "0.5", "COEFVQ_ENTROPY_THRESHOLD", id="typo"),
        pytest.param("COEFVQ_ENTROPY_THRESHOLD", "1.5", "less than or equal to 1", id="range"),
        pytest.param("COEFVQ_MAX_BYTES", "many", "COEFVQ_MAX_BYTES", id="not a number"),
    ],
)
def test_a_bad_setting_is_refused(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, says: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError, match=says):
        load_settings()


@pytest.mark.parametrize("name", sorted(Settings.model_fields))
def test_every_setting_is_documented(name: str) -> None:
    assert f"`{PREFIX}{name.upper()}`" in (ROOT / "docs" / "operations.md").read_text("utf-8")
