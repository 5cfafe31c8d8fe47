"""A routing policy in plain words: what it escalates, passes and flags."""

from __future__ import annotations

from coefvq.routing.entropy import EntropyRouting, unsure_band
from coefvq.routing.objective import Objective
from coefvq.routing.policy import RoutingPolicy

_SCALES = {
    "entropy": "uncertainty (bits)",
    "margin": "nearness to one half",
    "bayes_risk": "expected cost of a wrong answer",
    "learned": "expected gain of asking the MLLM",
    "similar": "expected gain among similar cases",
}


def rule(policy: RoutingPolicy) -> str:
    """The rule, and that ``auto`` chose it where it did."""
    name = policy.rule.replace("_", " ")
    return f"{name}, chosen by auto" if policy.requested == "auto" else name


def objective(goal: Objective) -> str:
    """What the fit was for."""
    if goal.name == "ap":
        return "average precision"
    if goal.name == "cost":
        return f"cost: a miss {goal.cost_fn:g}, a false alarm {goal.cost_fp:g}"
    return "F1"


def thresholds(policy: RoutingPolicy) -> tuple[str, ...]:
    """What is done with a video, a line a step."""
    cut = policy.thresholds
    scale = _SCALES.get(policy.rule, "the rule's score")
    moves = "moves to hold the budget" if policy.tracked else "stays: it is certified"
    lines = [
        f"asks the MLLM from {scale} {cut.escalate_from:.4g} ({moves}), "
        f"at most {policy.budget:.1%} of the videos",
        f"passes below {cut.pass_below:.3f}, flags from {cut.flag_from:.3f}"
        + (", a person between them" if cut.pass_below < cut.flag_from else ""),
    ]
    if policy.human is None:
        lines.append("after the MLLM the settings say who goes to a person")
    else:
        lines.append(f"after the MLLM a person where the risk is above {policy.human.limit:.4g}")
    audit = policy.audit
    lines.append(f"draws {audit.people:.1%} for people and {audit.mllm:.1%} for the MLLM at random")
    return tuple(lines)


def settings_rule(entropy: EntropyRouting, audit_share: float) -> tuple[str, ...]:
    """The rule that holds where nothing is published."""
    lines = []
    for stage, bits, then in (
        ("asks the MLLM", entropy.threshold, "no budget"),
        ("after the MLLM a person", entropy.human_threshold, "else automatic"),
    ):
        band = unsure_band(bits)
        where = "nowhere" if band is None else f"between {band[0]:.3f} and {band[1]:.3f}"
        lines.append(f"{stage} {where} ({bits:g} bits), {then}")
    lines.append("passes below 0.5, flags from 0.5")
    lines.append(f"draws {audit_share:.1%} for people at random")
    return tuple(lines)
