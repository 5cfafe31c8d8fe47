"""What the servers write differently in ``POST /chat/completions``.

=========  =====================  =============================  ===============================
dialect    length                 structured answer              pictures and sound, best first
=========  =====================  =============================  ===============================
vllm       max_completion_tokens  response_format.json_schema    video_url (file, sound in it),
                                                                 video_url (JPEGs), image_url;
                                                                 input_audio
sglang     max_tokens             response_format.json_schema    video_url (file), image_url;
                                                                 input_audio
llamacpp   max_tokens             response_format.schema         input_video, image_url;
                                                                 input_audio
openai     max_completion_tokens  response_format.json_schema,   image_url; input_audio
                                  strict
=========  =====================  =============================  ===============================
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from coefvq.mllm.endpoint.footage import Footage, Pictures, Sound
from coefvq.mllm.endpoint.labels import TOP_LOGPROBS

Part = dict[str, Any]
_STILLS = (Pictures.STILLS,)
_WAV = (Sound.WAV,)


@dataclass(frozen=True)
class Attached:
    """Footage as one server reads it.

    Attributes:
        parts: Parts of the user's message.
        fields: Fields of the request beside the messages.
    """

    footage: Footage = field(default_factory=Footage)
    parts: tuple[Part, ...] = ()
    fields: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Dialect:
    """One server's way of writing a request.

    Attributes:
        pictures: Forms of pictures that it documents, best first.
        sounds: Forms of sound that it documents, best first.
        file_part: Name of the part that holds a video file.
        token_ids: Whether log-probabilities of named tokens can be asked for.
        media_fields: Whether ``media_io_kwargs`` and ``mm_processor_kwargs`` say how to read
            videos, and ``uuid`` names them.
        max_frames: Whether the part of a video bounds its frames.
    """

    name: str
    length_field: str
    schema_on_top: bool = False
    strict: bool = False
    pictures: tuple[Pictures, ...] = _STILLS
    sounds: tuple[Sound, ...] = _WAV
    file_part: str = "video_url"
    token_ids: bool = False
    media_fields: bool = False
    max_frames: bool = False

    def scoring(
        self,
        model: str,
        messages: Sequence[Part],
        label_ids: Sequence[int] = (),
        fields: dict[str, Any] | None = None,
    ) -> dict[str, Any]:
        """One token with the log-probabilities of its rivals, or of the labels' own tokens."""
        wanted: dict[str, Any] = {"logprobs": True, "top_logprobs": TOP_LOGPROBS}
        if label_ids:
            wanted["logprob_token_ids"] = list(label_ids)
        return self.brief(model, messages, fields) | wanted

    def brief(
        self, model: str, messages: Sequence[Part], fields: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        """One token."""
        return _common(model, messages) | {self.length_field: 1} | (fields or {})

    def structured(
        self,
        model: str,
        messages: Sequence[Part],
        schema: dict[str, Any],
        max_tokens: int,
        fields: dict[str, Any] | None = None,
        loose: bool = False,
    ) -> dict[str, Any]:
        """A JSON object of at most ``max_tokens`` tokens.

        Args:
            schema: What the object must keep.
            loose: Whether any JSON object will do, for servers that know no schemas.
        """
        form: dict[str, Any] = {"name": "rationale", "schema": schema}
        if self.strict:
            form["strict"] = True
        wanted = {"schema": schema} if self.schema_on_top else {"json_schema": form}
        kind = {"type": "json_object"} if loose else {"type": "json_schema", **wanted}
        limits = {self.length_field: max_tokens, "response_format": kind}
        return _common(model, messages) | limits | (fields or {})

    def attach(self, footage: Footage, count: int) -> Attached:
        """Write footage as this server reads it.

        Args:
            count: Most frames that the server is to take from a file.
        """
        parts = self._seen(footage, count)
        if footage.form.sound is Sound.WAV:
            parts.append(_wav(footage.wav))
        return Attached(footage, tuple(parts), self._fields(footage, count))

    def _seen(self, footage: Footage, count: int) -> list[Part]:
        pictures = footage.form.pictures
        if pictures is Pictures.STILLS:
            return [_still(jpeg) for jpeg in footage.frames.jpegs]
        if pictures is Pictures.SEQUENCE:
            rows = ",".join(_text(jpeg) for jpeg in footage.frames.jpegs)
            return [_url("video_url", f"data:video/jpeg;base64,{rows}")]
        if pictures is Pictures.FILE:
            return [self._file(footage, count)]
        return []

    def _file(self, footage: Footage, count: int) -> Part:
        data = _text(footage.file)
        if self.file_part == "input_video":
            return {"type": "input_video", "input_video": {"data": data}}
        part = _url(self.file_part, f"data:{footage.file_type};base64,{data}")
        if self.max_frames:
            part[self.file_part]["max_frames"] = count
        if self.media_fields and footage.identity:
            part["uuid"] = footage.identity
        return part

    def _fields(self, footage: Footage, count: int) -> dict[str, Any]:
        if not self.media_fields:
            return {}
        found: dict[str, Any] = {}
        if footage.form.pictures is Pictures.FILE:
            found["media_io_kwargs"] = {"video": {"num_frames": count}}
        elif footage.form.pictures is Pictures.SEQUENCE:
            found["media_io_kwargs"] = {"video": _sampled(footage)}
        if footage.form.sound is Sound.IN_FILE:
            found["mm_processor_kwargs"] = {"use_audio_in_video": True}
        return found


def _sampled(footage: Footage) -> dict[str, Any]:
    """Where the frames stand in the video, so that the server counts time rightly."""
    # Where the rate is unknown, ticks of a tenth of a second stand for frames.
    fps = footage.fps if footage.fps > 0 else 10.0
    indices = [round(time_s * fps) for time_s in footage.frames.times_s]
    return {
        "fps": fps,
        "frames_indices": indices,
        "total_num_frames": max(round(footage.duration_s * fps), indices[-1] + 1),
        "duration": footage.duration_s,
        "do_sample_frames": False,
    }


def _common(model: str, messages: Sequence[Part]) -> dict[str, Any]:
    return {"model": model, "messages": list(messages), "temperature": 0, "stream": False}


def _url(kind: str, url: str) -> Part:
    return {"type": kind, kind: {"url": url}}


def _still(jpeg: bytes) -> Part:
    return _url("image_url", f"data:image/jpeg;base64,{_text(jpeg)}")


def _wav(wav: bytes) -> Part:
    return {"type": "input_audio", "input_audio": {"data": _text(wav), "format": "wav"}}


def _text(content: bytes) -> str:
    return base64.b64encode(content).decode("ascii")


VLLM = Dialect(
    "vllm",
    "max_completion_tokens",
    pictures=(Pictures.FILE, Pictures.SEQUENCE, Pictures.STILLS),
    sounds=(Sound.IN_FILE, Sound.WAV),
    token_ids=True,
    media_fields=True,
)
SGLANG = Dialect("sglang", "max_tokens", pictures=(Pictures.FILE, Pictures.STILLS), max_frames=True)
LLAMACPP = Dialect(
    "llamacpp",
    "max_tokens",
    schema_on_top=True,
    pictures=(Pictures.FILE, Pictures.STILLS),
    file_part="input_video",
)
OPENAI = Dialect("openai", "max_completion_tokens", strict=True)
DIALECTS = {each.name: each for each in (VLLM, SGLANG, LLAMACPP, OPENAI)}
