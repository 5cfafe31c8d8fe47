"""What the tools document of their formats, as JSON schemas."""

from __future__ import annotations

from typing import Any

TEXT = {"type": "string"}
PATHS = {"type": "array", "items": TEXT, "minItems": 1, "maxItems": 1}


def _turn(roles: list[str], key: str = "role", value: str = "content") -> dict[str, Any]:
    return {"type": "object", "required": [key, value],
            "properties": {key: {"enum": roles}, value: TEXT}}  # fmt: skip


def _talk(*roles: str) -> dict[str, Any]:
    turns = [_turn([role]) for role in roles]
    return {"type": "array", "prefixItems": turns, "items": False, "minItems": len(turns)}


WHOLE = _talk("system", "user", "assistant")
ASKED = _talk("system", "user")

MS_SWIFT = {  # swift.readthedocs.io, "Custom Dataset": messages, rejected_response, label, videos
    "type": "object", "required": ["messages", "videos"],
    "properties": {"messages": WHOLE, "videos": PATHS,
                   "rejected_response": {"enum": ["Yes", "No"]}},
    "not": {"required": ["label"]},
}  # fmt: skip
MS_SWIFT_PREFERENCE = MS_SWIFT | {"required": ["messages", "videos", "rejected_response"]}
MS_SWIFT_CLASSES = {
    "type": "object", "required": ["messages", "videos", "label"],
    "properties": {"messages": _talk("user"), "videos": PATHS,
                   "label": {"type": "array", "items": {"type": "integer", "minimum": 0},
                             "uniqueItems": True}},
}  # fmt: skip
LLAMA_FACTORY = {  # LLaMA-Factory, data/README.md
    "type": "object", "required": ["messages", "videos"],
    "properties": {"messages": WHOLE, "videos": PATHS},
}  # fmt: skip
LLAMA_FACTORY_PREFERENCE = {
    "type": "object", "required": ["messages", "chosen", "rejected", "videos"],
    "properties": {"messages": ASKED, "chosen": _turn(["assistant"]),
                   "rejected": _turn(["assistant"]), "videos": PATHS},
}  # fmt: skip
DATASET_INFO = {
    "type": "object", "minProperties": 1,
    "additionalProperties": {
        "type": "object", "required": ["file_name", "formatting", "columns", "tags"],
        "properties": {
            "file_name": TEXT, "formatting": {"enum": ["alpaca", "sharegpt"]},
            "ranking": {"type": "boolean"},
            "columns": {"type": "object", "additionalProperties": TEXT,
                        "propertyNames": {"enum": ["messages", "videos", "images", "audios",
                                                   "system", "chosen", "rejected", "kto_tag"]}},
            "tags": {"type": "object", "additionalProperties": TEXT,
                     "required": ["role_tag", "content_tag", "user_tag", "assistant_tag",
                                  "system_tag"]},
        },
        "additionalProperties": False,
    },
}  # fmt: skip
LLAVA = {
    "type": "object", "required": ["id", "video", "conversations"],
    "properties": {"id": TEXT, "video": TEXT, "conversations": {
        "type": "array", "prefixItems": [_turn(["human"], "from", "value"),
                                         _turn(["gpt"], "from", "value")],
        "items": False, "minItems": 2}},
}  # fmt: skip
DAY = {"type": "string", "pattern": r"^20\d\d-\d\d-\d\d$"}
DSA = {  # transparency.dsa.ec.europa.eu, "API and Schema", of July 2025
    "type": "object",
    "required": ["decision_visibility", "decision_ground", "incompatible_content_ground",
                 "incompatible_content_explanation", "content_type", "category",
                 "content_date", "application_date", "decision_facts", "source_type",
                 "automated_detection", "automated_decision", "puid"],
    "properties": {
        "decision_visibility": {"type": "array", "minItems": 1, "items": {"enum": [
            f"DECISION_VISIBILITY_{name}" for name in
            ("CONTENT_REMOVED", "CONTENT_DISABLED", "CONTENT_DEMOTED", "CONTENT_AGE_RESTRICTED",
             "CONTENT_INTERACTION_RESTRICTED", "CONTENT_LABELLED", "OTHER")]}},
        "decision_visibility_other": {"type": "string", "maxLength": 500},
        "decision_ground": {"enum": ["DECISION_GROUND_ILLEGAL_CONTENT",
                                     "DECISION_GROUND_INCOMPATIBLE_CONTENT"]},
        "incompatible_content_ground": {"type": "string", "minLength": 1, "maxLength": 500},
        "incompatible_content_explanation": {"type": "string", "minLength": 1, "maxLength": 2000},
        "content_type": {"const": ["CONTENT_TYPE_VIDEO"]},
        "category": {"enum": [f"STATEMENT_CATEGORY_{name}" for name in (
            "ANIMAL_WELFARE", "CONSUMER_INFORMATION", "CYBER_VIOLENCE",
            "CYBER_VIOLENCE_AGAINST_WOMEN", "DATA_PROTECTION_AND_PRIVACY_VIOLATIONS",
            "ILLEGAL_OR_HARMFUL_SPEECH", "INTELLECTUAL_PROPERTY_INFRINGEMENTS",
            "NEGATIVE_EFFECTS_ON_CIVIC_DISCOURSE_OR_ELECTIONS", "NOT_SPECIFIED_NOTICE",
            "OTHER_VIOLATION_TC", "PROTECTION_OF_MINORS", "RISK_FOR_PUBLIC_SECURITY",
            "SCAMS_AND_FRAUD", "SELF_HARM", "UNSAFE_AND_PROHIBITED_PRODUCTS", "VIOLENCE")]},
        "category_addition": {"type": "array", "items": {"type": "string"}, "uniqueItems": True},
        "category_specification": {"type": "array", "items": {"pattern": "^KEYWORD_"}},
        "content_date": DAY, "application_date": DAY,
        "decision_facts": {"type": "string", "minLength": 1, "maxLength": 5000},
        "source_type": {"enum": ["SOURCE_ARTICLE_16", "SOURCE_TRUSTED_FLAGGER",
                                 "SOURCE_TYPE_OTHER_NOTIFICATION", "SOURCE_VOLUNTARY"]},
        "automated_detection": {"enum": ["Yes", "No"]},
        "automated_decision": {"enum": ["AUTOMATED_DECISION_FULLY", "AUTOMATED_DECISION_PARTIALLY",
                                        "AUTOMATED_DECISION_NOT_AUTOMATED"]},
        "puid": {"type": "string", "minLength": 1, "maxLength": 500},
    },
    "additionalProperties": False,
}  # fmt: skip
