"""The policies of examples/iam, compared with what the operator and the plugin called AWS for. Pure but for reading the policies and pages."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType

from tests.iam import actions, allowed
from tests.iam_policies import NO_CALL_OF_OURS, POLICIES, VALUES
from tests.proof.usage import Call

ROOT = Path(__file__).parents[2]
LEDGER = ("ledger-writer", "ledger-table")
# Without a role for the ledger it is written with the operator's own identity.
OWN = ("operator", *LEDGER)
ENVIRONMENT = ("observer", "deployer", "continue", "registry-retag", "event-queue", "notifications")
LEDGER_ROLE = "ledger"
"""The role that the suite's operators write the ledger with; all others are of Environments, or of their registries."""
PLUGIN_PAGES = ("reference/plugin.md", "how-to/adopt.md", "how-to/publish.md", "how-to/aws-access.md")

NOTHING: Mapping[Call, int] = MappingProxyType({})
NO_RIGHT_NEEDED = {"sts:GetCallerIdentity": "answered to everybody, even where a policy denies it (API reference)"}
UNSEEN = {action: why for action, why in NO_CALL_OF_OURS.items() if action != "sts:AssumeRole"}
"""Rights that no call has the name of, and why they are needed."""


def faults(
    operator: Mapping[Call, int], plugin: Mapping[Call, int], unseen: Mapping[str, str] = UNSEEN, board: Mapping[Call, int] = NOTHING
) -> Iterator[str]:
    """Say what was called and is not granted, and what is granted and was never called."""
    for call in sorted(operator, key=lambda c: (c.action, c.role, c.partition)):
        if call.action not in NO_RIGHT_NEEDED and not _granted(call):
            where = f" of {call.partition} in the ledger" if call.partition else ""
            yield f"{call.action}{where}: the operator calls it as {call.role or 'itself'}, and no policy for that allows it"
    used = {call.action for call in operator}
    for name in (*ENVIRONMENT, *OWN):
        for action in sorted(actions(POLICIES[name]) - used - unseen.keys()):
            yield f"{action}: {name}.json allows it, and no test called it; take it out, test what needs it, or say why in UNSEEN"
    for action in sorted(unseen.keys() & used):
        yield f"{action}: its justification is not needed: take it out"
    yield from _plugins_faults({call.action for call in plugin})
    for action in sorted({call.action for call in board} - actions(POLICIES["ledger-reader"])):
        yield f"{action}: the board calls it, and ledger-reader.json does not allow it"


def _plugins_faults(used: set[str]) -> Iterator[str]:
    """Whoever types a command has rights of their own: what they need is documented, or what mode Observe needs; of the ledger there is a policy."""
    pages = "\n".join((ROOT / "docs" / page).read_text() for page in PLUGIN_PAGES)
    for action in sorted(used - NO_RIGHT_NEEDED.keys() - actions(POLICIES["observer"])):
        if f"`{action}`" not in pages and f'"{action}"' not in pages:
            yield f"{action}: kubectl ecs-release calls it, and none of {', '.join(PLUGIN_PAGES)} says so"
    for action in sorted(actions(POLICIES["ledger-reader"]) - used):
        yield f"{action}: ledger-reader.json allows it, and kubectl ecs-release never called it"


def table(operator: Mapping[Call, int], plugin: Mapping[Call, int], board: Mapping[Call, int] = NOTHING) -> list[str]:
    """Tell each action, with the number of calls."""
    lines: list[str] = []
    for name, calls in (("operator", operator), ("plugin", plugin), ("board", board)):
        counts: Counter[str] = Counter()
        for call, count in calls.items():
            counts[f"{call.action} {call.partition}".rstrip()] += count
        lines += [f"{count:>9}  {name}: {action}" for action, count in sorted(counts.items())]
    return lines


def _granted(call: Call) -> bool:
    names = OWN if not call.role else LEDGER if call.role == LEDGER_ROLE else ENVIRONMENT
    policies = [POLICIES[name] for name in names]
    if call.partition:
        return allowed(policies, call.action, VALUES["ledger_arn"], {"dynamodb:LeadingKeys": [call.partition]})
    return any(call.action in actions(policy) for policy in policies)
