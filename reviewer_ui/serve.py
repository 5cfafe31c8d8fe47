"""Serve the pages on this machine, with the background workers beside them."""

from __future__ import annotations

import logging
import socket
import sys
import threading

import uvicorn

from coefvq.errors import SettingsError
from coefvq.settings import Settings
from coefvq.store.session import Store, open_store
from reviewer_ui.build import build_app
from reviewer_ui.desktop import open_window
from reviewer_ui.guard import EVERY_ADDRESS
from reviewer_ui.who import is_loopback, require_users

log = logging.getLogger(__name__)
PLAIN = (
    "Served beyond this machine over plain HTTP: passwords and videos can be read on the way. "
    "Put a reverse proxy with HTTPS in front of it, see docs/operations.md."
)


def address(host: str, port: int) -> str:
    """The address a browser uses."""
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def check_port(host: str, port: int) -> None:
    """See that the port can be had, before anything heavy is loaded.

    Raises:
        SettingsError: Something else listens there.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise SettingsError(
                f"Port {port} on {host} cannot be had ({error.strerror}). Is the app running "
                f"already at {address(host, port)}? Otherwise choose another --port."
            ) from error


class _Server(uvicorn.Server):
    """Says where it is as soon as it answers, and opens the window then."""

    def __init__(self, config: uvicorn.Config, url: str, desktop: bool) -> None:
        super().__init__(config)
        self._url, self._desktop = url, desktop

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, then announce."""
        await super().startup(sockets=sockets)
        if self.started:
            print(f"COEF-VQ Review is at {self._url}", file=sys.stderr, flush=True)
            if self._desktop:
                threading.Thread(target=open_window, args=(self._url,), daemon=True).start()


def run_app(
    settings: Settings, store: Store, host: str, port: int, *, desktop: bool = False
) -> None:
    """Serve until stopped; the worker is somebody else's business.

    Raises:
        SettingsError: Beyond loopback without users, or the port is taken.
    """
    require_users(settings, store, host)
    check_port(host, port)
    if not is_loopback(host):
        print(PLAIN, file=sys.stderr, flush=True)
    config = uvicorn.Config(
        build_app(settings, store, host),
        host=host,
        port=port,
        log_level="warning",
        server_header=False,
        timeout_graceful_shutdown=3,
    )
    shown = "localhost" if host in EVERY_ADDRESS else host  # a browser cannot go everywhere
    _Server(config, address(shown, port), desktop).run()


def serve(
    settings: Settings, host: str = "127.0.0.1", port: int = 7860, desktop: bool = False
) -> None:
    """Open the store, start the background workers, and serve until stopped.

    Args:
        desktop: Open a window (or a browser tab) on it.

    Raises:
        SettingsError: Beyond loopback without users, or the port is taken.
        StoreError: The database cannot be opened.
    """
    from coefvq.work.alarms import Watch
    from coefvq.work.process import background_workers

    check_port(host, port)
    with open_store(settings.url) as store:
        require_users(settings, store, host)
        with background_workers(settings), Watch(store, settings):
            run_app(settings, store, host, port, desktop=desktop)
