"""Who is asking. Without users, only this machine may ask, and it may do everything."""

from __future__ import annotations

import ipaddress
from typing import Protocol

from coefvq.errors import SettingsError
from coefvq.review.access import LOCAL, Actor


class HasHeaders(Protocol):
    """What Gradio's and FastAPI's requests have in common."""

    @property
    def headers(self) -> object:
        """Request headers."""


def is_loopback(host: str) -> bool:
    """Tell whether a host name or address means this machine only."""
    bare = host.strip("[]").lower()
    if bare == "localhost":
        return True
    try:
        return ipaddress.ip_address(bare).is_loopback
    except ValueError:
        return False


def refuse_beyond_loopback(host: str) -> None:
    """Let only loopback through: this version has no users to tell apart.

    Raises:
        SettingsError: For every other address, with the remedy.
    """
    if not is_loopback(host):
        raise SettingsError(
            f"--host {host}: the page would be open to everyone who can reach this machine, "
            "because users and login are not available in this version. Bind 127.0.0.1 and "
            "reach it from elsewhere through an SSH tunnel: ssh -L 7860:127.0.0.1:7860 MACHINE."
        )


def actor_of(request: HasHeaders) -> Actor:
    """Return who makes a request; on loopback everyone is ``local`` with every role."""
    return LOCAL
