"""``python app.py``: settings, store, pages, serve."""

from __future__ import annotations

import sys

from coefvq.errors import CoefVQError
from coefvq.settings import load_settings
from reviewer_ui.serve import serve


def main() -> int:
    """Serve the review pages on http://127.0.0.1:7860 until stopped."""
    try:
        serve(load_settings())
    except CoefVQError as error:
        print(f"coefvq: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
