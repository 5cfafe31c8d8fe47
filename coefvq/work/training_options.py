"""What a training can be asked for: the fields of its trainer's options, checked by type."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields
from functools import cache
from typing import Any, get_type_hints

from coefvq.domain import Stage
from coefvq.errors import SettingsError, TrainingError, did_you_mean

_KINDS: dict[type, str] = {bool: "flag", int: "whole", float: "number", str: "text"}
_YES, _NO = ("true", "yes", "on", "1"), ("false", "no", "off", "0")


@dataclass(frozen=True)
class Option:
    """One thing that can be chosen.

    Attributes:
        kind: ``flag``, ``whole``, ``number`` or ``text``.
        default: What holds where nothing is chosen.
    """

    name: str
    kind: str
    default: Any


@cache
def known(stage: Stage) -> tuple[Option, ...]:
    """The options of a stage's trainer."""
    made = _options_class(stage)
    hints = get_type_hints(made)
    found = []
    for each in fields(made):
        kind = _KINDS.get(hints[each.name])
        if kind is not None and each.init and each.default is not MISSING:
            found.append(Option(each.name, kind, each.default))
    return tuple(found)


def checked(stage: Stage, given: Mapping[str, Any]) -> dict[str, Any]:
    """Values as their options want them; texts are read. What equals its default is left out.

    Raises:
        SettingsError: There is no such option, or a value does not fit.
    """
    options = {option.name: option for option in known(stage)}
    found = {}
    for name, value in given.items():
        if name not in options:
            raise SettingsError(f"Unknown option '{name}'.{did_you_mean(name, options)}")
        read = _read(options[name], value)
        if read != options[name].default:
            found[name] = read
    made(stage, found)
    return found


def made(stage: Stage, given: Mapping[str, Any]) -> Any:
    """The trainer's own object.

    Raises:
        SettingsError: The trainer refuses a value.
    """
    try:
        return _options_class(stage)(**given)
    except TrainingError as error:
        raise SettingsError(str(error)) from error
    except (TypeError, ValueError) as error:
        raise SettingsError(f"The options do not fit: {error}.") from error


def _options_class(stage: Stage) -> Any:
    if stage is Stage.PREFILTER:
        from coefvq.learning.refit.options import RefitOptions

        return RefitOptions
    from coefvq.learning.tune.options import TuneOptions

    return TuneOptions


def _read(option: Option, value: Any) -> Any:
    wanted = {"flag": "yes or no", "whole": "a whole number", "number": "a number"}
    try:
        return _READERS[option.kind](value)
    except (TypeError, ValueError) as error:
        expected = wanted.get(option.kind, "a text of at most 200 characters")
        raise SettingsError(f"{option.name}={value!r}: {expected} is expected.") from error


def _flag(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    word = str(value).lower()
    if word not in (*_YES, *_NO):
        raise ValueError(word)
    return word in _YES


def _whole(value: Any) -> int:
    found = _number(value)
    if found != int(found):
        raise ValueError(value)
    return int(found)


def _number(value: Any) -> float:
    if isinstance(value, bool):
        raise ValueError(value)
    found = float(value)
    if not math.isfinite(found):
        raise ValueError(value)
    return found


def _text(value: Any) -> str:
    if not isinstance(value, str) or len(value) > 200:
        raise ValueError(value)
    return value


_READERS = {"flag": _flag, "whole": _whole, "number": _number, "text": _text}
