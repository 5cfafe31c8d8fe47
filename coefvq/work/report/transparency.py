"""Figures for transparency reports under Regulation (EU) 2022/2065, Articles 15, 24 and 42.

The Regulation's points in our own words, and the figures of this system beside them. What it
cannot know is said to be unknown, never left out and never zero.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from coefvq import taxonomy
from coefvq.domain import RouteName
from coefvq.work.report.model import Seconds, Section, Table, median
from coefvq.work.report.quality import Audits, indicators, overturned, times_to_answer
from coefvq.work.report.read import AUTOMATIC, Decided, Found
from coefvq.work.report.work_done import action_name, policy_name

UNKNOWN = "not known here"
BY_MACHINE = "automated means, no person looked"
BY_MACHINE_THEN_PERSON = "automated means, a person decided"
BY_AUDIT = "random audit, a person decided"
BY_PERSON = "found by a person, who decided"
NO_ACTION = "Flagged; the platform's own action is not known here"
_NOT_KEPT = (
    ("15(1)(a)", "Orders of authorities: number, median time to act on them"),
    ("15(1)(b)", "Notices by users and trusted flaggers: number, action taken, median time"),
    ("24(1)(a)", "Disputes before out-of-court bodies: number, outcomes, median time"),
    ("24(1)(b)", "Suspensions for misuse: manifestly illegal content, unfounded notices, "
                 "unfounded complaints"),
    ("24(2)", "Average monthly active recipients in the Union"),
    ("42(2)(a)", "People who moderate, for each official language of the Union"),
    ("42(2)(b)", "Their qualifications, linguistic expertise, training and support"),
    ("42(2)(c)", "Accuracy of automated means for each official language"),
    ("42(3)", "Average monthly recipients for each Member State"),
)  # fmt: skip


def transparency(found: Found, audits: Audits) -> Section:
    """The figures in one place."""
    texts = (
        "Measures on the provider's own initiative, use of automated means with its accuracy, and "
        "complaints, as they stand in this system. A decision belongs to the month in which it was "
        "taken. Languages of videos and people are not recorded.",
    )
    tables = (_measures(found), _automated(audits), _complaints(found), _people(found), _rest())
    return Section("transparency", "Transparency figures (Digital Services Act)", texts, tables)


def _measures(found: Found) -> Table:
    counted = Counter(_by_people(found)) + Counter(_by_machine(found))
    rows = tuple((*key, number) for key, number in sorted(counted.items()))
    columns = ("Ground (policy)", "Restriction", "Detected and decided by", "Number")
    note = (
        "A decision that finds several policies violated counts under each. Whether a ground is "
        "illegal content or the provider's own terms is not known here."
    )
    return Table("measures", "Own-initiative measures, Article 15(1)(c)", columns, rows, note)


def _by_people(found: Found) -> Iterator[tuple[str, str, str]]:
    for each in found.decided:
        for policy in each.violated:
            yield policy_name(policy), action_name(each.action), method(each)


def _by_machine(found: Found) -> dict[tuple[str, str, str], int]:
    """Flagged and not looked at by anybody."""
    counted: Counter[tuple[str, str, str]] = Counter()
    for each in found.scored:
        if each.route == RouteName.AUTO_FLAG.value and each.open:
            ground = policy_name(each.policy) if each.policy else UNKNOWN
            counted[ground, NO_ACTION, BY_MACHINE] += each.open
    return counted


def method(decided: Decided) -> str:
    """How the video came to the person who decided."""
    if decided.audit:
        return BY_AUDIT
    if decided.route in AUTOMATIC or decided.route is None:
        return BY_PERSON
    return BY_MACHINE_THEN_PERSON


def _automated(audits: Audits) -> Table:
    note = (
        "Every video is scored by a cascade of two models; what they are unsure of goes to people, "
        "and a random share of what they settle is checked by people too. Purpose: to find "
        "videos that may break a policy. Safeguards: thresholds with a certified miss rate where "
        "a routing policy has one, random audits, independent second looks, appeals."
    )
    columns = ("Task", "Indicator", "Value")
    caption = "Use of automated means: accuracy and error, Article 15(1)(e)"
    return Table("automated", caption, columns, tuple(indicators(audits)), note)


def _complaints(found: Found) -> Table:
    row = (
        len(found.filed),
        len(found.resolved),
        sum(each.state == "upheld" for each in found.resolved),
        sum(each.state == "overturned" for each in found.resolved),
        overturned(found),
        median(times_to_answer(found)) if found.resolved else Seconds(None),
        UNKNOWN,
    )
    columns = ("Received", "Decided", "Upheld", "Reversed", "Share reversed",
               "Median time to a decision", "Basis of the complaint")  # fmt: skip
    caption = "Complaints in the internal system, Article 15(1)(d)"
    return Table("complaints", caption, columns, (row,))


def _people(found: Found) -> Table:
    deciding = {each.reviewer for each in found.decided}
    row = (len(deciding), len(found.decided), len(taxonomy.policies()))
    columns = ("People who decided", "Their decisions", "Policies in force")
    return Table("people", "People in moderation, Article 15(1)(c) and 42(2)", columns, (row,))


def _rest() -> Table:
    rows = tuple((article, what, UNKNOWN) for article, what in _NOT_KEPT)
    note = "The provider adds these from its own records."
    return Table("unknown", "Figures that this system does not keep",
                 ("Article", "Figure", "Value"), rows, note)  # fmt: skip
