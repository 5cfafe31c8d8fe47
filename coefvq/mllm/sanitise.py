"""Makes text from a video harmless before it meets the tokenizer.

Everything in a video is written by whoever uploaded it: it may hold chat control tokens,
invisible characters, or lines that imitate the prompt. What is left here is plain text on one
line that can say anything, but can be nothing except text. A second defence is in ``prompt``:
each piece is tokenised on its own and special token ids in it are dropped, and answers are read
at positions that were computed, never searched for.
"""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Iterable
from functools import cache

MAX_CHARS = 20_000
_REPEATS = 6

_CONTROL_TOKEN = re.compile(r"<\s*(?:/\s*)?[|]+[^<>]{0,64}?[|]+\s*>|\[/?INST\]|<<?/?SYS>>?|</?s>")
_TAG_LIKE = re.compile(
    r"<\s*(repo_name|reponame|file_sep|filename|gh_stars|issue_start|issue_comment|issue_closed"
    r"|jupyter_start|jupyter_text|jupyter_code|jupyter_output|jupyter_script|empty_output)\s*>"
)
_RUN = re.compile(r"(.)\1{" + str(_REPEATS) + r",}")
_OVERRIDE = re.compile("\u202e([^\u202a-\u202e\u2066-\u2069\n\r]*)")
_SPACE = re.compile(r"\s+")
# Cf holds zero-width and direction marks, Co and Cn private and unassigned characters.
_DROPPED_CATEGORIES = frozenset({"Cf", "Cs", "Co", "Cn"})


def sanitise(text: str, reserved: Iterable[str] = ()) -> str:
    """Return ``text`` as one plain line.

    In this order: at most ``MAX_CHARS`` characters (half from each end), HTML entities
    resolved, NFKC (so look-alike full-width brackets become what they look like), what a
    direction override shows backwards put in the order that people see, control and
    invisible characters gone, chat control tokens gone (repeated until none is left, since
    removing one can join another), the colon after a reserved name gone, white space
    collapsed, runs of one character cut to six.

    Args:
        reserved: Names of fields and slots; ``name:`` in the text loses its colon.
    """
    text = _bounded(text)
    text = as_displayed(unicodedata.normalize("NFKC", html.unescape(text)))
    if not (text.isascii() and text.isprintable()):  # plain text has nothing to hide
        text = "".join(_visible(character) for character in text)
    text = _without_control_tokens(text)
    text = _without_slot_lines(text, tuple(sorted(reserved)))
    text = _RUN.sub(lambda match: match.group(1) * _REPEATS, text)
    return _SPACE.sub(" ", text).strip()


def as_displayed(text: str) -> str:
    """The text with what a right-to-left override shows backwards in the order that people see."""
    return _OVERRIDE.sub(lambda found: found.group(1)[::-1], text)


def _bounded(text: str) -> str:
    if len(text) <= MAX_CHARS:
        return text
    half = MAX_CHARS // 2
    return f"{text[:half]} {text[-half:]}"


def _visible(character: str) -> str:
    category = unicodedata.category(character)
    if category in _DROPPED_CATEGORIES:
        return ""
    return " " if category in ("Cc", "Zl", "Zp") else character


def _without_control_tokens(text: str) -> str:
    while True:
        shorter = _TAG_LIKE.sub(" ", _CONTROL_TOKEN.sub(" ", text))
        if shorter == text:
            # An unclosed opener could still be completed by the next piece of text.
            return text.replace("<|", "< ").replace("|>", " >")
        text = shorter


@cache
def _slot_pattern(reserved: tuple[str, ...]) -> re.Pattern[str]:
    names = "|".join(re.escape(name).replace("_", r"[\s_]*") for name in reserved)
    return re.compile(rf"\b({names})\s*[:=]+", re.IGNORECASE)


def _without_slot_lines(text: str, reserved: tuple[str, ...]) -> str:
    return _slot_pattern(reserved).sub(r"\1 ", text) if reserved else text
