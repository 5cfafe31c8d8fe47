"""The texts that a model is taught with: the question that ``mllm.endpoint`` asks, and its answer.

A model that learnt these answers a server's requests as they are: the same system prompt, the
video's texts as one JSON object, one rule, one word as the answer.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from coefvq.domain import ExpensiveSignals, Modality, PostedText
from coefvq.export.records import Settled, Video
from coefvq.mllm.backend import MllmInput
from coefvq.mllm.endpoint import content
from coefvq.mllm.endpoint.content import ANSWER, PROMPT_VERSION, SYSTEM
from coefvq.mllm.endpoint.dialects import Attached
from coefvq.mllm.endpoint.footage import Footage, Form, Pictures, Sound
from coefvq.store.decisions import VIOLATION
from coefvq.taxonomy import Policy, Taxonomy

YES, NO = "Yes", "No"
ANSWERS = {VIOLATION: YES, "ok": NO}
SYSTEM_PROMPT = SYSTEM + ANSWER
UNASKED = "not_asked"
"""Reason for leaving a label out: nobody can see in a video whether it is a copy."""

# What training tools replace by media, and so must stand nowhere else.
_PLACEHOLDER = re.compile(
    r"<(?=/?\s*(?:image|video|audio|bbox|box|ref-object|ref|quad|cot-process)\b)", re.IGNORECASE
)


@dataclass(frozen=True)
class Example:
    """One question about one video, with people's answer.

    Attributes:
        user: The question, without placeholders for media.
        answer: ``Yes`` or ``No``.
        rejected: The machine's answer, where people said the opposite.
    """

    video: Video
    settled: Settled
    user: str
    answer: str
    rejected: str | None

    @property
    def id(self) -> str:
        """Unique in an export."""
        return f"{self.video.video_id}-{self.settled.policy}"

    def extra(self) -> dict[str, Any]:
        """What stands beside the messages in every row."""
        return {"id": self.id, "task": self.settled.task, "policy": self.settled.policy,
                "propensity": self.settled.propensity,
                "label_weight": round(self.settled.weight, 6)}  # fmt: skip


@dataclass
class Asker:
    """Makes examples by the taxonomy in force.

    Attributes:
        left_out: Reason to number of labels that no question is asked about.
    """

    rules: Taxonomy
    left_out: dict[str, int] = field(default_factory=dict)

    def asks(self, video: Video) -> bool:
        """Whether a video has any example."""
        known = (self.rules.policies.get(settled.policy) for settled in video.settled)
        return any(not _why_not(policy) for policy in known)

    def examples(self, video: Video, times_s: Sequence[float] | None = None) -> Iterator[Example]:
        """All examples of a video.

        Args:
            times_s: Seconds of the frames that are shown; ``None``: the video file is.
        """
        text = ""
        for settled in video.settled:
            policy = self.rules.policies.get(settled.policy)
            why = _why_not(policy)
            if why or policy is None:
                self.left_out[why] = self.left_out.get(why, 0) + 1
                continue
            text = text or video_text(video, times_s)
            answer = YES if settled.label else NO
            rejected = (NO if settled.label else YES) if settled.corrected else None
            yield Example(video, settled, f"{text}\n\n{ask(policy)}", answer, rejected)


def _why_not(policy: Policy | None) -> str:
    if policy is None:
        return "policy_gone"
    return UNASKED if Modality.COPY in policy.modalities else ""


@lru_cache(maxsize=256)
def ask(policy: Policy) -> str:
    """The rule and the question, as a server is asked."""
    return without_placeholders(f"{content.rule_text(policy)}\n{ANSWER}")


def prompt_hash(policy: Policy) -> str:
    """Names the words that a policy is asked in."""
    whole = f"{PROMPT_VERSION}\n{SYSTEM_PROMPT}\n{ask(policy)}"
    return hashlib.sha256(whole.encode()).hexdigest()


def video_text(video: Video, times_s: Sequence[float] | None = None) -> str:
    """The video's texts as the endpoint sends them, after what its pictures and sound are."""
    heard = ExpensiveSignals("export", speech=video.speech, screen_text=video.screen_text)
    item = MllmInput(PostedText(video.title, video.caption), heard, None)
    texts = content.texts_of(item)
    shown = _attached(video, times_s)
    return without_placeholders(content.video_text(texts, shown, times_s or ()))


def _attached(video: Video, times_s: Sequence[float] | None) -> Attached:
    if times_s is not None:
        return Attached(Footage(Form(Pictures.STILLS if times_s else Pictures.NONE)))
    heard = video.info is not None and video.info.has_audio
    return Attached(Footage(Form(Pictures.FILE, Sound.IN_FILE if heard else Sound.NONE)))


def without_placeholders(text: str) -> str:
    """Break what a training tool would take for a place of media: texts are hostile."""
    return _PLACEHOLDER.sub("< ", text)


def policy_document(rules: Taxonomy) -> dict[str, Any]:
    """Class names, letters, answers and prompts: what the exported labels mean."""
    letters = {policy: letter(number) for number, policy in enumerate(rules.policies)}
    return {
        "taxonomy_version": rules.version,
        "prompt_version": PROMPT_VERSION,
        "system_prompt": SYSTEM_PROMPT,
        "answers": dict(ANSWERS),
        "classes": [{"index": number, "letter": letters[policy], "policy": policy}
                    for number, policy in enumerate(rules.policies)],
        "policies": {
            policy.id: {
                "task": task.id, "name": policy.name, "letter": letters[policy.id],
                "question": policy.question, "guideline": policy.guideline,
                "severity": policy.severity, "reasons": list(policy.reasons),
                "modalities": sorted(each.value for each in policy.modalities),
                "asked": not _why_not(policy), "prompt": ask(policy),
                "prompt_sha256": prompt_hash(policy),
            }
            for task in rules.tasks.values()
            for policy in task.policies
        },
    }  # fmt: skip


def letter(number: int) -> str:
    """A, B, … Z, AA, AB, …"""
    found = ""
    number += 1
    while number:
        number, rest = divmod(number - 1, 26)
        found = chr(ord("A") + rest) + found
    return found


def class_rows(rules: Taxonomy, settled: Sequence[Settled]) -> Mapping[str, list[int]]:
    """By task, the indices of the classes that are violated; a task without labels is not here."""
    index = {policy: number for number, policy in enumerate(rules.policies)}
    found: dict[str, list[int]] = {}
    for each in settled:
        mine = found.setdefault(each.task, [])
        if each.label and each.policy in index:
            mine.append(index[each.policy])
    return found
