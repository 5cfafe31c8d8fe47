"""Where the webhook goes: https anywhere public, http only on this machine, never a redirect.

The address is the operator's own setting and no user can change it. It is held to a few rules all
the same, because a typing error would send alarms, or an open port scan, into a network that they
do not belong in: the name is resolved once, every address behind it must be public (or allowed by
a setting), and the connection is made to that very address.
"""

from __future__ import annotations

import ipaddress
import socket
from dataclasses import dataclass
from urllib.parse import urlsplit

from coefvq.errors import SettingsError
from coefvq.settings import Settings

SETTING = "COEFVQ_ALARM_WEBHOOK"
_PORTS = {"https": 443, "http": 80}
LEAST_SECRET = 16


@dataclass(frozen=True)
class Target:
    """A checked address.

    Attributes:
        host: The name in the URL.
        ip: The address to connect to.
        path: With the query; begins with ``/``.
        shown: For logs and messages: no path, no query, since those may hold a token.
    """

    scheme: str
    host: str
    ip: str
    port: int
    path: str

    @property
    def shown(self) -> str:
        """Scheme, host and port."""
        name = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{name}:{self.port}"


def target_of(settings: Settings) -> Target:
    """Read and check the alarms' setting, and resolve its name.

    Raises:
        SettingsError: It is no address that alarms may go to, or there is no secret to sign with.
    """
    parts = parts_of(settings.alarm_webhook, SETTING)
    check_secret(settings.alarm_webhook_secret, f"{SETTING}_SECRET", "alarms")
    found = _resolved(parts, SETTING)
    local = all(ip.is_loopback for ip in found)
    if parts.scheme == "http" and not local:
        raise SettingsError(
            f"{SETTING}: http is for this machine only. Use https for {parts.host}."
        )
    if not local and not settings.alarm_webhook_private:
        _require_public(found, parts, SETTING, f"{SETTING}_PRIVATE")
    return Target(parts.scheme, parts.host, str(found[0]), parts.port, parts.path)


def resolve(url: str, setting: str, private: bool, private_setting: str) -> Target:
    """Check an address that somebody else chose: public and https, unless that is opened.

    Args:
        setting: What messages call the address.
        private: Also this machine and its networks, and http there.
        private_setting: The setting that opens this.

    Raises:
        SettingsError: It is no address, or not one that may be called.
    """
    parts = parts_of(url, setting)
    if parts.scheme == "http" and not private:
        raise SettingsError(f"{setting}: only https is called. Use https for {parts.host}.")
    found = _resolved(parts, setting)
    if not private:
        _require_public(found, parts, setting, private_setting)
    if parts.scheme == "http" and any(ip.is_global for ip in found):
        raise SettingsError(f"{setting}: http is for your own network. Use https for {parts.host}.")
    return Target(parts.scheme, parts.host, str(found[0]), parts.port, parts.path)


def check_secret(secret: str, setting: str, what: str) -> None:
    """See that there is something to sign with.

    Raises:
        SettingsError: It is too short.
    """
    if len(secret) < LEAST_SECRET:
        raise SettingsError(
            f"{setting} has fewer than {LEAST_SECRET} characters: {what} are sent signed "
            "only. Set a long random text, and tell it the receiver."
        )


@dataclass(frozen=True)
class Parts:
    """An address that is well formed; nothing was looked up."""

    scheme: str
    host: str
    port: int
    path: str


def parts_of(url: str, setting: str) -> Parts:
    """Take an address apart.

    Raises:
        SettingsError: It is none that could be called.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise SettingsError(f"{setting} is no address: {error}.") from error
    if parts.scheme not in _PORTS or not parts.hostname:
        raise SettingsError(f"{setting} must begin with https:// (or http:// on this machine).")
    if parts.username is not None or parts.password is not None:
        raise SettingsError(f"{setting} holds a user name or password: it is not sent. Remove it.")
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    if not (url.isascii() and url.isprintable() and " " not in url):
        raise SettingsError(f"{setting} holds white space or characters other than ASCII.")
    return Parts(parts.scheme, parts.hostname, port or _PORTS[parts.scheme], path)


def _require_public(
    found: list[ipaddress.IPv4Address | ipaddress.IPv6Address],
    parts: Parts,
    setting: str,
    private_setting: str,
) -> None:
    for ip in found:
        if not ip.is_global or ip.is_multicast:
            raise SettingsError(
                f"{setting}: {parts.host} is at {ip}, which is not public. If that is meant, set "
                f"{private_setting}=true."
            )


def _resolved(parts: Parts, setting: str) -> list[ipaddress.IPv4Address | ipaddress.IPv6Address]:
    try:
        found = socket.getaddrinfo(parts.host, parts.port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise SettingsError(f"{setting}: {parts.host} is not found ({error}).") from error
    texts = dict.fromkeys(str(each[4][0]).partition("%")[0] for each in found)
    return [_plain(ipaddress.ip_address(text)) for text in texts]


def _plain(
    ip: ipaddress.IPv4Address | ipaddress.IPv6Address,
) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    """IPv4 in IPv6 clothes (``::ffff:10.0.0.1``) is judged as what it is."""
    mapped = ip.ipv4_mapped if isinstance(ip, ipaddress.IPv6Address) else None
    return mapped or ip
