"""What is spoken in the demo clips, and where the recordings are kept.

The recordings in ``assets/`` were synthesised once with eSpeak NG by
``tools/make_demo_speech.py``, which reads this table; nobody needs eSpeak NG to run the demo.
The texts and voices were chosen so that the embedded recogniser follows them: ``heard`` lists
the words that must survive recognition, and a test listens for them.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

ASSETS = Path(__file__).with_name("assets")
MAN = "en-us+klatt"
DEEP = "en-us+robert"
ADAM = "en-us+adam"


@dataclass(frozen=True)
class SpeechLine:
    """One recording.

    Attributes:
        id: Name of the recording; the file is ``assets/<id>.ogg``.
        text: What is said.
        voice: eSpeak NG voice.
        speed: Words per minute.
        pitch: 0..99.
        heard: Words that the embedded recogniser must get right, lower case; empty for
            languages that it does not know.
    """

    id: str
    text: str
    voice: str
    speed: int
    pitch: int
    heard: tuple[str, ...]

    @property
    def path(self) -> Path:
        """The recording: Ogg Opus, mono."""
        return ASSETS / f"{self.id}.ogg"


_LINES = (
    SpeechLine(
        "scam_bitcoin",
        "Give us one hundred dollars in Bitcoin today, and get one thousand dollars back. "
        "Click the link.",
        ADAM,
        145,
        45,
        ("give", "us", "bitcoin", "today", "get", "back", "click", "link"),
    ),
    SpeechLine(
        "scam_warning",
        "Be careful. Nobody gives away free phones. If a stranger asks for your credit "
        "card, it is a scam.",
        DEEP,
        145,
        40,
        ("careful", "nobody", "free", "phones", "stranger", "credit", "card", "scam"),
    ),
    SpeechLine(
        "hate_vermin",
        "Those foreigners are vermin. They must all be thrown out of our country.",
        MAN,
        130,
        40,
        ("foreigners", "vermin", "must", "thrown", "out", "country"),
    ),
    SpeechLine(
        "welcome",
        "All people are welcome here. Our neighbors came from many countries, and we love them.",
        MAN,
        145,
        55,
        ("people", "welcome", "here", "neighbors", "countries", "love"),
    ),
    SpeechLine(
        "counter_speech",
        "He said that those people are vermin. That is wrong, and it is cruel. They are our "
        "neighbors.",
        MAN,
        145,
        55,
        ("said", "people", "vermin", "wrong", "cruel", "neighbors"),
    ),
    SpeechLine(
        "earth",
        "This is planet Earth at night. The bright lights are large cities.",
        MAN,
        145,
        40,
        ("planet", "earth", "night", "bright", "lights", "large", "cities"),
    ),
    SpeechLine(
        "cheetah",
        "This cat is the fastest animal on land. It can run faster than a car.",
        "en-us+m1",
        145,
        40,
        ("cat", "fastest", "animal", "land", "run", "faster", "car"),
    ),
    SpeechLine(
        "tutorial",
        "Type your name in the first box. Then click on the button, and read the answer.",
        ADAM,
        145,
        45,
        ("type", "name", "first", "box", "click", "button", "read", "answer"),
    ),
    SpeechLine(
        "thanks",
        "Thank you for watching. I will see you again next week.",
        MAN,
        145,
        55,
        ("thank", "watching", "see", "again", "week"),
    ),
    SpeechLine(
        "spanish",
        "Hola a todos. Hoy vemos nuestro planeta desde el espacio. Las luces son las "
        "grandes ciudades.",
        "es-419+klatt",
        145,
        50,
        (),
    ),
)

LINES: dict[str, SpeechLine] = {line.id: line for line in _LINES}
