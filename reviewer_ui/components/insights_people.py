"""How far people agree with each other."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from reviewer_ui.components.insights_tables import table
from reviewer_ui.components.insights_words import UNKNOWN, covered, middle, number, span
from reviewer_ui.markup import NOTHING, Markup, h

Document = dict[str, Any]
WANTED = 50
"""Pairs below which a line says how many are missing."""


def section(document: Document) -> Markup:
    """Krippendorff's alpha by policy, Cohen's kappa by reviewer, or what is missing."""
    if document.get("why"):
        return h('<p class="none">{}</p>', document["why"])
    return h("{}{}{}{}", _missing(document), _policies(document), _reviewers(document),
             _about(document))  # fmt: skip


def rows(document: Document) -> tuple[Sequence[str], Iterable[Sequence[object]]]:
    """As a file: a row a policy, then a row a reviewer."""
    head = ("of", "name", "pairs", "agreement", "agreement_low", "agreement_high", "measure",
            "value", "low", "high", "why_not")  # fmt: skip
    found: list[Sequence[object]] = []
    for kind, name, measure, each in _subjects(document):
        share, figure = each["agreement"], each[measure]
        found.append(
            (kind, name, each["pairs"], share["value"], share["low"], share["high"], measure,
             figure["value"], figure["low"], figure["high"], figure["why_not"])
        )  # fmt: skip
    return head, found


def _subjects(document: Document) -> Iterable[tuple[str, str, str, Document]]:
    for each in document.get("policies") or []:
        yield "policy", each["policy"], "alpha", each
    for each in document.get("reviewers") or []:
        yield "reviewer", each["reviewer"], "kappa", each


def _missing(document: Document) -> Markup:
    pairs = document["pairs"]
    if pairs >= WANTED:
        return NOTHING
    return h(
        '<p class="none">{} answered by two people in this time: {} more make the figures worth '
        "reading. Second looks are drawn by themselves (docs/quality.md).</p>",
        "No case was" if not pairs else "One case was" if pairs == 1 else f"{pairs} cases were",
        WANTED - pairs,
    )


def _policies(document: Document) -> Markup:
    found = [
        (each["name"], number(each["pairs"]), _share(each["agreement"]), _figure(each["alpha"]))
        for each in document["policies"]
        if each["pairs"]
    ]
    head = ("Policy", "Pairs", "Same label", "Krippendorff's alpha")
    return table("Agreement by policy", head, found) if found else NOTHING


def _reviewers(document: Document) -> Markup:
    found = [
        (each["reviewer"], number(each["pairs"]), _share(each["agreement"]),
         _figure(each["kappa"]), number(each["golden"]), _figure(each["golden_kappa"]),
         _share(each["upheld"]))
        for each in document["reviewers"]
    ]  # fmt: skip
    head = ("Reviewer", "Pairs", "Same labels", "Cohen's kappa", "Golden cases",
            "Kappa on golden cases", "Upheld by a lead")  # fmt: skip
    return table("Agreement by reviewer", head, found) if found else NOTHING


def _about(document: Document) -> Markup:
    again = document["redecided"]
    more = ""
    if again["n"]:
        more = (
            f" {again['n']:,} cases were decided again by somebody who could see the first answer; "
            f"{again['hits']:,} of them the same way. They are not among the pairs."
        )
    return h(
        '<p class="muted">n = {} cases that two people answered without seeing each other\'s '
        "answer; {} of them were settled by a lead. 1 is full agreement, 0 is chance. 95 % "
        "intervals by resampling cases. {}.{}</p>",
        number(document["pairs"]),
        number(document["adjudicated"]),
        covered(document),
        more,
    )


def _share(found: Document) -> Markup:
    if found["value"] is None:
        return h("{}", UNKNOWN)
    rate = [found["value"], found["low"], found["high"]]
    return h('<b>{}</b> <span class="range">{}</span>', middle(rate), span(rate))


def _figure(found: Document) -> Markup:
    if found["value"] is None:
        return h('<span title="{}">{}</span>', found["why_not"], UNKNOWN)
    low, high = found["low"], found["high"]
    ends = "" if low is None or high is None else f"{low:.2f} to {high:.2f}"
    return h('<b>{}</b> <span class="range">{}</span>', f"{found['value']:.2f}", ends)
