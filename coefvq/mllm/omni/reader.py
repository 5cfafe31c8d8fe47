"""From frames, sound and text to the model's input, with the end of the chat turn kept apart.

The chat template is tokenised with one placeholder for the video and one for the sound. Control
tokens and placeholders that the video's own texts imitate become plain text there
(``sanitize_control_tokens``), after ``sanitise`` has taken out those it knows. The model's
processor then turns frames and sound alone into tokens, and these replace the placeholders: the
processor never meets a text that an uploader wrote.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from jinja2 import TemplateError
from PIL import Image

from coefvq.errors import ModelError
from coefvq.media.sound import SAMPLE_RATE
from coefvq.mllm.omni.families import Family
from coefvq.mllm.omni.media import Media
from coefvq.mllm.omni.prompt import SYSTEM

_END = "coefvq-end-of-text"
_BY_TOKEN = ("input_ids", "attention_mask", "mm_token_type_ids", "token_type_ids")
_REFUSALS = (ValueError, TypeError, KeyError, IndexError, NotImplementedError, TemplateError)


@dataclass(frozen=True)
class Reading:
    """The shared part of the prompt.

    Attributes:
        inputs: The model's arguments; ``input_ids`` int64 (1, tokens), media as its processor
            gives them, and switches such as ``use_audio_in_video``.
        closing: Token ids that end the user's turn and open the answer; they follow a question.
    """

    inputs: dict[str, Any]
    closing: tuple[int, ...]

    @property
    def tokens(self) -> int:
        """Length of the shared part."""
        return int(self.inputs["input_ids"].shape[1])


class Reader:
    """Makes readings for one model.

    Args:
        processor: Its processor, with a tokenizer and a chat template.
        family: How it takes video and sound.
    """

    def __init__(self, processor: Any, family: Family):
        self._processor, self._family = processor, family
        self.tokenizer = processor.tokenizer
        self._template = processor.chat_template or self.tokenizer.chat_template
        # Models that think first would put the answer's probability on their thinking.
        self._extra = {"enable_thinking": False} if "enable_thinking" in str(self._template) else {}
        self._closing = self._find_closing()

    def read(self, text: str, media: Media) -> Reading:
        """Turn one video into the shared part of the prompt, which ends with ``text``.

        Raises:
            ModelError: If the chat template or the processor cannot take it.
        """
        try:
            inputs = self._spliced(text, media) if self._family.video else self._whole(text, media)
        except _REFUSALS as error:
            raise ModelError(
                f"The model's processor cannot take this video's frames or sound ({error}). Check "
                "that the model folder is complete and fits requirements-omni.txt."
            ) from error
        return self._without_closing(inputs)

    def encode(self, text: str) -> list[int]:
        """Token ids of a text of our own, without special tokens around it."""
        return list(self.tokenizer(text, add_special_tokens=False)["input_ids"])

    def _spliced(self, text: str, media: Media) -> dict[str, Any]:
        placeholders = self._placeholders(media)
        blocks: list[Mapping[str, Any]] = [{"type": kind} for kind in placeholders]
        ids = self._templated([*blocks, _text(text)])
        inputs: dict[str, Any] = {}
        for kind, arguments in placeholders.items():
            found = self._media(kind, arguments)
            place = self._place_of(kind, ids)
            ids[place : place + 1] = found.pop("input_ids")[0].tolist()
            inputs |= {name: x for name, x in found.items() if name not in _BY_TOKEN}
        if self._woven(media):
            inputs["use_audio_in_video"] = True
        if getattr(self._processor, "return_mm_token_type_ids", False):
            kinds = self._processor.create_mm_token_type_ids([ids])
            inputs["mm_token_type_ids"] = torch.tensor(kinds, dtype=torch.long)
        return inputs | {"input_ids": torch.tensor([ids], dtype=torch.long)}

    def _woven(self, media: Media) -> bool:
        return self._family.woven and media.frames is not None and media.sound is not None

    def _placeholders(self, media: Media) -> dict[str, dict[str, Any]]:
        """Kinds of media in prompt order, each with what the processor is given for it."""
        sound = {"audio": [media.sound], "sampling_rate": SAMPLE_RATE}
        found: dict[str, dict[str, Any]] = {}
        if media.frames is not None:
            found["video"] = self._video(media)
            if self._woven(media):
                woven = {"load_audio_from_video": True, "audio_from_video_indices": [0]}
                found["video"] |= {**sound, **woven}
        if media.sound is not None and not self._woven(media):
            found["audio"] = sound
        return found

    def _video(self, media: Media) -> dict[str, Any]:
        # Milliseconds as frame numbers keep the true times of unevenly spaced frames.
        times_ms = [round(time_s * 1000) for time_s in media.times_s]
        clip = {"total_num_frames": len(times_ms), "fps": 1000.0, "frames_indices": times_ms}
        frames = torch.from_numpy(media.frames).permute(0, 3, 1, 2).contiguous()
        arguments = {"videos": [frames], "do_sample_frames": False, "video_metadata": [clip]}
        return arguments | ({"fps": media.fps} if self._family.woven else {})

    def _media(self, kind: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
        token = getattr(self._processor, f"{kind}_token")
        return dict(
            self._processor(
                text=[token], add_special_tokens=False, return_tensors="pt", **arguments
            )
        )

    def _place_of(self, kind: str, ids: Sequence[int]) -> int:
        token = getattr(self._processor, f"{kind}_token_id")
        if ids.count(token) != 1:
            raise ValueError(f"the chat template writes {ids.count(token)} places for one {kind}")
        return ids.index(token)

    def _whole(self, text: str, media: Media) -> dict[str, Any]:
        pictures = [] if media.frames is None else [Image.fromarray(one) for one in media.frames]
        content: list[Mapping[str, Any]] = [{"type": "image", "image": one} for one in pictures]
        content.append(_text(text))
        return dict(
            self._processor.apply_chat_template(
                _messages(content),
                add_generation_prompt=True,
                tokenize=True,
                return_dict=True,
                return_tensors="pt",
                sanitize_control_tokens=True,
                **self._extra,
            )
        )

    def _templated(self, content: Sequence[Mapping[str, Any]]) -> list[int]:
        found = self.tokenizer.apply_chat_template(
            _messages(content),
            chat_template=self._template,
            add_generation_prompt=True,
            tokenize=True,
            return_dict=True,
            sanitize_control_tokens=True,
            **self._extra,
        )
        return list(found["input_ids"])

    def _find_closing(self) -> tuple[int, ...]:
        try:
            rendered = self.tokenizer.apply_chat_template(
                _messages([_text(_END)]),
                chat_template=self._template,
                add_generation_prompt=True,
                tokenize=False,
                **self._extra,
            )
        except _REFUSALS as error:
            raise ModelError(f"The model's chat template cannot be used ({error}).") from error
        _, mark, closing = rendered.rpartition(_END)
        if not mark or not closing:
            raise ModelError("The model's chat template drops or changes the user's text.")
        return tuple(self.encode(closing))

    def _without_closing(self, inputs: dict[str, Any]) -> Reading:
        count, length = len(self._closing), inputs["input_ids"].shape[1]
        if tuple(inputs["input_ids"][0, -count:].tolist()) != self._closing:
            raise ModelError("The model's chat template does not end the user's turn as expected.")
        cut = {name: inputs[name][:, : length - count] for name in _BY_TOKEN if name in inputs}
        return Reading(inputs | cut, self._closing)


def _messages(content: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    system = [_text(SYSTEM)]
    return [{"role": "system", "content": system}, {"role": "user", "content": list(content)}]


def _text(text: str) -> dict[str, str]:
    return {"type": "text", "text": text}
