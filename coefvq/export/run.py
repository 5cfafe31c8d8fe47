"""Make an export: read in batches, write with checkpoints, finish, put in place.

An export that was broken off goes on at its last checkpoint if the same is asked for and nothing
that it had written was taken back meanwhile; else it starts over. Until it is whole, the files of
the export before stay as they are.
"""

from __future__ import annotations

import gc
import json
import shutil
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from sqlalchemy import func, select

from coefvq import __version__, taxonomy
from coefvq.errors import ExportError
from coefvq.export.card import Tally, render, tally_from
from coefvq.export.formats import FORMATS
from coefvq.export.formats.base import NO_FILE, Context, Format
from coefvq.export.media_files import MediaKeeper
from coefvq.export.output import (
    MANIFEST,
    UNFINISHED,
    Output,
    digest,
    is_full,
    listed,
    put_in_place,
    read_manifest,
    read_state,
    to_json,
    write_state,
)
from coefvq.export.questions import Asker, policy_document
from coefvq.export.records import Video
from coefvq.export.scope import Plan, plan
from coefvq.export.wanted import Wanted, check
from coefvq.review.access import Actor, Permission, require
from coefvq.settings import Settings
from coefvq.store import decisions, events
from coefvq.store.session import Store
from coefvq.store.tables import EventRow, utcnow

CARD, SPLITS_FILE, POLICY_FILE, SPLIT_ROWS = (
    "dataset_card.md", "splits.json", "policy.json", "rows/splits",
)  # fmt: skip
MADE = "export.made"
EVERY_S = 5.0
"""A checkpoint at most so often, seconds."""
_VERSION = 1
_TAKEN_BACK = (decisions.UNDONE, "case.sent", "video.deleted", "taxonomy.published")
_TAKEN_BACK_PREFIX = "queue."

Progress = Callable[[float, str], None]


class Paused(ExportError):
    """Its time was over: what is written stays, and the next call goes on."""

    code = "export_paused"


@dataclass(frozen=True)
class Report:
    """What an export wrote. ``message`` is one line for people."""

    folder: Path
    files: tuple[str, ...]
    tally: Tally
    message: str
    resumed: bool = False


def run_export(
    store: Store,
    settings: Settings,
    actor: Actor,
    wanted: Wanted,
    out: Path,
    *,
    progress: Progress = lambda share, note: None,
    until: float | None = None,
) -> Report:
    """Write an export into a folder, made where missing.

    Args:
        progress: Told the share that is done, 0..1, and what is being done.
        until: On this clock (``time.monotonic``) the time is over.

    Raises:
        NotAllowed: The actor leads nobody.
        SettingsError: An unknown name in what is wanted.
        StoreError: There is no such snapshot.
        ExportError: The disk is full, or a package is missing. What was there before stays.
        Paused: The time is over; call it again.
    """
    require(actor, Permission.LEAD)
    wanted = check(wanted, FORMATS)
    check_ready(wanted)
    try:
        made = _Run(store, settings, wanted, out).go(progress, until)
    except OSError as error:
        raise _told(error, out) from error
    with store.write() as session:
        data = {"wanted": wanted.to_json(), "rows": made.tally.rows, "videos": made.tally.videos}
        events.append(session, actor.name, MADE, "export", out.name[:200] or "export", data)
    return made


def check_ready(wanted: Wanted) -> None:
    """Refuse what this installation or the format cannot do.

    Raises:
        ExportError: A package is missing, or the format cannot hold a snapshot.
    """
    kind = FORMATS[wanted.format]
    missing = [name for name in kind.packages if find_spec(name) is None]
    if missing:
        raise ExportError(
            f"The format '{kind.name}' needs {' and '.join(missing)}, which is not installed: "
            "`pip install -r requirements-export.txt`."
        )
    if wanted.snapshot and not kind.of_snapshot:
        raise ExportError(
            f"The format '{kind.name}' is about single decisions, and a snapshot holds what they "
            "come to: leave out --snapshot."
        )


def _told(error: OSError, out: Path) -> ExportError:
    if is_full(error):
        return ExportError(
            f"The disk of {out} is full. What was written stays in {out / UNFINISHED}: make room "
            "and run the same again, it goes on from there. An earlier export there is unchanged."
        )
    return ExportError(
        f"The export cannot be written to {out}: {error.strerror or error}. Choose a folder that "
        "can be written to. An earlier export there is unchanged."
    )


class _Run:
    """One export under way."""

    def __init__(self, store: Store, settings: Settings, wanted: Wanted, out: Path) -> None:
        self.store, self.settings, self.wanted = store, settings, wanted
        self.folder, self.work = out, out / UNFINISHED
        self.tally, self.cursor, self.resumed = Tally(), "", False
        self.output = Output(self.work)

    def go(self, progress: Progress, until: float | None) -> Report:
        """Go on or start, write all, finish."""
        self.folder.mkdir(parents=True, exist_ok=True)
        if read_manifest(self.work) is not None:
            put_in_place(self.work, self.folder)  # a crash had come between
        state = self._usable_state()
        kind = FORMATS[self.wanted.format]
        found = plan(
            self.store, self.settings, self.wanted, texts=kind.texts,
            last=state["last"] if state else None,
        )  # fmt: skip
        self._begin(state, found)
        context = self._context(kind)
        gc.freeze()  # the map of all videos is looked through by no collection meanwhile
        try:
            self._write(found, kind(context), context, progress, until)
            progress(0.97, "finishing the files")
            return self._finish(found, kind(context), context)
        finally:
            gc.unfreeze()
            self.output.close()

    def _context(self, kind: type[Format]) -> Context:
        keeper = MediaKeeper(self.work, self.wanted.media or kind.media, self.settings)
        rules = taxonomy.in_force()
        return Context(self.output, self.wanted, self.settings, rules, keeper, Asker(rules))

    def _usable_state(self) -> dict[str, Any] | None:
        """The checkpoint to go on from; ``None``, and an empty folder, where there is none."""
        state = read_state(self.work)
        if state is not None and state.get("asked") == self._asked():
            with self.store.read() as session:
                back = EventRow.kind.in_(_TAKEN_BACK) | EventRow.kind.startswith(_TAKEN_BACK_PREFIX)
                query = select(func.count()).select_from(EventRow)
                if not session.scalar(query.where(EventRow.seq > state["seq"], back)):
                    with suppress(ExportError):
                        self.output.resume(state["sizes"])
                        return state
        shutil.rmtree(self.work, ignore_errors=True)
        return None

    def _asked(self) -> dict[str, Any]:
        version = {"version": _VERSION, "program": __version__, "taxonomy": taxonomy.version()}
        return {"wanted": self.wanted.to_json(), **version}

    def _begin(self, state: dict[str, Any] | None, found: Plan) -> None:
        if state is not None:
            self.tally, self.cursor = tally_from(state["tally"]), state["cursor"]
            self.seq, self.resumed = state["seq"], bool(self.cursor)
            return
        self.output.resume({})
        self.tally.left_out.update(found.left_out)
        with self.store.read() as session:
            self.seq = session.scalar(select(func.max(EventRow.seq))) or 0
        self._checkpoint(found)

    def _checkpoint(self, found: Plan) -> None:
        state = {
            "asked": self._asked(), "last": found.scope.last, "seq": self.seq,
            "cursor": self.cursor, "sizes": self.output.checkpoint(),
            "tally": self.tally.to_json(),
        }  # fmt: skip
        write_state(self.work, state)

    def _write(
        self, found: Plan, writer: Format, context: Context, progress: Progress, until: float | None
    ) -> None:
        done, kept = 0, time.monotonic()
        with self.store.read() as session:
            for videos in found.batches(session, self.cursor):
                for video in videos:
                    self._add(writer, context, video)
                if videos:
                    self.cursor = videos[-1].video_id
                session.expunge_all()
                done += len(videos)
                share = min(1.0, self.tally.videos / max(1, found.total))
                progress(0.95 * share, f"{self.tally.videos:,} of {found.total:,} videos")
                over = until is not None and time.monotonic() > until
                if over or time.monotonic() - kept > EVERY_S:
                    self._note_left_out(context)
                    self._checkpoint(found)
                    kept = time.monotonic()
                if over:
                    raise Paused("The export goes on in a moment.")
        self._note_left_out(context)

    def _note_left_out(self, context: Context) -> None:
        for counted in (context.left_out, context.asker.left_out):
            self.tally.left_out.update(counted)
            counted.clear()

    def _add(self, writer: Format, context: Context, video: Video) -> None:
        if writer.needs_file and video.path is None:
            context.left_out[NO_FILE] += 1
            return
        context.left_out["tied"] += video.tied if writer.texts else 0
        rows = writer.add(video)
        if not rows:
            return
        self.tally.add(video, rows, self.wanted.policies)
        lead = b",\n" if self.output.has(SPLIT_ROWS) else b""
        self.output.write(SPLIT_ROWS, lead + to_json(video.video_id) + b":" + to_json(video.split))

    def _finish(self, found: Plan, writer: Format, context: Context) -> Report:
        if self.tally.videos:  # else there is the card and nothing else
            writer.finish()
            self._write_splits(found)
            rules = policy_document(context.rules)
            self.output.text(POLICY_FILE, json.dumps(rules, indent=1, ensure_ascii=False) + "\n")
        self.output.close()
        names = [name for name in listed(self.work) if not name.endswith(".part")]
        shown = sorted({_shown(name) for name in names} | {CARD} | ({MANIFEST} if names else set()))
        wanted = replace(self.wanted, media=context.media.mode)
        card = render(self.tally, shown, utcnow(), wanted, writer.how(), found.splits_words)
        self.output.text(CARD, card)
        self.output.close()
        names.append(CARD)
        if self.tally.videos:
            self._write_manifest(names, wanted)
        put_in_place(self.work, self.folder)
        message = _message(self.tally, self.folder)
        return Report(self.folder, tuple(names), self.tally, message, self.resumed)

    def _write_splits(self, found: Plan) -> None:
        """``splits.json``: how they were dealt, and the split of every video."""
        head = {
            "how": found.splits_words, "seed": self.wanted.seed, "snapshot": self.wanted.snapshot,
            "counts": dict(self.tally.splits),
        }  # fmt: skip
        self.output.text(SPLITS_FILE, json.dumps(head)[:-1] + ', "videos": {\n')
        if self.output.has(SPLIT_ROWS):
            with self.output.path(SPLIT_ROWS).open("rb") as file:
                while chunk := file.read(1 << 20):
                    self.output.write(SPLITS_FILE, chunk)
            self.output.drop(SPLIT_ROWS)
        self.output.write(SPLITS_FILE, b"\n}}\n")
        shutil.rmtree(self.work / "rows", ignore_errors=True)

    def _write_manifest(self, names: list[str], wanted: Wanted) -> None:
        files: list[dict[str, Any]] = []
        for name in names:
            path = self.work / name
            if path.is_symlink():
                files.append({"name": name, "link": str(path.readlink())})
            else:
                files.append({"name": name, "bytes": path.stat().st_size, "sha256": digest(path)})
        document = {
            "made_at": utcnow().isoformat(), "program": __version__, "wanted": wanted.to_json(),
            "tally": self.tally.to_json(), "files": files,
        }  # fmt: skip
        part = self.work / f"{MANIFEST}.part"
        part.write_bytes(json.dumps(document, indent=1).encode())
        part.replace(self.work / MANIFEST)


def _shown(name: str) -> str:
    """A file's name on the card; of many media only their folder."""
    parts = Path(name).parts
    if len(parts) > 1 and parts[0] == "videos":
        return "videos/"
    if "frames" in parts:
        return "/".join(parts[: parts.index("frames") + 1]) + "/"
    return name if parts[0] != "videofolder" or name.endswith(".jsonl") else f"{Path(name).parent}/"


def _message(tally: Tally, folder: Path) -> str:
    if tally.videos:
        said = (
            f"{tally.decisions} decisions ({tally.corrections} corrections) on {tally.videos} "
            f"videos, {tally.rows} rows in {folder}."
        )
    else:
        said = f"No decision to export yet; wrote the card to {folder / CARD}."
    return " ".join([said, *tally.left_out_words()])
