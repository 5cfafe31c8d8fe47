"""What is absent, what is dropped, and what fills the placeholders."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from coefvq.errors import ModelError
from coefvq.mllm.fused.configuration import MODALITIES
from coefvq.mllm.fused.fusion import (
    EarlyFusion,
    Stream,
    _splice,
    draw_dropped,
    drop_modalities,
    pooled_text,
    positions_of,
)
from tests.unit.mllm.fused import parts

COUNT = len(MODALITIES)
NOTHING = torch.zeros(1, COUNT, dtype=torch.bool)


def prompt(present):
    """Absent tokens of all modalities, then two tokens of each that is there, then one more."""
    ids = [0, *(-n for n in range(1, COUNT + 1))]
    mask = [1, *(int(name not in present) for name in MODALITIES)]
    for number, name in enumerate(MODALITIES, 1):
        if name in present:
            ids += [number, number]
            mask += [1, 1]
    return torch.tensor([[*mask, 1]]), torch.tensor([[*ids, 0]])


def marks(names):
    return torch.tensor([[name in names for name in MODALITIES]])


SETS = st.sets(st.sampled_from(MODALITIES))


@settings(max_examples=80, deadline=None)
@given(present=SETS, dropped=SETS)
def test_dropping_masks_its_tokens_and_shows_its_absence(present, dropped):
    mask, ids = prompt(present)
    found, absent = drop_modalities(mask, ids, marks(dropped))
    left = present - dropped
    assert absent.tolist() == marks(set(MODALITIES) - left).tolist()
    for number, name in enumerate(MODALITIES, 1):
        assert bool(found[ids == -number].item()) is (name not in left)
        assert found[ids == number].tolist() == [int(name in left)] * (2 * (name in present))
    assert (found[ids == 0] == 1).all()


@settings(max_examples=40, deadline=None)
@given(present=SETS, dropped=SETS)
def test_dropping_twice_is_dropping_once_and_harms_no_input(present, dropped):
    mask, ids = prompt(present)
    before = mask.clone()
    once, _ = drop_modalities(mask, ids, marks(dropped))
    assert torch.equal(drop_modalities(once, ids, marks(dropped))[0], once)
    assert torch.equal(mask, before)


@settings(max_examples=80, deadline=None)
@given(present=SETS, rate=st.floats(0, 1), seed=st.integers(0, 9999))
def test_a_draw_takes_only_what_is_there_and_never_all(present, rate, seed):
    mask, ids = prompt(present)
    drawn = draw_dropped(mask, ids, rate, torch.Generator().manual_seed(seed))
    again = draw_dropped(mask, ids, rate, torch.Generator().manual_seed(seed))
    assert torch.equal(drawn, again)
    taken = {name for name, hit in zip(MODALITIES, drawn[0].tolist(), strict=True) if hit}
    assert taken <= present
    assert not present or taken < present


def test_a_draw_takes_about_the_stated_share():
    mask, ids = (x.expand(4000, -1) for x in prompt(set(MODALITIES)))
    drawn = draw_dropped(mask, ids, 0.2, torch.Generator().manual_seed(0))
    assert drawn.float().mean(0).sub(0.2).abs().max() < 0.02
    assert not draw_dropped(mask, ids, 0.0).any()


def test_torchs_own_chance_is_used_without_a_generator():
    mask, ids = (x.expand(50, -1) for x in prompt(set(MODALITIES)))
    torch.manual_seed(3)
    first = draw_dropped(mask, ids, 0.5)
    torch.manual_seed(3)
    assert torch.equal(first, draw_dropped(mask, ids, 0.5))


@pytest.mark.parametrize(
    ("mask", "positions"),
    [
        ([1, 1, 1], [0, 1, 2]),
        ([1, 0, 0, 1, 1], [0, 0, 0, 1, 2]),
        ([0, 0, 1, 1], [0, 0, 0, 1]),
        ([1, 1, 0, 0], [0, 1, 0, 0]),
    ],
    ids=["all", "a gap", "left padding", "right padding"],
)
def test_positions_count_what_is_attended(mask, positions):
    assert positions_of(torch.tensor([mask])).tolist() == [positions]


def stream(groups, tokens=2, width=4):
    groups = torch.tensor(groups)
    values = torch.arange(float(groups.numel() * tokens * width))
    values = values.reshape(*groups.shape, tokens, width) + 1
    return Stream(torch.zeros(*groups.shape, 3), groups, values, groups)


def test_placeholders_are_filled_in_order_and_row_by_row():
    found = stream([[True, True, False], [True, False, False]])
    places = torch.tensor([[0, 1, 1, 0, 1, 1], [1, 0, 0, 0, 1, 0]]).bool()
    embeds = torch.zeros(2, 6, 4)
    filled = _splice(embeds, places, found, "visual")
    assert torch.equal(filled[0, [1, 2, 4, 5]], found.tokens[0, :2].flatten(0, 1))
    assert torch.equal(filled[1, [0, 4]], found.tokens[1, 0])
    assert (filled[~places] == 0).all()


@pytest.mark.parametrize(
    ("places", "given"),
    [
        ([[1, 1, 0]], None),
        ([[1, 1, 1]], [[True, False]]),
        ([[1, 0, 0]], [[True, False]]),
        ([[1, 1, 0], [1, 1, 0]], [[True, True], [False, False]]),
    ],
    ids=["no features", "too many", "too few", "in another row"],
)
def test_counts_that_differ_are_refused(places, given):
    found = stream(given) if given else None
    places = torch.tensor(places).bool()
    with pytest.raises(ModelError, match=r"sound placeholders .* processor"):
        _splice(torch.zeros(*places.shape, 4), places, found, "sound")


def early(**options):
    torch.manual_seed(0)
    return EarlyFusion(parts.config(**options))


def test_frames_become_the_promised_number_of_tokens():
    maps = torch.randn(2, 5, parts.SEEN, 3, 3)
    mask = torch.tensor([[True] * 5, [True] * 2 + [False] * 3])
    found = early().see(None, None, maps, mask, torch.arange(5.0).expand(2, 5))
    assert found.tokens.shape == (2, 3, 4, 32)
    assert found.groups.tolist() == [[True, True, True], [True, False, False]]
    assert torch.allclose(found.steps[0, 1], maps[0, 1].mean((1, 2)), atol=1e-6)


@pytest.mark.parametrize("mode", ["concat", "mean"])
def test_frames_of_a_group_are_averaged(mode):
    fusion = early(merge_mode=mode)
    maps = torch.randn(1, 2, parts.SEEN, 3, 3)
    mask, times = torch.ones(1, 2, dtype=torch.bool), torch.tensor([[1.0, 3.0]])
    both = fusion.see(None, None, maps, mask, times)
    mean = maps.mean(1, keepdim=True)
    one = fusion.see(None, None, mean, mask[:, :1], torch.tensor([[2.0]]))
    assert torch.allclose(both.tokens, one.tokens, atol=1e-5)


def test_sound_becomes_one_token_a_group():
    states = torch.randn(1, 12, parts.HEARD)
    mask = torch.ones(1, 12, dtype=torch.bool)
    found = early().hear(None, None, states, mask, torch.arange(12.0)[None])
    assert found.tokens.shape == (1, 3, 1, 32)
    assert torch.allclose(found.steps[0, 0], states[0, :5].mean(0), atol=1e-6)
    assert torch.allclose(found.steps[0, 2], states[0, 10:].mean(0), atol=1e-6)


def test_only_windows_and_frames_that_are_there_are_looked_at():
    seen = []

    class Tower:
        dtype = torch.float32
        config = parts.config("large").sound_config

        def __call__(self, sound):
            seen.append(len(sound))
            states = sound.transpose(1, 2)[:, ::2, :16]
            return type("Found", (), {"last_hidden_state": states})

    mel = torch.randn(2, 2, 20, 100)
    mask = torch.zeros(2, 100, dtype=torch.bool)
    mask[0, :60] = True
    mask[1, :10] = True
    fusion = EarlyFusion(parts.config("large"))
    found = fusion.hear(Tower(), mel, None, mask, torch.zeros(2, 100))
    assert seen == [3]
    wanted = mel[0, 1].T[::2, :16][:5].mean(0)
    assert torch.allclose(found.steps[0, 10], wanted, atol=1e-6)
    assert found.groups.sum(1).tolist() == [12, 2]


def test_absent_and_slot_embeddings_stand_in_their_places():
    fusion = early()
    ids = torch.tensor([[0, -1, -6, 2, 0, 0, 0]])
    slots = torch.tensor([[4, 5, 6]])
    found = fusion.learnt(torch.zeros(1, 7, 32), ids, slots)[0]
    assert torch.equal(found[[1, 2]], fusion.absent.weight[[0, 5]])
    assert torch.equal(found[4:], fusion.slots.weight)
    assert (found[[0, 3]] == 0).all()


def test_placeholders_are_never_looked_up():
    fusion, config = early(), parts.config()
    table = torch.nn.Embedding(300, 32)  # smaller than the placeholders' ids
    ids = torch.tensor([[5, config.absent_token_id, config.slot_token_id, 6]])
    assert ids.max() >= 300
    found = fusion.embed(table, ids, {})
    assert torch.equal(found[0, [0, 3]], table.weight[[5, 6]])


def test_pooled_text_reads_only_attended_text():
    states = torch.arange(8.0).reshape(1, 8, 1)
    ids = torch.tensor([[0, 1, 2, 4, 5, 6, -4, 6]])
    attended = torch.tensor([[1, 1, 1, 1, 1, 0, 1, 1]]).bool()
    mean, there = pooled_text(states, attended, ids)
    assert mean.item() == pytest.approx((3 + 4 + 7) / 3)
    assert there.tolist() == [True]
    mean, there = pooled_text(states, attended, ids.clamp(max=3))
    assert mean.item() == 0.0 and there.tolist() == [False]
