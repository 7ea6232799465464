"""The policies of examples/iam, filled in, and the rights there that no call of ours has the name of."""

from __future__ import annotations

import json
import string
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parents[1] / "examples" / "iam"
VALUES = {
    "partition": "aws", "region": "eu-west-1", "account_id": "444455556666", "cluster": "production", "services": "shop-*",
    "registry_id": "111122223333", "repositories": "shop/*", "task_roles": "shop-*",
    "ledger_arn": "arn:aws:dynamodb:eu-west-1:999988887777:table/ecs-release-ledger",
    "event_queue_arn": "arn:aws:sqs:eu-west-1:444455556666:ecs-release-events",
    "notification_arn": "arn:aws:sns:eu-west-1:444455556666:releases",
    "environment_roles": "ecs-release-*",
    "operator_role_arn": "arn:aws:iam::999988887777:role/ecs-release-operator", "external_id": "shop-releases",
}  # fmt: skip
TEXTS = {path.stem: path.read_text() for path in sorted(FOLDER.glob("*.json"))}
POLICIES: dict[str, dict[str, Any]] = {name: json.loads(string.Template(text).substitute(VALUES)) for name, text in TEXTS.items()}
NO_CALL_OF_OURS = {
    "iam:PassRole": "asked for by RegisterTaskDefinition, for the roles that a revision names",
    "ecs:TagResource": "asked for by RegisterTaskDefinition with tags",
    "sts:AssumeRole": "made by the SDK, for an Environment's role",
}
