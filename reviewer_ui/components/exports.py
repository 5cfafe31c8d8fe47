"""The Exports page's fragments: the form, what an export will hold, past ones, imports."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from importlib.util import find_spec

from coefvq.export.desk import DONE, ENDED, FAILED, QUEUED, Counts, View
from coefvq.export.formats import FORMATS
from coefvq.export.take import READERS
from coefvq.learning.dataset.items import SPLITS
from coefvq.learning.dataset.snapshot import SnapshotView
from coefvq.review.access import ROLES
from coefvq.taxonomy import Taxonomy
from reviewer_ui.markup import NOTHING, Markup, ago, h, join, stamp

ZIP_PATH = "/exports/{export_id}.zip"
IMPORT_PATH = "/exports/import"
Options = Iterable[tuple[str, str]]
_MEDIA = (("none", "by path on this server"), ("copy", "copied into it"))
_STATES = {QUEUED: "waits for a worker", FAILED: "failed", ENDED: "stopped"}
_UNITS = ("bytes", "kB", "MB", "GB", "TB")


def form(rules: Taxonomy, snapshots: Sequence[SnapshotView]) -> Markup:
    """Format, filters and choices."""
    formats = [(name, f"{each.title}{_lacking(each.packages)}") for name, each in FORMATS.items()]
    tasks = [("", "all"), *((task.id, task.name) for task in rules.tasks.values())]
    policies = [("", "all"), *((each.id, each.name) for each in rules.policies.values())]
    roles = [("", "any"), *((role, role) for role in ROLES if role not in ("viewer", "uploader"))]
    splits = [("", "all"), *((split, split) for split in SPLITS)]
    frozen = [("", "what stands now"), *((str(s.number), _snapshot(s)) for s in snapshots)]
    return h(
        '<form data-form="run" id="export-form"><div class="fields">{}</div>'
        '<div class="fields narrow">{}{}{}{}{}{}</div><div class="fields">{}{}</div>'
        '<div class="boxes">{}{}</div><div class="form-end"><button type="submit" class="primary" '
        'id="export-run">Export</button></div></form>',
        _select("format", "Format", formats, "export-format"),
        _date("since", "Decided since"),
        _date("until", "Decided until"),
        _select("task", "Task", tasks),
        _select("policy", "Policy", policies),
        _select("role", "Decided as", roles),
        _select("split", "Split", splits),
        _select("snapshot", "Which labels", frozen),
        _select("media", "Videos", _MEDIA),
        _box("names", "Reviewers' real names in place of pseudonyms"),
        _box("classes", "ms-swift: rows for classification, too"),
    )


def _lacking(packages: Iterable[str]) -> str:
    missing = [name for name in packages if find_spec(name) is None]
    return f" (needs {', '.join(missing)})" if missing else ""


def _snapshot(view: SnapshotView) -> str:
    return f"snapshot {view.number}: {view.videos:,} videos, {view.made_at:%Y-%m-%d}"


def _select(name: str, label: str, options: Options, key: str = "") -> Markup:
    key = key or f"export-{name}"
    return h(
        '<label class="text" for="{}">{}<select id="{}" name="{}">{}</select></label>',
        key, label, key, name,
        join(h('<option value="{}">{}</option>', value, text) for value, text in options),
    )  # fmt: skip


def _date(name: str, label: str) -> Markup:
    return h(
        '<label class="text" for="export-{}">{}<input type="date" id="export-{}" name="{}">'
        "</label>",
        name, label, name, name,
    )  # fmt: skip


def _box(name: str, label: str) -> Markup:
    return h(
        '<label class="box"><input type="checkbox" name="{}" id="export-{}"><span>{}</span>'
        "</label>",
        name, name, label,
    )  # fmt: skip


def counts(found: Counts, rules: Taxonomy) -> Markup:
    """What an export of now would hold."""
    shut = ""
    if found.restricted:
        one = found.restricted == 1
        shut = f"{found.restricted:,} {'video is' if one else 'videos are'} left out: in a "
        shut += "restricted queue."
    if not found.decisions:
        return h('<p class="sum">No decision fits.</p><p class="muted">{}</p>', shut)
    rows = join(
        h('<tr><th scope="row">{}</th><td>{}</td><td>{}</td></tr>',
          rules.policies[policy].name if policy in rules.policies else policy,
          f"{violated:,}", f"{fine:,}")
        for policy, (violated, fine) in sorted(found.policies.items(), key=_order(rules))
    )  # fmt: skip
    return h(
        '<p class="sum"><b>{}</b> decisions on <b>{}</b> videos</p><table><caption class="hidden">'
        'Labels by policy</caption><thead><tr><th scope="col">Policy</th><th scope="col">violation'
        '</th><th scope="col">ok</th></tr></thead><tbody>{}</tbody></table><p class="muted">{}</p>',
        f"{found.decisions:,}", f"{found.videos:,}", rows, shut,
    )  # fmt: skip


def _order(rules: Taxonomy):  # type: ignore[no-untyped-def]
    places = {policy: number for number, policy in enumerate(rules.policies)}
    return lambda item: (places.get(item[0], len(places)), item[0])


def snapshot_counts(view: SnapshotView) -> Markup:
    """What a snapshot holds."""
    return h(
        '<p class="sum"><b>{}</b> videos with <b>{}</b> labels, as they were when snapshot {} was '
        "made</p>",
        f"{view.videos - view.removed:,}", f"{view.labels:,}", view.number,
    )  # fmt: skip


def listing(views: Sequence[View]) -> Markup:
    """All exports, newest first."""
    if not views:
        return Markup('<p class="muted">Nothing was exported here yet.</p>')
    newest = next((view for view in views), None)
    rows = join(_row(view, view is newest) for view in views)
    return h(
        '<div class="wide-table" tabindex="0" role="region" aria-label="Exports"><table>'
        '<caption class="hidden">Exports</caption><thead><tr><th scope="col">Format</th>'
        '<th scope="col">Asked for</th><th scope="col">Holds</th><th scope="col">When</th>'
        '<th scope="col"><span class="hidden">What to do</span></th></tr></thead>'
        "<tbody>{}</tbody></table></div>",
        rows,
    )


def _row(view: View, newest: bool) -> Markup:
    return h(
        '<tr><th scope="row">{}{}</th><td>{}</td><td>{}</td><td>{}<span class="what muted">by {}'
        '</span></td><td class="row-buttons">{}</td></tr>',
        view.name,
        Markup('<span class="tag">names</span>') if view.wanted and view.wanted.names else NOTHING,
        asked(view),
        _holds(view),
        stamp(view.created_at),
        view.by,
        _buttons(view, newest),
    )


def asked(view: View) -> str:
    """The filters of an export in words."""
    wanted = view.wanted
    if wanted is None:
        return ""
    parts = [f"snapshot {wanted.snapshot}"] if wanted.snapshot else []
    parts += [f"since {wanted.since:%Y-%m-%d}"] if wanted.since else []
    parts += [f"until {wanted.until:%Y-%m-%d}"] if wanted.until else []
    parts += [*wanted.tasks, *wanted.policies, *wanted.roles, *wanted.splits]
    parts += ["videos copied"] if wanted.media == "copy" else []
    parts += ["with classes"] if wanted.classes else []
    return ", ".join(parts) or "everything"


def _holds(view: View) -> Markup:
    if view.state == DONE:
        told = view.result
        left = join(h('<span class="what muted">{}</span>', line)
                    for line in told.get("left_out") or ())  # fmt: skip
        return h(
            '<span class="nowrap">{} rows, {} videos</span><span class="what muted">{}</span>{}',
            f"{told.get('rows', 0):,}", f"{told.get('videos', 0):,}", size(told.get("bytes", 0)),
            left,
        )  # fmt: skip
    if view.state == FAILED:
        return h('<span class="bad">{}</span>', view.error or "It failed.")
    if view.busy:
        return progress(view)
    return h('<span class="muted">{}</span>', _STATES[view.state])


def progress(view: View) -> Markup:
    """A bar, what is done, and how long the rest takes."""
    left = f", about {ago(view.eta_s)} left" if view.eta_s is not None else ""
    words = _STATES[QUEUED] if view.state == QUEUED else f"{view.note or 'working'}{left}"
    return h(
        '<progress max="100" value="{}" aria-label="{} of the export"></progress>'
        '<span class="what muted" role="status">{}</span>',
        round(view.progress * 100), f"{round(view.progress * 100)} %", words,
    )  # fmt: skip


def _buttons(view: View, newest: bool) -> Markup:
    if view.busy:
        return _button("stop", view, "Stop")
    if view.state != DONE:
        return _button("remove", view, "Remove")
    link = h(
        '<a class="plain" href="{}" download{}>Download<span class="hidden"> {}, {}</span></a>',
        ZIP_PATH.format(export_id=view.id),
        Markup(' id="export-file"') if newest else NOTHING,
        view.name,
        f"{view.created_at:%Y-%m-%d %H:%M}",
    )
    return join([link, _button("card", view, "Card"), _button("remove", view, "Remove")])


def _button(action: str, view: View, text: str) -> Markup:
    return h(
        '<button type="button" class="plain" data-do="{}-export" data-export="{}">{}'
        '<span class="hidden"> {}, {}</span></button>',
        action, view.id, text, view.name, f"{view.created_at:%Y-%m-%d %H:%M}",
    )  # fmt: skip


def import_form() -> Markup:
    """Choose a file and its format."""
    names = {"csv": "CSV of corrections", "label-studio": "Label Studio, exported as JSON"}
    options = [(name, names.get(name, name)) for name in READERS]
    return h(
        '<form data-form="import"><div class="fields">{}'
        '<label class="text" for="import-file">File<input type="file" id="import-file" name="file" '
        'accept=".csv,.json,text/csv,application/json" required></label></div>'
        '<div class="form-end"><button type="submit" class="plain" id="import-run">Import</button>'
        "</div></form>",
        _select("import_format", "Format of the file", options, "import-format"),
    )


def imports(views: Sequence[View]) -> Markup:
    """Past imports, with the refused lines of the newest."""
    return join(_import(view, number == 0) for number, view in enumerate(views))


def _import(view: View, newest: bool) -> Markup:
    told = view.result
    if view.state == DONE:
        words = (
            f"{told.get('taken', 0):,} decisions taken in, {told.get('known', 0):,} known already, "
            f"{told.get('refused_count', 0):,} rows refused"
        )
        what: object = words
    else:
        what = _holds(view)
    return h(
        '<div class="import" data-import="{}"><div class="import-head"><p><b class="said">{}</b> '
        '<span class="muted">{} by {}</span></p>{}</div><p>{}</p>{}</div>',
        view.id, view.name, stamp(view.created_at), view.by,
        _button("stop" if view.busy else "remove", view, "Stop" if view.busy else "Remove"),
        what, _refused(view, newest),
    )  # fmt: skip


def _refused(view: View, newest: bool) -> Markup:
    rows = view.result.get("refused") or []
    if not rows:
        return NOTHING
    more = int(view.result.get("refused_count", 0)) - len(rows)
    lines = join(h("<li><b>Line {}</b> {}</li>", line, why) for line, why in rows)
    return h(
        '<details class="adding"{}><summary>Refused rows</summary><ul class="refused">{}{}</ul>'
        "</details>",
        Markup(" open") if newest else NOTHING,
        lines,
        h("<li>and {} more</li>", f"{more:,}") if more > 0 else NOTHING,
    )


def size(number: float) -> str:
    """Bytes in a unit that people read."""
    step = 0
    while number >= 1000 and step < len(_UNITS) - 1:
        number, step = number / 1000, step + 1
    return f"{number:.0f} {_UNITS[step]}" if step == 0 else f"{number:.1f} {_UNITS[step]}"


def card(text: str) -> Markup:
    """A card as it is written."""
    return h('<pre tabindex="0">{}</pre>', text)
