"""The machine's codes in plain words."""

from __future__ import annotations

from coefvq.domain import WhyNot

VERDICTS = {
    "ok": "no violation",
    "violation": "violation",
    "needs_human": "a person decides",
}
ROUTES = {
    "auto_pass": "passed automatically",
    "auto_flag": "flagged automatically",
    "human": "sent to a person",
    "mllm": "waits for the MLLM",
}
STATES = {
    "pending": "being scored",
    "queued": "waits for review",
    "auto": "settled automatically",
    "decided": "decided",
    "set_aside": "set aside",
}
STATUSES = {
    "waiting": "waits to be scored",
    "scoring": "being scored",
    "to_review": "to review",
    "decided": "decided",
    "auto_flag": "flagged by the machine",
    "auto_pass": "passed by the machine",
    "failed": "failed",
}
BLUR = {
    "always": "always",
    "severe": "where it may be severe",
    "never": "never",
}
WHY_NOT = {
    "not_scored": "not scored yet",
    "not_asked": "not covered: the rule is newer",
    WhyNot.NOT_TRAINED: "not covered by this model",
    WhyNot.NOTHING_TO_READ: "not covered: there is no text to read",
    WhyNot.NO_MEDIA: "not covered: there is no picture to look at",
    WhyNot.NO_FRAMES: "not covered: no frame could be read",
    WhyNot.LANGUAGE_NOT_COVERED: "not covered: the text is not English",
    WhyNot.SPEECH_NOT_UNDERSTOOD: "not covered: speech was not understood",
    WhyNot.NO_PROBABILITY: "not covered: the model gave no probability",
    WhyNot.NOT_SEARCHED: "not covered: nobody looked for copies",
}
ERRORS = {
    "unreadable_media": "Check that it plays elsewhere, then upload it again.",
    "unsupported_media": "Convert it to MP4 (H.264) and upload it again.",
    "empty_file": "The file is empty: upload it again.",
    "no_video": "There is only sound in it: upload a file with pictures.",
    "no_frames": "The upload was probably cut off: upload it again.",
    "too_many_pixels": "Scale it down and upload it again.",
    "too_many_streams": "Re-encode it with one picture and one sound track.",
    "decode_timeout": "Re-encode it at a smaller size, or raise COEFVQ_MAX_DECODE_S.",
    "too_long": "Cut it, or raise COEFVQ_MAX_DURATION_S.",
    "too_large": "Make it smaller, or raise COEFVQ_MAX_BYTES.",
    "not_found": "The file is gone: upload it again.",
    "model_unavailable": "Run `coefvq doctor` to see what is missing, then retry.",
}


def plain(table: dict[str, str], code: str | None) -> str:
    """Look a code up; an unknown one is shown with spaces for underscores."""
    return table.get(code or "", (code or "–").replace("_", " "))


def why_not(code: str | None) -> str:
    """Why a policy has no score."""
    if code in WHY_NOT:
        return WHY_NOT[code]
    return "not covered" + (f": {code.replace('_', ' ')}" if code else " by this model")


def remedy(code: str | None) -> str:
    """What to do about a job that was set aside."""
    return ERRORS.get(code or "", "Retry; if it fails again, look into the worker's log.")
