"""The table of shortcuts, and what is made from it."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

import reviewer_ui
from reviewer_ui.keys import BINDINGS, action_key, help_dialog, script_table

PROMISED = {
    **{str(n): f"policy:{n}" for n in range(1, 10)},
    "r": "reason", "c": "comment", "Enter": "submit", "s": "skip", "z": "undo",
    "e": "second-look", " ": "play", "j": "back", "l": "forward", ",": "frame-back",
    ".": "frame-forward", "<": "slower", ">": "faster", "n": "next-evidence",
    "p": "previous-evidence", "[": "range-start", "]": "range-end", "v": "reveal", "b": "blur",
    "g": "grey", "m": "mute", "?": "help", "a": "action", "u": "notice", "o": "case",
    "y": "copy-link", "w": "pair", "q": "queues",
}  # fmt: skip


def test_the_script_gets_every_promised_key():
    assert json.loads(script_table()) == PROMISED


def test_no_key_is_bound_twice():
    assert len({binding.key for binding in BINDINGS}) == len(BINDINGS)


def test_the_script_knows_every_action():
    script = (Path(reviewer_ui.__file__).parent / "static" / "review.js").read_text()
    known = set(re.findall(r'^      "?([a-z-]+)"?: \(\) =>', script, re.MULTILINE))
    wanted = {b.action for b in BINDINGS if not b.action.startswith("policy:")}
    assert wanted <= known


@pytest.mark.parametrize("binding", BINDINGS[9:], ids=lambda b: b.action)
def test_help_names_every_action(binding):
    assert f"<dd>{binding.label}</dd>" in help_dialog()


def test_help_sums_the_policies_up_in_one_row():
    assert help_dialog().count("policy") == 1


def test_action_key():
    assert action_key("play") == "space"
    with pytest.raises(KeyError):
        action_key("nothing")
