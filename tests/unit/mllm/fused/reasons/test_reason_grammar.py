"""Any walk through the grammar of any item parses, quotes what is shown, and is one text."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coefvq.domain import PostedText, TimedText
from coefvq.mllm.fused import FusedItem
from coefvq.mllm.fused.reasons import item_lines, parse, shown_lines, target, write
from coefvq.mllm.fused.reasons.decode import Tree, options_of
from coefvq.mllm.fused.reasons.grammar import MAX_TOKENS, Options, reason_steps
from coefvq.mllm.fused.reasons.shown import shown
from coefvq.mllm.fused.reasons.text import escape
from tests.unit.mllm.fused import parts
from tests.unit.mllm.fused.reasons import hostile

PROCESSOR = parts.processor(max_tokens=400)


def options(item, processor=PROCESSOR, **given):
    return options_of(processor, item, shown(item, processor, processor(item)), **given)


def walk(given, pick, processor=PROCESSOR):
    """The reason and the token ids of a walk; ``pick`` is given the number of rows."""
    steps, ids = reason_steps(processor.writer.encode, given), []
    choice = next(steps)
    while True:
        taken = pick(len(choice.rows))
        ids += [token for unit in choice.rows[taken] for token in unit]
        try:
            choice = steps.send(taken)
        except StopIteration as stop:
            return stop.value, ids


def check(item, given, reason, ids, processor=PROCESSOR):
    text = write(reason)
    assert parse(text) == reason
    assert ids == processor.writer.encode(f" {text}")
    assert processor.tokenizer.decode(ids) == f" {text}"
    assert reason.policy in given.policies and set(reason.unsure) <= set(given.notes)
    points = (*reason.points_for, *reason.points_against)
    assert len({(point.place, point.at_s, point.quote) for point in points}) == len(points) <= 3
    for point in points:
        if point.quote is None:
            assert point.place in given.senses
            continue
        place = (point.place, point.at_s)
        assert any(x.holds(point.quote) for x in given.lines if (x.place, x.at_s) == place)
        words = map(escape, point.quote.split(" "))
        assert sum(len(processor.writer.encode(f" {word}")) for word in words) <= MAX_TOKENS


def prompt_text(item, processor=PROCESSOR):
    return processor.tokenizer.decode(processor(item)["input_ids"][0])


@settings(max_examples=60, deadline=None)
@given(hostile.items, st.randoms(use_true_random=False), st.booleans())
def test_every_walk_parses_and_quotes_the_prompt(item, chance, close):
    given = options(item, close=close)
    text_of = prompt_text(item)
    for _ in range(3):
        reason, ids = walk(given, chance.randrange)
        check(item, given, reason, ids)
        for point in (*reason.points_for, *reason.points_against):
            assert point.quote is None or point.quote in text_of


@pytest.mark.parametrize("text", hostile.LONG.values(), ids=hostile.LONG)
@pytest.mark.parametrize("place", ["caption", "speech"])
def test_long_texts_are_quoted_from_what_is_left_of_them(text, place):
    lines = [TimedText(1, 2, text)] if place == "speech" else None
    item = FusedItem(PostedText(None, text if place == "caption" else None), speech=lines)
    given, text_of = options(item), prompt_text(item)
    assert ("cut text" in given.notes) is (text != hostile.LONG["one word"])
    for take in (lambda rows: 0, lambda rows: rows // 2, lambda rows: rows - 1):
        reason, ids = walk(given, take)
        check(item, given, reason, ids)
        for point in (*reason.points_for, *reason.points_against):
            assert point.quote is None or point.quote in text_of


def clip():
    return parts.item(
        3,
        posted=PostedText("my dog", "the sun and the sea and the moon and the stars tonight"),
        speech=[TimedText(1.2, 2, "free money now"), TimedText(70, 71, "x " * 70 + "bye")],
    )


def test_the_prompt_of_an_ordinary_item_is_shown_whole():
    inputs = PROCESSOR(clip())
    found = shown_lines(clip(), PROCESSOR, inputs)
    assert found == item_lines(clip(), parts.POLICIES)
    assert [line.at_s for line in found] == [None, None, 1.0, 70.0, 3.0]


def test_times_that_are_none_are_read_as_the_processor_reads_them():
    lines = [TimedText(0.0, 1, "one two three"), TimedText(-1.0, 1, "<|im_end|> four five six")]
    lines += [TimedText(float("nan"), 2, "seven eight")]
    item = FusedItem(speech=lines, screen_text=lines)
    shown_now = prompt_text(item)
    found = options(item).lines
    assert [line.at_s for line in found] == [0.0] * len(found)
    assert all(" ".join(run) in shown_now for line in found for run in line.runs)


def test_only_what_a_cut_prompt_shows_is_quoted():
    words = " ".join(f"w{number}" for number in range(120))
    item = FusedItem(PostedText("a title", words))
    inputs = PROCESSOR(item)
    _, line = shown_lines(item, PROCESSOR, inputs)
    head, tail = line.runs
    assert head[0] == "w0" and tail[-1] == "w119" and len(head) + len(tail) < 120
    text_of = prompt_text(item)
    assert " ".join(head) in text_of and text_of.split("timeline")[0].strip().endswith(tail[-1])


def test_words_with_control_tokens_of_the_tokenizer_are_not_quoted():
    processor = parts.processor()
    processor.tokenizer.add_tokens(["<think>"], special_tokens=True)
    processor = type(processor)(
        processor.image_processor, processor.feature_extractor, processor.tokenizer,
        layout=processor.layout,
    )  # fmt: skip
    item = FusedItem(PostedText("now we <think> again and again"))
    inputs = processor(item)
    (line,) = shown_lines(item, processor, inputs)
    assert line.runs == (("now", "we"), ("again", "and", "again"))


def rows_of(given, *taken):
    """The texts of the choice after these have been taken."""
    steps = reason_steps(PROCESSOR.writer.encode, given)
    choice = next(steps)
    left = list(taken)
    while len(choice.rows) == 1 or left:
        texts = texts_of(choice)
        choice = steps.send(texts.index(left.pop(0)) if len(texts) > 1 else 0)
    return texts_of(choice)


def texts_of(choice):
    decode = PROCESSOR.tokenizer.decode
    return [decode([token for unit in row for token in unit])[1:] for row in choice.rows]


def test_what_can_be_chosen_at_each_step():
    given = options(clip(), policies=("violence", None))
    assert rows_of(given) == ["violence;", "none;"]
    heads = ['title "', 'caption "', 'speech 0:01 "', 'speech 1:10 "', 'screen text 0:03 "']
    senses = ["pictures,", "pictures;", "sound,", "sound;"]
    assert rows_of(given, "none;") == [*heads, *senses, "nothing;"]
    starts = rows_of(given, "none;", 'caption "')
    assert starts == ["the", "sun", "and", "sea", "moon"]  # three words at least
    rest = rows_of(given, "none;", 'caption "', "moon")
    assert rest[0] == 'and the ",' and rest[-1] == 'and the stars tonight ";'
    assert len(rest) == 6


def test_a_line_or_sense_is_used_once():
    given = options(clip(), policies=(None,))
    second = rows_of(given, 'speech 0:01 "', 'money now ",')
    assert 'speech 0:01 "' not in second and "nothing;" not in second
    assert not [row for row in second if row.endswith(",")]
    against = rows_of(given, 'speech 0:01 "', 'money now ",', "sound;")
    assert not [row for row in against if "sound" in row or "0:01" in row]
    assert "nothing;" in against


def test_the_same_words_do_not_speak_for_both_sides():
    said = TimedText(1, 2, "free money now")
    item = FusedItem(PostedText("free money now", "well, free money now!"), speech=[said])
    given = options(item, policies=(None,))
    assert 'speech 0:01 "' in rows_of(given, 'title "', 'money now ",')
    assert rows_of(given, 'title "', 'money now ";') == ['caption "', "nothing;"]


def test_the_last_thing_to_say_is_followed_by_nothing():
    given = Options(item_lines(FusedItem(PostedText("one two three"))), (None,), (), ())
    assert rows_of(given) == ['title "', "nothing;"]
    reason, _ = walk(given, lambda rows: 0)
    assert write(reason) == (
        'none; for: title " one two three "; against: nothing; unsure: nothing.'
    )


def test_an_item_with_nothing_has_one_rationale():
    given = options(FusedItem(), policies=(None,))
    reason, _ = walk(given, lambda rows: 0)
    assert write(reason) == "none; for: nothing; against: nothing; unsure: nothing."


def test_targets_are_walks():
    """What the model learns to write is what the grammar lets it write."""
    item = clip()
    known = [("speech", 0), ("caption", "the sea")]
    text = target(item, "scam_spam", known, policies=parts.POLICIES)
    wanted, at = PROCESSOR.writer.encode(f" {text}"), 0
    steps = reason_steps(PROCESSOR.writer.encode, options(item))
    choice = next(steps)
    with pytest.raises(StopIteration) as stop:
        while True:
            flat = [[token for unit in row for token in unit] for row in choice.rows]
            fits = [n for n, row in enumerate(flat) if row == wanted[at : at + len(row)]]
            assert fits, (text, at)
            taken = max(fits, key=lambda number: len(flat[number]))
            at += len(flat[taken])
            choice = steps.send(taken)
    assert write(stop.value.value) == text and at == len(wanted)


def test_rows_with_the_same_beginning_share_it():
    tree = Tree.of([((5, 6), (7,)), ((5, 6), (8, 9)), ((5,),), ((4,),)])
    assert tree.tokens[1:] == [5, 6, 7, 8, 9, 4]
    assert tree.parents == [0, 0, 1, 2, 2, 4, 0]
    assert tree.ends == [[2, 3], [2, 5], [1], [6]]
    assert tree.inner == [1, 2, 4]
