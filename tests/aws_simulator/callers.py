"""Who calls: the account, role and credentials behind an access key, as moto's STS knows them."""

from __future__ import annotations

import time
from typing import Any

from moto.iam.models import get_account_id_from
from moto.sts.models import sts_backends

from tests.aws_simulator.world import WORLD


def account_of(access_key: str) -> str:
    """Return the account of an access key; moto's default one for a key that nobody was given."""
    return str(get_account_id_from(access_key))


def caller_of(access_key: str) -> str:
    """Return the caller's ARN."""
    role = _assumed_role(access_key)
    return str(role.arn) if role is not None else f"arn:aws:iam::{account_of(access_key)}:user/simulator"


def is_expired(access_key: str) -> bool:
    """Return whether temporary credentials have expired: by what they say, or cut short by `faults.credentials_s`."""
    role = _assumed_role(access_key)
    if role is None:
        return False
    now, cut = time.time(), WORLD.faults.credentials_s
    if cut is not None and not hasattr(role, "simulator_expires"):
        role.simulator_expires = now + cut
    return bool(now > role.expiration.timestamp() or (cut is not None and now > role.simulator_expires))


_roles: dict[str, Any] = {}


def forget() -> None:
    """Forget all roles: moto was reset."""
    _roles.clear()


def _assumed_role(access_key: str) -> Any | None:
    if access_key not in _roles:
        for account in list(sts_backends.values()):
            for backend in list(account.values()):
                # moto looks through a list; this remembers what it has seen.
                _roles.update({role.access_key_id: role for role in backend.assumed_roles})
    return _roles.get(access_key)
