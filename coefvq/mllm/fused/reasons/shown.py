"""What a prompt really shows of an item's texts: read back from its token ids."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby, islice, takewhile

from torch import Tensor

from coefvq.mllm.fused.configuration import MODALITIES, TEXT_MODALITIES
from coefvq.mllm.fused.items import FusedItem
from coefvq.mllm.fused.processing import FusedProcessor
from coefvq.mllm.fused.reasons.lines import PromptLine, item_lines, runs_of
from coefvq.mllm.fused.reasons.text import escape, head_of

_LONGEST_WORD, _MOST_TOKENS = 40, 16
_POSTED = re.compile(r"(title|caption):(.*)", re.DOTALL)
_TIMED = re.compile(r"([0-9]+:[0-9]{2}) (speech|screen text):(.*)", re.DOTALL)


@dataclass(frozen=True)
class Shown:
    """The lines that a prompt shows of an item, and whether it left some words out."""

    lines: tuple[PromptLine, ...]
    cut: bool


def shown(item: FusedItem, processor: FusedProcessor, inputs: Mapping[str, Tensor]) -> Shown:
    """Find out what a prompt shows.

    Where a place's text was cut in several spots, only what stands before the first and after
    the last is used. Words with control tokens of the tokenizer are never shown.

    Args:
        inputs: ``input_ids`` and ``modality_ids``, both (1, L), as the processor gave them.
    """
    lines = item_lines(item, processor.writer.layout.policies)
    read = _read_back(
        processor, inputs["input_ids"][0].tolist(), inputs["modality_ids"][0].tolist()
    )
    found: list[PromptLine] = []
    for key, same in groupby(lines, key=lambda line: head_of(line.place, line.at_s)):
        found += _visible(list(same), read.get(key, []), processor)
    return Shown(tuple(found), tuple(found) != lines)


def shown_lines(
    item: FusedItem, processor: FusedProcessor, inputs: Mapping[str, Tensor]
) -> tuple[PromptLine, ...]:
    """The lines of ``shown``."""
    return shown(item, processor, inputs).lines


def _read_back(
    processor: FusedProcessor, ids: Sequence[int], modalities: Sequence[int]
) -> dict[str, list[str]]:
    """Words by place and clock time."""
    texts = {MODALITIES.index(name) + 1 for name in TEXT_MODALITIES}
    found: dict[str, list[str]] = {}
    for number, run in groupby(zip(ids, modalities, strict=True), lambda pair: pair[1]):
        tokens = [token for token, _ in run] if number in texts else []
        text = processor.tokenizer.decode(tokens, clean_up_tokenization_spaces=False)
        for line in text.split("\n"):
            posted, timed = _POSTED.fullmatch(line), _TIMED.fullmatch(line)
            if posted:
                found.setdefault(posted[1], []).extend(posted[2].split())
            elif timed:
                found.setdefault(f"{timed[2]} {timed[1]}", []).extend(timed[3].split())
    return found


def _visible(
    lines: Sequence[PromptLine], shown: Sequence[str], processor: FusedProcessor
) -> list[PromptLine]:
    """The lines of one place and second, whose shown words are ``shown`` in one row."""
    words: list[str | None] = [word for line in lines for word in line.words]
    if list(shown) != words:
        head = _agreeing(words, shown)
        tail = min(_agreeing(words[::-1], shown[::-1]), len(shown) - head, len(words) - head)
        words[head : len(words) - tail] = [None] * (len(words) - tail - head)
    found, left = [], iter(words)
    for line in lines:
        mine = list(islice(left, len(line.words)))
        runs = runs_of(mine, lambda word: _quotable(word, processor))
        found += [replace(line, runs=runs)] if runs else []
    return found


def _agreeing(one: Sequence[str | None], other: Sequence[str | None]) -> int:
    pairs = zip(one, other, strict=False)
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))


def _quotable(word: str, processor: FusedProcessor) -> bool:
    if len(word) > _LONGEST_WORD:
        return False
    text = f" {escape(word)}"
    ids = processor.tokenizer(text, add_special_tokens=False)["input_ids"]
    # The prompt leaves control tokens out, so a word with one is not what it shows.
    return 0 < len(ids) <= _MOST_TOKENS and processor.writer.encode(text) == ids
