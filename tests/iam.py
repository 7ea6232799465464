"""What IAM says to a request, by the identity policies of a role alone: enough of it for the policies in examples/iam.

Written for these tests, for no evaluator on PyPI knows conditions and is kept up. From the IAM user guide: "Policy evaluation logic",
"JSON policy elements: Condition operators", "Creating a condition with multiple keys or values". What it does not know is an error.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

Context = Mapping[str, Sequence[str]]


def allowed(policies: Sequence[Mapping[str, Any]], action: str, resource: str, context: Context | None = None) -> bool:
    """Return whether one of the policies allows a request and none denies it."""
    known = {key.lower(): list(values) for key, values in (context or {}).items()}
    effects = {s["Effect"] for p in policies for s in p["Statement"] if _applies(s, action, resource, known)}
    return "Allow" in effects and "Deny" not in effects


def actions(policy: Mapping[str, Any]) -> set[str]:
    """Return all actions that a policy names."""
    return {action for statement in policy["Statement"] for action in several(statement["Action"])}


def several(value: Any) -> list[Any]:
    """Return a value of a policy, which may be one or a list, as a list."""
    return list(value) if isinstance(value, list) else [value]


def matches(pattern: str, value: str) -> bool:
    """Match as IAM does: `*` is any text, slashes and colons included, `?` one character."""
    return re.fullmatch("".join({"*": ".*", "?": "."}.get(c, re.escape(c)) for c in pattern), value, re.DOTALL) is not None


def _applies(statement: Mapping[str, Any], action: str, resource: str, context: Context) -> bool:
    unknown = statement.keys() - {"Sid", "Effect", "Action", "Resource", "Principal", "Condition"}
    assert not unknown, f"the evaluator does not know {unknown}"
    # A trust policy has no resource: it is about the role that it belongs to.
    return (
        any(matches(a.lower(), action.lower()) for a in several(statement["Action"]))
        and any(matches(r, resource) for r in several(statement.get("Resource", "*")))
        and all(_holds(op, key, several(v), context) for op, keys in statement.get("Condition", {}).items() for key, v in keys.items())
    )


def _holds(operator: str, key: str, wanted: Sequence[str], context: Context) -> bool:
    values = context.get(key.lower())
    if operator == "Null":
        return [str(values is None).lower()] == [str(w).lower() for w in wanted]
    if operator.startswith("ForAllValues:"):
        # True where the key is not there at all, so that Null has to stand beside it.
        test = _OPERATORS[operator.removeprefix("ForAllValues:")]
        return all(any(test(w, v) for w in wanted) for v in values or ())
    return values is not None and len(values) == 1 and any(_OPERATORS[operator](w, values[0]) for w in wanted)


def _arn_matches(pattern: str, arn: str) -> bool:
    """Match part by part: of the six parts of an ARN a `*` covers one, never a colon between them."""
    parts, given = pattern.split(":", 5), arn.split(":", 5)
    return len(parts) == len(given) == 6 and all(matches(p, g) for p, g in zip(parts, given, strict=True))


_OPERATORS: dict[str, Callable[[str, str], bool]] = {
    "StringEquals": lambda wanted, value: wanted == value,
    "StringLike": matches,
    # ArnEquals and ArnLike behave identically (IAM user guide).
    "ArnEquals": _arn_matches,
    "ArnLike": _arn_matches,
}
