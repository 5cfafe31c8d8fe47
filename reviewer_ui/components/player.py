"""The player: the browser's own video element, blurred until a person reveals it."""

from __future__ import annotations

from coefvq.review.views import VideoView
from reviewer_ui.keys import action_key
from reviewer_ui.markup import NOTHING, Markup, attribute, clock, h, join, kbd

SPEEDS = (0.5, 0.75, 1.0, 1.25, 1.5, 2.0)


def media_url(video_id: str, kind: str) -> str:
    """Address of a preview on our own authorised route; ``kind``: proxy, poster or sheet."""
    return f"/media/{video_id}/{kind}"


def _hints() -> Markup:
    pairs = (("reveal", "reveal"), ("play", "play"), ("blur", "blur"), ("grey", "grey"),
             ("mute", "sound"))  # fmt: skip
    caps = join(h("<span>{} {}</span>", kbd(action_key(a)), label) for a, label in pairs)
    return h(
        '<button type="button" class="veil" data-do="reveal" aria-keyshortcuts="v">'
        '<span class="veil-word">Blurred. Click to reveal</span>'
        '<span class="veil-keys">{}</span></button>',
        caps,
    )


def _bar(video: VideoView) -> Markup:
    """Our own controls: they stay above the blur and tell the timeline where we are."""
    speeds = join(
        h('<option value="{}"{}>{}×</option>', s, attribute("selected", s == 1.0), f"{s:g}")
        for s in SPEEDS
    )
    return h(
        '<div class="controls">'
        '<button type="button" data-do="play" aria-label="Play or pause" aria-keyshortcuts="Space"'
        ' class="icon play"></button>'
        '<span class="clock"><span class="now">0:00</span> / {}</span>'
        '<input type="range" class="seek" min="0" max="{}" step="0.01" value="0"'
        ' aria-label="Position in the video">'
        '<select class="speed" aria-label="Speed">{}</select>'
        '<button type="button" data-do="mute" class="sound" aria-keyshortcuts="m"'
        ' aria-pressed="true">{}</button></div>',
        clock(video.duration_s),
        f"{video.duration_s or 0:.2f}",
        speeds,
        "no sound" if video.has_audio is False else "muted",
    )


def player(video: VideoView) -> Markup:
    """Render the player of a video, or say that its preview is not made yet."""
    if video.proxy is None:
        return h(
            '<div class="screen empty"><p>No preview yet.</p>'
            '<p class="muted">It is made while the video is scored.</p></div>'
        )
    poster = media_url(video.id, "poster") if video.poster else ""
    return h(
        '<div class="screen" data-blur="on">'
        '<video src="{}" poster="{}" preload="metadata" playsinline muted{}'
        ' data-fps="{}" aria-label="The video under review"></video>{}</div>{}',
        media_url(video.id, "proxy"),
        poster,
        attribute("disablepictureinpicture", True),
        f"{video.fps or 25:.3f}",
        _hints(),
        _bar(video),
    )


def facts(video: VideoView) -> Markup:
    """One quiet line: length, size, warnings, copies."""
    parts: list[object] = []
    if video.width and video.height:
        parts.append(f"{video.width}×{video.height}")
    parts += [word.replace("_", " ") for word in video.warnings]
    if video.copies:
        parts.append(f"same bytes uploaded {len(video.copies)}× before")
    return h('<p class="facts">{}</p>', join(parts, " · ")) if parts else NOTHING
