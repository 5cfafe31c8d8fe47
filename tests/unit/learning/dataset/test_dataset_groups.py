"""Groups of videos, the splits that they get, and what happens when groups merge."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coefvq.learning.dataset import groups
from coefvq.learning.dataset.items import SPLITS
from coefvq.learning.dataset.splits import HELD_OUT, assign, drawn
from coefvq.store.labelled import Upload

WORDS = "look at this one weird trick"


def upload(video: str, sha: str = "", uploader: str = "local", title: str | None = None) -> Upload:
    return Upload(video, sha or f"sha-{video}", uploader, title, None)


def turned(degrees: float) -> np.ndarray:
    angle = np.deg2rad(degrees)
    return np.array([np.cos(angle), np.sin(angle)], np.float32)


@pytest.mark.parametrize(
    ("uploads", "matches", "together"),
    [
        pytest.param([upload("a"), upload("b")], [], False, id="nothing in common"),
        pytest.param([upload("a", "x"), upload("b", "x")], [], True, id="the same bytes"),
        pytest.param(
            [upload("a", uploader="mia"), upload("b", uploader="mia")], [], True, id="one uploader"
        ),
        pytest.param([upload("a", uploader=""), upload("b", uploader="")], [], False, id="nobody"),
        pytest.param(
            [upload("a", uploader="operator"), upload("b", uploader="operator")],
            [],
            False,
            id="brought in by the operator",
        ),
        pytest.param(
            [upload("a", title=WORDS), upload("b", title=f"{WORDS.upper()}!!")],
            [],
            True,
            id="the same words",
        ),
        pytest.param(
            [upload("a", title="so funny"), upload("b", title="so funny")],
            [],
            False,
            id="few words",
        ),
        pytest.param([upload("a"), upload("b")], [("b", "sha-a")], True, id="shared footage"),
        pytest.param(
            [upload("a"), upload("b")],
            [("a", "film"), ("b", "film")],
            True,
            id="footage of one original that is not here",
        ),
    ],
)
def test_what_joins(uploads: list[Upload], matches: list[tuple[str, str]], together: bool) -> None:
    found = groups.components(uploads, {"a", "b"}, matches)
    assert found == ([["a", "b"]] if together else [["a"], ["b"]])


@pytest.mark.parametrize(
    ("degrees", "together"),
    [pytest.param(5.0, True, id="alike"), pytest.param(20.0, False, id="not alike")],
)
def test_what_looks_the_same(degrees: float, together: bool) -> None:
    vectors = {"sha-a": turned(0), "sha-b": turned(degrees)}
    found = groups.components([upload("a"), upload("b")], {"a", "b"}, (), vectors)
    assert len(found) == (1 if together else 2)


def test_alike_finds_every_pair_over_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(groups, "_BLOCK", 3)
    rng = np.random.default_rng(0)
    rows = rng.standard_normal((11, 4)).astype(np.float32)
    rows[7], rows[10] = rows[1], rows[2]
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    vectors = {f"{at:02d}": row for at, row in enumerate(rows)}
    expected = {
        (f"{i:02d}", f"{j:02d}")
        for i in range(11)
        for j in range(i + 1, 11)
        if rows[i] @ rows[j] >= 0.9
    }
    assert set(groups.alike(vectors, 0.9)) == expected >= {("01", "07"), ("02", "10")}


def test_unlabelled_videos_join_labelled_ones() -> None:
    middle = upload("m", sha="x", uploader="mia")
    uploads = [upload("a", sha="x"), middle, upload("b", uploader="mia")]
    assert groups.components(uploads, {"a", "b"}) == [["a", "b", "m"]]


def test_who_uploads_nearly_all_is_a_feed_and_joins_nothing() -> None:
    many = [upload(f"f{at:02d}", uploader="feed") for at in range(25)]
    few = [upload("a", uploader="mia"), upload("b", uploader="mia")]
    labelled = {each.video_id for each in (*many, *few)}
    assert groups.feeds([*many, *few]) == {"feed"}
    assert groups.feeds([*many[:15], *few]) == frozenset()  # few videos: a person
    found = groups.components([*many, *few], labelled)
    assert len(found) == 26 and ["a", "b"] in found


def test_the_name_of_a_group_says_nothing_of_its_uploader() -> None:
    assert groups.name_of(["b", "a"]) == groups.name_of(["a", "c"]) != groups.name_of(["b"])


def test_shares_of_new_groups() -> None:
    counts = Counter(drawn(f"video-{at}") for at in range(5000))
    assert counts["train"] / 5000 == pytest.approx(0.7, abs=0.03)
    assert counts["validation"] / 5000 == pytest.approx(0.1, abs=0.03)
    assert counts["test"] / 5000 == pytest.approx(0.2, abs=0.03)
    assert {drawn(f"video-{at}", seed=7) == drawn(f"video-{at}") for at in range(50)} == {
        True,
        False,
    }


@pytest.mark.parametrize(
    ("ever", "golden", "split"),
    [
        pytest.param({"a": {"train"}, "b": {"test"}}, set(), "test", id="train meets test"),
        pytest.param({"a": {"train"}, "b": {"validation"}}, set(), "validation", id="validation"),
        pytest.param({"a": {"golden"}, "b": {"test"}}, set(), "golden", id="test meets golden"),
        pytest.param({"a": {"train"}}, {"b"}, "golden", id="a member becomes golden"),
        pytest.param({"a": {"golden"}}, set(), "golden", id="once golden, for ever"),
        pytest.param({"b": {"train"}}, set(), "train", id="an older member changes nothing"),
    ],
)
def test_merged_groups(ever: dict[str, set[str]], golden: set[str], split: str) -> None:
    found = assign([["a", "b"]], golden, ever)
    assert found.splits == {"a": split, "b": split}
    assert found.merged == {video for video, was in ever.items() if split not in was}
    held = split in HELD_OUT
    assert found.once_trained == {v for v, was in ever.items() if held and "train" in was}


def test_an_unlabelled_golden_member_counts() -> None:
    found = assign([["a", "b"], ["c"]], golden={"b"})
    assert found.splits["a"] == found.splits["b"] == "golden"


VIDEOS = [f"v{at}" for at in range(8)]
LINKS = st.lists(st.tuples(st.sampled_from(VIDEOS), st.sampled_from(VIDEOS)), max_size=5)
STEPS = st.lists(
    st.tuples(LINKS, st.sets(st.sampled_from(VIDEOS), max_size=2), st.integers(0, 3)),
    min_size=1,
    max_size=6,
)


@settings(max_examples=300, deadline=None)
@given(STEPS)
def test_no_group_is_in_two_splits_and_nothing_held_out_is_ever_trained_on(
    steps: list[tuple[list[tuple[str, str]], set[str], int]],
) -> None:
    """Snapshots one after the other: links come and go, cases become golden, seeds change."""
    history: dict[str, set[str]] = {}
    golden: set[str] = set()
    for links, more, seed in steps:
        golden |= more
        joined = groups.Joined()
        for one, other in links:
            joined.join(one, other)
        found = assign(joined.sets(VIDEOS), golden, history, seed)
        for group in joined.sets(VIDEOS):
            assert len({found.splits[video] for video in group}) == 1
        for video, split in found.splits.items():
            assert split in SPLITS
            if history.get(video, set()) & HELD_OUT or video in golden:
                assert split in HELD_OUT
            if "golden" in history.get(video, set()) or video in golden:
                assert split == "golden"
            history.setdefault(video, set()).add(split)


@settings(deadline=None)
@given(LINKS)
def test_the_same_links_give_the_same_splits(links: list[tuple[str, str]]) -> None:
    def splits(order: list[tuple[str, str]]) -> dict[str, str]:
        joined = groups.Joined()
        for one, other in order:
            joined.join(one, other)
        return dict(assign(joined.sets(VIDEOS)).splits)

    first = splits(links)
    assert splits([(b, a) for a, b in reversed(links)]) == first
    history = {video: {split} for video, split in first.items()}
    joined = groups.Joined()
    for one, other in links:
        joined.join(one, other)
    again = assign(joined.sets(VIDEOS), history=history, seed=99)
    assert again.splits == first and not again.merged
