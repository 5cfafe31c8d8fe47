"""Foreign text is caught, and English of every kind is not taken for foreign."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from coefvq.signals.language import is_foreign
from tests.unit.signals.sentences import FOREIGN, UNSEEN

ENGLISH = [
    "How to fix a dripping tap without calling a plumber",
    "My dog is terrified of fireworks",
    "Top 10 football goals of the season!!!",
    "lol u still up bro? hmu rn im bored af",
    "ain't nobody got time fo dat smh",
    "Zidane apologises for headbutt",
    "Former Bosnian Serb leader Radovan Karadžić boycotts genocide trial",
    "PSY - GANGNAM STYLE (강남스타일) M/V",
    "We had the best crème brûlée at the café in Zürich",
    "follow me on instagram and tiktok @some.user #fyp #viral",
    "WIN A FREE iPhone!!! Click https://win.example/abc now",
    "do it do it do it do it do it",
    "The Harpy Eagle: The Ruler of The Sky",
    "What's Your Horoscope For The Week Of December",
    "You're an idiot sandwich",
    "Learning Spanish: what does 'gracias' mean?",
    "𝓽𝓱𝓲𝓼 𝓲𝓼 𝓪 𝓿𝓮𝓻𝔂 𝓯𝓪𝓷𝓬𝔂 𝓽𝓲𝓽𝓵𝓮",
]
UNDECIDED = [
    "", "   ", "ok", "😂😂😂", "@user #tag https://t.co/abc", "Bonjour", "la la la la la la la",
    "12345 67890", "Н", "hahahaha", "&amp; &lt;3",
]  # fmt: skip


@pytest.mark.parametrize("text", ENGLISH)
def test_english_is_not_foreign(text):
    assert not is_foreign(text)


@pytest.mark.parametrize("text", UNDECIDED, ids=repr)
def test_too_little_to_say_is_not_foreign(text):
    assert not is_foreign(text)


@pytest.mark.parametrize("sentences", [FOREIGN, UNSEEN], ids=["tuned on", "unseen"])
@pytest.mark.parametrize("language", sorted(FOREIGN))
def test_ordinary_sentences_are_foreign(sentences, language):
    missed = [text for text in sentences[language] if not is_foreign(text)]
    assert missed == []


@pytest.mark.parametrize(
    "text",
    ["Привет", "你好", "नमस्ते", "こんにちは", "สวัสดี", "سلام", "안녕하세요", "Καλημέρα", "שלום"],
)
def test_other_scripts_are_foreign_even_when_short(text):
    assert is_foreign(text)


@pytest.mark.parametrize(
    ("text", "foreign"),
    [
        ("Hoy vamos a cocinar una tortilla de patatas muy rica en casa. Enjoy!", True),
        ("Today we cook a potato omelette at home, my favourite food. ¡Qué rico!", False),
        ("Смотрите новое видео на нашем канале subscribe", True),
        ("Watch the new video on our channel, привет", False),
        ("Hoy vamos a ver cómo se hace https://x.example/y #recipe #food #cooking @chef", True),
    ],
    ids=["mostly spanish", "mostly english", "mostly russian", "one russian word", "with tags"],
)
def test_the_larger_part_decides(text, foreign):
    assert is_foreign(text) is foreign


def test_letters_in_disguise_stay_english():
    assert not is_foreign("Ηello wоrld frоm me аnd yоu")  # Greek and Cyrillic look-alikes


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_accents_count_in_either_form(form):
    import unicodedata

    assert is_foreign(unicodedata.normalize(form, "Hôm nay tôi sẽ chỉ cho các bạn cách làm bánh"))


def test_very_long_text_is_cut():
    assert is_foreign("Сегодня я покажу вам мой новый велосипед. " * 10_000)


def test_many_threads_agree():
    texts = ["Heute zeige ich euch mein neues Fahrrad im Garten", ENGLISH[0]] * 20
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(is_foreign, texts)) == [True, False] * 20


def test_importing_it_loads_no_model():
    code = "import sys, coefvq.signals.language; assert not {'lingua', 'torch'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
