"""Which backend: ``COEFVQ_MLLM`` names the profile.

``embedded`` (default; the small model that runs on a CPU), ``omni:MODEL`` (a large omni model on
one GPU; needs torchvision, so an environment of its own) or ``endpoint:URL#MODEL`` (an
OpenAI-compatible server).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

from coefvq.errors import SettingsError, did_you_mean
from coefvq.media.limits import MediaLimits
from coefvq.mllm.backend import IsForeign, MllmBackend
from coefvq.settings import Settings

PROFILES = ("embedded", "omni", "endpoint")


@dataclass(frozen=True)
class Profile:
    """A parsed ``COEFVQ_MLLM``: ``kind`` is one of ``PROFILES``."""

    kind: str
    model: str = ""
    url: str = ""


def parse_profile(text: str) -> Profile:
    """Parse ``embedded``, ``omni:MODEL`` or ``endpoint:URL#MODEL``.

    Raises:
        SettingsError: For anything else, with the nearest known form.
    """
    kind, colon, rest = text.strip().partition(":")
    if kind not in PROFILES:
        hint = did_you_mean(kind, PROFILES)
        raise SettingsError(f"COEFVQ_MLLM={text!r}: unknown profile '{kind}'.{hint}")
    if kind == "embedded":
        if colon:
            raise SettingsError(f"COEFVQ_MLLM={text!r}: 'embedded' takes nothing after it.")
        return Profile(kind)
    if kind == "omni":
        if not rest:
            raise SettingsError(f"COEFVQ_MLLM={text!r}: write omni:MODEL, a folder or model name.")
        return Profile(kind, model=rest)
    return _endpoint(text, rest)


def _endpoint(text: str, rest: str) -> Profile:
    url, _, model = rest.partition("#")
    parts = _split(url)
    if "@" in parts.netloc or parts.query:  # not shown: it may hold a password or a key
        raise SettingsError(
            "COEFVQ_MLLM: write the endpoint's address without user, password or query; "
            "a key goes into COEFVQ_ENDPOINT_KEY."
        )
    if parts.scheme not in ("http", "https") or not parts.netloc or not model:
        raise SettingsError(
            f"COEFVQ_MLLM={text!r}: write endpoint:URL#MODEL, "
            "for example endpoint:http://127.0.0.1:8000/v1#my-model."
        )
    return Profile("endpoint", model=model, url=url)


def _split(url: str) -> SplitResult:
    """Split an address; one that no client could use gives empty parts."""
    try:
        parts = urlsplit(url)
        _ = parts.port  # refuses what is no port number
    except ValueError:
        return SplitResult("", "", "", "", "")
    return parts


def load_backend(
    settings: Settings, *, is_foreign: IsForeign | None = None, folder: Path | None = None
) -> MllmBackend:
    """Load the backend that ``settings.mllm`` names.

    Args:
        is_foreign: Says whether a text is surely not English. Without it no text is refused
            for its language; an endpoint's model reads whatever languages it knows.
        folder: Of the embedded model's checkpoint; ``None``: the one that is shipped. Other
            profiles have models of their own and pass it over.

    Raises:
        SettingsError: For an unknown profile, or one that this environment cannot run.
        ModelError: If weights are missing, damaged or of another version.
    """
    profile = parse_profile(settings.mllm)
    if profile.kind == "endpoint":
        from coefvq.mllm.endpoint import EndpointMllm

        return EndpointMllm.from_settings(profile.url, profile.model, settings)
    if profile.kind == "omni":
        from coefvq.mllm.omni import OmniMllm

        return OmniMllm.load(profile.model, settings)
    from coefvq.mllm.embedded import EmbeddedMllm

    return EmbeddedMllm.load(
        settings.cache_dir,
        threads=settings.threads,
        limits=MediaLimits.from_settings(settings),
        is_foreign=is_foreign,
        **({} if folder is None else {"folder": folder}),
    )
