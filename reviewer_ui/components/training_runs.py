"""Trainings as they go on, and those before."""

from __future__ import annotations

from collections.abc import Sequence

from coefvq.plots import Axis, Line, line_chart
from coefvq.work.training import RunView
from reviewer_ui.components.routing import table
from reviewer_ui.components.training_words import STAGES, STATES, left, named
from reviewer_ui.markup import NOTHING, Markup, h, join, stamp

TONES = (0, 1, 2, 3)


def progress(runs: Sequence[RunView]) -> Markup:
    """What goes on now; what stopped last where nothing does."""
    open_runs = [run for run in runs if run.open]
    gates = [run for run in runs if run.gate and run.gate.state in ("queued", "running")]
    parts = [_open(run) for run in open_runs] + [_gate(run) for run in gates]
    stopped = _last_stopped(runs)
    if stopped is not None:
        parts.append(_stopped(stopped))
    if not parts and runs:
        parts.append(_done(runs[0]))
    if not parts:
        return h('<p class="muted">No training was started yet.</p>')
    return join(parts)


def busy(runs: Sequence[RunView]) -> bool:
    """Whether something goes on that a page should look at again."""
    return any(run.open or (run.gate and run.gate.state in ("queued", "running")) for run in runs)


def _last_stopped(runs: Sequence[RunView]) -> RunView | None:
    """The newest run where it can be taken up again and no other of its stage came after it."""
    if not runs or not runs[0].resumable:
        return None
    return runs[0]


def _open(run: RunView) -> Markup:
    name = STAGES[run.stage]
    if run.state == "queued":
        return h(
            '<div class="run" data-run="{}"><div class="run-line"><i class="spin"'
            ' aria-hidden="true"></i><b>{}</b><span>waits for the trainer</span>{}</div>'
            '<p class="muted">It begins by itself within seconds. If it does not, see that the app '
            "or <code>coefvq worker</code> runs.</p></div>",
            run.id,
            name,
            _cancel(run),
        )
    return h(
        '<div class="run" data-run="{}"><div class="run-line"><i class="spin" aria-hidden="true">'
        '</i><b>{}</b><span>{}</span><progress max="100" value="{}" aria-label="{}"></progress>'
        '<span class="share">{} %</span><span class="muted">{}</span>{}</div>{}</div>',
        run.id,
        name,
        "stopping after this step" if run.stopping else run.note or "beginning",
        round(run.progress * 100),
        f"{name}: {run.note or 'beginning'}",
        round(run.progress * 100),
        left(run.eta_s),
        NOTHING if run.stopping else _cancel(run),
        losses(run),
    )


def _cancel(run: RunView) -> Markup:
    return h(
        '<button type="button" class="plain" data-do="cancel" data-run="{}" aria-label="Stop the'
        ' training of the {}">Stop</button>',
        run.id,
        STAGES[run.stage],
    )


def _gate(run: RunView) -> Markup:
    assert run.gate is not None
    share = round(run.gate.progress * 100)
    return h(
        '<div class="run"><div class="run-line"><i class="spin" aria-hidden="true"></i>'
        '<b>{}</b><span>{}</span><progress max="100" value="{}" aria-label="Gate"></progress>'
        '<span class="share">{} %</span></div></div>',
        f"{STAGES[run.stage]} gate",
        run.gate.note or "waits for its turn",
        share,
        share,
    )


def _stopped(run: RunView) -> Markup:
    words = "was stopped" if run.state == "cancelled" else "failed"
    return h(
        '<div class="run" data-run="{}"><div class="run-line"><b>{}</b><span>{} {}</span>'
        '<button type="button" class="plain" data-do="resume" data-run="{}">Resume</button></div>'
        "{}{}</div>",
        run.id,
        STAGES[run.stage],
        words,
        stamp(run.finished_at) if run.finished_at else "",
        run.id,
        h('<p class="caution">{}</p>', run.error) if run.error else h(
            '<p class="muted">Its work is kept: it goes on where it was.</p>'),
        losses(run),
    )  # fmt: skip


def _done(run: RunView) -> Markup:
    return h(
        '<div class="run" data-run="{}"><div class="run-line"><b>{}</b><span>made {} {}</span>'
        "</div>{}</div>",
        run.id,
        STAGES[run.stage],
        named(run.version or "–"),
        stamp(run.finished_at) if run.finished_at else "",
        losses(run),
    )


def losses(run: RunView) -> Markup:
    """The plot of the losses; nothing before the second point."""
    if len(run.losses) < 2:
        return NOTHING
    names = list(dict.fromkeys(name for _, name, _ in run.losses))
    lines = [
        Line(name, [(step, value) for step, of, value in run.losses if of == name],
             TONES[at % len(TONES)])
        for at, name in enumerate(names)
    ]  # fmt: skip
    steps = [step for step, _, _ in run.losses]
    values = [value for _, _, value in run.losses]
    last = "; ".join(f"{line.name} {line.points[-1][1]:.4g} at the end" for line in lines)
    plot = line_chart(
        lines, Axis("step", min(steps), max(steps)), Axis.over("loss", values, zero=False),
        title=f"Loss of the {STAGES[run.stage]}'s training", describe=f"{last}.",
        width=520, height=170,
    )  # fmt: skip
    return h('<figure class="plot">{}</figure>', Markup(plot))


def past(runs: Sequence[RunView]) -> Markup:
    """Runs before, each with what came of it."""
    rows = [
        (
            stamp(run.created_at),
            STAGES[run.stage],
            h('<span class="tag {}">{}</span>', _tone(run), STATES[run.state]),
            _result(run),
            run.started_by,
            _again(run),
        )
        for run in runs
    ]
    if not rows:
        return NOTHING
    head = ("Started", "Stage", "State", "Result", "Who", "")
    return h(
        '<details class="adding"><summary>All trainings</summary>{}</details>',
        table(head, rows, "Trainings"),
    )


def _tone(run: RunView) -> str:
    return {"done": "on", "failed": "out"}.get(run.state, "")


def _result(run: RunView) -> Markup:
    if run.version:
        return named(run.version)
    if run.error:
        return h('<span class="said">{}</span>', run.error)
    chosen = ", ".join(f"{name} {value}" for name, value in run.options.items())
    return h('<span class="muted">{}</span>', chosen or "–")


def _again(run: RunView) -> Markup:
    if not run.resumable:
        return NOTHING
    return h(
        '<button type="button" class="plain" data-do="resume" data-run="{}" aria-label="Resume the'
        ' training of the {} of {:%Y-%m-%d %H:%M}">Resume</button>',
        run.id,
        STAGES[run.stage],
        run.created_at,
    )
