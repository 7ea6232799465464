"""The flags of commands that call AWS themselves."""

from __future__ import annotations

import argparse
import asyncio
import re
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, TypeVar

from ecs_release.api.meta import REGION, ROLE_ARN
from ecs_release.cli.kubectl.terminal.errors import CommandError, Denied
from ecs_release.domain.ecs.service import Access
from ecs_release.domain.model.errors import Denied as RefusedByAws
from ecs_release.domain.model.errors import Problem

if TYPE_CHECKING:
    from ecs_release.aws.command_clients import CommandClients
    from ecs_release.cli.kubectl.client.session import Session

Answer = TypeVar("Answer")


def add_aws(parser: argparse.ArgumentParser) -> None:
    """Add --region, --role-arn and --external-id."""
    parser.add_argument("--region", metavar="REGION", help="AWS region; without it that of AWS_REGION or AWS_DEFAULT_REGION")
    parser.add_argument("--role-arn", metavar="ARN", help="IAM role to assume; without it your own credentials are used")
    parser.add_argument("--external-id", metavar="ID", help="External id that the role's trust policy asks for")


def region_of(session: Session, named: str = "") -> str:
    """Return the region: `named`, else --region, else that of the environment variables. Raises CommandError."""
    found = (
        named or session.arguments.region or session.environment.get("AWS_REGION") or session.environment.get("AWS_DEFAULT_REGION") or ""
    )
    if not re.fullmatch(REGION, found):
        raise CommandError(f"{found!r} is no AWS region: give --region" if found else "no AWS region: give --region, or set AWS_REGION")
    return str(found)


def access_of(session: Session, region: str) -> Access:
    """Return how AWS is reached; without a role the account is unknown until STS is asked. Raises CommandError."""
    role = session.arguments.role_arn
    if role and not re.fullmatch(ROLE_ARN, role):
        raise CommandError(f"{role!r} is no ARN of an IAM role: correct --role-arn")
    account = role.split(":")[4] if role else ""
    return Access(account, region, role or None, session.arguments.external_id or None)


def with_aws(session: Session, work: Callable[[CommandClients], Awaitable[Answer]]) -> Answer:
    """Run `work` with clients of AWS. Problems are raised as CommandError."""
    from ecs_release.aws.command_clients import CommandClients

    async def run_and_close() -> Answer:
        clients = CommandClients(session.version, "kubectl-ecs-release")
        try:
            return await work(clients)
        finally:
            clients.close()

    try:
        return asyncio.run(run_and_close())
    except RefusedByAws as problem:
        raise Denied(problem.message) from problem
    except Problem as problem:
        raise CommandError(problem.message) from problem
