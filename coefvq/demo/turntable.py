"""A small renderer for OBJ models: flat shading, painter's algorithm, no dependencies."""

from __future__ import annotations

from dataclasses import dataclass
from math import cos, radians, sin
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from coefvq.demo.recipe import Colour, Size

_TABLE = (88, 74, 64)
_LIGHT = np.array([0.4, 0.7, 0.6]) / np.linalg.norm([0.4, 0.7, 0.6])


@dataclass(frozen=True)
class Model:
    """A triangle mesh, centred, with its largest extent scaled to 2.

    Attributes:
        points: float64 (points, 3); y is up.
        faces: int (faces, 3), rows of ``points``.
        clay: Colour of the model in full light.
        wall: Colour behind it.
    """

    points: NDArray[np.float64]
    faces: NDArray[np.int64]
    clay: Colour
    wall: Colour

    @classmethod
    def read(cls, path: Path, clay: Colour, wall: Colour) -> Model:
        """Read the ``v`` and ``f`` lines of an OBJ file of triangles."""
        rows = [line.split() for line in path.read_text("ascii").splitlines()]
        points = np.array([row[1:4] for row in rows if row[:1] == ["v"]], float)
        faces = [[int(part.split("/")[0]) for part in row[1:4]] for row in rows if row[:1] == ["f"]]
        points -= (points.max(0) + points.min(0)) / 2
        return cls(points / np.abs(points).max(), np.array(faces) - 1, clay, wall)

    def draw(self, size: Size, degrees: float) -> NDArray[np.uint8]:
        """Render: uint8 (height, width, 3), the model turned by ``degrees`` about y."""
        corners = (self.points @ _turn(degrees).T)[self.faces]
        normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
        normals /= np.linalg.norm(normals, axis=1, keepdims=True) + 1e-12
        seen = np.flatnonzero(normals[:, 2] > 0)
        seen = seen[np.argsort(corners[seen, :, 2].mean(1))]
        shade = 0.25 + 0.75 * np.clip(normals[seen] @ _LIGHT, 0, 1)
        colours = (shade[:, None] * self.clay).astype(int)
        return self._paint(size, corners[seen], colours)

    def _paint(
        self, size: Size, corners: NDArray[np.float64], colours: NDArray[np.int64]
    ) -> NDArray[np.uint8]:
        width, height = size
        image = Image.new("RGB", size, self.wall)
        pen = ImageDraw.Draw(image)
        pen.rectangle((0, height * 0.78, width, height), fill=_TABLE)
        flat = corners[:, :, :2] * [1, -1] * height * 0.42 + [width / 2, height * 0.5]
        for triangle, colour in zip(flat.reshape(-1, 6).tolist(), colours.tolist(), strict=True):
            pen.polygon(triangle, fill=tuple(colour))
        return np.asarray(image)


def _turn(degrees: float) -> NDArray[np.float64]:
    c, s = cos(radians(degrees)), sin(radians(degrees))
    return np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]])
