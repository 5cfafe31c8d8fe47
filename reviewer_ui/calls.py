"""From a call in the page to a service: who asks, checked arguments, errors as answers.

Gradio answers such a call to anyone who can post, whatever the page shows. So every call
finds out who asks, the services authorise, and arguments are read with a type.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import gradio as gr

from coefvq.errors import CoefVQError
from coefvq.review.access import Actor
from reviewer_ui.who import actor_of

Args = dict[str, Any]
Answer = dict[str, Any]
Handler = Callable[[Actor, Args], Answer]
TEXT_LIMIT = 4000


class BadCall(CoefVQError):
    """A call whose arguments no page of ours sends."""

    code = "bad_call"


def server_function(name: str, handler: Handler) -> Callable[[Args, gr.Request], Answer]:
    """Wrap a handler for ``gr.HTML(server_functions=…)``; its errors become answers."""

    def call(args: Args, request: gr.Request) -> Answer:
        try:
            if not isinstance(args, dict):
                raise BadCall(f"{name}: the arguments are not an object.")
            return handler(actor_of(request), args)
        except CoefVQError as error:
            return {"error": str(error), "code": error.code}

    call.__name__ = name
    return call


def text(args: Args, name: str, *, limit: int = TEXT_LIMIT) -> str:
    """Read a string; absent and null are empty.

    Raises:
        BadCall: It is something else, or longer than ``limit``.
    """
    value = args.get(name)
    if value is None:
        return ""
    if not isinstance(value, str) or len(value) > limit:
        raise BadCall(f"{name}: a text of at most {limit} characters is expected.")
    return value


def needed(args: Args, name: str) -> str:
    """Read a string that must be there.

    Raises:
        BadCall: It is missing or empty.
    """
    value = text(args, name)
    if not value:
        raise BadCall(f"{name} is missing. Reload the page.")
    return value


def number(args: Args, name: str) -> float | None:
    """Read a finite number; absent and null are ``None``.

    Raises:
        BadCall: It is something else.
    """
    value = args.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise BadCall(f"{name}: a number is expected.")
    return float(value)


def whole(args: Args, name: str, default: int = 0) -> int:
    """Read a whole number.

    Raises:
        BadCall: It is something else.
    """
    value = number(args, name)
    if value is None:
        return default
    if value != int(value):
        raise BadCall(f"{name}: a whole number is expected.")
    return int(value)


def texts(args: Args, name: str, *, most: int = 500) -> list[str]:
    """Read a list of strings; absent is empty.

    Raises:
        BadCall: It is something else, or longer than ``most``.
    """
    value = args.get(name) or []
    if not isinstance(value, list) or len(value) > most:
        raise BadCall(f"{name}: a list of at most {most} texts is expected.")
    if not all(isinstance(item, str) and len(item) <= TEXT_LIMIT for item in value):
        raise BadCall(f"{name}: a list of texts is expected.")
    return value


def table(args: Args, name: str, kind: type) -> dict[str, Any]:
    """Read an object whose values are all of one type; absent is empty.

    Raises:
        BadCall: It is something else.
    """
    value = args.get(name) or {}
    if not isinstance(value, dict) or not all(isinstance(item, kind) for item in value.values()):
        raise BadCall(f"{name}: an object of {kind.__name__} values is expected.")
    return value
