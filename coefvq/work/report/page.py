"""A report as one HTML file: no script, nothing from elsewhere, good on paper."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from markupsafe import Markup, escape

from coefvq.work.report.model import Rate, Report, Seconds, Section, Table, Value

STYLE = """
:root { --paper: #f4f6f9; --card: #ffffff; --ink: #1a1f29; --muted: #5a6375; --line: #dfe4ec;
  --accent: #3553d4; --unsure: #a65300; --against: #1f7a38; --second: #6a35c9;
  color-scheme: light; }
@media screen and (prefers-color-scheme: dark) {
  :root { --paper: #12151b; --card: #1b1f28; --ink: #e7eaf0; --muted: #a3acbc; --line: #2d3340;
    --accent: #6f8bff; --unsure: #ffb054; --against: #6fd68a; --second: #b79bff;
    color-scheme: dark; }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink);
  font: 14px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif; }
main { max-width: 960px; margin: 0 auto; padding: 24px 16px 64px; }
h1 { font-size: 24px; margin: 0 0 4px; }
h2 { font-size: 18px; margin: 0 0 8px; }
p { margin: 0 0 10px; overflow-wrap: anywhere; }
.muted, .note { color: var(--muted); }
.note { font-size: 12.5px; margin: 6px 0 0; }
.notice { border-left: 4px solid var(--unsure); padding: 6px 12px; background: var(--card); }
nav ol { columns: 2 220px; margin: 8px 0 0; padding-left: 20px; }
a { color: var(--accent); }
nav a { display: inline-block; min-height: 24px; padding: 2px 0; }
section { background: var(--card); border: 1px solid var(--line); border-radius: 8px;
  padding: 16px 20px 18px; margin: 16px 0; }
.wide { overflow-x: auto; margin: 0 0 16px; }
.wide:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
table { border-collapse: collapse; min-width: 100%; font-variant-numeric: tabular-nums; }
caption { text-align: left; font-weight: 650; padding: 0 0 6px; }
th, td { text-align: left; vertical-align: top; padding: 5px 16px 5px 0;
  border-bottom: 1px solid var(--line); }
th { font-size: 12px; color: var(--muted); font-weight: 600; vertical-align: bottom; }
th.number, td.number { text-align: right; }
td { overflow-wrap: break-word; max-width: 44ch; }
td.rate, td.time { white-space: nowrap; }
small { color: var(--muted); }
svg { display: block; max-width: 100%; height: auto; margin: 8px 0 16px; }
@media print {
  @page { size: A4; margin: 16mm 14mm; }
  body { background: none; font-size: 10pt; }
  main { max-width: none; padding: 0; }
  nav { display: none; }
  section { border: 0; border-top: 1px solid var(--line); border-radius: 0; padding: 10px 0;
    margin: 10px 0; background: none; }
  .wide { overflow: visible; }
  table { font-size: 8.5pt; }
  th, .note { font-size: 8pt; }
  td.rate { white-space: normal; }
  th, td { padding-right: 8px; }
  thead { display: table-header-group; }
  tr, svg, h2, caption { break-inside: avoid; }
  h2, caption { break-after: avoid; }
}
"""


def h(template: str, /, *args: object) -> Markup:
    """Fill a constant ``str.format`` template with escaped values."""
    return Markup(template).format(*args)


def render(report: Report) -> str:
    """Write a report as a whole HTML document.

    The same figures give the same bytes, but for the line that says when it was made.
    """
    title = f"Moderation report, {report.month.words}"
    page = h(
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="robots" content="noindex">\n<title>{}</title>\n<style>{}</style>\n</head>\n'
        "<body>\n<main>\n{}{}</main>\n</body>\n</html>\n",
        title,
        Markup(STYLE),
        _head(report, title),
        _join(_section(each) for each in report.sections),
    )
    return str(page)


def _head(report: Report, title: str) -> Markup:
    month = report.month
    links = _join(h('<li><a href="#{}">{}</a></li>', s.id, s.title) for s in report.sections)
    return h(
        "<header><h1>{}</h1>\n<p>All times are UTC: {} to before {}.{}</p>\n"
        '<p class="muted generated">Generated at {}.</p>\n{}</header>\n'
        '<nav aria-label="Contents"><ol>{}</ol></nav>\n',
        title,
        _moment(month.since),
        _moment(month.until),
        "" if report.complete else " The month is not over: these are its figures so far.",
        f"{report.generated_at:%Y-%m-%d %H:%M:%S} UTC",
        _nothing(report),
        links,
    )


def _nothing(report: Report) -> Markup:
    if not report.nothing:
        return Markup("")
    words = "Nothing was uploaded, scored or decided in this month."
    return h('<p class="notice">{}</p>\n', words)


def _section(section: Section) -> Markup:
    return h(
        '<section id="{}" aria-labelledby="{}-title">\n<h2 id="{}-title">{}</h2>\n{}{}{}'
        "</section>\n",
        section.id,
        section.id,
        section.id,
        section.title,
        _join(h("<p>{}</p>\n", text) for text in section.texts),
        _join(_table(table, section.id) for table in section.tables),
        _join(Markup(plot) + Markup("\n") for plot in section.plots),
    )


def _table(table: Table, section: str) -> Markup:
    if not table.rows:
        return h('<p><b>{}</b><br><span class="muted">{}</span></p>\n', table.caption, table.empty)
    right = [isinstance(value, int | float | Seconds) for value in table.rows[0]]
    head = _join(
        h('<th scope="col"{}>{}</th>', Markup(' class="number"') if number else "", name)
        for name, number in zip(table.columns, right, strict=True)
    )
    return h(
        '<div class="wide" role="region" tabindex="0" aria-label="{}"><table id="{}-{}">'
        "<caption>{}</caption>\n<thead><tr>{}</tr></thead>\n<tbody>\n{}</tbody></table>{}</div>\n",
        table.caption,
        section,
        table.id,
        table.caption,
        head,
        _join(h("<tr>{}</tr>\n", _join(_cell(value) for value in row)) for row in table.rows),
        h('<p class="note">{}</p>', table.note) if table.note else "",
    )


def _cell(value: Value) -> Markup:
    if value is None:
        return h('<td class="muted">not known here</td>')
    if isinstance(value, Rate):
        return h('<td class="rate">{}</td>', _rate(value))
    if isinstance(value, Seconds):
        return h('<td class="number">{}</td>', span(value.value))
    if isinstance(value, datetime):
        return h('<td class="time">{}</td>', _moment(value))
    if isinstance(value, int | float):
        return h('<td class="number">{}</td>', f"{value:,}")
    return h("<td>{}</td>", value)


def _rate(rate: Rate) -> Markup:
    if rate.value is None:
        return h('<span class="muted">{}</span>', rate.why or "not known")
    digits = 2 if rate.value < 0.01 else 1
    ends = f"{rate.low * 100:.{digits}f} to {rate.high * 100:.{digits}f} %, n = {rate.n:,}"
    return h("{} % <small>({})</small>", f"{rate.value * 100:.{digits}f}", ends)


def span(seconds: float | None) -> str:
    """A length of time in its largest unit; ``–`` where unknown."""
    if seconds is None:
        return "–"
    for size, unit in ((86400.0, "d"), (3600.0, "h"), (60.0, "min")):
        if seconds >= size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds:.2f} s" if seconds < 10 else f"{seconds:.0f} s"


def _moment(at: datetime) -> Markup:
    return h('<time datetime="{}">{}</time>', at.isoformat(), f"{at:%Y-%m-%d %H:%M}")


def _join(parts: Iterable[object]) -> Markup:
    return Markup("").join(escape(part) for part in parts)
