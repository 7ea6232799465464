"""What a ledger holds: entries of attempts, current records and releases."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from ecs_release.api.ledger import CurrentImage, CurrentPart, LedgerCurrent, LedgerEntry, LedgerImage, LedgerRelease, Stage
from tests.aws_simulator.client import ACCOUNT, REGION
from tests.builders.ecs import NOW

DIGEST = f"sha256:{'a' * 64}"


def service_fields(environment: str = "prod", name: str = "web", project: str = "shop") -> dict[str, Any]:
    return {
        "installation": "default", "namespace": "team", "project": project, "service": name, "environment": environment,
        "account_id": ACCOUNT, "region": REGION, "cluster": "main", "release": f"{name}-{environment}", "release_uid": "u",
    }  # fmt: skip


def start_entry(attempt_id: str = "a1", minutes: int = 0, **more: Any) -> LedgerEntry:
    fields = service_fields(**{k: more.pop(k) for k in ("environment", "name", "project") if k in more})
    image = LedgerImage(container="app", repository="r", from_digest=DIGEST, to_digest=DIGEST, from_hash="v1", to_hash="v2")
    fields |= {"cause": "Requested", "hash": "v2", "requested_by": "ann", "applied_by": "argo", "images": [image], "description": "why"}
    return LedgerEntry(**{**fields, "attempt_id": attempt_id, "stage": Stage.START, "start_time": NOW + timedelta(minutes=minutes), **more})


def end_entry(begun: LedgerEntry, outcome: str = "Succeeded") -> LedgerEntry:
    ended = begun.start_time + timedelta(seconds=90)
    return begun.model_copy(update={"stage": Stage.END, "completion_time": ended, "outcome": outcome})


def current_record(minutes: int = 0, attempt_id: str | None = None, **more: Any) -> LedgerCurrent:
    fields = service_fields(**{k: more.pop(k) for k in ("environment", "name", "project") if k in more})
    deployed = CurrentPart(images=[CurrentImage(container="app", digest=DIGEST)], hash="v2", attempt_id=attempt_id)
    return LedgerCurrent(**{**fields, "deployed": deployed, "observed_time": NOW + timedelta(minutes=minutes), **more})


def ledger_release(**more: Any) -> LedgerRelease:
    return LedgerRelease(**{"namespace": "team", "project": "shop", "number": 1, "hash": "v2", "time": NOW, **more})
