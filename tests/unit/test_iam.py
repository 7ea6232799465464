"""The IAM policies in examples/iam: they allow what the operator calls and nothing else, where it belongs and nowhere else."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ecs_release.aws.sessions.sdk_models import _OPERATIONS
from tests.iam import actions, allowed, matches, several
from tests.iam_policies import FOLDER, NO_CALL_OF_OURS, POLICIES, TEXTS, VALUES

ROOT = Path(__file__).parents[2]
TERRAFORM = (FOLDER / "main.tf").read_text()
OPERATORS = [name for name in POLICIES if name not in {"trust", "ledger-reader"}]

PREFIXES = {"ECS": "ecs", "ECR": "ecr", "SQS": "sqs", "SNS": "sns", "EventBridge": "events", "DynamoDB": "dynamodb"}
# Calls that have no action of their own name: a transaction needs the rights of its parts, a batch those of one.
AUTHORISED_AS = {
    "dynamodb:TransactWriteItems": {"dynamodb:PutItem", "dynamodb:UpdateItem"},
    "sqs:DeleteMessageBatch": {"sqs:DeleteMessage"},
}
NOT_THE_OPERATORS = {"ecs:ListServices": "only kubectl ecs-release import makes it, with the rights of who types it"}
# Service Authorization Reference of each service, 2026-09: the types of resource, all of which are asked for, and the condition keys
# that our policies use and AWS says to fill in. An action that is not here authorises on * alone, without conditions.
RESOURCES = {
    "ecs:DescribeServices": ("service",),
    "ecs:ListServiceDeployments": ("service",),
    "ecs:DescribeServiceDeployments": ("service", "service-deployment"),
    "ecs:StopServiceDeployment": ("service", "service-deployment"),
    "ecs:ContinueServiceDeployment": ("service", "service-deployment"),
    "ecs:UpdateService": ("service",),
    "ecs:DescribeTasks": ("task",),
    "ecs:GetTaskProtection": ("task",),
    "ecs:TagResource": ("task-definition",),
    "iam:PassRole": ("role",),
    "sts:AssumeRole": ("role",),
}
CONDITION_KEYS = {
    "ecs:cluster": {"ecs:UpdateService", "ecs:DescribeTasks", "ecs:GetTaskProtection", "ecs:ListTasks"},
    "ecs:CreateAction": {"ecs:TagResource"},
    "iam:PassedToService": {"iam:PassRole"},
    "dynamodb:LeadingKeys": {"dynamodb:UpdateItem", "dynamodb:PutItem", "dynamodb:GetItem", "dynamodb:Query"},
    "sts:ExternalId": {"sts:AssumeRole"},
}


def calls() -> set[str]:
    """Return, as actions, all that the operator can call: its clients know no other operation."""
    made = {f"{PREFIXES[service]}:{operation}" for service, operations in _OPERATIONS.items() for operation in operations}
    return {action for call in made - NOT_THE_OPERATORS.keys() for action in AUTHORISED_AS.get(call, {call})}


def test_what_the_operator_calls_is_allowed_and_nothing_else_is() -> None:
    granted = set().union(*(actions(POLICIES[name]) for name in OPERATORS))
    assert calls() - granted == set(), "missing"
    assert granted - calls() == NO_CALL_OF_OURS.keys(), "unused"


def test_what_its_clients_know_is_called() -> None:
    """An operation that nobody calls any more would keep its right for ever."""
    source = "\n".join(p.read_text() for p in (ROOT / "operator" / "ecs_release" / "aws").rglob("*.py") if p.name != "sdk_models.py")
    methods = {re.sub(r"(?<!^)(?=[A-Z])", "_", operation).lower() for operations in _OPERATIONS.values() for operation in operations}
    assert {method for method in methods if not re.search(rf"\b{method}\b", source)} == set()


def test_a_mode_needs_no_more_than_it_says() -> None:
    changing = re.compile(r":(Update|Put|Stop|Continue|Register|Tag|Pass|Create|Delete|Publish)")
    assert [a for name in ("observer", "ledger-reader") for a in actions(POLICIES[name]) if changing.search(a)] == []
    assert actions(POLICIES["ledger-reader"]) == {"dynamodb:Query"}


def test_no_policy_is_wider_than_it_looks() -> None:
    for name, policy in POLICIES.items():
        assert policy["Version"] == "2012-10-17"
        assert len({s["Sid"] for s in policy["Statement"]}) == len(policy["Statement"]), name
        for statement in policy["Statement"]:
            assert statement["Effect"] == "Allow"
            assert not statement.keys() - {"Sid", "Effect", "Action", "Resource", "Principal", "Condition"}
            assert [a for a in several(statement["Action"]) if "*" in a] == []


def test_resources_are_of_the_type_that_the_action_asks_for() -> None:
    for name, policy in POLICIES.items():
        for statement in policy["Statement"]:
            for action in several(statement["Action"]):
                given = {r.split(":", 5)[5].split("/")[0] for r in several(statement.get("Resource", "*")) if r != "*"}
                missing = set(RESOURCES.get(action, ())) - given if statement.get("Resource") != "*" and name != "trust" else set()
                assert missing == set(), f"{name}: {action}"


def test_conditions_are_about_keys_that_aws_fills_in() -> None:
    used = {
        (key, action)
        for policy in POLICIES.values()
        for statement in policy["Statement"]
        for keys in statement.get("Condition", {}).values()
        for key in keys
        for action in several(statement["Action"])
    }
    assert {(key, action) for key, action in used if action not in CONDITION_KEYS[key]} == set()


def test_everything_is_where_it_can_be_bound_to() -> None:
    """An asterisk alone only where AWS knows no resource, or a condition binds it."""
    statements = [s for p in POLICIES.values() for s in p["Statement"]]
    everywhere = {action for s in statements if s.get("Resource") == "*" and "Condition" not in s for action in several(s["Action"])}
    assert everywhere == {"ecs:DescribeTaskDefinition", "ecs:ListTaskDefinitions", "ecs:RegisterTaskDefinition"}


def test_the_ledger_is_only_added_to() -> None:
    writing = actions(POLICIES["ledger-writer"]) | actions(POLICIES["ledger-table"])
    assert not [a for a in writing if re.search("Delete|BatchWrite|PartiQL|Restore", a)]


ECS = "arn:aws:ecs:eu-west-1:444455556666"
CLUSTER = {"ecs:cluster": [f"{ECS}:cluster/production"]}
OTHER_CLUSTER = {"ecs:cluster": [f"{ECS}:cluster/staging"]}
TABLE = VALUES["ledger_arn"]
TASKS = {"iam:PassedToService": ["ecs-tasks.amazonaws.com"]}
REQUESTS = [
    ("observer", "ecs:DescribeServices", f"{ECS}:service/production/shop-web", CLUSTER, True),
    ("observer", "ecs:DescribeServices", f"{ECS}:service/production/bank-web", CLUSTER, False),
    ("observer", "ecs:DescribeServices", f"{ECS}:service/staging/shop-web", OTHER_CLUSTER, False),
    ("observer", "ecs:ListServiceDeployments", f"{ECS}:service/production/shop-web", CLUSTER, True),
    ("observer", "ecs:DescribeServiceDeployments", f"{ECS}:service/production/shop-web", CLUSTER, True),
    ("observer", "ecs:DescribeServiceDeployments", f"{ECS}:service-deployment/production/shop-web/abc", CLUSTER, True),
    ("observer", "ecs:DescribeServiceDeployments", f"{ECS}:service-deployment/production/bank-web/abc", CLUSTER, False),
    ("observer", "ecs:DescribeTasks", f"{ECS}:task/production/abc", CLUSTER, True),
    ("observer", "ecs:DescribeTasks", f"{ECS}:task/staging/abc", OTHER_CLUSTER, False),
    ("observer", "ecs:ListTasks", "*", CLUSTER, True),
    ("observer", "ecs:ListTasks", f"{ECS}:container-instance/production/abc", CLUSTER, True),
    ("observer", "ecs:ListTasks", "*", OTHER_CLUSTER, False),
    ("observer", "ecs:ListTasks", "*", {}, False),
    ("observer", "ecs:GetTaskProtection", f"{ECS}:task/production/abc", CLUSTER, True),
    ("observer", "ecs:DescribeTaskDefinition", "*", {}, True),
    ("observer", "ecs:UpdateService", f"{ECS}:service/production/shop-web", CLUSTER, False),
    ("observer", "ecr:DescribeImages", "arn:aws:ecr:eu-central-1:111122223333:repository/shop/web", {}, True),
    ("observer", "ecr:DescribeImages", "arn:aws:ecr:eu-west-1:111122223333:repository/bank/web", {}, False),
    ("observer", "ecr:DescribeImages", "arn:aws:ecr:eu-west-1:444455556666:repository/shop/web", {}, False),
    ("observer", "ecr:PutImage", "arn:aws:ecr:eu-west-1:111122223333:repository/shop/web", {}, False),
    ("deployer", "ecs:UpdateService", f"{ECS}:service/production/shop-web", CLUSTER, True),
    ("deployer", "ecs:UpdateService", f"{ECS}:service/production/bank-web", CLUSTER, False),
    ("deployer", "ecs:UpdateService", f"{ECS}:service/staging/shop-web", OTHER_CLUSTER, False),
    ("deployer", "ecs:UpdateService", f"{ECS}:service/production/shop-web", OTHER_CLUSTER, False),
    ("deployer", "ecs:UpdateService", f"{ECS.replace('eu', 'us')}:service/production/shop-web", CLUSTER, False),
    ("deployer", "ecs:DeleteService", f"{ECS}:service/production/shop-web", CLUSTER, False),
    ("deployer", "ecs:CreateService", f"{ECS}:service/production/shop-web", CLUSTER, False),
    ("deployer", "ecs:RunTask", f"{ECS}:task-definition/shop-web:1", CLUSTER, False),
    ("deployer", "ecs:ExecuteCommand", f"{ECS}:task/production/abc", CLUSTER, False),
    ("deployer", "ecs:DeregisterTaskDefinition", "*", {}, False),
    ("deployer", "ecs:StopServiceDeployment", f"{ECS}:service/production/shop-web", CLUSTER, True),
    ("deployer", "ecs:StopServiceDeployment", f"{ECS}:service-deployment/production/shop-web/abc", CLUSTER, True),
    ("deployer", "ecs:StopServiceDeployment", f"{ECS}:service-deployment/production/bank-web/abc", CLUSTER, False),
    ("deployer", "ecs:ContinueServiceDeployment", f"{ECS}:service-deployment/production/shop-web/abc", CLUSTER, False),
    ("continue", "ecs:ContinueServiceDeployment", f"{ECS}:service/production/shop-web", CLUSTER, True),
    ("continue", "ecs:ContinueServiceDeployment", f"{ECS}:service-deployment/production/shop-web/abc", CLUSTER, True),
    ("continue", "ecs:ContinueServiceDeployment", f"{ECS}:service-deployment/production/bank-web/abc", CLUSTER, False),
    ("continue", "ecs:UpdateService", f"{ECS}:service/production/shop-web", CLUSTER, False),
    ("deployer", "ecs:RegisterTaskDefinition", "*", {}, True),
    ("deployer", "ecs:RegisterTaskDefinition", f"{ECS}:task-definition/shop-web:7", {}, True),
    ("deployer", "ecs:TagResource", f"{ECS}:task-definition/shop-web:7", {"ecs:CreateAction": ["RegisterTaskDefinition"]}, True),
    ("deployer", "ecs:TagResource", f"{ECS}:task-definition/shop-web:7", {}, False),
    ("deployer", "ecs:TagResource", f"{ECS}:service/production/shop-web", {"ecs:CreateAction": ["CreateService"]}, False),
    ("deployer", "iam:PassRole", "arn:aws:iam::444455556666:role/shop-web-task", TASKS, True),
    ("deployer", "iam:PassRole", "arn:aws:iam::444455556666:role/admin", TASKS, False),
    ("deployer", "iam:PassRole", "arn:aws:iam::444455556666:role/shop-web-task", {"iam:PassedToService": ["lambda.amazonaws.com"]}, False),
    ("deployer", "iam:PassRole", "arn:aws:iam::444455556666:role/shop-web-task", {}, False),
    ("registry-retag", "ecr:PutImage", "arn:aws:ecr:eu-west-1:111122223333:repository/shop/web", {}, True),
    ("registry-retag", "ecr:PutImage", "arn:aws:ecr:eu-west-1:111122223333:repository/bank/web", {}, False),
    ("registry-retag", "ecr:BatchDeleteImage", "arn:aws:ecr:eu-west-1:111122223333:repository/shop/web", {}, False),
    ("ledger-writer", "dynamodb:PutItem", TABLE, {"dynamodb:LeadingKeys": ["S#production#shop/shop#web"]}, True),
    ("ledger-writer", "dynamodb:UpdateItem", TABLE, {"dynamodb:LeadingKeys": ["E#production"]}, True),
    ("ledger-writer", "dynamodb:UpdateItem", TABLE, {"dynamodb:LeadingKeys": ["N#shop/shop"]}, True),
    ("ledger-writer", "dynamodb:UpdateItem", TABLE, {"dynamodb:LeadingKeys": ["S#production#shop/shop#web"]}, False),
    ("ledger-writer", "dynamodb:UpdateItem", TABLE, {"dynamodb:LeadingKeys": ["E#production", "S#production#shop/shop#web"]}, False),
    ("ledger-writer", "dynamodb:UpdateItem", TABLE, {}, False),
    ("ledger-writer", "dynamodb:DeleteItem", TABLE, {"dynamodb:LeadingKeys": ["E#production"]}, False),
    ("ledger-writer", "dynamodb:DeleteTable", TABLE, {}, False),
    ("ledger-writer", "dynamodb:PutItem", f"{TABLE}-of-another", {"dynamodb:LeadingKeys": ["E#production"]}, False),
    ("ledger-reader", "dynamodb:Query", TABLE, {"dynamodb:LeadingKeys": ["E#production"]}, True),
    ("ledger-reader", "dynamodb:Query", f"{TABLE}/index/by-time", {"dynamodb:LeadingKeys": ["T"]}, True),
    ("ledger-reader", "dynamodb:PutItem", TABLE, {"dynamodb:LeadingKeys": ["E#production"]}, False),
    ("ledger-reader", "dynamodb:Scan", TABLE, {}, False),
    ("ledger-table", "dynamodb:CreateTable", TABLE, {}, True),
    ("ledger-table", "dynamodb:DeleteTable", TABLE, {}, False),
    ("event-queue", "sqs:DeleteMessage", VALUES["event_queue_arn"], {}, True),
    ("event-queue", "sqs:PurgeQueue", VALUES["event_queue_arn"], {}, False),
    ("notifications", "sns:Publish", VALUES["notification_arn"], {}, True),
    ("notifications", "sns:Publish", "arn:aws:sns:eu-west-1:444455556666:payroll", {}, False),
    ("operator", "sts:AssumeRole", "arn:aws:iam::444455556666:role/ecs-release-production", {}, True),
    ("operator", "sts:AssumeRole", "arn:aws:iam::444455556666:role/admin", {}, False),
    ("trust", "sts:AssumeRole", "*", {"sts:ExternalId": ["shop-releases"]}, True),
    ("trust", "sts:AssumeRole", "*", {"sts:ExternalId": ["somebody-else"]}, False),
    ("trust", "sts:AssumeRole", "*", {}, False),
]  # fmt: skip


@pytest.mark.parametrize(("policy", "action", "resource", "context", "answer"), REQUESTS)
def test_requests(policy: str, action: str, resource: str, context: dict[str, list[str]], answer: bool) -> None:
    assert allowed([POLICIES[policy]], action, resource, context) is answer


def test_every_action_is_tried() -> None:
    """Each right has a request that it allows above, but for those whose statement has one already."""
    tried = {(policy, action) for policy, action, *_, answer in REQUESTS if answer}
    for name, policy in POLICIES.items():
        for statement in policy["Statement"]:
            assert any((name, action) in tried for action in several(statement["Action"])), f"{name}: {statement['Sid']}"


@pytest.mark.parametrize(
    ("pattern", "value", "answer"),
    [("shop-*", "shop-web", True), ("*", "a/b:c", True), ("s?op", "shop", True), ("shop", "shops", False), ("a.c", "abc", False)],
)
def test_patterns(pattern: str, value: str, answer: bool) -> None:
    assert matches(pattern, value) is answer


def test_a_deny_wins_and_the_unknown_is_an_error() -> None:
    statement = {"Effect": "Allow", "Action": "s3:Get*", "Resource": "*"}
    deny = {"Statement": [{**statement, "Effect": "Deny", "Action": "s3:GetObject"}]}
    assert allowed([{"Statement": [statement]}], "s3:GetObject", "x")
    assert not allowed([{"Statement": [statement]}, deny], "s3:GetObject", "x")
    with pytest.raises(AssertionError, match="NotResource"):
        allowed([{"Statement": [{**statement, "NotResource": "x"}]}], "s3:GetObject", "x")
    with pytest.raises(KeyError):
        allowed(
            [{"Statement": [{**statement, "Condition": {"IpAddress": {"aws:SourceIp": "::1"}}}]}],
            "s3:GetObject",
            "x",
            {"aws:SourceIp": ["::1"]},
        )


# One source: the files.


def test_terraform_fills_in_what_the_files_ask_for() -> None:
    names = {name: set(re.findall(r"\$\{(\w+)\}", text)) for name, text in TEXTS.items()}
    values = set(re.findall(r"^    (\w+) +=", TERRAFORM[TERRAFORM.index("values = {") :], re.MULTILINE))
    offered = set(re.findall(r'"([a-z-]+)",', TERRAFORM[TERRAFORM.index("setsubtract(") : TERRAFORM.index("error_message")]))

    # The operator's own identity is made where the operator runs.
    assert offered == POLICIES.keys() - {"trust", "operator"}
    assert set().union(*(found for name, found in names.items() if name != "operator")) - values == set()
    assert set().union(*names.values()) == VALUES.keys()


def test_the_documentation_links_to_every_file_and_repeats_none() -> None:
    page = (ROOT / "docs" / "how-to" / "aws-access.md").read_text()
    assert [path.name for path in FOLDER.iterdir() if f"(../../examples/iam/{path.name})" not in page] == []
    assert '"Statement"' not in page
    assert {name for name in VALUES if f"`{name}`" not in page} == set()
