"""Credentials that say, and keep to, a short life."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from moto.sts.models import AssumedRole, STSBackend

from tests.aws_simulator.world import WORLD


class SimulatedStsBackend(STSBackend):
    """STS of one account."""

    def assume_role(self, *args: Any, **kwargs: Any) -> AssumedRole:
        """Assume a role; its credentials last `faults.credentials_duration_s`, if that is set."""
        role = super().assume_role(*args, **kwargs)
        if WORLD.faults.credentials_duration_s is not None:
            role.expiration = datetime.now(UTC) + timedelta(seconds=WORLD.faults.credentials_duration_s)
        return role
