"""Both stages on held-out videos: what the other model says beside the one that is judged."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from coefvq import taxonomy
from coefvq.domain import Assessment, Stage
from coefvq.errors import MediaError, ModelError
from coefvq.learning.dataset.items import LabelledVideo, Signals
from coefvq.learning.gate import answers
from coefvq.learning.gate.tasks import Pair, send, task_rows
from coefvq.learning.monitor import Monitor
from coefvq.learning.registry import folder_of
from coefvq.mllm.profiles import parse_profile
from coefvq.routing.entropy import EntropyRouting
from coefvq.routing.policy import RoutingPolicy
from coefvq.settings import Settings
from coefvq.store.session import Store

Rule = RoutingPolicy | EntropyRouting


@dataclass(frozen=True)
class Desk:
    """Where models and answers are found.

    Attributes:
        signals: What models are shown of videos.
        monitor: Told of progress; may stop.
    """

    store: Store
    settings: Settings
    signals: Signals
    monitor: Monitor

    @property
    def embedded(self) -> bool:
        """Whether the MLLM can be asked here at no price but time."""
        return parse_profile(self.settings.mllm).kind == "embedded"

    def model(self, stage: Stage, version: str) -> Any:
        """A model, its files checked.

        Raises:
            ModelError: They are damaged or missing.
        """
        return answers.load(self.settings, stage, folder_of(self.store, self.settings, version))

    def infos(self, items: Sequence[LabelledVideo]) -> list[Any]:
        """What was probed of each file; ``None`` where it is gone."""
        return [self._info(item) for item in items]

    def firsts(
        self, items: Sequence[LabelledVideo], said: Sequence[Assessment], mine: frozenset[str]
    ) -> list[Assessment]:
        """A prefilter's answers with what the search for known footage said of the videos.

        Args:
            mine: Policies of prefilters, which are not taken over from old answers.
        """
        before = answers.answered_before(self.store, Stage.PREFILTER, items)
        return [
            answers.with_others(one, before.get(item.video_id), mine)
            for one, item in zip(said, items, strict=True)
        ]

    def seconds(
        self,
        items: Sequence[LabelledVideo],
        version: str,
        wanted: Collection[str],
        most: int | None = None,
    ) -> tuple[list[Assessment | None], str]:
        """What an MLLM says: as it said before; asked now where it is wanted and never was.

        Args:
            wanted: Ids of videos.
            most: Ask it at most so often.

        Returns:
            An answer or ``None`` a video, and a note where wanted answers are missing.
        """
        known = answers.answered_before(self.store, Stage.MLLM, items, version)
        unasked = [i for i in items if i.video_id in wanted and i.video_id not in known]
        why = ""
        if unasked and self.embedded:
            try:
                known |= self._asked(unasked[:most], version)
            except ModelError as error:
                why = f" It could not be asked: {error}"
        left = sum(item.video_id not in known for item in unasked)
        note = (
            f"The MLLM would be asked about {left:,} more videos than it answered: how those end "
            f"is not known, and they count as no miss.{why}"
        )
        return [known.get(item.video_id) for item in items], note if left else ""

    def _asked(self, items: Sequence[LabelledVideo], version: str) -> Mapping[str, Assessment]:
        model = self.model(Stage.MLLM, version)
        book = answers.Book(self.settings, version)
        said = answers.ask([model], Stage.MLLM, items, self.signals, self.monitor, [book])
        pairs = zip(said.items, said.answers[0], strict=True)
        return {item.video_id: one for item, one in pairs}

    def _info(self, item: LabelledVideo) -> Any:
        try:
            return self.signals.info(item)
        except MediaError:
            return None


def escalated(
    items: Sequence[LabelledVideo],
    model: Any,
    first: Sequence[Assessment],
    rules: Mapping[str, Rule],
) -> frozenset[str]:
    """Videos that routing would show to the MLLM after this prefilter, by any task."""
    nobody: list[Assessment | None] = [None] * len(items)
    found: set[str] = set()
    for task in taxonomy.tasks():
        rows = task_rows(task, items, Pair(model, first, nobody))
        if len(rows):
            found |= set(rows.item_id[send(rows, rules[task]).escalated].tolist())
    return frozenset(found)
