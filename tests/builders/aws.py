"""How the simulated AWS is reached."""

from __future__ import annotations

from ecs_release.domain.ecs.service import Access
from tests.aws_simulator.client import ACCOUNT, REGION


def access(name: str = "contract", account: str = ACCOUNT, external_id: str | None = None) -> Access:
    return Access(account, REGION, f"arn:aws:iam::{account}:role/{name}", external_id)
