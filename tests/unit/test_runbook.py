"""Whoever is woken finds what to do: the runbook has a section for each Stalled reason and each alert, and alerts lead there."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import yaml

from ecs_release.api.conditions import Reason
from ecs_release.domain.decision import attempts
from ecs_release.domain.sets import decision
from ecs_release.domain.verification.judgement import Verdict

ROOT = Path(__file__).parents[2]
RUNBOOK = ROOT / "docs" / "how-to" / "runbook.md"
RULES = ROOT / "examples" / "monitoring" / "rules.yaml"
TEMPLATE = ROOT / "charts" / "ecs-release-operator" / "templates" / "metrics.yaml"
ROOMS = [ROOT / "operator" / "ecs_release" / room for room in ("domain", "engine", "aws")]
STALLING = {"stalled": 0, "Blocked": 0, "Denied": None}
"""Calls that make something Stalled, and which argument is the reason."""
PARTS = ("Means", "Do", "Ignore it")


def sections() -> dict[str, str]:
    """Return the runbook's sections by their heading."""
    parts = re.split(r"^### (\w+)\n", RUNBOOK.read_text(), flags=re.MULTILINE)
    return {name: text.partition("\n## ")[0] for name, text in zip(parts[1::2], parts[2::2], strict=True)}


def alerts() -> dict[str, str]:
    """Return the runbook_url of each alert."""
    rules = [rule for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]]
    found = {rule["alert"]: rule["annotations"].get("runbook_url", "") for rule in rules if "alert" in rule}
    text = TEMPLATE.read_text()
    for name, rest in re.findall(r"- alert: (\w+)\n(.*?)(?=- alert:|\Z)", text, re.DOTALL):
        url = re.search(r"runbook_url: (.*)", rest)
        found[name] = url[1].replace("{{ $.Values.metrics.rules.runbook }}", "docs/how-to/runbook.md") if url else ""
    return found


@cache
def reasons_in_the_code() -> set[str]:
    """Return each reason that a call of the code stalls for, and each way in which an attempt ends that is not good."""
    found = {str(v) for v in Verdict if v.ended and not v.good} | {attempts.ABORTED, decision.ABORTED, decision.ROLLED_BACK}
    for path in (p for room in ROOMS for p in room.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call):
                found |= _stalls_for(node)
    return found


def _stalls_for(call: ast.Call) -> set[str]:
    """A reason that is no constant here (a problem's own, an outcome's) is one somewhere else."""
    name = call.func.id if isinstance(call.func, ast.Name) else call.func.attr if isinstance(call.func, ast.Attribute) else ""
    if name == "Denied":
        return {str(Reason.ACCESS_DENIED)}
    # An attempt that ends is told of as stalled until something else is wanted: attempts.end(facts, draft, REASON, message).
    at = 2 if name == "end" else STALLING.get(name)
    if at is None or len(call.args) <= at:
        return set()
    reasons = {Reason[n.attr] for n in ast.walk(call.args[at]) if isinstance(n, ast.Attribute) and n.attr in Reason.__members__}
    good = {Reason.SUCCEEDED, Reason.NOTHING_RUNNING, Reason.SUCCEEDED_LATE, Reason.OVERTAKEN_SAME_DIGESTS}
    return {str(r) for r in reasons - good}


def reasons_in_the_reference() -> set[str]:
    """Return the reasons whose column Stalled is not False in the reference."""
    text = (ROOT / "docs" / "reference" / "conditions.md").read_text()
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line.startswith("| ")]
    stalled = [row[0] for row in rows if len(row) == 5 and row[3] not in ("False", "Stalled", "---")]
    return {name.strip() for names in stalled for name in names.split(",")}


def test_every_reason_to_stall_has_a_section() -> None:
    assert reasons_in_the_code() - sections().keys() == set()
    assert reasons_in_the_reference() - sections().keys() == set()
    assert reasons_in_the_code() - reasons_in_the_reference() == set(), "the reference says of it that it is not Stalled"


def test_the_search_finds_what_is_there() -> None:
    """A search that finds nothing would prove nothing."""
    assert {"RolledBack", "DeadlineExceeded", "TargetChanged", "AccessDenied", "TagMoved", "SourceNotReady"} <= reasons_in_the_code()


def test_every_section_is_of_a_reason_or_an_alert_and_says_what_to_do() -> None:
    known = reasons_in_the_reference() | alerts().keys()
    assert sections().keys() - known == set()
    lacking = {
        name: part
        for name, text in sections().items()
        for part in PARTS
        if not re.search(rf"\*\*(See and )?{part}\*\*", text, re.IGNORECASE)
    }
    assert lacking == {}


def test_every_alert_leads_to_its_section() -> None:
    found = alerts()
    assert len(found) >= 14
    assert found == {name: f"docs/how-to/runbook.md#{name.lower()}" for name in found}
    assert found.keys() - sections().keys() == set()
