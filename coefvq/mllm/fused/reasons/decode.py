"""Decodes a rationale from the filled cache of the scoring pass, with few forward passes.

Forced tokens are only collected. At a real choice one pass feeds them together with all
alternatives, laid out as a tree: a node attends to the prompt, to what was collected, and to its
own ancestors (tree attention, as in SpecInfer, arXiv 2305.09781). The alternatives then leave
the cache again, so it is neither copied nor repeated.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import torch
from torch import Tensor

from coefvq.errors import ModelError
from coefvq.mllm.fused.heads import FusedOutput
from coefvq.mllm.fused.items import FusedItem
from coefvq.mllm.fused.layout import REASON
from coefvq.mllm.fused.modeling import FusedForConditionalGeneration
from coefvq.mllm.fused.processing import FusedProcessor
from coefvq.mllm.fused.reasons.grammar import Choice, Options, Row, reason_steps
from coefvq.mllm.fused.reasons.shown import Shown, shown
from coefvq.mllm.fused.reasons.target import facts, senses_of
from coefvq.mllm.fused.reasons.text import Reason


@dataclass(frozen=True)
class Decoded:
    """A reason with what it took.

    Attributes:
        ids: Token ids of its text, without the call ``reason:`` before it.
        passes: Forward passes.
        shown: What the prompt showed.
    """

    reason: Reason
    ids: tuple[int, ...]
    passes: int
    shown: Shown


@dataclass
class Tree:
    """Rows of token ids that share their beginnings; node 0 is the root, before all of them.

    Attributes:
        parents: Of each node; a parent comes before its children. The root has itself.
        tokens: Of each node; the root's is not used.
        ends: By row: the node at the end of each unit.
    """

    parents: list[int] = field(default_factory=lambda: [0])
    tokens: list[int] = field(default_factory=lambda: [-1])
    ends: list[list[int]] = field(default_factory=list)

    @classmethod
    def of(cls, rows: Sequence[Row]) -> Tree:
        """Merge rows into a tree."""
        tree, known = cls(), dict[tuple[int, int], int]()
        for row in rows:
            node, ends = 0, []
            for unit in row:
                for token in unit:
                    node = tree._child(known, node, token)
                ends.append(node)
            tree.ends.append(ends)
        return tree

    def _child(self, known: dict[tuple[int, int], int], node: int, token: int) -> int:
        if (node, token) not in known:
            known[node, token] = len(self.tokens)
            self.parents.append(node)
            self.tokens.append(token)
        return known[node, token]

    @property
    def inner(self) -> list[int]:
        """Nodes that have children, but for the root: only these must be fed to a model."""
        return sorted(set(self.parents) - {0})


class CacheReader:
    """Collects tokens behind a filled cache and reads what may follow them.

    Args:
        model: In evaluation mode.
        attention_mask: (1, L) of the prompt that filled the cache.
        cache: A ``DynamicCache`` of length L; it grows by the tokens that are fed.

    Raises:
        ModelError: If mask and cache are of different lengths or more than one item.
    """

    def __init__(self, model: FusedForConditionalGeneration, attention_mask: Tensor, cache: Any):
        filled = cache.get_seq_length()
        if attention_mask.shape != (1, filled):
            raise ModelError(
                f"The cache holds {filled} tokens, but the prompt is {tuple(attention_mask.shape)}."
                " Give the cache and the inputs of one scoring pass of one item."
            )
        self._model, self._cache = model, cache
        self._attended = attention_mask[0] > 0
        self._pending: list[int] = []
        self.passes = 0

    def add(self, ids: Sequence[int]) -> None:
        """Append tokens; they are fed with the next pass."""
        self._pending += ids

    def log_probabilities(self, tree: Tree) -> list[float]:
        """The summed log-probability of every node's path from the root, in one pass."""
        inner = tree.inner
        logits = self._feed(tree, inner)
        row_of = {0: 0} | {node: row for row, node in enumerate(inner, 1)}
        rows = torch.tensor([row_of[parent] for parent in tree.parents[1:]], device=logits.device)
        tokens = torch.tensor(tree.tokens[1:], device=logits.device)
        steps = (logits[rows, tokens] - logits.logsumexp(-1)[rows]).tolist()
        sums = [0.0]
        for parent, step in zip(tree.parents[1:], steps, strict=True):
            sums.append(sums[parent] + step)
        return sums

    def _feed(self, tree: Tree, inner: list[int]) -> Tensor:
        """Feed what was collected and a tree's inner nodes.

        Returns:
            float32 (1 + inner, vocabulary): what follows the root and each inner node.
        """
        known, count = self._pending, len(self._pending)
        ids = known + [tree.tokens[node] for node in inner]
        found = self._model(
            input_ids=torch.tensor([ids], device=self._attended.device),
            attention_mask=self._mask(count, tree, inner),
            position_ids=self._positions(count, tree, inner),
            past_key_values=self._cache,
            use_cache=True,
            logits_to_keep=torch.arange(count - 1, len(ids), device=self._attended.device),
        )
        self.passes += 1
        if inner:
            self._cache.crop(-len(inner))
        self._attended = torch.cat([self._attended, self._attended.new_ones(count)])
        self._pending = []
        return found.logits[0].float()

    def _mask(self, count: int, tree: Tree, inner: list[int]) -> Tensor:
        """Additive (1, 1, new, all) mask; positions of left-out prompt tokens stay left out."""
        new, before = count + len(inner), len(self._attended)
        allowed = torch.zeros(new, before + new, dtype=torch.bool)
        allowed[:, :before] = self._attended.cpu()
        allowed[:count, before : before + count] = torch.ones(count, count).tril().bool()
        allowed[count:, before : before + count] = True
        row_of = {node: count + row for row, node in enumerate(inner)}
        for node, row in row_of.items():
            if tree.parents[node]:
                allowed[row] |= allowed[row_of[tree.parents[node]]]
            allowed[row, before + row] = True
        kind = cast(Tensor, self._model.get_input_embeddings().weight).dtype
        mask = torch.zeros(allowed.shape, dtype=kind).masked_fill_(~allowed, torch.finfo(kind).min)
        return mask[None, None].to(self._attended.device)

    def _positions(self, count: int, tree: Tree, inner: list[int]) -> Tensor:
        """As ``fusion.positions_of``: attended tokens are counted."""
        first = int(self._attended.sum())
        depths = [0]
        for parent in tree.parents[1:]:
            depths.append(depths[parent] + 1)
        places = [*range(count), *(count - 1 + depths[node] for node in inner)]
        return torch.tensor([places], device=self._attended.device) + first


def decode_reason(
    model: FusedForConditionalGeneration,
    processor: FusedProcessor,
    item: FusedItem,
    *,
    inputs: Mapping[str, Any] | None = None,
    cache: Any = None,
    policies: Sequence[str | None] | None = None,
    close: bool = False,
) -> Reason:
    """Let the model pick what speaks for and against, as ``decode`` does; only its reason."""
    return decode(
        model, processor, item, inputs=inputs, cache=cache, policies=policies, close=close
    ).reason


@torch.inference_mode()
def decode(
    model: FusedForConditionalGeneration,
    processor: FusedProcessor,
    item: FusedItem,
    *,
    inputs: Mapping[str, Any] | None = None,
    cache: Any = None,
    policies: Sequence[str | None] | None = None,
    close: bool = False,
) -> Decoded:
    """Decode a rationale greedily under the grammar of one item.

    Args:
        inputs: What ``processor(item)`` gave for the scoring pass, one item; ``None``: made here.
        cache: ``past_key_values`` of that pass; it is left as it was. ``None``: filled here.
        policies: Policies to choose from, ``None`` among them for "none is violated"; give one
            to explain that one. ``None``: all of the layout, and none.
        close: Whether "close call" may be noted.

    Raises:
        ModelError: If cache and inputs do not fit each other.
    """
    inputs = processor(item) if inputs is None else inputs
    cache = prefill(model, inputs).past_key_values if cache is None else cache
    seen = shown(item, processor, inputs)
    options = options_of(processor, item, seen, policies, close)
    reader = CacheReader(model, inputs["attention_mask"], cache)
    filled = cache.get_seq_length()
    reader.add(processor.writer.encode(REASON))
    steps = reason_steps(processor.writer.encode, options)
    ids: list[int] = []
    try:
        choice = next(steps)
        while True:
            taken = _take(reader, choice)
            new = [token for unit in choice.rows[taken] for token in unit]
            reader.add(new)
            ids += new
            choice = steps.send(taken)
    except StopIteration as stop:
        return Decoded(stop.value, tuple(ids), reader.passes, seen)
    finally:
        _shorten(cache, filled)


def _shorten(cache: Any, length: int) -> None:
    """Bring every layer back to a length; a pass that failed filled only some of them."""
    for layer in cache.layers:
        layer.crop(min(0, length - layer.get_seq_length()))


@torch.inference_mode()
def prefill(model: FusedForConditionalGeneration, inputs: Mapping[str, Any]) -> FusedOutput:
    """The scoring pass with its cache kept in ``past_key_values``."""
    return model(**inputs, use_cache=True, logits_to_keep=1)


def options_of(
    processor: FusedProcessor,
    item: FusedItem,
    seen: Shown,
    policies: Sequence[str | None] | None = None,
    close: bool = False,
) -> Options:
    """What a rationale of an item may say whose prompt showed ``seen``."""
    known = processor.writer.layout.policies
    notes = ("close call",) * close + facts(item, seen.lines, seen.cut)
    chosen = (*known, None) if policies is None else tuple(policies)
    return Options(seen.lines, chosen, senses_of(item), notes)


def _take(reader: CacheReader, choice: Choice) -> int:
    """The row that is likeliest, compared unit by unit; the first one of equals."""
    alive = list(range(len(choice.rows)))
    if len(alive) == 1:
        return 0
    tree = Tree.of(choice.rows)
    sums = reader.log_probabilities(tree)
    unit = 0
    while len(alive) > 1:
        best = max(alive, key=lambda row: sums[tree.ends[row][unit]])
        alive = [row for row in alive if tree.ends[row][unit] == tree.ends[best][unit]]
        unit += 1
    return alive[0]
