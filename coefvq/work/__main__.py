"""``python -m coefvq.work``: the child that ``start_background_worker`` starts."""

from __future__ import annotations

import logging
import sys

from coefvq.settings import load_settings
from coefvq.store.tables import JobKind
from coefvq.work.process import run_child

if __name__ == "__main__":
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(name)s %(message)s")
    run_child(
        load_settings(),
        sys.argv[1] if len(sys.argv) > 1 else None,
        kinds=[JobKind(name) for name in sys.argv[2:]] or None,
    )
