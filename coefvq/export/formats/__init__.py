"""The formats by name. Their modules import nothing heavy until they write."""

from __future__ import annotations

from coefvq.export.formats.base import Format
from coefvq.export.formats.csv import Csv
from coefvq.export.formats.dsa import Dsa
from coefvq.export.formats.hf import HuggingFace
from coefvq.export.formats.label_studio import LabelStudio
from coefvq.export.formats.llama_factory import LlamaFactory
from coefvq.export.formats.llava import Llava
from coefvq.export.formats.ms_swift import MsSwift
from coefvq.export.formats.trl import Trl

FORMATS: dict[str, type[Format]] = {
    each.name: each
    for each in (MsSwift, LlamaFactory, Llava, HuggingFace, Trl, LabelStudio, Csv, Dsa)
}
"""Name to format, in the order that they are offered in."""
