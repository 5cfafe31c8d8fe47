"""The report as a file: the same bytes for the same data, escaped, nothing from elsewhere."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from html.parser import HTMLParser

import pytest

from coefvq.review.access import LOCAL
from coefvq.settings import Settings
from coefvq.store.session import Store, open_store
from coefvq.work.report import figures_of, render
from coefvq.work.report.page import span
from tests.unit.work.alarms.conftest import NOW, Scene


@pytest.fixture
def store(settings: Settings) -> Iterator[Store]:
    """On SQLite only: what is rendered is the same figures."""
    with open_store(settings.url) as opened:
        yield opened


VOID = {"meta", "br", "line", "path", "circle", "rect"}


class Reader(HTMLParser):
    """Checks that elements nest, and collects what matters."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[str] = []
        self.addresses: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append(tag)
        if tag not in VOID:
            self.open.append(tag)
        self.addresses += [value or "" for name, value in attrs if name in ("href", "src")]

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open.pop() == tag


def read(page: str) -> Reader:
    reader = Reader()
    reader.feed(page)
    assert reader.open == []
    return reader


def test_the_same_data_gives_the_same_bytes(full: Scene) -> None:
    first = render(figures_of(full.store, LOCAL, "2026-11", NOW))
    later = render(figures_of(full.store, LOCAL, "2026-11", NOW + timedelta(minutes=5)))
    differing = [
        (one, two)
        for one, two in zip(first.splitlines(), later.splitlines(), strict=True)
        if one != two
    ]
    assert first == render(figures_of(full.store, LOCAL, "2026-11", NOW))
    assert len(differing) == 1 and "Generated at" in differing[0][0]


def test_hostile_text_is_text(full: Scene) -> None:
    page = render(figures_of(full.store, LOCAL, "2026-11", NOW))
    found = read(page)
    assert "script" not in found.seen and found.seen.count("style") == 1
    assert page.count("&lt;script&gt;alert(1)&lt;/script&gt;") == 3


@pytest.mark.parametrize("month", ["2026-11", "2026-10", "2026-01"])
def test_one_file_that_stands_alone(full: Scene, month: str) -> None:
    page = render(figures_of(full.store, LOCAL, month, NOW))
    found = read(page)
    assert all(address.startswith("#") for address in found.addresses)
    assert "url(" not in page and "@import" not in page
    assert found.seen.count("h1") == 1 and found.seen.count("h2") == 9
    assert found.seen.count("table") == found.seen.count("caption")
    assert re.search(r'<html lang="en">', page)
    assert ("Nothing was uploaded" in page) is (month == "2026-01")


def test_an_empty_store_makes_a_report_that_says_so(store: Store) -> None:
    page = render(figures_of(store, LOCAL, "2026-10", NOW))
    read(page)
    for words in ("Nothing was uploaded, scored or decided", "No appeal in this month",
                  "No alarm was raised", "not known here", "Not enough data"):  # fmt: skip
        assert words in page


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(None, "–"), (0.084, "0.08 s"), (42, "42 s"), (90, "1.5 min"), (7200, "2.0 h"),
     (200_000, "2.3 d")],
)  # fmt: skip
def test_lengths_of_time(seconds: float | None, words: str) -> None:
    assert span(seconds) == words
