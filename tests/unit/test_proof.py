"""What `make test` says of rights that are missing or not needed, and how it knows."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.aws_simulator import used
from tests.iam import actions as actions_of
from tests.iam_policies import POLICIES
from tests.proof import __main__ as command
from tests.proof import actions, rights
from tests.proof.rights import Right
from tests.proof.usage import EVERYWHERE, OWN, WATCHED, Call, Request, Usage, calls_of, read, requests_of, subject

OURS = "ecs-release.dev"
ALL = {Call(a, role="x") for name in actions.ENVIRONMENT for a in actions_of(POLICIES[name]) if a not in actions.UNSEEN}
ALL |= {Call(a, role="ledger") for name in actions.LEDGER for a in actions_of(POLICIES[name])} - {
    Call("dynamodb:UpdateItem", role="ledger")
}
ALL |= {Call("dynamodb:UpdateItem", "ledger", partition) for partition in ("E#", "N#")}
OPERATOR = dict.fromkeys({*ALL, Call("sts:AssumeRole"), Call("sts:GetCallerIdentity")}, 1)
PLUGIN = {Call("dynamodb:Query"): 1, Call("ecs:ListServices", role="reader"): 2}


def event(
    verb: str, resource: str, stage: str = "ResponseComplete", user: str = "me", decision: str = "allow", **more: str
) -> dict[str, Any]:
    what = {"resource": resource, "apiGroup": OURS, **more}
    return {
        "user": {"username": user}, "verb": verb, "stage": stage, "objectRef": what, "annotations": {"authorization.k8s.io/decision": decision},
    }  # fmt: skip


def test_requests_are_counted_once_each() -> None:
    events = [
        event("get", "releases"),
        event("get", "releases"),
        event("get", "releases", user="somebody"),
        event("patch", "releases", subresource="status"),
        event("watch", "releases", stage="ResponseStarted"),
        event("watch", "releases"),
        event("watch", "projects", decision="forbid"),
        {"user": {"username": "me"}, "verb": "get", "stage": "ResponseComplete", "requestURI": "/apis"},
        # A token that is not known yet.
        {**event("get", "releases"), "user": {}},
    ]
    assert requests_of("me", events) == {
        Request(OURS, "releases", "get"): 2,
        Request(OURS, "releases/status", "patch"): 1,
        Request(OURS, "releases", "watch"): 1,
        Request(OURS, "projects", "watch", allowed=False): 1,
    }


def test_the_charts_rules_are_read() -> None:
    given = rights.given(rights.rendered())
    assert Right(OURS, "releases/status", "patch") in given and Right("coordination.k8s.io", "leases", "update") in given
    assert Right(OURS, "releases/status", "update") not in given
    assert Right(OURS, "environments", "create") not in given, "a role of people's, which is not bound to the account"


READ, WRITE, ASK = Right(OURS, "releases", "get"), Right(OURS, "releases", "create"), Right(OURS, "releases", "retry")


@pytest.mark.parametrize(
    ("requests", "expected"),
    [
        ({Request(*READ): 3, Request(*WRITE): 1}, []),
        ({Request(*READ): 3}, ["create releases.ecs-release.dev: the chart gives it, and no test used it"]),
        ({Request(*READ): 1, Request(*WRITE): 1, Request("", "secrets", "get", allowed=False): 1}, ["get secrets: the operator asked"]),
        # Given by somebody else's role: no fault of the chart's.
        ({Request(*READ): 1, Request(*WRITE): 1, Request("", "secrets", "get"): 1}, []),
        ({Request(*READ): 1, Request(*WRITE): 1, Request(*ASK): 1}, ["retry releases.ecs-release.dev: its justification is not needed"]),
    ],
)
def test_rights_that_are_not_needed_or_missing_are_told(requests: Mapping[Request, int], expected: list[str]) -> None:
    found = list(rights.faults({READ, WRITE, ASK}, requests, {ASK: "the policies ask"}))
    assert len(found) == len(expected) and all(f.startswith(e) for f, e in zip(found, expected, strict=True)), found


def test_justifications_are_of_rights_that_there_are() -> None:
    assert rights.UNSEEN.keys() <= rights.given(rights.rendered())
    assert list(rights.faults({READ}, {Request(*READ): 1, Request(*READ, allowed=False): 1}, {})) == [], "before it was given"
    assert list(rights.faults({READ}, {Request(*READ): 1}, {ASK: "x"})) == [
        "retry releases.ecs-release.dev: it is justified, and the chart does not give it"
    ]


LABELS = Right("", "namespaces", "get")


def test_an_operator_of_some_namespaces_is_given_the_same_where_it_is_needed() -> None:
    """Nothing more, and nothing lost: Environments and policies everywhere, the Lease in its own namespace, all else in the watched ones.

    So what the whole suite says of the need for each holds for both. The golden file is of an installation without rbac.readNamespaces.
    """
    objects = rights.rendered(rights.RENDERED_IN_SOME)
    watched = {o["metadata"]["namespace"] for o in objects if o["kind"] == "RoleBinding"} - {"ecs-release"}
    assert watched == {"shop", "storage"}
    expected = {
        (namespace, right)
        for where, right in rights.granted(rights.rendered())
        for namespace in ([where] if where or belongs_to_no_namespace(right) else watched)
        if right != LABELS
    }
    assert rights.granted(objects) == expected


def belongs_to_no_namespace(right: Right) -> bool:
    return right.group == "admissionregistration.k8s.io" or right.resource.partition("/")[0] == "environments"


@pytest.mark.parametrize(
    ("where", "right", "expected"),
    [
        (
            EVERYWHERE,
            Right(OURS, "releases", "list"),
            ["list releases.ecs-release.dev: an operator of some namespaces asked for it everywhere"],
        ),
        (WATCHED, Right("", "secrets", "get"), ["get secrets: an operator of some namespaces asked for it in a watched namespace"]),
        (
            OWN,
            Right("coordination.k8s.io", "leases", "delete"),
            ["delete leases.coordination.k8s.io: an operator of some namespaces asked"],
        ),
        # In a namespace that has lost its Role.
        (WATCHED, Right(OURS, "releases", "list"), []),
    ],
)
def test_what_an_operator_of_some_namespaces_lacks_is_told(where: str, right: Right, expected: list[str]) -> None:
    given = rights.given_in_some(rights.rendered(rights.RENDERED_IN_SOME))
    labels = Request(*LABELS, allowed=False, where=WATCHED)
    found = list(rights.faults_in_some(given, {labels: 1, Request(*right, allowed=False, where=where): 1}))
    assert len(found) == len(expected) and all(f.startswith(e) for f, e in zip(found, expected, strict=True)), found
    assert list(rights.faults_in_some(given, {Request(*right, where=where): 1})) == [
        "get namespaces in a watched namespace: its justification is not needed: take it out"
    ]


def test_where_a_request_is_about_is_told() -> None:
    me = "system:serviceaccount:platform:me"
    events = [
        event("get", "environments", user=me),
        event("get", "releases", user=me, namespace="shop"),
        event("get", "leases", user=me, namespace="platform"),
        event("get", "leases", user=f"{me}-too", namespace="platform"),
    ]
    assert requests_of(me, iter(events), tells_where=True) == {
        Request(OURS, "environments", "get", where=EVERYWHERE): 1,
        Request(OURS, "releases", "get", where=WATCHED): 1,
        Request(OURS, "leases", "get", where=OWN): 1,
    }


def test_what_is_called_and_allowed_is_no_fault() -> None:
    assert list(actions.faults(OPERATOR, PLUGIN)) == []


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        (Call("ecs:DeleteService", "x"), "ecs:DeleteService: the operator calls it as x, and no policy"),
        (Call("ecs:UpdateService"), "ecs:UpdateService: the operator calls it as itself"),
        (Call("dynamodb:PutItem", "x", "S#"), "dynamodb:PutItem of S# in the ledger: the operator calls it as x"),
        (Call("dynamodb:UpdateItem", "ledger", "S#"), "dynamodb:UpdateItem of S# in the ledger: the operator calls it as ledger"),
        (Call("dynamodb:DeleteItem", "ledger", "E#"), "dynamodb:DeleteItem of E# in the ledger"),
        (Call("iam:PassRole", "x"), "iam:PassRole: its justification is not needed"),
    ],
)
def test_what_no_policy_allows_is_told(more: Call, expected: str) -> None:
    (found,) = actions.faults({**OPERATOR, more: 1}, PLUGIN)
    assert found.startswith(expected)


@pytest.mark.parametrize(
    ("action", "policy"),
    [
        ("ecs:UpdateService", "deployer"),
        ("ecs:GetTaskProtection", "observer"),
        ("sqs:DeleteMessage", "event-queue"),
        ("sts:AssumeRole", "operator"),
    ],
)
def test_what_is_allowed_and_never_called_is_told(action: str, policy: str) -> None:
    (found,) = actions.faults({c: n for c, n in OPERATOR.items() if c.action != action}, PLUGIN)
    assert found.startswith(f"{action}: {policy}.json allows it, and no test called it")


def test_what_the_plugin_needs_is_documented() -> None:
    (found,) = actions.faults(OPERATOR, {**PLUGIN, Call("ecs:StopTask"): 1})
    assert found.startswith("ecs:StopTask: kubectl ecs-release calls it, and none of")
    (found,) = actions.faults(OPERATOR, {Call("ecs:ListServices"): 1})
    assert found.startswith("dynamodb:Query: ledger-reader.json allows it")


def test_calls_are_told_apart_by_tool_and_role() -> None:
    assumed = "arn:aws:sts::111122223333:assumed-role/t1/ecs-release-main"
    own = "arn:aws:iam::111122223333:user/simulator"
    agent = "Boto3/1 md/Botocore#1 ecs-release-operator/0.1.0"
    seen = [
        {"caller": assumed, "user_agent": agent, "action": "ecs:ListTasks", "partition": "", "count": 2},
        {"caller": assumed, "user_agent": f"{agent} m/E", "action": "ecs:ListTasks", "partition": "", "count": 1},
        {"caller": own, "user_agent": agent, "action": "sts:AssumeRole", "partition": "", "count": 1},
        {"caller": own, "user_agent": "kubectl-ecs-release/0.1.0", "action": "ecr:PutImage", "partition": "", "count": 1},
        {"caller": own, "user_agent": "Boto3/1 test", "action": "ecs:CreateCluster", "partition": "", "count": 1},
    ]
    assert calls_of("ecs-release-operator", seen) == {Call("ecs:ListTasks", "t1"): 3, Call("sts:AssumeRole"): 1}
    assert calls_of("kubectl-ecs-release", seen) == {Call("ecr:PutImage"): 1}


def test_a_transaction_needs_the_rights_of_its_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(used, "_used", type(used._used)())
    item = {"pk": {"S": "S#prod#shop/shop#web"}, "sk": {"S": "x"}}
    parts = [{"Put": {"Item": item}}, {"Update": {"Key": {"pk": {"S": "E#prod"}}}}, {"Delete": {"Key": {"pk": {"S": "E#prod"}}}}]
    for action, parameters in (("TransactWriteItems", {"TransactItems": parts}), ("DeleteMessageBatch", {}), ("Query", {})):
        used.note(request(action, parameters))
    assert [(u["action"], u["partition"]) for u in used.listed()] == [
        ("x:DeleteItem", "E#"), ("x:DeleteMessage", ""), ("x:PutItem", "S#"), ("x:Query", ""), ("x:UpdateItem", "E#"),
    ]  # fmt: skip


def request(action: str, parameters: dict[str, Any]) -> Any:
    facts = {"caller": "c", "user_agent": "u", "service": "x", "action": action, "parameters": parameters}
    return type("Request", (), facts)()


def test_whom_a_token_names(tmp_path: Path) -> None:
    payload = base64.urlsafe_b64encode(json.dumps({"sub": "system:serviceaccount:a:b"}).encode()).decode().rstrip("=")
    for token, expected in ((f"x.{payload}.y", "system:serviceaccount:a:b"), ("0123abc", "")):
        path = tmp_path / "kubeconfig"
        path.write_text(yaml.safe_dump({"users": [{"name": "u", "user": {"token": token}}]}))
        assert subject(path) == expected


def test_the_board_asks_aws_for_nothing_but_the_ledger() -> None:
    assert list(actions.faults(OPERATOR, PLUGIN, board={Call("dynamodb:Query"): 3})) == list(actions.faults(OPERATOR, PLUGIN))
    (found,) = set(actions.faults(OPERATOR, PLUGIN, board={Call("dynamodb:PutItem"): 1})) - set(actions.faults(OPERATOR, PLUGIN))
    assert found == "dynamodb:PutItem: the board calls it, and ledger-reader.json does not allow it"


def write(folder: Path, number: int, usage: Usage) -> None:
    (folder / f"{number}.json").write_text(json.dumps(usage.to_json()))


def test_beds_add_up(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    half = Usage(operator=type(Usage().operator)(OPERATOR), plugin=type(Usage().plugin)(PLUGIN))
    write(tmp_path, 1, half)
    assert command.main([str(tmp_path)]) == 0
    assert "NOT proven" in capsys.readouterr().err, "without an audit log nothing is known of the cluster"

    given = rights.given(rights.rendered()) - rights.UNSEEN.keys()
    counter = type(half.requests)
    asked = counter({Request(*right): 1 for right in given})
    in_some = counter({Request(*right, allowed=False, where=where): 1 for where, right in rights.REFUSED_IN_SOME})
    board = counter({Request(*right): 1 for right in rights.given(rights.rendered(rights.RENDERED_BOARD), rights.BOARD)})
    write(tmp_path, 2, Usage(audited=True, requests=asked, in_some=in_some, board=board))
    assert command.main([str(tmp_path)]) == 0
    assert (read(tmp_path).requests, read(tmp_path).in_some, read(tmp_path).board) == (asked, in_some, board)

    write(
        tmp_path, 2, Usage(audited=True, requests=asked, in_some=in_some, board=counter({Request("", "secrets", "list", allowed=False): 1}))
    )
    assert command.main([str(tmp_path)]) == 1
    said = capsys.readouterr().err
    assert "of the board, create subjectaccessreviews.authorization.k8s.io: the chart gives it" in said
    assert "of the board, list secrets: it asked for it" in said

    lacking = counter({Request(*right): 1 for right in given if right.verb != "create"})
    write(tmp_path, 2, Usage(audited=True, requests=lacking))
    assert command.main([str(tmp_path)]) == 1
    said = capsys.readouterr().err
    assert "create events.events.k8s.io: the chart gives it" in said and "no operator of some namespaces has run" in said


def test_a_suite_that_has_written_nothing_proves_nothing(tmp_path: Path) -> None:
    assert command.main([str(tmp_path)]) == 1
