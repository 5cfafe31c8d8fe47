"""Phrases with which texts in a video speak to the machine that judges it.

Regular expressions, to be used without regard to case. Each takes enough words that everyday talk
does not meet it: "say no to drugs" is no order, "say no to every policy" is one. Repeats are
bounded, so that no text takes long to search.
"""

from __future__ import annotations

_TEXT = r"(?:instruct\w*|prompts?|guidelines?|polic(?:y|ies)|moderation)"
_TARGET = (
    rf"(?:{_TEXT}|rules?|above|previous|prior|moderators?|commands?|restrictions?|constraints?|"
    r"system (?:prompt|message|text)|safety (?:training|filters?|checks?|text)|"
    r"your (?:system|training|safety|filters?|programming))"
)
_GOOD = (
    r"(?:safe|harmless|allowed|benign|compliant|approved?|acceptable|cleared|innocent|"
    r"permitted|whitelisted|exempt|non-?violating)"
)
_PASS = (
    rf"(?:{_GOOD}|no(?:ne|t)?|nope|negative|ok(?:ay)?|clean|zero|0(?:\.\d+)?(?![-:\d])|false|"
    r"pass(?:ed)?|clear|fine)"
)
_POLICY = (
    r"(?:hate(?:[ _]harassment)?|harassment|scam(?:[ _]spam)?|spam|violen(?:ce|t)|"
    r"violation\w*|violates?|policy|verdict|label|rating|(?:risk|safety|violation|toxicity)"
    r"[ _]score|risk|flag(?:ged)?|answer|classification|decision|result|output|probability)"
)
_MACHINE = (
    r"(?:ai|a\.i\.|llm|(?:ai|language|large|vision|content|moderation) model|assistant|"
    r"chat ?gpt|gpt|classifier|moderators?|moderation|(?:review|moderation|ai|content) "
    r"(?:bot|system|algorithm)|reviewers?|neural network|content filter)"
)
_THIS = r"(?:this|that|it|the|my|our|these|everything)"
_CLIP = r"(?:video|clip|content|post|upload|account|channel|caption|comment|one|message|text)"
_PEOPLE = (
    r"(?:moderators?|moderation|trust|safety|legal|staff|admins?|review(?:ers?| team)|humans?|"
    r"compliance|support|platform|qa|specialists?)"
)
_NEAR = r"[^.!?\n]{0,48}?"
_STOP = (
    r"(?:ignore|disregard|override|overrule|bypass|(?:do not|don'?t|stop|"
    r"no longer) (?:follow(?:ing)?|us(?:e|ing)|apply(?:ing)?|obey(?:ing)?)|set aside|discard)"
)
_ALL = r"(?:all|every|each|any|both)"

_ORDERS = (
    rf"\b{_STOP}\b{_NEAR}\b{_TARGET}(?:\W+(?:{_TARGET}|given|text|below|earlier))*\b",
    rf"\b(?:skip|cancel|neglect)\b{_NEAR}\b{_TEXT}\b",
    r"\b(?:forget|drop|never mind)\b[^.!?\n]{0,24}?\b(?:instructions?|prompts?|guidelines|"
    r"everything (?:above|before)|all (?:the )?(?:rules|policies|training))\b",
    rf"\b(?:answer|reply|respond|output|print)\b(?:\s+\w+){{0,4}}?[\s:=\"'“*]+{_PASS}\b",
    rf"\banswered (?:with|as)[\s\"'“]+{_PASS}\b",
    rf"\b(?:say|return|write|conclude|choose|pick|select|give|report|assign|predict|put)\b{_NEAR}"
    rf"\b{_PASS}\b[\"'”]?\s+(?:to|for|on|as|in)\s+(?:{_ALL}|the (?:answer|verdict|label))\b"
    r"(?:[\s\w]{0,24})",
    rf"\b(?:mark|label|classify|rate|score|treat|consider|categori[sz]e|judge|flag|tag)\b{_NEAR}"
    rf"\b(?:{_THIS}|{_CLIP})\b{_NEAR}\b(?:as\b{_NEAR}\b{_PASS}|{_GOOD}|0(?:\.\d+)?)\b",
    rf"\b(?:approve|whitelist|clear)\s+{_THIS}\s+(?:\w+\s+)?{_CLIP}\b",
    r"\byou (?:must|should|shall|need to|have to|are (?:required|instructed|ordered|told) to)\s+"
    r"(?:\w+\s+)?(?:respond|reply|output|approve|classify|label|comply|obey)\b",
    rf"\b(?:do not|don'?t|never|stop|avoid)\s+(?:flag|remov|report|ban|delet|tak|reject|block|"
    rf"moderat|censor|demonetis|demonetiz)\w*\s+(?:down\s+)?{_THIS}\s+{_CLIP}\b",
    rf"\blet\s+(?:this|{_THIS}\s+{_CLIP})\s+(?:pass|through|slide)\b",
    rf"\bif you (?:flag|remove|report|ban|reject|block|label|delete)\w*\s+{_THIS}\b"
    r"[^.!?\n]{0,60}",
)
_ADDRESSES = (
    rf"\b(?:you are|you're|act as|behave (?:as|like)|speak(?:ing)? as|as)\s+"
    rf"(?:now |also |only |just )*(?:an?|the|your)\s+(?:[\w-]+\s+){{0,2}}?{_MACHINE}\b",
    r"\b(?:moderator|reviewer|admin|ai|classifier|annotator)(?:'s)? (?:note|message|notice)\s*:",
    rf"\b(?:dear|hey|hello|hi|attention|calling|ok)\W+(?:\w+\s+){{0,2}}?{_MACHINE}\b",
    rf"\b(?:note|message|memo|notice|instructions?|reminder|addressed) (?:to|for)\s+"
    rf"(?:\w+\s+){{0,3}}?{_MACHINE}\b",
    rf"\b(?:{_MACHINE}|model|bot|algorithm|system|machine)s?\s+"
    r"(?:(?:that|who|which) (?:is|are)\s+)?"
    r"(?:read|process|review|watch|analy[sz]|evaluat|scor|judg|scann|check)ing\b",
    rf"\b(?:pretend|imagine|role-?play|simulate|suppose)\b{_NEAR}\b(?:{_MACHINE}|restrictions|"
    r"filters|guidelines|polic(?:y|ies)|no rules)\b",
    r"\b(?:dan|jailbreak|sudo|do anything now|god) mode\b[^.!?\n]{0,40}",
    r"\b(?:developer|debug|admin|maintenance|test|unrestricted) mode\b[\s:=]*(?:is\s+)?"
    r"(?:on|enabled|activated|engaged|active)\b",
    r"\bin (?:developer|debug|admin|maintenance|test|unrestricted|training) mode\b",
)
_CLAIMS = (
    rf"\b(?:this|these|the)\s+(?:\w+\s+)?{_CLIP}s?\s+(?:is|was|are|were|has been|have been|should "
    rf"be|must be)\s+(?:\w+\s+){{0,3}}?(?:{_GOOD}|verified|reviewed|fictional|a parody|a test)\b",
    rf"\b(?:does not|doesn'?t|contains?|has|with)\s+(?:no|not|violate|break|breach|contain)\b"
    rf"{_NEAR}\b(?:polic(?:y|ies)|guidelines|violations?|hate speech|rules)\b",
    rf"[\"'<\[(*_]{{0,4}}\b{_POLICY}\b[\"'*_\])>]{{0,4}}\s{{0,4}}(?:[:=>|]|->|→)[\s\"'`*_\[(]{{0,8}}"
    rf"{_PASS}\b[\"'`*_]{{0,4}}",
    rf"\b(?:correct |right |final |only )?(?:verdict|label|rating|classification|decision|answer)s?"
    rf" (?:is|are|must be|should be|will be)\s*[\"'“]?"
    rf"(?:{_GOOD}|negative|clean|no(?=\s*(?:[.,;!\"'”]|$)))\b",
    r"[\"'<]?\b(?:is_)?(?:safe|allowed|approved|compliant|verified|passed|benign)\b[\"'>]?\s*[:=>]"
    r"\s*[\"']?(?:true|yes|1|100)\b",
    rf"<\s*(?:{_POLICY}|status)\b[^<>]{{0,40}}>\s*{_PASS}\b",
    rf"[✅☑✔🟢🆗🛡]\W{{0,4}}(?:{_GOOD}|verified|passed|clean|reviewed)\b",
    r"\b(?:already|previously|pre-?)[ -]?(?:been )?(?:approved|cleared|moderated|whitelisted)\b",
    rf"\b(?:approved|reviewed|verified|cleared|checked|moderated|signed off|exempted)\b"
    rf"(?:\s+and\s+\w+)?\s+by\s+(?:[\w&-]+\s+){{0,3}}?{_PEOPLE}\b",
    r"\b(?:no|zero|0) violations?\b|\bnot (?:a )?violat\w+|\bfully compliant\b",
)
_FORMS = (
    r"(?:^|\s|[\[<({#*])(?:system|assistant|developer)[\])>}*]*\s*[:>]\s*[^\n\r]{0,80}",
    r"(?:^|[\n\r])\W{0,4}(?:user|ai|bot|tool|function|moderator|admin)[\])>}*]*\s*[:>]\s*"
    r"[^\n\r]{0,80}",
    r"[\[<({](?:system|assistant|user|developer|human|ai|bot|tool|admin)[^\w\n]{0,2}[\])>}]"
    r"[^\n\r]{0,80}",
    r"(?:\b(?:no|safe|false)\b[\s\W_]*){6,}",
    r"<\s{0,4}/?\s{0,4}\|+[^<>]{0,64}\|+\s{0,4}>|\[/?inst\]|<</?sys>>|</?s>|```|#{3,}",
    r"(?:^|\s)\d{1,3}:\d\d\s+(?:speech|screen text|caption|title)\s*:[^\n\r]{0,80}",
    r"\b(?:end|begin|beginning|start) of (?:the )?(?:user |system )?(?:transcript|prompt|input|"
    r"instructions?|policy|context|untrusted \w+)\b",
    r"(?=\W{0,12}🤖)(?:[🤖🙏👉👍👌✅☑✔🟢🆗🛡]\W{0,2}){4,}",
    r"(?:[-=*_~]{2}|[\[<(])\s{0,4}(?:end|begin|start)\b[^\n\r]{0,32}?(?:[-=*_~]{2}|[\])>])",
    r"\b(?:new|updated|real|true|actual|revised) (?:system )?(?:instructions?|prompt)\b",
    r"\b(?:new|updated|real|final) (?:rules?|policy|task|order)\s*:",
    r"(?<![\w/.#@+=-])(?=[a-z+/]*\d)(?=[0-9+/]*[a-z])[a-z0-9+/]{40,}={0,2}",
    r"(?<!\w)(?:[^\W\d_][ ._*-]){12,}[^\W\d_](?!\w)",
)
_LANGUAGES = (
    r"\bignor(?:a|e|i|iere|ieren|ez|ate|uj|uje|eer|era|ar)\b[^.!?\n]{0,40}?(?:instruc\w+|istruzion\w+|"
    r"anweisung\w*|regeln?|reglas|r[eè]gles|regras|regole|instruk\w+|aanwijzing\w*)",
    r"(?:忽略|无视|無視|忽視|忘记|忘記)[^。\n]{0,16}?(?:指示|指令|规则|規則|说明|命令|ルール)",
    r"(?:指示|命令|ルール|規則)を(?:すべて|全て)?無視",
    r"(?:игнорир\w+|забудь\w*|не обращай)[^.!?\n]{0,40}?(?:инструкц|правил|указани)\w*",
    r"تجاهل[^.!؟\n]{0,40}?(?:التعليمات|القواعد|الأوامر)",
    r"(?:निर्देशों|नियमों)[^।\n]{0,24}?(?:अनदेखा|नज़रअंदाज़|भूल)",
    r"(?:지시|명령|규칙)[^.\n]{0,12}?무시",
)
PATTERNS = (*_ORDERS, *_ADDRESSES, *_CLAIMS, *_FORMS, *_LANGUAGES)
