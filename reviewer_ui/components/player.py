"""The player: the browser's own video element, blurred until a person reveals it."""

from __future__ import annotations

from coefvq.review.views import CaseView, VideoView
from reviewer_ui.keys import action_key
from reviewer_ui.markup import NOTHING, Markup, attribute, clock, h, join, kbd
from reviewer_ui.words import BLUR

SPEEDS = (0.5, 0.75, 1.0, 1.25, 1.5, 2.0)
POSSIBLE = 0.2
"""From this probability on, a policy counts as one that the video may violate."""


def media_url(video_id: str, kind: str) -> str:
    """Address of a preview on our own authorised route; ``kind``: proxy, poster or sheet."""
    return f"/media/{video_id}/{kind}"


def may_be_severe(case: CaseView, severity: int) -> bool:
    """Whether the machine thinks that the video may violate a policy of this severity or more.

    A video that is not scored yet may, and one whose scores are not shown yet; a policy that no
    model covers says nothing.
    """
    if case.verdict_id is None or case.blind:
        return True
    likely = (p.severity for p in case.policies if p.final is not None and p.final >= POSSIBLE)
    return any(found >= severity for found in likely)


def _speeds() -> Markup:
    return join(
        h('<option value="{}"{}>{}×</option>', f"{s:g}", attribute("selected", s == 1.0), f"{s:g}")
        for s in SPEEDS
    )


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
    return h(
        '<div class="controls">'
        '<button type="button" data-do="play" aria-label="Play or pause" aria-keyshortcuts="Space"'
        ' class="icon play"></button>'
        '<span class="clock"><span class="now">0:00</span> / {}</span>'
        '<input type="range" class="seek" min="0" max="{}" step="0.01" value="0"'
        ' aria-label="Position in the video">'
        '<select class="speed" aria-label="Speed" aria-keyshortcuts="&lt; &gt;">{}</select>'
        '<button type="button" data-do="reveal" class="shown" aria-keyshortcuts="v"'
        ' aria-pressed="false">blurred</button>'
        '<button type="button" data-do="grey" class="greyed" aria-keyshortcuts="g"'
        ' aria-pressed="false">grey</button>'
        '<button type="button" data-do="mute" class="sound" aria-keyshortcuts="m"'
        ' aria-pressed="true">{}</button>'
        '<button type="button" data-do="settings" class="icon gear" aria-haspopup="dialog"'
        ' aria-label="What is kept for you: speed, sound, blur, colours"></button></div>',
        clock(video.duration_s),
        f"{video.duration_s or 0:.2f}",
        _speeds(),
        "no sound" if video.has_audio is False else "muted",
    )


def player(video: VideoView, severe: bool = True, restricted: bool = False) -> Markup:
    """Render the player of a video, or say that its preview is not made yet.

    Args:
        severe: Keep it blurred for those who want that only where it may be severe.
        restricted: It stands in a restricted queue: the browser offers no way to keep it.
    """
    if video.proxy is None:
        return h(
            '<div class="screen empty"><p>No preview yet.</p>'
            '<p class="muted">It is made while the video is scored.</p></div>'
        )
    poster = media_url(video.id, "poster") if video.poster else ""
    return h(
        '<div class="screen" data-blur="on" data-severe="{}">'
        '<video src="{}" poster="{}" preload="metadata" playsinline muted{}{}'
        ' data-fps="{}" aria-label="The video under review"></video>{}</div>{}',
        "true" if severe else "false",
        media_url(video.id, "proxy"),
        poster,
        attribute("disablepictureinpicture", True),
        attribute('controlslist="nodownload noremoteplayback" data-restricted', restricted),
        f"{video.fps or 25:.3f}",
        _hints(),
        _bar(video),
    )


def settings_dialog() -> Markup:
    """What the server keeps for this reviewer; the script fills the fields in."""
    blur = join(h('<option value="{}">{}</option>', value, words) for value, words in BLUR.items())
    rows = (
        ("Speed", h('<select name="speed">{}</select>', _speeds())),
        ("Start without sound", Markup('<input type="checkbox" name="muted">')),
        ("Grey picture", Markup('<input type="checkbox" name="grey">')),
        ("Blur until revealed", h('<select name="blur">{}</select>', blur)),
        ("Colours", h(
            '<select name="theme"><option value="system">as the system</option>'
            '<option value="light">light</option><option value="dark">dark</option></select>')),
    )  # fmt: skip
    fields = join(
        h('<label class="setting"><span>{}</span>{}</label>', label, control)
        for label, control in rows
    )
    return h(
        '<dialog id="settings-panel" class="panel narrow" aria-labelledby="settings-title">'
        '<div class="panel-head"><h2 id="settings-title">Kept for you</h2>'
        '<button type="button" class="quiet" data-do="close-panel">Close {}</button></div>{}'
        '<p class="muted">Kept on the server, so that it is the same wherever you sign in.</p>'
        "</dialog>",
        kbd("Esc"),
        fields,
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
