"""How a prefilter makes a task's probability, read without loading the model."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import coefvq.prefilter
from coefvq import taxonomy
from coefvq.domain import Stage
from coefvq.errors import ModelError
from coefvq.routing.calibration import Calibrator, log_odds
from coefvq.settings import Settings
from coefvq.store.session import Store
from coefvq.work.models import know_combinations, usable

_DESCRIPTION = Path(coefvq.prefilter.__file__).parent / "weights" / "model.json"


@dataclass
class Recalibration:
    """As ``coefvq.prefilter.predict.Prefilter`` answers, a test holds them together.

    A page that shows history must not load a model for it.

    Attributes:
        version: Of the prefilter's weights.
        tasks: From the log-odds of a task's largest probability to the task's, by task.
    """

    version: str
    tasks: Mapping[str, Calibrator]

    @classmethod
    def shipped(cls, description: Path = _DESCRIPTION) -> Recalibration:
        """Of the weights that come with the project.

        Raises:
            ModelError: Their description is missing or damaged.
        """
        try:
            body: dict[str, Any] = json.loads(description.read_text(encoding="utf-8"))
            tasks = {name: Calibrator.from_json(item) for name, item in body["tasks"].items()}
            return cls(str(body["version"]), tasks)
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ModelError(
                f"The description of the prefilter's weights, {description}, cannot be read. "
                "Reinstall the project."
            ) from error

    @classmethod
    def in_force(cls, store: Store, settings: Settings) -> Recalibration:
        """Of the prefilter that serves; this process learns how promoted pairs are combined.

        Raises:
            ModelError: Not even the shipped one is there.
        """
        know_combinations(store)
        _, folder = usable(store, settings, Stage.PREFILTER)
        return cls.shipped(folder / _DESCRIPTION.name)

    def task_probability(self, task_id: str, probabilities: Mapping[str, float]) -> float:
        """The largest probability among a task's policies, recalibrated; 0.0 without any."""
        members = {policy.id for policy in taxonomy.task(task_id).policies}
        found = [value for name, value in probabilities.items() if name in members]
        if not found:
            return 0.0
        recalibrate = self.tasks.get(task_id)
        return float(max(found) if recalibrate is None else recalibrate(log_odds(max(found))))
