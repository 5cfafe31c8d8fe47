"""What a server and its model take, found out by trying each thing once.

``GET /models`` tells which server it is. What its model takes it mostly does not tell, and some
servers drop pictures or sound that a model cannot take without a word. So a made-up second of
video is sent with a question about nothing: a form counts as taken only if the server accepts it
and the prompt grew by it, as the server counts its tokens.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

from coefvq.mllm.endpoint.client import EndpointClient, EndpointError
from coefvq.mllm.endpoint.dialects import DIALECTS, OPENAI, Dialect
from coefvq.mllm.endpoint.footage import TEXT, Form, Pictures, Sound, sample_footage
from coefvq.mllm.endpoint.labels import NO, SPELLINGS, YES, has_logprobs, label_of
from coefvq.mllm.endpoint.scoring import (
    ROUTE,
    ByLogprobs,
    BySystemOne,
    Scorer,
    read_yes,
    tokens_of,
    trial_request,
)

TRIAL = "Is water wet? Answer with one word, Yes or No."
REFUSALS = frozenset({400, 413, 415, 422})
"""A request that this server does not take in this form."""
_NO_LIST = frozenset({404, 405, 500, 501})
_NO_ROUTE = REFUSALS | {404, 405, 500, 501}  # some servers answer 500 to what they do not know
_KINDS = {Pictures.FILE: "video", Pictures.STILLS: "image", Sound.WAV: "audio"}


class Capabilities:
    """What was found so far. Safe to use from several threads.

    Attributes:
        dialect: How to write requests.
        scorer: How probabilities are had; ``None`` where none can be had.
    """

    def __init__(
        self,
        client: EndpointClient,
        model: str,
        dialect: Dialect,
        scorer: Scorer | None,
        kinds: frozenset[str] | None = None,
    ):
        """Keep what the probe found.

        Args:
            kinds: Input modalities that the server names for its model; ``None``: it does not.
        """
        self._client, self._model, self._kinds = client, model, kinds
        self.dialect, self.scorer = dialect, scorer
        self._trying = threading.RLock()
        self._read: dict[tuple[Form, int], int | None] = {}

    def forms(self, count: int) -> Iterator[Form]:
        """Forms that the server takes, best first; the last is always the text alone.

        Args:
            count: Frames that will be sent; 0 sends text only.

        Raises:
            EndpointError: If the server failed while it was tried.
        """
        if self.scorer is not None and count > 0:
            for pictures in (*self.scorer.pictures, Pictures.NONE):
                silent = Form(pictures)
                if silent != TEXT and not self.takes(silent, count):
                    continue
                for sound in self.scorer.sounds:
                    if self.takes(Form(pictures, sound), count):
                        yield Form(pictures, sound)
                        break
                if silent != TEXT:
                    yield silent
        yield TEXT

    def takes(self, form: Form, count: int) -> bool:
        """Whether a form is accepted and read, not dropped in silence."""
        if not self._is_possible(form):
            return False
        with self._trying:
            without = Form(form.pictures) if form.sound is not Sound.NONE else TEXT
            fewer = self._tokens(without, count)
            # Where not even a text is taken as a part, nothing else is tried.
            more = self._tokens(form, count) if fewer is not None else None
        return fewer is not None and more is not None and more > fewer

    def _is_possible(self, form: Form) -> bool:
        if form.sound is Sound.IN_FILE and form.pictures is not Pictures.FILE:
            return False
        needed = {_KINDS[part] for part in (form.pictures, form.sound) if part in _KINDS}
        return self._kinds is None or needed <= self._kinds

    def _tokens(self, form: Form, count: int) -> int | None:
        """Length of the trial's prompt; ``None`` if it was refused or is not counted."""
        key = (form, count)
        if key not in self._read:
            self._read[key] = self._try(form, count)
        return self._read[key]

    def _try(self, form: Form, count: int) -> int | None:
        attached = self.dialect.attach(sample_footage(form, count), count)
        parts = [*attached.parts, {"type": "text", "text": TRIAL}]
        asked = [{"role": "user", "content": parts}]
        request = self.dialect.brief(self._model, asked, attached.fields)
        found = _unless_refused(self._client, "chat/completions", request)
        return (tokens_of(found)[0] or None) if found is not None else None


def probe(client: EndpointClient, model: str) -> Capabilities:
    """Ask the server which it is and how it gives probabilities.

    Raises:
        EndpointError: If the server does not answer, or refuses the key or the model.
    """
    row = _row(client, model)
    dialect = DIALECTS.get(str(row.get("owned_by", "")).lower(), OPENAI)
    return Capabilities(client, model, dialect, _scorer(client, model, dialect), _kinds(row))


def _row(client: EndpointClient, model: str) -> dict[str, Any]:
    """What ``GET /models`` says; nothing for gateways and servers without a list."""
    try:
        rows = client.get("models").get("data")
    except EndpointError as error:
        # "transformers serve" answers 500 where the cache that it lists is not there.
        if error.status not in _NO_LIST:
            raise
        return {}
    found = [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []
    named = [row for row in found if row.get("id") == model]
    # A llama.cpp server holds one model and answers under any name.
    return (named or found or [{}])[0]


def _kinds(row: dict[str, Any]) -> frozenset[str] | None:
    architecture = row.get("architecture")
    kinds = architecture.get("input_modalities") if isinstance(architecture, dict) else None
    return frozenset(map(str, kinds)) if isinstance(kinds, list) else None


def _scorer(client: EndpointClient, model: str, dialect: Dialect) -> Scorer | None:
    asked = [{"role": "user", "content": TRIAL}]
    ids = _label_ids(client, model) if dialect.token_ids else ()
    if ids:
        request = dialect.scoring(model, asked, ids)
        found = _unless_refused(client, "chat/completions", request)
        if found is not None and has_logprobs(found):
            return ByLogprobs(client, model, dialect, ids)
    if has_logprobs(client.post("chat/completions", dialect.scoring(model, asked))):
        return ByLogprobs(client, model, dialect)
    found = _unless_refused(client, ROUTE, trial_request(model, TRIAL))
    if found is None:
        return None
    read_yes(found)
    return BySystemOne(client, model, dialect)


def _label_ids(client: EndpointClient, model: str) -> tuple[int, ...]:
    """Tokens of the labels' spellings that are one token; empty unless both labels have one."""
    found: dict[int, str | None] = {}
    for word in SPELLINGS:
        request = {"model": model, "prompt": word, "add_special_tokens": False}
        answer = _unless_refused(client, "tokenize", request, at_root=True)
        if answer is None:  # a gateway without that route
            return ()
        tokens = answer.get("tokens")
        if isinstance(tokens, list) and len(tokens) == 1 and isinstance(tokens[0], int):
            found[tokens[0]] = label_of(word)
    return tuple(sorted(found)) if {YES, NO} <= set(found.values()) else ()


def _unless_refused(
    client: EndpointClient, path: str, body: dict[str, Any], *, at_root: bool = False
) -> dict[str, Any] | None:
    """The answer, or ``None`` where the server does not know or take such a request."""
    try:
        return client.post(path, body, at_root=at_root)
    except EndpointError as error:
        if error.status not in _NO_ROUTE:
            raise
        return None
