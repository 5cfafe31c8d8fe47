"""The table of clips fits together: unique, complete, within the limits that were promised."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest

from coefvq.demo.catalogue import CLIPS, DemoClip, clip_by_id
from coefvq.demo.recipe import (
    CopyOf,
    Footage,
    Letterbox,
    Music,
    Pan,
    Panel,
    Recipe,
    Recording,
    Speech,
    Stills,
    Tint,
    Turntable,
    Watermark,
    Window,
)
from coefvq.demo.sources import source
from coefvq.demo.speech import ASSETS, LINES

DOC = Path(__file__).parents[3] / "docs" / "demo-library.md"
RECIPES = [(clip.id, clip.made) for clip in CLIPS if isinstance(clip.made, Recipe)]
EACH_CLIP = pytest.mark.parametrize("clip", CLIPS, ids=lambda clip: clip.id)
EACH_RECIPE = pytest.mark.parametrize(
    "recipe", [r for _, r in RECIPES], ids=[i for i, _ in RECIPES]
)


def recipe_of(clip_id: str) -> Recipe:
    made = clip_by_id(clip_id).made
    assert isinstance(made, Recipe)
    return made


def spoken(recipe: Recipe) -> str | None:
    return recipe.sound.line if isinstance(recipe.sound, Speech) else None


def sources_of(recipe: Recipe) -> list[str]:
    picture = recipe.picture
    names = list(picture.files) if isinstance(picture, Stills) else [picture.file]
    return names + ([recipe.sound.file] if isinstance(recipe.sound, Music) else [])


def test_ids_are_unique() -> None:
    assert [name for name, times in Counter(clip.id for clip in CLIPS).items() if times > 1] == []


def test_about_two_dozen_clips() -> None:
    assert 20 <= len(CLIPS) <= 28


@EACH_CLIP
def test_row_is_filled_in(clip: DemoClip) -> None:
    assert re.fullmatch(r"[a-z][a-z-]+[a-z]", clip.id)
    assert clip.title.strip() and clip.uploader.strip() and clip.shows.endswith(".")
    assert clip.caption is None or clip.caption.strip()


@EACH_CLIP
def test_made_up_links_and_handles_lead_nowhere(clip: DemoClip) -> None:
    links = re.findall(r"https?://(\S+)", f"{clip.title} {clip.caption}")
    assert all(link.endswith(".example") for link in links)


@EACH_RECIPE
def test_sources_are_in_the_gradio_package(recipe: Recipe) -> None:
    assert all(source(name).stat().st_size > 0 for name in sources_of(recipe))


@EACH_RECIPE
def test_size_and_length(recipe: Recipe) -> None:
    assert 320 <= max(recipe.size) <= 640 and min(recipe.size) >= 240
    assert all(side % 2 == 0 for side in recipe.size)
    assert 4 <= recipe.seconds <= 10
    assert 0.3 <= recipe.keep <= 1.0


@EACH_RECIPE
def test_drawn_text_is_ascii(recipe: Recipe) -> None:
    drawn = [line for edit in recipe.edits if isinstance(edit, Panel) for line in edit.lines]
    drawn += [edit.handle for edit in recipe.edits if isinstance(edit, Watermark)]
    drawn += [edit.title for edit in recipe.edits if isinstance(edit, Window)]
    assert all(text.isascii() for text in drawn)


@pytest.mark.parametrize(
    "clip", [c for c in CLIPS if isinstance(c.made, CopyOf)], ids=lambda c: c.id
)
def test_copy_follows_its_original(clip: DemoClip) -> None:
    assert isinstance(clip.made, CopyOf)
    original = clip_by_id(clip.made.clip)
    assert isinstance(original.made, Recipe)
    assert CLIPS.index(original) < CLIPS.index(clip)
    assert (original.title, original.uploader) != (clip.title, clip.uploader)


def test_unknown_clip_is_a_key_error() -> None:
    with pytest.raises(KeyError):
        clip_by_id("nope")


def test_every_recording_is_used_and_kept() -> None:
    used = {spoken(recipe) for _, recipe in RECIPES} - {None}
    assert used == set(LINES)
    assert {path.name for path in ASSETS.iterdir()} == {line.path.name for line in LINES.values()}


def test_recordings_stay_within_a_megabyte() -> None:
    assert sum(path.stat().st_size for path in ASSETS.iterdir()) <= 1_000_000


def test_each_kind_of_picture_and_edit_appears() -> None:
    pictures = {type(recipe.picture) for _, recipe in RECIPES}
    edits = {type(edit) for _, recipe in RECIPES for edit in recipe.edits}
    assert pictures == {Footage, Stills, Pan, Recording, Turntable}
    assert {Letterbox, Panel, Tint, Watermark, Window} <= edits


@pytest.mark.parametrize(
    ("clip_id", "line"),
    [
        ("hate-spoken", "hate_vermin"),
        ("scam-spoken", "scam_bitcoin"),
        ("welcome", "welcome"),
        ("counter-speech", "counter_speech"),
        ("scam-warning", "scam_warning"),
        ("spanish", "spanish"),
    ],
)
def test_what_is_spoken(clip_id: str, line: str) -> None:
    assert spoken(recipe_of(clip_id)) == line


@pytest.mark.parametrize("clip_id", ["hate-spoken", "scam-spoken", "scam-written", "hate-written"])
def test_hidden_abuse_is_not_in_title_or_caption(clip_id: str) -> None:
    posted = f"{clip_by_id(clip_id).title} {clip_by_id(clip_id).caption}".lower()
    giveaways = ("vermin", "foreigner", "bitcoin", "dollar", "free", "link", "subscribe")
    assert not [word for word in giveaways if word in posted]


@pytest.mark.parametrize("clip_id", ["hate-caption", "scam-caption", "harmless-caption"])
def test_metadata_only_clips_have_plain_pictures_and_no_speech(clip_id: str) -> None:
    recipe = recipe_of(clip_id)
    assert recipe.edits == () and spoken(recipe) is None


def test_odd_files() -> None:
    assert recipe_of("silent").sound is None
    assert recipe_of("broken-tail").keep < 1.0
    assert recipe_of("tower-phone").size[0] < recipe_of("tower-phone").size[1]


def test_every_clip_source_and_recording_is_documented() -> None:
    text = DOC.read_text("utf-8")
    names = [clip.id for clip in CLIPS] + list(LINES)
    names += [name for _, recipe in RECIPES for name in sources_of(recipe)]
    assert [name for name in names if name not in text] == []
    assert [line.id for line in LINES.values() if line.text not in text] == []
