from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from coefvq.domain import PostedText
from coefvq.learning.fit_text import TextExample, design_matrix, fit_examples, fit_text, placements
from coefvq.prefilter.text import BUCKETS, TextRow, fit_idf, text_counts, weigh

SPAM = [f"free gift {n}" for n in range(20)]
TALK = [f"nice song {n}" for n in range(20)]


def _rows() -> tuple[list[TextRow], np.ndarray]:
    counts = [text_counts(PostedText(text)) for text in SPAM + TALK]
    idf = fit_idf(counts)
    return [weigh(found, idf) for found in counts], np.array([1.0] * 20 + [0.0] * 20)


@pytest.mark.parametrize(
    ("title", "caption", "expected"),
    [
        ("t", "c", [("t", "c"), (None, "t\nc"), ("t\nc", None)]),
        ("t", None, [("t", None), (None, "t"), ("t", "")]),
        (None, "c", [("c", None), (None, "c"), ("c", "")]),
    ],
)
def test_placements(
    title: str | None, caption: str | None, expected: list[tuple[str | None, str | None]]
) -> None:
    assert [(place.title, place.caption) for place in placements(title, caption)] == expected


def test_the_fit_agrees_with_scikit_learn() -> None:
    rows, labels = _rows()
    ours = fit_text(rows, labels, np.ones(40), strength=3.0).logits(rows)
    matrix = design_matrix(rows)[:, :-1]
    theirs = LogisticRegression(C=3.0, tol=1e-8, max_iter=2000).fit(matrix, labels)
    assert ours == pytest.approx(theirs.decision_function(matrix), abs=0.02)


def test_words_that_were_learnt_carry_over() -> None:
    rows, labels = _rows()
    idf = fit_idf(text_counts(PostedText(text)) for text in SPAM + TALK)
    found = fit_text(rows, labels, np.ones(40))
    spam, talk = (
        weigh(text_counts(PostedText(None, text)), idf) for text in ("a free gift", "a nice song")
    )
    logits = found.logits([spam, talk])
    assert logits[0] > 0.5 and logits[1] < -0.5
    assert found.table.shape == (2 * BUCKETS,)


def test_weights_decide_between_contradicting_examples() -> None:
    counts = text_counts(PostedText("free gift"))
    idf = fit_idf([counts])
    examples = [TextExample(counts, 1, 5.0), TextExample(counts, 0, 1.0)]
    row = weigh(counts, idf)
    assert fit_examples(examples, idf, 3.0).logits([row])[0] > 0


def test_the_fit_repeats() -> None:
    rows, labels = _rows()
    first, second = (fit_text(rows, labels, np.ones(40)) for _ in range(2))
    assert (first.table == second.table).all() and first.bias == second.bias
