"""The admission policies are about what the code is about, and agree with each other."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from ecs_release.api.names import (
    ABORT_ANNOTATION,
    APPLIED_BY_ANNOTATION,
    CONTINUE_ANNOTATION,
    GROUP,
    OVERRIDE_ANNOTATION,
    PLURALS,
    REQUEST_ANNOTATIONS,
    RETRY_ANNOTATION,
)

EXAMPLES = Path(__file__).parents[2] / "examples"


def objects(folder: str) -> list[dict[str, Any]]:
    return [o for path in sorted((EXAMPLES / folder).glob("*.yaml")) for o in yaml.safe_load_all(path.read_text())]


OBJECTS = objects("policies")
POLICIES = {o["metadata"]["name"]: o for o in OBJECTS if o["kind"].endswith("AdmissionPolicy")}


def variables(name: str) -> list[str]:
    """Return a variable of each policy that has it."""
    found = [v["expression"] for p in POLICIES.values() for v in p["spec"].get("variables", ()) if v["name"] == name]
    assert found
    return found


def test_every_policy_is_bound_and_fails_closed() -> None:
    bound = {o["spec"]["policyName"]: o for o in OBJECTS if o["kind"].endswith("Binding") and "policyName" in o["spec"]}
    assert bound.keys() == POLICIES.keys()
    for name, policy in POLICIES.items():
        assert bound[name]["kind"] == f"{policy['kind']}Binding" and policy["spec"]["failurePolicy"] == "Fail"
        actions = bound[name]["spec"].get("validationActions")
        assert actions == (["Deny", "Audit"] if policy["kind"].startswith("Validating") else None)


def test_they_name_the_operators_account() -> None:
    account = next(o for o in objects("rbac") if o["kind"] == "ServiceAccount")["metadata"]
    assert set(variables("operators")) == {f"['system:serviceaccount:{account['namespace']}:{account['name']}']"}


def test_they_know_all_requests_and_all_kinds() -> None:
    assert {tuple(yaml.safe_load(e)) for e in variables("requests")} == {REQUEST_ANNOTATIONS}
    assert {yaml.safe_load(e) for e in variables("key")} == {APPLIED_BY_ANNOTATION}
    rules = {name: p["spec"]["matchConstraints"]["resourceRules"] for name, p in POLICIES.items()}
    assert rules.pop("ecs-release-status")[0]["resources"] == [f"{plural}/status" for plural in PLURALS.values()]
    for name, (rule,) in rules.items():
        assert (rule["apiGroups"], rule["resources"]) == ([GROUP], [PLURALS["Release"], PLURALS["ReleaseSet"]]), name


def test_what_stamps_and_what_checks_say_the_same() -> None:
    for name in ("now", "before", "changed", "trusted", "written"):
        stamps, checks = (
            {v["name"]: v["expression"] for v in POLICIES[p]["spec"]["variables"]}[name]
            for p in ("ecs-release-applied-by", "ecs-release-applied-by-is-true")
        )
        assert stamps == checks


def test_the_operators_role_has_the_verbs_that_they_ask_for() -> None:
    (role,) = (o for o in objects("rbac") if o["kind"] == "ClusterRole")
    given = {(r, v) for rule in role["rules"] for r in rule["resources"] for v in rule["verbs"]}
    verbs = {a.partition("/")[2] for a in (RETRY_ANNOTATION, ABORT_ANNOTATION, CONTINUE_ANNOTATION)}
    assert {("releases", v) for v in verbs} | {("environments", OVERRIDE_ANNOTATION.partition("/")[2])} <= given
    assert not {v for r, v in given if r == "releasesets"} - {"get", "list", "watch"}, "it never writes what a person owns"
