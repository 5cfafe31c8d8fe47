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
    """Read and check the setting, and resolve its name.

    Raises:
        SettingsError: It is no address that alarms may go to, or there is no secret to sign with.
    """
    scheme, host, port, path = _parts(settings.alarm_webhook)
    if len(settings.alarm_webhook_secret) < LEAST_SECRET:
        raise SettingsError(
            f"{SETTING}_SECRET has fewer than {LEAST_SECRET} characters: alarms are sent signed "
            "only. Set a long random text, and tell it the receiver."
        )
    found = _resolved(host, port)
    local = all(ip.is_loopback for ip in found)
    if scheme == "http" and not local:
        raise SettingsError(f"{SETTING}: http is for this machine only. Use https for {host}.")
    if not local and not settings.alarm_webhook_private:
        for ip in found:
            if not ip.is_global or ip.is_multicast:
                raise SettingsError(
                    f"{SETTING}: {host} is at {ip}, which is not public. If that is meant, set "
                    f"{SETTING}_PRIVATE=true."
                )
    return Target(scheme, host, str(found[0]), port, path)


def _parts(url: str) -> tuple[str, str, int, str]:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise SettingsError(f"{SETTING} is no address: {error}.") from error
    if parts.scheme not in _PORTS or not parts.hostname:
        raise SettingsError(f"{SETTING} must begin with https:// (or http:// on this machine).")
    if parts.username is not None or parts.password is not None:
        raise SettingsError(f"{SETTING} holds a user name or password: it is not sent. Remove it.")
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    if not (url.isascii() and url.isprintable() and " " not in url):
        raise SettingsError(f"{SETTING} holds white space or characters other than ASCII.")
    return parts.scheme, parts.hostname, port or _PORTS[parts.scheme], path


def _resolved(host: str, port: int) -> list[ipaddress.IPv4Address | ipaddress.IPv6Address]:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise SettingsError(f"{SETTING}: {host} is not found ({error}).") from error
    texts = dict.fromkeys(str(each[4][0]).partition("%")[0] for each in found)
    return [_plain(ipaddress.ip_address(text)) for text in texts]


def _plain(
    ip: ipaddress.IPv4Address | ipaddress.IPv6Address,
) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    """IPv4 in IPv6 clothes (``::ffff:10.0.0.1``) is judged as what it is."""
    mapped = ip.ipv4_mapped if isinstance(ip, ipaddress.IPv6Address) else None
    return mapped or ip
