"""The one table of keyboard shortcuts: the page's script and its help are both made from it."""

from __future__ import annotations

import json
from dataclasses import dataclass

from markupsafe import Markup

from reviewer_ui.markup import h, join, kbd


@dataclass(frozen=True)
class Binding:
    """One shortcut.

    Attributes:
        key: ``KeyboardEvent.key``.
        action: What the script calls it; ``policy:3`` toggles the third policy.
        label: What the help says.
        group: The help's heading.
    """

    key: str
    action: str
    label: str
    group: str


DECIDE, WATCH, EVIDENCE, EASE, DESK = (
    "Decide", "Watch", "Evidence", "Go easy on yourself", "Case and queue",
)  # fmt: skip

BINDINGS: tuple[Binding, ...] = (
    *(Binding(str(n), f"policy:{n}", f"policy {n} on or off", DECIDE) for n in range(1, 10)),
    Binding("r", "reason", "reason: first, then the next one", DECIDE),
    Binding("a", "action", "action: the next one that fits", DECIDE),
    Binding("c", "comment", "comment (Esc leaves it)", DECIDE),
    Binding("u", "notice", "notice to the uploader (Esc leaves it)", DECIDE),
    Binding("Enter", "submit", "submit and next", DECIDE),
    Binding("s", "skip", "skip, with a reason (Enter: later)", DECIDE),
    Binding("z", "undo", "undo the last decision, within 30 s", DECIDE),
    Binding("e", "second-look", "ask for a second look", DECIDE),
    Binding(" ", "play", "play or pause", WATCH),
    Binding("j", "back", "back 5 s", WATCH),
    Binding("l", "forward", "forward 5 s", WATCH),
    Binding(",", "frame-back", "one frame back", WATCH),
    Binding(".", "frame-forward", "one frame forward", WATCH),
    Binding("<", "slower", "slower", WATCH),
    Binding(">", "faster", "faster", WATCH),
    Binding("n", "next-evidence", "next evidence", EVIDENCE),
    Binding("p", "previous-evidence", "previous evidence", EVIDENCE),
    Binding("w", "pair", "a copy beside its original, and back", EVIDENCE),
    Binding("[", "range-start", "the range starts here", EVIDENCE),
    Binding("]", "range-end", "the range ends here", EVIDENCE),
    Binding("v", "reveal", "reveal the picture", EASE),
    Binding("b", "blur", "blur it again", EASE),
    Binding("g", "grey", "grey picture", EASE),
    Binding("m", "mute", "sound on or off", EASE),
    Binding("o", "case", "notes, link, who it is assigned to", DESK),
    Binding("y", "copy-link", "copy the link to this case", DESK),
    Binding("q", "queues", "choose a queue", DESK),
    Binding("?", "help", "this list", DESK),
)


def action_key(action: str) -> str:
    """The key of an action, as it is printed on a key cap."""
    for binding in BINDINGS:
        if binding.action == action:
            return "space" if binding.key == " " else binding.key
    raise KeyError(action)


def script_table() -> str:
    """JSON object from key to action, for the page's script."""
    return json.dumps({binding.key: binding.action for binding in BINDINGS})


def _row(binding: Binding) -> Markup:
    cap = kbd(action_key(binding.action), silent=False)
    return h('<div class="key-row"><dt>{}</dt><dd>{}</dd></div>', cap, binding.label)


def _rows(group: str) -> Markup:
    """The rows of a group; the nine policy keys are one row."""
    rows = [b for b in BINDINGS if b.group == group and not b.action.startswith("policy:")]
    first = NINE if group == DECIDE else Markup("")
    return first + join(_row(binding) for binding in rows)


NINE = h(
    '<div class="key-row"><dt>{}–{}</dt><dd>policy on or off: pressed means violated</dd></div>',
    kbd("1", silent=False),
    kbd("9", silent=False),
)


def help_dialog() -> Markup:
    """The overlay that ``?`` opens."""
    groups = join(
        h("<section><h3>{}</h3><dl>{}</dl></section>", group, _rows(group))
        for group in (DECIDE, WATCH, EVIDENCE, EASE, DESK)
    )
    return h(
        '<dialog id="keyboard-help" aria-labelledby="keyboard-help-title">'
        '<div class="help-head"><h2 id="keyboard-help-title">Keys</h2>'
        '<button type="button" class="quiet" data-do="close-help">Close {}</button></div>'
        '<p class="muted">Not while typing in a field.</p>'
        '<div class="help-body">{}</div></dialog>',
        kbd("Esc"),
        groups,
    )
