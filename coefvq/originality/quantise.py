"""Frame embeddings in 64 bytes: whitened principal components, product-quantised.

Whitening after PCA: Jégou & Chum 2012 (ECCV). Product quantisation: Jégou, Douze & Schmid 2011
(IEEE TPAMI 33), 64 parts of two numbers with 256 centres each. The codebook was fitted to frames
of short clips and their edits; see weights/README.md.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from coefvq.errors import ModelError

WIDTH = 1280
COMPONENTS = 128
PARTS = 64
CENTRES = 256
CODEBOOK = Path(__file__).parent / "weights" / "codebook.safetensors"


class Codebook(NamedTuple):
    """The fitted numbers.

    Attributes:
        mean: float32 (1280,).
        axes: float32 (1280, 128), principal axes, each divided by its standard deviation.
        centres: float32 (64, 256, 2).
    """

    mean: NDArray[np.float32]
    axes: NDArray[np.float32]
    centres: NDArray[np.float32]


def encode(embeddings: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Embeddings float32 (n, 1280) of EfficientNet-Lite0 as codes uint8 (n, 64)."""
    book = codebook()
    whitened = whiten(embeddings, book)
    parts = whitened.reshape(len(whitened), PARTS, -1)
    # Nearest centre: |c|^2 - 2 x.c is least, |x|^2 being the same for all centres.
    square = (book.centres**2).sum(axis=2)
    dots = np.einsum("npd,pcd->npc", parts, book.centres)
    return np.asarray((square - 2.0 * dots).argmin(axis=2), np.uint8)


def decode(codes: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Codes uint8 (..., 64) as unit vectors float32 (..., 128)."""
    centres = codebook().centres
    vectors = centres[np.arange(PARTS), codes].reshape(*codes.shape[:-1], COMPONENTS)
    return unit(vectors)


def whiten(embeddings: NDArray[np.float32], book: Codebook) -> NDArray[np.float32]:
    """Unit-length embeddings, centred, on whitened axes, unit length again: (n, 128)."""
    return unit(np.asarray((unit(embeddings) - book.mean) @ book.axes, np.float32))


def unit(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """Vectors (..., k) at length 1; zero stays zero."""
    length = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return np.asarray(vectors / np.maximum(length, 1e-9), np.float32)


@cache
def codebook() -> Codebook:
    """Read the shipped codebook.

    Raises:
        ModelError: The file is missing or is not one.
    """
    from safetensors.numpy import load_file

    try:
        tensors = load_file(CODEBOOK)
        book = Codebook(*(np.asarray(tensors[name], np.float32) for name in Codebook._fields))
    except (OSError, KeyError, ValueError) as error:
        raise ModelError(f"{CODEBOOK} is missing or damaged; reinstall the program.") from error
    shapes = ((WIDTH,), (WIDTH, COMPONENTS), (PARTS, CENTRES, COMPONENTS // PARTS))
    if tuple(array.shape for array in book) != shapes:
        raise ModelError(f"{CODEBOOK} is of another version; reinstall the program.")
    return book
