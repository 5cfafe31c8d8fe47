"""The clips of the demo library. To change one, edit its row; nothing else names clips.

Titles, captions, speech and text are written for the demo. Scores and routes are not here:
the models give them. Clips that show abuse or fraud do so in mild, clean words.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from coefvq.demo.recipe import (
    Colour,
    CopyOf,
    Footage,
    Letterbox,
    Mirror,
    Music,
    Pan,
    Panel,
    Point,
    Recipe,
    Recording,
    Speech,
    Stills,
    Tint,
    Turntable,
    Watermark,
    Window,
)

WIDE = (640, 360)
PHONE = (360, 640)
SAX = "sax.wav"


@dataclass(frozen=True)
class DemoClip:
    """One row of the catalogue.

    Attributes:
        id: Unique; the file is ``<id>.mp4``.
        title: As the uploader would have typed it.
        caption: The same; ``None`` is no caption.
        shows: What the clip is in the library for. Documentation, never shown to a model.
    """

    id: str
    title: str
    caption: str | None
    uploader: str
    made: Recipe | CopyOf
    shows: str

    def path(self, folder: Path) -> Path:
        """Where this clip's file is, in a folder of demo clips."""
        return folder / f"{self.id}.mp4"


def _earth(start_s: float, zoom: float = 1.0, centre: Point = (0.5, 0.5)) -> Footage:
    return Footage("world.mp4", start_s, zoom, centre)


def _mask(facing: float, clay: Colour, wall: Colour) -> Turntable:
    return Turntable("face.obj", facing, 25.0, clay, wall)


CLIPS: tuple[DemoClip, ...] = (
    DemoClip(
        "earth-night",
        "Earth at night from orbit",
        "Half an orbit in seven seconds, with a few words about the lights.",
        "orbit_watch",
        Recipe(_earth(0.0), sound=Speech("earth")),
        "Harmless original footage with narration.",
    ),
    DemoClip(
        "hate-spoken",
        "What I think about the news",
        "Part two is coming tomorrow.",
        "plain_talk_77",
        Recipe(_mask(170, (170, 172, 178), (70, 48, 48)), sound=Speech("hate_vermin")),
        "Dehumanising speech; title and caption give nothing away.",
    ),
    DemoClip(
        "scam-written",
        "A gift for my followers",
        None,
        "daily_deals_4u",
        Recipe(
            _earth(13.0, 1.2),
            (
                Panel(("FREE GIFT CARDS", "SUBSCRIBE AND CLICK THE LINK"), "top", 0.14, "yellow"),
                Panel(("free-cards.example",), "bottom", 0.14, "white", "darkred"),
            ),
            Music(SAX, 4.0),
        ),
        "A fake giveaway, only as text in the picture.",
    ),
    DemoClip(
        "rabbit-turntable",
        "My first clay rabbit",
        "Took me three evenings. The ears were the hardest part!",
        "clay_corner",
        Recipe(Turntable("Bunny.obj"), sound=Music(SAX, 6.0), seconds=5),
        "Harmless; a rendered 3-D model.",
    ),
    DemoClip(
        "screen-player",
        "found this great video",
        "look at the lights",
        "clipcollector",
        Recipe(
            _earth(5.0, 1.2), (Window("Media Player - clip_013.mp4"),), Music(SAX, 2.0), size=WIDE
        ),
        "A screen recording: an app window that plays somebody's footage.",
    ),
    DemoClip(
        "scam-caption",
        "MAKE MONEY FROM HOME!!!",
        "Earn $500 a day from home, no work!!! Check out my channel, subscribe and click here "
        ">>> http://easy-cash.example <<< first 100 people get a FREE iPhone",
        "cash_daily",
        Recipe(_earth(24.0, 2.2, (0.55, 0.4)), sound=Music(SAX, 8.0), seconds=4),
        "Scam and spam in title and caption only; the picture is harmless.",
    ),
    DemoClip(
        "slideshow",
        "Big cats of Africa",
        "My favourite photos of the year.",
        "savanna_fan",
        Recipe(
            Stills(("cheetah.jpg", "lion.jpg", "cheetah1.jpg")), sound=Music(SAX, 12.0), seconds=6
        ),
        "A slideshow of photographs.",
    ),
    DemoClip(
        "counter-speech",
        "Why that speech was wrong",
        "We can disagree and still be kind.",
        "northside_radio",
        Recipe(_mask(190, (120, 160, 214), (44, 58, 52)), sound=Speech("counter_speech")),
        "Quotes the hateful line in order to criticise it: allowed, and hard for a model.",
    ),
    DemoClip(
        "watermark",
        "City lights from space",
        "so pretty",
        "reposter_42",
        Recipe(_earth(8.0, 1.5), (Watermark("@skyclips.tv"),), Music(SAX, 1.0)),
        "A foreign handle and logo over the picture.",
    ),
    DemoClip(
        "scam-spoken",
        "A little tip for today",
        "Do not miss it.",
        "coin_friend",
        Recipe(_mask(180, (224, 186, 90), (40, 44, 66)), sound=Speech("scam_bitcoin")),
        "A money scheme, only in speech.",
    ),
    DemoClip(
        "silent",
        "Test clip without sound",
        None,
        "orbit_watch",
        Recipe(Footage("muted_b.mp4"), seconds=4),
        "No sound track: sound and speech are absent, not zero.",
    ),
    DemoClip(
        "hate-caption",
        "They do not belong here",
        "These immigrants are filthy animals and criminals. Nobody wants them, they are ruining "
        "our country. Send them all back.",
        "angry_voter",
        Recipe(_earth(2.0, 2.5, (0.5, 0.3)), sound=Music(SAX, 10.0), seconds=4),
        "Hateful title and caption; the picture is harmless.",
    ),
    DemoClip(
        "earth-mirrored",
        "Night flight",
        "Amazing footage!",
        "viral_mix",
        Recipe(
            _earth(0.0, 1.15),
            (Mirror(), Tint(0.9, 1.0, 1.3), Watermark("@viral_mix_best", "tl")),
            Music(SAX, 2.0),
            6,
        ),
        "An edited copy of earth-night: mirrored, cropped, recoloured, with a logo.",
    ),
    DemoClip(
        "tower-phone",
        "Looking up in Paris",
        "Golden hour at the tower, filmed on my way home.",
        "walks_with_anna",
        Recipe(
            Pan("tower.jpg", (0.5, 0.8), (0.5, 0.2), (1.3, 1.1)),
            sound=Music(SAX, 5.0),
            size=PHONE,
        ),
        "Phone-shaped (9:16), a camera move over one photograph.",
    ),
    DemoClip(
        "scam-warning",
        "Stay safe online",
        "Share this with your grandparents.",
        "consumer_help",
        Recipe(_earth(12.0, 1.8, (0.6, 0.5)), (Tint(0.8, 1.2, 0.9),), Speech("scam_warning")),
        "Harmless twin of the scams: the same words, in a warning.",
    ),
    DemoClip(
        "earth-duplicate",
        "WOW look at our planet",
        "not mine but had to share",
        "space_daily",
        CopyOf("earth-night"),
        "The same bytes as earth-night, uploaded again.",
    ),
    DemoClip(
        "spanish",
        "Nuestro planeta de noche, visto desde el espacio",
        "Hoy vemos juntos las luces de las grandes ciudades del mundo.",
        "ciencia_para_todos",
        Recipe(_earth(18.0, 1.2), sound=Speech("spanish")),
        "Spanish speech, title and caption: policies that read text answer 'not covered'.",
    ),
    DemoClip(
        "app-recording",
        "How to use the greeting app",
        "A one minute introduction for beginners.",
        "support_team",
        Recipe(Recording("screenshot.gif"), sound=Speech("tutorial"), size=WIDE),
        "A real screen recording of a web app, with a harmless voice.",
    ),
    DemoClip(
        "hate-written",
        "Just my opinion",
        None,
        "plain_talk_77",
        Recipe(
            Pan("lion.jpg", (0.4, 0.35), (0.6, 0.45), (1.2, 1.7)),
            (Panel(("FOREIGNERS ARE VERMIN", "THROW THEM ALL OUT"), "bottom", 0.15),),
            Music(SAX, 7.0),
        ),
        "Dehumanising text in the picture only.",
    ),
    DemoClip(
        "thanks",
        "Thanks for watching, see you next week",
        "New episode every Friday.",
        "weekly_workshop",
        Recipe(Footage("a.mp4", 1.0), sound=Speech("thanks"), size=WIDE),
        "Harmless end card: a plea to come back that is no spam.",
    ),
    DemoClip(
        "welcome",
        "Street festival this Saturday",
        "Food and music from twelve countries. Everybody is invited.",
        "northside_radio",
        Recipe(_mask(185, (214, 150, 108), (58, 84, 84)), sound=Speech("welcome")),
        "Harmless twin of the hateful clips: the same subject, kind words.",
    ),
    DemoClip(
        "letterbox",
        "The fastest animal on land",
        "Narrated by me.",
        "night_school",
        Recipe(Pan("cheetah.jpg", (0.6, 0.5), (0.35, 0.5)), (Letterbox(PHONE),), Speech("cheetah")),
        "A wide picture in a phone frame, with black bars and harmless narration.",
    ),
    DemoClip(
        "harmless-caption",
        "Please subscribe to my brother's gardening channel",
        "He is eighty and just started. No link, no prizes, only tomatoes.",
        "tomato_anna",
        Recipe(
            Turntable("Bunny.obj", 30, 40, (150, 200, 130), (84, 66, 58)), (), Music(SAX, 6.0), 4
        ),
        "Harmless twin of the spam caption: names a channel once, which is allowed.",
    ),
    DemoClip(
        "broken-tail",
        "Upload stopped halfway",
        "The train went into a tunnel.",
        "walks_with_anna",
        Recipe(_earth(15.0, 1.1), sound=Music(SAX, 3.0), seconds=6, keep=0.6),
        "The end of the file is missing: scored, with a warning.",
    ),
)

_BY_ID = {clip.id: clip for clip in CLIPS}


def clip_by_id(clip_id: str) -> DemoClip:
    """One clip of the catalogue; ``KeyError`` for an unknown id, which only a typo can cause."""
    return _BY_ID[clip_id]
