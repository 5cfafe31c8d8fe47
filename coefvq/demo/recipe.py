"""How a demo clip is made, as plain data: a picture, edits over it, a sound, an ending.

``footage``, ``edits`` and ``sound`` carry these out; ``catalogue`` is a table of them.
File names are those inside ``gradio/media_assets``.
"""

from __future__ import annotations

from dataclasses import dataclass

Size = tuple[int, int]
Point = tuple[float, float]
Colour = tuple[int, int, int]


@dataclass(frozen=True)
class Footage:
    """A stretch of a real video.

    Attributes:
        start_s: Where it starts in the source, seconds.
        zoom: 1.0 shows all of the height or width that fits; 2.0 half of it.
        centre: Middle of what is shown, as shares of the source's width and height.
    """

    file: str
    start_s: float = 0.0
    zoom: float = 1.0
    centre: Point = (0.5, 0.5)


@dataclass(frozen=True)
class Stills:
    """Photographs one after another, each for the same time."""

    files: tuple[str, ...]


@dataclass(frozen=True)
class Pan:
    """One photograph with a camera move over it.

    Attributes:
        start: Middle of the view at the start, as shares of the photograph.
        end: The same at the end.
        zooms: At the start and at the end.
    """

    file: str
    start: Point = (0.5, 0.5)
    end: Point = (0.5, 0.5)
    zooms: Point = (1.0, 1.3)


@dataclass(frozen=True)
class Recording:
    """The animated screen recording of the package (a GIF), at its own pace."""

    file: str


@dataclass(frozen=True)
class Turntable:
    """A 3-D model of the package (an OBJ file), drawn as clay.

    Attributes:
        facing: Degrees about the upright axis at the start.
        sway: Degrees that it sways to both sides; 0.0 turns it all the way round, again and
            again.
        clay: Colour of the model, red, green and blue, 0..255.
        wall: Colour behind it.
    """

    file: str
    facing: float = 0.0
    sway: float = 0.0
    clay: Colour = (214, 150, 108)
    wall: Colour = (58, 70, 84)


Picture = Footage | Stills | Pan | Recording | Turntable


@dataclass(frozen=True)
class Mirror:
    """Left and right swapped, as copies often are to escape matching."""


@dataclass(frozen=True)
class Tint:
    """Each colour channel multiplied; (1, 1, 1) changes nothing."""

    red: float
    green: float
    blue: float


@dataclass(frozen=True)
class Letterbox:
    """The picture smaller, on black, with bars round it."""

    size: Size


@dataclass(frozen=True)
class Watermark:
    """Somebody's handle and a drawn logo in a corner, half transparent.

    ``corner`` is ``"tl"``, ``"tr"``, ``"bl"`` or ``"br"``.
    """

    handle: str
    corner: str = "br"


@dataclass(frozen=True)
class Panel:
    """Lines of large text on a coloured band.

    Attributes:
        place: ``"top"``, ``"middle"`` or ``"bottom"``.
        height: Of a line, as a share of the picture's height.
    """

    lines: tuple[str, ...]
    place: str = "middle"
    height: float = 0.12
    ink: str = "white"
    paper: str = "black"


@dataclass(frozen=True)
class Window:
    """A drawn desktop with a player window that shows the picture, and a moving pointer."""

    title: str


Edit = Mirror | Tint | Letterbox | Watermark | Panel | Window


@dataclass(frozen=True)
class Speech:
    """A recording of ``coefvq.demo.speech``."""

    line: str


@dataclass(frozen=True)
class Music:
    """A sound of the package, from ``start_s`` on."""

    file: str
    start_s: float = 0.0
    volume: float = 0.5


Sound = Speech | Music


@dataclass(frozen=True)
class Recipe:
    """All that is needed to make one file.

    Attributes:
        sound: ``None`` makes a file without a sound track.
        seconds: Length; longer where the speech needs it.
        size: Width and height, even numbers of pixels.
        keep: Share of the finished file's bytes that is kept; below 1.0 its tail is broken.
    """

    picture: Picture
    edits: tuple[Edit, ...] = ()
    sound: Sound | None = None
    seconds: float = 5.0
    size: Size = (480, 270)
    keep: float = 1.0


@dataclass(frozen=True)
class CopyOf:
    """The same bytes as another clip, uploaded once more."""

    clip: str
