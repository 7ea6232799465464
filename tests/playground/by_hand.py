"""A deployment by hand: what `aws ecs register-task-definition` and `aws ecs update-service` would do, for those without the AWS CLI."""

from __future__ import annotations

import argparse
from typing import Any

import boto3

from tests.aws_simulator.client import REGION, image_name
from tests.demo.bed import ACCOUNTS, SERVICES, STAGING

_READ_ONLY = (
    "taskDefinitionArn", "revision", "status", "requiresAttributes", "compatibilities", "registeredAt", "registeredBy", "deregisteredAt",
)  # fmt: skip


def add(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("service", choices=SERVICES)
    parser.add_argument("release_hash")
    parser.add_argument("--environment", choices=ACCOUNTS, default="staging")


def deploy(arguments: argparse.Namespace) -> int:
    """Deploy the images of a release hash. AWS is where AWS_ENDPOINT_URL says."""
    cluster, name = arguments.environment, f"{arguments.environment}-{arguments.service}"
    ecs = _ecs(ACCOUNTS[cluster])
    service = ecs.describe_services(cluster=cluster, services=[name])["services"][0]
    base = ecs.describe_task_definition(taskDefinition=service["taskDefinition"])["taskDefinition"]
    for container in base["containerDefinitions"]:
        repository = SERVICES[arguments.service].get(container["name"])
        if repository:
            container["image"] = image_name(repository, f"ref.{arguments.release_hash}", account=STAGING)
    revision = ecs.register_task_definition(**{k: v for k, v in base.items() if k not in _READ_ONLY})["taskDefinition"]["taskDefinitionArn"]
    ecs.update_service(cluster=cluster, service=name, taskDefinition=revision)
    print(f"{name} in {cluster}: {revision.rpartition('/')[2]} is being deployed, by hand")
    return 0


def _ecs(account: str) -> Any:
    session = boto3.Session(region_name=REGION)
    role = session.client("sts").assume_role(RoleArn=f"arn:aws:iam::{account}:role/you", RoleSessionName="by-hand")["Credentials"]
    return session.client(
        "ecs", aws_access_key_id=role["AccessKeyId"], aws_secret_access_key=role["SecretAccessKey"], aws_session_token=role["SessionToken"]
    )
