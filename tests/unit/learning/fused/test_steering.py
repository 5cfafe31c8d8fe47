from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from coefvq.domain import TimedText
from coefvq.learning.fused.example import PLACES, Recognised
from coefvq.learning.fused.steering import padded, padding_line, steering_line
from coefvq.learning.text_corpora import HATE
from tests.unit.learning.fused import toys

LINES = (TimedText(1.0, 2.0, "first words"), TimedText(2.0, 4.0, "second words"))
some_words = st.sampled_from([None, (), LINES, Recognised("hear", "said so", 1)])


@given(
    seed=st.integers(0, 1 << 40), speech=some_words, screen=some_words, align=st.booleans(),
    caption=st.sampled_from([None, "posted words"]), label=st.integers(0, 1),
)  # fmt: skip
def test_labels_fold_and_words_stay(seed, speech, screen, align, caption, label) -> None:  # type: ignore[no-untyped-def]
    before = toys.example(
        "x", "comment", 3, speech=speech, screen_text=screen, caption=caption, align=align,
        targets={HATE: label}, weights={HATE: 0.3}, footage="clip", evidence=(HATE, "caption"),
    )  # fmt: skip
    after = padded(before, random.Random(seed))
    for name in ("targets", "weights", "fold", "group", "evidence", "footage", "align", "title"):
        assert getattr(after, name) == getattr(before, name)
    assert after.part in ("comment_steered", "comment_padded")
    assert after.id == f"x#{after.part.removeprefix('comment_')}"
    changed = [place for place in PLACES if getattr(after, place) != getattr(before, place)]
    assert len(changed) == 1
    assert toys.text_of(before, changed[0]) in toys.text_of(after, changed[0])


@given(seed=st.integers(0, 1 << 40))
def test_added_lines_do_not_run_backwards(seed: int) -> None:
    after = padded(toys.example(speech=LINES, screen_text=LINES), random.Random(seed))
    for lines in (after.speech, after.screen_text):
        assert isinstance(lines, tuple)
        assert all(line.start_s < line.end_s for line in lines)


def test_violating_and_harmless_items_are_steered_alike() -> None:
    def suffixes(label: int) -> list[str]:
        made = [toys.example(str(n), targets={HATE: label}, caption="w") for n in range(200)]
        return [padded(one, random.Random(n)).part for n, one in enumerate(made)]

    assert suffixes(0) == suffixes(1)
    assert 90 < suffixes(0).count("video_steered") < 150


def test_phrases_vary_and_padding_never_gives_orders() -> None:
    chance = random.Random(0)
    orders = {steering_line(chance) for _ in range(400)}
    harmless = {padding_line(chance) for _ in range(400)}
    assert len(orders) > 100 and len(harmless) >= 5
    assert not orders & harmless
    assert not any("answer" in line or "ignore" in line for line in harmless)
