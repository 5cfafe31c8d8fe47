"""Readers of the clip sets: labelled fights, and real footage that clips are composed from."""

from __future__ import annotations

import csv
import importlib.util
from dataclasses import dataclass, field
from pathlib import Path

from coefvq.errors import SettingsError

VIOLENCE = "violence"
# Groups of the fights set whose pictures carry a broadcaster's or a site's mark: composing from
# them would put real watermarks into clips that are labelled as having none.
MARKED_FIGHT_GROUPS = frozenset(
    {"s08", "s15", "s17", "s22", "s23", "s28", "s30", "s34", "s35", "s43"}
)


@dataclass(frozen=True)
class ClipItem:
    """One clip with what its set says about it.

    Attributes:
        id: Unique over all sets, e.g. ``fights/fi005.mp4``.
        group: The source footage; items of one group never sit on both sides of a split.
        labels: 0 or 1 by policy id; a policy that is not here was not labelled.
        tags: Facts for slices, e.g. ``kind:watermark``.
    """

    id: str
    group: str
    source: str
    path: Path
    labels: dict[str, int] = field(default_factory=dict)
    tags: tuple[str, ...] = ()


def fights(data_dir: Path) -> list[ClipItem]:
    """Two-second surveillance clips with human labels fight / nofight; groups are sources.

    Raises:
        SettingsError: If ``fights/labels.csv`` is not there.
    """
    folder = Path(data_dir) / "fights"
    table = folder / "labels.csv"
    if not table.is_file():
        raise SettingsError(f"No {table}. Give the folder that holds fights/ with --data.")
    with table.open(encoding="utf-8", newline="") as handle:
        rows = list(csv.DictReader(handle))
    return [
        ClipItem(
            id=f"fights/{row['file']}",
            group=f"fights/{row['source_group']}",
            source="fights",
            path=folder / row["file"],
            labels={VIOLENCE: int(row["label"] == "fight")},
        )
        for row in rows
    ]


def scenes(data_dir: Path) -> list[ClipItem]:
    """Ordinary harmless clips, unlabelled by people: sign language, streets, films, a chair.

    ``violence`` is a weak negative. The battle scene of a film is left without a label.
    Takes of one place share a group; the copies with drawn-on logos are left out.
    """
    folder = Path(data_dir) / "clips"
    items = []
    for path in sorted([*folder.glob("asl/*"), *folder.glob("scenes/*"), *folder.glob("copies/*")]):
        if path.suffix in (".mkv", ".mp4", ".webm") and "logo" not in path.name:
            items.append(_scene(path))
    return items


def _scene(path: Path) -> ClipItem:
    shared = path.parent.name in ("asl", "copies")
    group = f"scenes/{path.parent.name if shared else path.stem}"
    labels = {} if "battle" in path.stem else {VIOLENCE: 0}
    name = f"scenes/{path.parent.name}/{path.name}"
    return ClipItem(name, group, "scenes", path, labels)


def gradio_media() -> list[ClipItem]:
    """The clips inside the installed gradio package (found, not imported)."""
    spec = importlib.util.find_spec("gradio")
    if spec is None or spec.origin is None:
        return []
    folder = Path(spec.origin).parent / "media_assets" / "videos"
    paths = [folder / name for name in ("a.mp4", "b.mp4", "world.mp4")]
    return [
        ClipItem(
            id=f"gradio/{path.name}",
            group=f"gradio/{'a' if path.stem == 'a' else 'earth'}",
            source="gradio",
            path=path,
            labels={VIOLENCE: 0},
        )
        for path in paths
        if path.is_file()
    ]


def footage(data_dir: Path) -> list[ClipItem]:
    """Clips without overlays that new clips are composed from, from all sets."""
    clean = [
        item for item in fights(data_dir) if item.group.split("/")[1] not in MARKED_FIGHT_GROUPS
    ]
    return [*clean, *scenes(data_dir), *gradio_media()]
