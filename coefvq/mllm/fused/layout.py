"""The prompt of the fused model: what stands where, token by token.

    <|im_start|>system
    You moderate videos. ...
    violence: Does the video show people hurting each other?     (where rules are given)<|im_end|>
    <|im_start|>user
    [one absent token a modality]
    title: ...
    caption: ...
    timeline:[visual][visual]...[sound]
    0:01 speech: ...
    [visual]...[sound]
    0:03 screen text: ...<|im_end|>
    <|im_start|>assistant
    violence[slot]
    scam_spam[slot]
    reason:                                                      (where a rationale is wanted)

Every event stands at its place in time. What a modality writes depends on no other modality, so
leaving one out changes nothing but its own tokens (as long as everything fits). Answers are
read at positions that were computed, never searched for; text of the video is sanitised,
tokenised piece by piece, and loses every special token.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from coefvq.errors import ModelError
from coefvq.mllm.fused.configuration import MODALITIES
from coefvq.mllm.prompt import HEADS, SYSTEM, share_out
from coefvq.mllm.sanitise import sanitise

REASON = "\nreason:"
MARKS = ("visual", "sound", "absent", "slot")
# Control tokens that language models reserve and that moderation prompts never use: taking
# them over needs no new row in the embedding table.
_RESERVED = {
    "visual": ("<|image_pad|>", "<filename>"),
    "sound": ("<|audio_pad|>", "<|vision_pad|>", "<gh_stars>"),
    "absent": ("<|fim_pad|>", "<issue_start>"),
    "slot": ("<|file_sep|>", "<issue_comment>"),
}
_ROLES = ("system", "assistant", "user", "timeline", "reason")


@dataclass(frozen=True)
class Layout:
    """How prompts are built; everything here is saved with the processor.

    Attributes:
        policies: Policy ids in slot order.
        rules: One line a policy, written into the system text; empty: names only.
        marks: The control token that stands for ``visual``, ``sound``, ``absent``, ``slot``.
        max_tokens: Longest prompt, media included.
        max_frames: Frames that are looked at; more are thinned out evenly.
        max_sound_tokens: Longer sound is averaged more coarsely.
        early_fusion: Whether visual and sound tokens stand in the prompt.
        frame_pool: As in the model's configuration, like the next three.
        patch_merge: Side of the merged square.
        sound_pool: States a sound token.
        motion_size: Motion statistics.
        grid_side: Rows of features the vision tower makes of a picture.
    """

    policies: tuple[str, ...] = ()
    rules: tuple[str, ...] = ()
    marks: dict[str, str] = field(default_factory=dict)
    max_tokens: int = 640
    max_frames: int = 16
    max_sound_tokens: int = 40
    early_fusion: bool = True
    frame_pool: int = 2
    patch_merge: int = 2
    sound_pool: int = 25
    motion_size: int = 0
    grid_side: int = 7

    def to_dict(self) -> dict[str, Any]:
        """Plain data that JSON can hold."""
        return {k: list(v) if isinstance(v, tuple) else v for k, v in asdict(self).items()}

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Layout:
        """The opposite of ``to_dict``."""
        given: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in data.items()}
        return cls(**given)


@dataclass(frozen=True)
class Event:
    """Something at a time: a line of text, or a run of media placeholders.

    Attributes:
        modality: One of ``MODALITIES``.
        start_s: Seconds.
        text: As written by the uploader; hostile. Empty for media.
        tokens: Number of placeholders; 0 for text.
    """

    modality: str
    start_s: float
    text: str = ""
    tokens: int = 0


@dataclass(frozen=True)
class Written:
    """A prompt before padding.

    Attributes:
        ids: Token ids.
        modality_ids: As in ``fusion.drop_modalities``, one a token.
        attended: 0 for the absent tokens of modalities that are there, else 1.
        slots: Index into ``ids``, one a policy.
        labels: Next-token targets, -100 except on the rationale.
        truncated: Whether some text did not fit.
    """

    ids: list[int]
    modality_ids: list[int]
    attended: list[int]
    slots: list[int]
    labels: list[int]
    truncated: bool


def claim_marks(tokenizer: Any) -> dict[str, str]:
    """Choose a control token for each kind of placeholder, adding those that are missing."""
    known = {token.content for token in tokenizer.added_tokens_decoder.values()}
    marks = {}
    for name in MARKS:
        reserved = next((token for token in _RESERVED[name] if token in known), None)
        marks[name] = reserved or f"<|{name}|>"
    added = [token for token in marks.values() if token not in known]
    if added:
        tokenizer.add_tokens(added, special_tokens=True)
    return marks


class PromptWriter:
    """Writes prompts for one tokenizer and layout.

    Raises:
        ModelError: If the policies alone do not fit into ``layout.max_tokens``.
    """

    def __init__(self, tokenizer: Any, layout: Layout):
        self._tokenizer, self.layout = tokenizer, layout
        self._special = frozenset(tokenizer.added_tokens_decoder) | frozenset(
            tokenizer.all_special_ids
        )
        self._known = {t.content for t in tokenizer.added_tokens_decoder.values()}
        self._reserved = (*layout.policies, *HEADS.values(), *HEADS, *_ROLES)
        self.mark_ids = {k: tokenizer.convert_tokens_to_ids(v) for k, v in layout.marks.items()}
        rules = "".join(
            f"\n{name}: {rule}" for name, rule in zip(layout.policies, layout.rules, strict=False)
        )
        self._open = self._chat(
            "<|im_start|>", f"system\n{SYSTEM}{rules}", "<|im_end|>", "\n", "<|im_start|>", "user"
        )
        self._close = self._chat("<|im_end|>", "\n", "<|im_start|>", "assistant")
        self._slots = [self.encode(f"\n{policy}") for policy in layout.policies]
        self._timeline = self.encode("\ntimeline:")
        self._reason = self.encode(REASON)
        self._end = self._chat("<|im_end|>")
        self.room = layout.max_tokens - self._fixed()
        if self.room < 0:
            raise ModelError(
                f"{len(layout.policies)} policies with their rules need {self._fixed()} tokens, "
                f"but prompts hold {layout.max_tokens}. Raise max_tokens or shorten the rules."
            )

    @property
    def opening(self) -> list[int]:
        """Token ids with which every prompt begins: the policy text."""
        return list(self._open)

    def _fixed(self) -> int:
        parts = (self._open, self._close, self._timeline, self._reason)
        slots = sum(len(slot) + 1 for slot in self._slots)
        return sum(map(len, parts)) + slots + len(MODALITIES)

    def write(
        self,
        posted: Mapping[str, Sequence[str]],
        events: Sequence[Event],
        present: frozenset[str],
        reason: str | None = None,
        *,
        explain: bool = False,
    ) -> Written:
        """Write one item's prompt.

        Args:
            posted: Pieces of ``title`` and ``caption``.
            events: In any order; they are sorted by time.
            present: Modalities that are there.
            reason: The rationale to learn; it follows the slots.
            explain: Whether to end with the call for a rationale.
        """
        media = sum(event.tokens for event in events)
        pieces, truncated = self._fitted(posted, events, self.room - media)
        out = Written([], [], [], [], [], truncated)
        self._put(out, self._open)
        for number, name in enumerate(MODALITIES, 1):
            self._put(out, [self.mark_ids["absent"]], -number, attended=name not in present)
        for key in ("title", "caption"):
            for ids in pieces[key]:
                self._put(out, ids, MODALITIES.index("caption") + 1)
        self._put(out, self._timeline)
        for modality, ids in self._in_time(pieces, events):
            self._put(out, ids, MODALITIES.index(modality) + 1)
        self._put(out, self._close)
        self._put_slots(out)
        if explain or reason is not None:
            self._put(out, self._reason)
        if reason is not None:
            self._put(out, [*self.encode(f" {reason}"), *self._end], learn=True)
        return out

    def _put_slots(self, out: Written) -> None:
        for slot in self._slots:
            self._put(out, slot)
            out.slots.append(len(out.ids))
            self._put(out, [self.mark_ids["slot"]])

    @staticmethod
    def _put(
        out: Written, ids: Sequence[int], modality: int = 0, attended: bool = True, *,
        learn: bool = False,
    ) -> None:  # fmt: skip
        out.ids.extend(ids)
        out.modality_ids.extend([modality] * len(ids))
        out.attended.extend([int(attended)] * len(ids))
        out.labels.extend(ids if learn else [-100] * len(ids))

    def _fitted(
        self, posted: Mapping[str, Sequence[str]], events: Sequence[Event], budget: int
    ) -> tuple[dict[str, list[list[int]]], bool]:
        wanted: dict[str, list[list[int]]] = {
            key: self._headed(key, posted.get(key, ())) for key in ("title", "caption")
        }
        for key in ("speech", "screen_text"):
            wanted[key] = [self._line(e) for e in _sorted(events) if e.modality == key]
        shares = share_out({k: sum(map(len, v)) for k, v in wanted.items()}, max(0, budget))
        cut = False
        for key, pieces in wanted.items():
            wanted[key], short = drop_middle(pieces, shares[key])
            cut |= short
        return wanted, cut

    def _in_time(
        self, pieces: dict[str, list[list[int]]], events: Sequence[Event]
    ) -> list[tuple[str, list[int]]]:
        left = {key: list(pieces[key]) for key in ("speech", "screen_text")}
        found = []
        for event in _sorted(events):
            if event.tokens:
                found.append((event.modality, [self.mark_ids[event.modality]] * event.tokens))
            elif left[event.modality]:
                found.append((event.modality, left[event.modality].pop(0)))
        return found

    def _headed(self, key: str, pieces: Sequence[str]) -> list[list[int]]:
        clean = [text for text in (sanitise(piece, self._reserved) for piece in pieces) if text]
        heads = [f"\n{HEADS[key]}:"] + [""] * (len(clean) - 1)
        return [self.encode(f"{head} {text}") for head, text in zip(heads, clean, strict=False)]

    def _line(self, event: Event) -> list[int]:
        text = sanitise(event.text, self._reserved)
        if not text:
            return []
        minutes, seconds = divmod(int(event.start_s), 60)
        return self.encode(f"\n{minutes}:{seconds:02d} {HEADS[event.modality]}: {text}")

    def readable(self, text: str) -> bool:
        """Whether something of a text is left once it is sanitised."""
        return bool(sanitise(text, self._reserved))

    def encode(self, text: str) -> list[int]:
        """Token ids of plain text; special tokens are left out."""
        ids = self._tokenizer(text, add_special_tokens=False)["input_ids"]
        return [token for token in ids if token not in self._special]

    def _chat(self, *parts: str) -> list[int]:
        ids: list[int] = []
        for part in parts:
            control = part in self._known
            ids += [self._tokenizer.convert_tokens_to_ids(part)] if control else self.encode(part)
        return ids


def _sorted(events: Sequence[Event]) -> list[Event]:
    """By time; at the same second in the order of ``MODALITIES``, then as given."""
    return sorted(events, key=lambda event: (event.start_s, MODALITIES.index(event.modality)))


def drop_middle(pieces: list[list[int]], budget: int) -> tuple[list[list[int]], bool]:
    """Keep pieces from both ends until nothing more fits; what is left out becomes empty.

    Beginning and end of a text say most about it, and a first piece that is too long alone keeps
    two thirds of its room from its head and one third from its tail.

    Returns:
        As many pieces as were given, and whether anything was left out.
    """
    if sum(map(len, pieces)) <= budget:
        return pieces, False
    kept: list[list[int]] = [[] for _ in pieces]
    front, back, left = 0, len(pieces) - 1, max(0, budget)
    while front <= back and left > 0:
        for at in (front, back)[: 1 + (front < back)]:
            kept[at] = _ends(pieces[at], max(left // 2, min(left, 24)) if front < back else left)
            left -= len(kept[at])
        front, back = front + 1, back - 1
    return kept, True


def _ends(piece: list[int], budget: int) -> list[int]:
    if len(piece) <= budget:
        return piece
    tail = budget // 3
    return piece[: budget - tail] + (piece[-tail:] if tail else [])
