"""The card of a snapshot: what it holds, how it came about, what it cannot say. Markdown."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from coefvq.learning.dataset.items import SPLITS

_MADE = """## How it was made

- A label is what people decided; an adjudication or an appeal overrules reviews, and otherwise
  the majority counts. A person has one vote a policy, their last. A policy with as many votes for
  as against has no label.
- `weights` is the share of the votes that agree with the label. A golden case has the label that
  is expected of it, with weight 1.
- A confirmed copy is labelled `reupload`; a rejected one is not, once all its matches are.
- Videos of one uploader, of the same bytes, with shared footage, that look the same (cosine of
  {near} or more) or have the same words are one group, and a group is in one split. Uploaders are
  not named. Uploads by nobody in particular join nothing.
- New groups are dealt by a hash: {shares}. A group keeps its split in every later snapshot. Where
  groups merge, all of it goes to the most protected split: golden, test, validation, train. What
  was ever golden or in test is never trained on.
"""

_MIND = """## Mind

- Most videos came to a person because the cascade was unsure, so this is no random sample of the
  uploads. `propensities` has the probability of the draw where there was one: weight by its
  inverse. Only `audited` labels are a random sample of what the machine decides by itself.
- `machine` is what was on the screen when the person decided: it may have led them.
- What a person did not mark counts as harmless: a violation that nobody saw is labelled 0.
- `language` is `en`, `other`, or unknown where there are too few words.
- Title and caption were written by strangers: treat them as hostile text.
"""


def render(snapshot_id: str, document: Mapping[str, Any], removed: Collection[str]) -> str:
    """The card.

    Args:
        document: See ``counts.document_of``.
        removed: Videos that were deleted since it was made.
    """
    rules = document["rules"]
    shares = ", ".join(f"{share:.0%} {name}" for name, share in rules["shares"].items())
    parts = [
        f"# Labelled videos {snapshot_id[:12]}\n\nSHA-256 over its items: `{snapshot_id}`\n",
        _numbers(document),
        _removed(removed),
        _table(document["policies"]),
        _counts("language", document["languages"]),
        _counts("role of who answered", document["roles"]),
        _asked(document["wanted"]),
        _MADE.format(near=rules["near"], shares=shares),
        _MIND,
        _versions(document),
    ]
    return "\n".join(part for part in parts if part)


def _numbers(document: Mapping[str, Any]) -> str:
    videos, out = document["videos"], document["left_out"]
    splits = ", ".join(f"{document['splits'].get(name, 0)} {name}" for name in SPLITS)
    lines = [
        f"{videos} videos with {document['labels']} labels: {splits}.",
        f"{document['groups']} groups; the largest has {document['largest_group']} videos.",
        f"{document['corrected']} videos have a label that differs from the machine's "
        f"({_share(document['corrected'], videos)}).",
        f"{document['audits']} were random audits of automatic outcomes "
        f"({_share(document['audits'], videos)}); {document['drawn']} more were drawn for "
        "labelling.",
        f"On {document['disputed']} videos people differed.",
    ]
    if out.get("tied"):
        lines.append(f"{out['tied']} labels are left out: as many votes for as against.")
    if out.get("restricted"):
        lines.append(f"{out['restricted']} videos are left out: in a restricted queue.")
    if out.get("removed"):
        lines.append(f"{out['removed']} videos are left out: deleted.")
    if document["merged"]:
        lines.append(
            f"{len(document['merged'])} videos moved to a more protected split, for their group "
            f"merged with another; {len(document['once_trained'])} of them could be learnt from "
            "before, so figures on them flatter earlier models."
        )
    if document["feeds"]:
        share = f"{document['rules']['feed_share']:.0%}"
        lines.append(
            f"{document['feeds']} uploader has more than {share} of the videos and counts as a "
            "feed: its videos are not joined by it, so some of one person may be on both sides."
        )
    return "\n".join(f"- {line}" for line in lines) + "\n"


def _removed(removed: Collection[str]) -> str:
    if not removed:
        return ""
    names = "".join(f"- `{video_id}`\n" for video_id in sorted(removed))
    return (
        f"## Removed since\n\n{len(removed)} videos were deleted. The counts are those of when it "
        f"was made; the videos are in the file no more, and are not read.\n\n{names}"
    )


def _table(policies: Mapping[str, Mapping[str, list[int]]]) -> str:
    head = "| policy | " + " | ".join(SPLITS) + " |\n|---|" + "---:|" * len(SPLITS) + "\n"
    rows = [
        f"| {policy} | " + " | ".join(_cell(by_split.get(split)) for split in SPLITS) + " |\n"
        for policy, by_split in policies.items()
    ]
    return "## Labels\n\nViolations / all.\n\n" + head + "".join(rows)


def _cell(counts: list[int] | None) -> str:
    return "" if counts is None else f"{counts[1]} / {sum(counts)}"


def _counts(name: str, counts: Mapping[str, int]) -> str:
    rows = "".join(f"| {value} | {number} |\n" for value, number in counts.items())
    return f"| {name} | videos |\n|---|---:|\n{rows}"


def _asked(wanted: Mapping[str, Any]) -> str:
    asked = [
        f"- {name}: {', '.join(value) if isinstance(value, list) else value}\n"
        for name, value in wanted.items()
        if value is not None and not (name == "seed" and value == 0)
    ]
    return "## What was asked for\n\n" + ("".join(asked) or "- everything\n")


def _versions(document: Mapping[str, Any]) -> str:
    seen = ", ".join(f"`{version}`" for version in document["taxonomies"]) or "none noted"
    look = f"`{document['look']}`" if document["look"] else "nothing: no frames are known"
    return (
        f"## Versions\n\n- taxonomy in force: `{document['taxonomy']}`; decided under: {seen}\n"
        f"- footage compared by: {look}\n- program: {document['program']}\n"
    )


def _share(part: int, whole: int) -> str:
    return f"{part / whole:.1%}" if whole else "0%"
