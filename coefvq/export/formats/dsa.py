"""Statements of reasons as the EU's DSA Transparency Database takes them.

Attributes and values: transparency.dsa.ec.europa.eu, "API and Schema" (Article 17 and 24(5) DSA).
A statement holds no personal data: no title, no name, no comment.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from coefvq.export.formats.base import UNASKED_ACTION, Format
from coefvq.export.records import Answer, Video
from coefvq.review.form import action_name
from coefvq.store.decisions import VIOLATION
from coefvq.taxonomy import OTHER_REASON, Policy, Taxonomy

FILE_NAME = "statements.jsonl"
VISIBILITY = {
    "age_gate": "DECISION_VISIBILITY_CONTENT_AGE_RESTRICTED",
    "restrict": "DECISION_VISIBILITY_CONTENT_DEMOTED",
    "remove": "DECISION_VISIBILITY_CONTENT_REMOVED",
    "remove_notify": "DECISION_VISIBILITY_CONTENT_REMOVED",
}
OTHER_VISIBILITY = "DECISION_VISIBILITY_OTHER"
NO_RESTRICTION = frozenset({"keep", "warn", "notice"})
"""What takes nothing away from anybody needs no statement."""
OTHER_CATEGORY = "STATEMENT_CATEGORY_OTHER_VIOLATION_TC"
CATEGORY = {
    "violence": ("STATEMENT_CATEGORY_VIOLENCE", None),
    "hate_harassment": ("STATEMENT_CATEGORY_ILLEGAL_OR_HARMFUL_SPEECH", None),
    "sexual": (OTHER_CATEGORY, "KEYWORD_ADULT_SEXUAL_MATERIAL"),
    "scam_spam": ("STATEMENT_CATEGORY_SCAMS_AND_FRAUD", None),
}
"""Built-in policies; all others break the platform's own terms and nothing else is known."""
_GROUND_LIMIT, _TEXT_LIMIT, _FACTS_LIMIT, _OTHER_LIMIT = 500, 2000, 5000, 500


class Dsa(Format):
    """``statements.jsonl``: one statement a decision that restricts a video."""

    name = "dsa"
    title = "DSA: statements of reasons for the EU's transparency database"
    needs_file = False
    texts = False
    of_snapshot = False

    def add(self, video: Video) -> int:
        """Of each task the decision that stands last."""
        count = 0
        for answer in {each.task: each for each in video.answers}.values():
            if not answer.violated or answer.action in NO_RESTRICTION:
                self.context.left_out[UNASKED_ACTION] += 1
                continue
            self.out.line(FILE_NAME, statement(video, answer, self.context.rules))
            count += 1
        return count

    def how(self) -> str:
        """What is left to the operator."""
        return (
            'Each line is one statement; send at most 100 at once as `{"statements": [...]}` to '
            "`/api/v1/statements`. **Left to you, who answer for the service:** "
            "`territorial_scope`, `content_language`, `decision_ground_reference_url`, whether "
            "content is illegal (every ground here is the terms and conditions), measures on "
            "accounts and money, end dates, and the category of policies of your own. What the "
            "machine alone decided is not in here: nobody took a decision on it.\n"
        )


def statement(video: Video, answer: Answer, rules: Taxonomy) -> dict[str, Any]:
    """One statement of reasons."""
    policies = _gravest_first(answer.violated, rules)
    categories = list(dict.fromkeys(_category(policy)[0] for policy in policies))
    keywords = [word for policy in policies if (word := _category(policy)[1])]
    made: dict[str, Any] = {
        **_visibility(answer),
        "decision_ground": "DECISION_GROUND_INCOMPATIBLE_CONTENT",
        "incompatible_content_ground": _ground(policies, rules),
        "incompatible_content_explanation": _explanation(answer, policies, rules),
        "content_type": ["CONTENT_TYPE_VIDEO"],
        "category": categories[0],
        "application_date": f"{answer.decided_at:%Y-%m-%d}",
        "decision_facts": _facts(answer),
        "source_type": "SOURCE_VOLUNTARY",
        "automated_detection": "Yes" if _was_detected(answer) else "No",
        "automated_decision": "AUTOMATED_DECISION_PARTIALLY" if answer.seen
        else "AUTOMATED_DECISION_NOT_AUTOMATED",
        "puid": answer.decision_id,
    }  # fmt: skip
    if video.uploaded_at is not None:
        made["content_date"] = f"{video.uploaded_at:%Y-%m-%d}"
    if categories[1:]:
        made["category_addition"] = categories[1:]
    if keywords:
        made["category_specification"] = keywords
    return made


def _visibility(answer: Answer) -> dict[str, Any]:
    known = VISIBILITY.get(answer.action)
    if known is not None:
        return {"decision_visibility": [known]}
    return {"decision_visibility": [OTHER_VISIBILITY],
            "decision_visibility_other": action_name(answer.action)[:_OTHER_LIMIT]}  # fmt: skip


def _gravest_first(policies: Sequence[str], rules: Taxonomy) -> list[str]:
    known = rules.policies
    return sorted(policies, key=lambda name: -known[name].severity if name in known else 0)


def _category(policy: str) -> tuple[str, str | None]:
    return CATEGORY.get(policy, (OTHER_CATEGORY, None))


def _ground(policies: Sequence[str], rules: Taxonomy) -> str:
    names = " and ".join(_name(policy, rules) for policy in policies)
    return f"Terms and conditions: rule on {names}."[:_GROUND_LIMIT]


def _explanation(answer: Answer, policies: Sequence[str], rules: Taxonomy) -> str:
    lines = []
    for name in policies:
        rule: Policy | None = rules.policies.get(name)
        reason = answer.reasons.get(name) or OTHER_REASON
        found = f" Found: {reason}." if reason != OTHER_REASON else ""
        lines.append(f"{_name(name, rules)}: {rule.guideline if rule else ''}{found}")
    return " ".join(lines)[:_TEXT_LIMIT]


def _name(policy: str, rules: Taxonomy) -> str:
    rule = rules.policies.get(policy)
    return rule.name if rule else policy


def _facts(answer: Answer) -> str:
    how = (
        "after seeing the answer of an automatic assessment"
        if answer.seen
        else "without being shown an automatic assessment"
    )
    came = (
        "The video was drawn at random for a check."
        if answer.audit
        else "The video was assessed by automatic means and sent to a person."
        if _was_detected(answer)
        else "The video was looked at by a person."
    )
    span = ""
    if answer.start_s is not None and answer.end_s is not None:
        span = f" What decided it is at {answer.start_s:.0f} to {answer.end_s:.0f} seconds."
    return f"{came} A person watched it and decided {how}.{span}"[:_FACTS_LIMIT]


def _was_detected(answer: Answer) -> bool:
    """Whether automatic means brought it up: they were unsure, or took it for a violation."""
    doubted = answer.verdict not in (None, "ok")
    flagged = any(said.label == VIOLATION for said in answer.machine.values())
    return not answer.audit and (doubted or flagged)
