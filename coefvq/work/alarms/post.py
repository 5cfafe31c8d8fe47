"""One HTTP POST: to a resolved address, under a name, bounded in time; no redirect, no proxy."""

from __future__ import annotations

import http.client
import socket
import ssl
import threading

from coefvq.work.alarms.address import Target

TIMEOUT_S = 5.0


class _Pinned(http.client.HTTPConnection):
    """Connects to the address that was checked; the name is for TLS and the Host header."""

    def __init__(self, target: Target, timeout_s: float) -> None:
        super().__init__(target.host, target.port, timeout=timeout_s)
        self._target = target

    def connect(self) -> None:
        made = socket.create_connection((self._target.ip, self._target.port), self.timeout)
        if self._target.scheme == "https":
            context = ssl.create_default_context()
            made = context.wrap_socket(made, server_hostname=self._target.host)
        self.sock = made


def post(target: Target, body: bytes, headers: dict[str, str], timeout_s: float = TIMEOUT_S) -> int:
    """Send a body and return the status; what the other side answers besides is not read.

    Raises:
        OSError: No connection, no TLS, no answer in time or no HTTP.
    """
    connection = _Pinned(target, timeout_s)
    # A limit between two bytes lets a trickle pass for ever: this one is for the whole.
    guard = threading.Timer(timeout_s, _cut, (connection,))
    guard.daemon = True
    guard.start()
    try:
        connection.request("POST", target.path, body, headers | {"Connection": "close"})
        return connection.getresponse().status
    except http.client.HTTPException as error:
        raise OSError(f"no answer in HTTP: {type(error).__name__}") from error
    finally:
        guard.cancel()
        connection.close()


def _cut(connection: _Pinned) -> None:
    made = connection.sock
    if made is not None:
        try:
            made.shutdown(socket.SHUT_RDWR)
        except OSError:
            return
