"""Every setting of the project, in one typed place. Documented in docs/operations.md."""

from __future__ import annotations

import os
from pathlib import Path

import platformdirs
from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from coefvq.errors import SettingsError, did_you_mean

PREFIX = "COEFVQ_"


def _default_home() -> Path:
    return Path(platformdirs.user_data_dir("coefvq", appauthor=False))


class Settings(BaseSettings):
    """Settings from ``COEFVQ_*`` environment variables; every default runs on a laptop."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, extra="ignore", frozen=True)

    home: Path = Field(default_factory=_default_home, description="Data folder.")
    database_url: str = Field("", description="SQLAlchemy URL; empty: SQLite in the data folder.")
    mllm: str = Field("embedded", description="embedded, omni:MODEL or endpoint:URL#MODEL.")
    endpoint_key: str = Field("", repr=False, description="Bearer token of the endpoint; secret.")
    endpoint_timeout_s: float = Field(
        60.0, gt=0, description="Longest answer of the endpoint, seconds a try."
    )
    endpoint_concurrency: int = Field(
        4, ge=1, le=64, description="Requests to the endpoint under way at once, a process."
    )
    endpoint_frames: int = Field(
        8, ge=0, le=8, description="Frames of a video sent to the endpoint; 0: text only."
    )
    omni_frames: int = Field(
        16, ge=0, le=64, description="Frames of a video the omni model looks at; 0: none."
    )
    omni_sound_s: float = Field(
        60.0, ge=0.0, le=300.0, description="Seconds of sound the omni model hears; 0: none."
    )
    threads: int = Field(0, ge=0, description="CPU threads of the models; 0: all cores.")
    entropy_threshold: float = Field(
        0.9, ge=0.0, le=1.0, description="Escalate to the MLLM above this many bits."
    )
    human_entropy_threshold: float = Field(
        0.8, ge=0.0, le=1.0, description="Escalate from the MLLM to a person above this many bits."
    )
    audit_share: float = Field(
        0.01, ge=0.0, lt=1.0, description="Share of automatic outcomes a person checks."
    )
    golden_share: float = Field(
        0.02, ge=0.0, le=1.0, description="Probability that the next case is a golden one."
    )
    second_look_share: float = Field(
        0.05, ge=0.0, le=1.0, description="Share of decisions that a second person answers too."
    )
    blind_first_share: float = Field(
        0.05, ge=0.0, le=1.0, description="Share of cases answered before the machine's."
    )
    figures_every_s: float = Field(
        300.0, ge=0, description="Seconds between two computations of figures; 0: only on request."
    )
    mllm_price_per_1k_tokens: float = Field(
        0.0, ge=0, description="Price of 1,000 tokens of the MLLM, in your currency; 0: not known."
    )
    gpu_price_per_hour: float = Field(
        0.0, ge=0, description="Price of an hour of the MLLM's machine; 0: not known."
    )
    reviewer_price_per_hour: float = Field(
        0.0, ge=0, description="Price of an hour of a reviewer's work; 0: not known."
    )
    learn_online: bool = Field(
        True, description="Certified thresholds learn from decisions, to the safe side only."
    )
    escalations_per_uploader_hour: float = Field(
        60.0, ge=0.0, description="MLLM calls one uploader may cause an hour; 0: no limit."
    )
    max_duration_s: float = Field(4 * 3600.0, gt=0, description="Longest video, seconds.")
    max_bytes: int = Field(2 * 1024**3, gt=0, description="Largest file, bytes.")
    max_side: int = Field(8192, gt=0, description="Largest width or height, pixels.")
    max_decode_s: float = Field(60.0, gt=0, description="Decoding time limit a pass, seconds.")
    lease_s: float = Field(60.0, gt=0, description="How long a worker's job lease lasts, seconds.")
    case_lease_s: float = Field(600.0, gt=0, description="How long a case is reserved, seconds.")
    allowed_hosts: str = Field(
        "", description="Names the app may be reached under beyond loopback, comma between them."
    )
    sign_in_idle_s: float = Field(
        8 * 3600.0, gt=0, description="Seconds without a request after which one is signed out."
    )
    sign_in_max_s: float = Field(
        24 * 3600.0, gt=0, description="Seconds after which one signs in again in any case."
    )
    sign_in_failures: int = Field(
        5, ge=1, le=100, description="Wrong passwords in a row that lock an account."
    )
    sign_in_lock_s: float = Field(900.0, gt=0, description="How long it stays locked, seconds.")
    exposure_severity: int = Field(
        4, ge=1, le=5, description="From this severity on, looking counts as exposure."
    )
    exposure_limit_s: float = Field(
        3600.0, ge=0, description="Seconds of such material a shift before a pause; 0: no limit."
    )
    exposure_shift_s: float = Field(8 * 3600.0, gt=0, description="How long a shift is, seconds.")
    exposure_pause_s: float = Field(900.0, gt=0, description="How long the pause lasts, seconds.")
    alarm_webhook: str = Field("", description="Address that alarms are sent to; empty: none.")
    alarm_webhook_secret: str = Field("", repr=False, description="Signs what is sent; secret.")
    alarm_webhook_private: bool = Field(
        False, description="The webhook may be at an address that is not public."
    )
    alarm_set_aside: int = Field(1, ge=1, description="Jobs set aside that raise an alarm.")
    alarm_worker_silent_s: float = Field(
        600.0, ge=30, description="Seconds that jobs wait without a worker before an alarm."
    )
    api_requests_per_minute: float = Field(
        600.0, ge=0, description="Requests of one API key a minute, and at once; 0: no limit."
    )
    upload_idle_s: float = Field(
        30.0, gt=0, description="Seconds without a byte after which an upload is broken off."
    )
    upload_max_s: float = Field(
        3600.0, gt=0, description="Seconds after which an upload is broken off in any case."
    )
    callback_secret: str = Field("", repr=False, description="Signs callbacks; secret.")
    callback_private: bool = Field(
        False, description="Callbacks may go to addresses that are not public, and over http."
    )

    @property
    def url(self) -> str:
        """The database URL in force."""
        return self.database_url or f"sqlite:///{self.home / 'coefvq.sqlite3'}"

    @property
    def host_names(self) -> frozenset[str]:
        """``allowed_hosts`` as a set, in lower case."""
        names = (name.strip().lower() for name in self.allowed_hosts.split(","))
        return frozenset(name for name in names if name)

    @property
    def media_dir(self) -> Path:
        """Where uploaded bytes live, named by their hash."""
        return self.home / "media"

    @property
    def previews_dir(self) -> Path:
        """Where proxies, posters and contact sheets live."""
        return self.home / "previews"

    @property
    def cache_dir(self) -> Path:
        """Converted model weights and extracted signals that can be made again."""
        return self.home / "cache"

    @property
    def datasets_dir(self) -> Path:
        """Where snapshots of labelled videos lie, one folder each."""
        return self.home / "datasets"

    @property
    def models_dir(self) -> Path:
        """The registry's files: one folder a model version."""
        return self.home / "models"

    @property
    def exports_dir(self) -> Path:
        """Where exports of the Exports page lie, one folder each, and files to import."""
        return self.home / "exports"

    @property
    def runs_dir(self) -> Path:
        """Work of trainings, to be taken up again: one folder a run."""
        return self.home / "runs"


def load_settings(**overrides: object) -> Settings:
    """Read the environment, refusing unknown ``COEFVQ_*`` names.

    Raises:
        SettingsError: For an unknown name or a value that does not fit, with the remedy.
    """
    known = {PREFIX + name.upper() for name in Settings.model_fields}
    for name in os.environ:
        if name.startswith(PREFIX) and name not in known:
            raise SettingsError(f"Unknown setting {name}.{did_you_mean(name, known)}")
    try:
        return Settings(**overrides)  # type: ignore[arg-type]
    except ValidationError as error:
        first = error.errors()[0]
        name = PREFIX + str(first["loc"][0]).upper()
        raise SettingsError(f"{name}={first['input']!r}: {first['msg']}.") from error
