"""The banks of originals as a table."""

from __future__ import annotations

from collections.abc import Sequence

from coefvq.review.banks import BankView
from reviewer_ui.components.people import listing
from reviewer_ui.markup import Markup, clock, h, stamp

COLUMNS = ("Bank", "What it is for", "Originals", "Length", "Looks", "Newest")
MEANT = {
    "library": "videos of the library; the worker fills it",
    "originals": "known originals, and what reviewers confirmed",
    "do_not_match": "footage that proves nothing, such as an intro",
}


def table(found: Sequence[BankView]) -> Markup:
    """Name, counts, newest; or how to begin."""
    about = h('<p class="muted">Copies are looked for of what is in these banks. '
              "<code>coefvq originality</code> adds.</p>")  # fmt: skip
    if not found:
        return about + h("<p>No originals yet.</p>")
    rows = listing(COLUMNS, [_row(bank) for bank in found])
    return about + h('<div class="scroll" tabindex="0">{}</div>', rows)


def remove_form() -> Markup:
    """The form that takes an original out of a bank."""
    return h(
        '<details class="adding"><summary>Remove an original</summary>'
        '<form data-form="remove_original"><div class="fields"><label class="text">Bank'
        '<input name="bank" maxlength="64" autocomplete="off" spellcheck="false" required></label>'
        '<label class="text">Name, as it was added<input name="reference" maxlength="1024"'
        ' autocomplete="off" spellcheck="false" required></label></div>'
        '<p class="muted">Its fingerprint is deleted: no copy of it is found any more, and videos '
        "that matched it are scored again. It can be added again from its file.</p>"
        '<div><button type="submit" class="primary">Remove</button></div></form></details>'
    )


def _row(bank: BankView) -> tuple[object, ...]:
    same = bank.references - bank.files
    count = f"{bank.references:,}" + (f" ({same:,} of a file that is there)" if same else "")
    if bank.outdated:
        count += f", {bank.outdated:,} to be added again: of an older version"
    return (
        h("<b>{}</b>", bank.name),
        MEANT.get(bank.name, "a bank of your own"),
        count,
        clock(bank.duration_s),
        f"{bank.frames:,}",
        stamp(bank.newest),
    )
