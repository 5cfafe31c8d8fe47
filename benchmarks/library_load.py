"""How long the library takes to answer when it is large.

    python -m benchmarks.library_load [--videos 100000] [--rounds 40] [--home FOLDER] [--explain]

Makes a scratch store with generated words, cases, jobs and vectors (none of it is media), then
asks what the page asks. The times of the page's own call are taken over HTTP, against the app as
``coefvq serve`` runs it. ``COEFVQ_DATABASE_URL`` names another database; it must be empty.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.library_data import COMMON, PAIR, RARE, fill
from coefvq.review import history, library, queue, similar
from coefvq.review.access import LOCAL
from coefvq.settings import Settings
from coefvq.store.session import Store, open_store

GOAL_MS = 200.0
PAGE = 48
POLICY, QUEUE, UPLOADER = "scam_spam", "fraud", "user7"

Question = Callable[[], object]


def main() -> int:
    """Fill, ask, print a table; 1 where the goal is missed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.library_load", description=__doc__)
    parser.add_argument("--videos", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--home", type=Path, help="keep the store here and use it again")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        settings = Settings(home=arguments.home or Path(scratch))
        with open_store(os.environ.get("COEFVQ_DATABASE_URL") or settings.url) as store:
            fill(store, arguments.videos)
            print(f"{arguments.videos} videos, {store.engine.dialect.name}, "
                  f"n={arguments.rounds} each\n")  # fmt: skip
            late = _measure(questions(store, settings), arguments.rounds)
            with _served(store, settings) as ask:
                late += _measure(calls(ask), arguments.rounds)
    print(f"\nOver {GOAL_MS:.0f} ms at p95: {', '.join(late) or 'none'}")
    return 1 if late else 0


def questions(store: Store, settings: Settings) -> dict[str, Question]:
    """What the services are asked, by name."""

    def page(**filters: Any) -> Question:
        return lambda: library.list_videos(store, settings, LOCAL, limit=PAGE, **filters)

    first = library.list_videos(store, settings, LOCAL, limit=1).items[0].video_id
    statuses = {f"status {name}": page(status=name) for name in library.STATUSES}
    return {
        "first page": page(),
        "page 500": page(offset=500 * PAGE),
        "last page": page(offset=10**9),
        f"search '{COMMON}' (common)": page(text=COMMON),
        f"search '{RARE}' (rare)": page(text=RARE),
        f"search '{PAIR}' (two words)": page(text=PAIR),
        "search of nothing there": page(text="zzzqqq"),
        "search of an emoji": page(text="🔥"),
        "search and status decided": page(text=COMMON, status="decided"),
        "search, task and status": page(text=COMMON, task="icd", status="to_review"),
        **statuses,
        "task and status auto_pass": page(task="ucc", status="auto_pass"),
        f"queue {QUEUE}": page(queue=QUEUE),
        f"policy {POLICY}": page(policy=POLICY),
        f"uploader {UPLOADER}": page(uploader=UPLOADER),
        "nobody's uploads": page(uploader="nobody"),
        "counts by status": lambda: library.status_counts(store, LOCAL),
        "how far all scoring is": lambda: library.progress_of_all(store, LOCAL),
        "counts of the queue": lambda: queue.counts(store, LOCAL),
        "similar (vectors in memory)": lambda: similar.similar_to(store, settings, LOCAL, first),
        "history of a video": lambda: history.of_video(store, LOCAL, first),
    }


def calls(ask: Callable[[dict[str, Any]], Any]) -> dict[str, Question]:
    """The page's own call over HTTP, by name."""
    return {
        "HTTP first page": lambda: ask({}),
        "HTTP page 500": lambda: ask({"offset": 500 * PAGE}),
        f"HTTP search '{COMMON}'": lambda: ask({"search": COMMON}),
        f"HTTP search '{PAIR}'": lambda: ask({"search": PAIR}),
        "HTTP status to_review": lambda: ask({"status": "to_review"}),
    }


def _measure(asked: dict[str, Question], rounds: int) -> list[str]:
    """Print p50 and p95 of each; the names of those over the goal."""
    late = []
    for name, question in asked.items():
        started = time.perf_counter()
        question()
        first = (time.perf_counter() - started) * 1000
        taken = sorted(_timed(question) for _ in range(rounds))
        p95 = taken[min(len(taken) - 1, int(0.95 * len(taken)))]
        over = p95 > GOAL_MS
        print(f"{name:<34} p50 {statistics.median(taken):7.1f} ms   p95 {p95:7.1f} ms   "
              f"first {first:7.1f} ms{'   OVER' if over else ''}", flush=True)  # fmt: skip
        late += [name] if over else []
    return late


def _timed(question: Question) -> float:
    started = time.perf_counter()
    question()
    return (time.perf_counter() - started) * 1000


@contextmanager
def _served(store: Store, settings: Settings) -> Iterator[Callable[[dict[str, Any]], Any]]:
    """Serve the app on a free port; yield a way to make the page's ``browse`` call."""
    import socket
    import threading

    import uvicorn

    from reviewer_ui.build import build_app

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    config = uvicorn.Config(build_app(settings, store), "127.0.0.1", port, log_level="warning")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.02)
    base = f"http://127.0.0.1:{port}"
    component = _component(base)
    yield lambda args: _browse(base, component, args)
    server.should_exit = True
    thread.join()


def _component(base: str) -> int:
    """Number of the library's component in Gradio's description of the page."""
    with urllib.request.urlopen(f"{base}/config") as answer:
        parts = json.load(answer)["components"]
    return next(int(p["id"]) for p in parts if p["props"].get("elem_id") == "library-page")


def _browse(base: str, component: int, args: dict[str, Any]) -> Any:
    body = json.dumps({"session_hash": "load", "component_id": component, "fn_name": "browse",
                       "data": args}).encode()  # fmt: skip
    request = urllib.request.Request(
        f"{base}/gradio_api/component_server", body, {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request) as answer:
        found = json.load(answer)
    if "order" not in found:
        raise RuntimeError(f"the page's call failed: {found}")
    return found


if __name__ == "__main__":
    raise SystemExit(main())
