"""The simulator's own API for tests: POST /simulator/<command> with a JSON object; `client.Simulator` wraps it. Errors are 400, in words.

ready; time (AWS's clock); reset
calls {field: value, since, mutating}: the log of calls; count-calls with the same filters; mark: the last one's number
used: which actions were asked for since the start, by whom, how often
configure {section: {field: value}}: sections are switches, faults, throttling, clock (see `world`); `daemon_instances` resizes daemons
fault {action, kind, ...} and deny {action, role, account, match}: see `faults`; clear-faults {match}
external-id {role, id}: what a role expects; roles {arns}: the only roles that may be assumed
behave {digest, kind}: see `behaviour.KINDS`
lose-task {account, region, cluster, service, reason, code, task}: a task ends (Spot, by default); any running one unless `task` names it
protect {account, region, cluster, service, protected}: the service's tasks from scale-in and rollouts
alarm {account, region, cluster, service, name}: a deployment alarm goes off; refused where nothing that is under way watches it
GET container-credentials?role=ARN: what EKS Pod Identity's agent answers (AWS_CONTAINER_CREDENTIALS_FULL_URI)
end {name}: the services of a cluster and a rule of that name are gone at once, in all accounts
flush-events: send what reordering holds back
items {account, region, table, items}: put into a table of DynamoDB as they are; list-items {…, begin, count}: some of what is there
images {account, region, repositories, tags} and services {account, region, cluster, images, events, desired, content}: see `fleet`
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import parse_qsl

from moto.ecs.models import ecs_backends
from moto.sts.models import sts_backends

from tests.aws_simulator import callers, events, used
from tests.aws_simulator.behaviour import KINDS
from tests.aws_simulator.dynamodb import list_items, put_items
from tests.aws_simulator.ecs.failing import alarm
from tests.aws_simulator.faults import Denial, Fault
from tests.aws_simulator.fleet import make_images, make_services
from tests.aws_simulator.world import WORLD, reset

_PROTECTED_S = 48 * 3600.0
"""The longest that AWS protects a task for."""


class Control:
    """Answers commands."""

    def __call__(self, environ: dict[str, Any], body: bytes, start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Answer one command."""
        name = environ["PATH_INFO"].removeprefix("/simulator/").replace("-", "_")
        command = getattr(self, f"do_{name}", None)
        if command is None:
            start_response("404 Not Found", [("Content-Length", "15")])
            return [b"no such command"]
        try:
            with WORLD.lock:
                answer = command(**_arguments(environ, body))
        except (AttributeError, LookupError, TypeError, ValueError) as error:
            text = f"{name}: {type(error).__name__}: {error}".encode()
            start_response("400 Bad Request", [("Content-Type", "text/plain"), ("Content-Length", str(len(text)))])
            return [text]
        text = json.dumps(answer, default=str).encode()
        start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(text)))])
        return [text]

    def do_ready(self) -> dict[str, Any]:
        return {"ready": True}

    def do_calls(self, **filters: Any) -> list[dict[str, Any]]:
        return WORLD.faults.listed(**filters)

    def do_used(self) -> list[dict[str, Any]]:
        return used.listed()

    def do_reset(self) -> dict[str, Any]:
        from moto.core.base_backend import BackendDict

        reset()
        BackendDict.reset()
        callers.forget()
        events.begin()
        return {}

    def do_mark(self) -> dict[str, int]:
        return {"number": WORLD.faults.calls[-1].number if WORLD.faults.calls else 0}

    def do_time(self) -> dict[str, float]:
        return {"now": WORLD.clock.now(), "scale": WORLD.clock.scale}

    def do_count_calls(self, **filters: Any) -> dict[str, int]:
        return {"count": len(WORLD.faults.listed(**filters))}

    def do_end(self, name: str) -> dict[str, Any]:
        for regions in ecs_backends.values():
            for backend in regions.values():
                backend.sim_forget(name)
        events.forget(name)
        return {}

    def do_flush_events(self) -> dict[str, Any]:
        events.flush()
        return {}

    def do_images(self, account: str, region: str, repositories: list[str], tags: list[str]) -> dict[str, str]:
        return make_images(account, region, repositories, tags)

    def do_services(self, **facts: Any) -> dict[str, Any]:
        make_services(**facts)
        return {}

    def do_items(self, **facts: Any) -> dict[str, Any]:
        put_items(**facts)
        return {}

    def do_list_items(self, **facts: Any) -> list[dict[str, Any]]:
        return list_items(**facts)

    def do_container_credentials(self, role: str) -> dict[str, str]:
        account = role.split(":")[4]
        made = sts_backends[account]["aws"].assume_role(
            region_name="us-east-1", role_session_name="pod", role_arn=role, policy=None, duration=3600, external_id=None
        )
        return {
            "AccessKeyId": made.access_key_id,
            "SecretAccessKey": made.secret_access_key,
            "Token": made.session_token,
            "Expiration": made.expiration.strftime("%Y-%m-%dT%H:%M:%SZ"),
        }

    def do_roles(self, arns: list[str] | None = None) -> dict[str, Any]:
        WORLD.faults.roles = arns
        return {}

    def do_configure(self, **sections: dict[str, Any]) -> dict[str, Any]:
        """Set fields of the world's parts: switches, faults, throttling, clock."""
        for section, fields in sections.items():
            for name, value in fields.items():
                if not hasattr(getattr(WORLD, section), name):
                    raise ValueError(f"{section} has no {name}")
                setattr(getattr(WORLD, section), name, value)
        if "daemon_instances" in sections.get("switches", {}):
            for regions in ecs_backends.values():
                for backend in regions.values():
                    backend.sim_resize_daemons()
        return {}

    def do_alarm(self, account: str, region: str, cluster: str, service: str, name: str) -> dict[str, Any]:
        backend = ecs_backends[account][region]
        found = backend.sim_service(cluster, service)
        if not alarm(found, name, WORLD.clock.now()):
            raise ValueError(f"no deployment of {service} that is under way watches {name}")
        backend.sim_touch(found)
        return {}

    def do_fault(self, **facts: Any) -> dict[str, Any]:
        fault = Fault(**facts)
        WORLD.faults.faults.append(fault)
        return {"number": fault.number}

    def do_deny(self, **facts: Any) -> dict[str, Any]:
        WORLD.faults.denials.append(Denial(**facts))
        return {}

    def do_clear_faults(self, match: str = "") -> dict[str, Any]:
        WORLD.faults.faults[:] = [f for f in WORLD.faults.faults if match and f.match != match]
        WORLD.faults.denials[:] = [d for d in WORLD.faults.denials if match and match not in (d.match, d.role, d.account)]
        return {}

    def do_external_id(self, role: str, id: str) -> dict[str, Any]:
        WORLD.faults.external_ids[role] = id
        return {}

    def do_behave(self, digest: str, kind: str) -> dict[str, Any]:
        if kind not in KINDS:
            raise ValueError(f"no behaviour {kind}; there are {', '.join(KINDS)}")
        WORLD.behaviours.set(digest, kind)
        return {}

    def do_lose_task(
        self, account: str, region: str, cluster: str, service: str, reason: str = "Your Spot Task was interrupted.",
        code: str = "SpotInterruption", task: str = "",
    ) -> dict[str, Any]:  # fmt: skip
        backend = ecs_backends[account][region]
        found = backend.sim_service(cluster, service)
        lost = next((t for t in found.tasks if t.status == "RUNNING" and not t.leaving and task in t.arn), None)
        if lost is None:
            raise ValueError(f"{service} has no such running task")
        found.stop_task(lost, reason, code, WORLD.clock.now())
        backend.sim_touch(found)
        return {"task": lost.arn}

    def do_protect(self, account: str, region: str, cluster: str, service: str, protected: bool = True) -> dict[str, Any]:
        backend = ecs_backends[account][region]
        found = backend.sim_service(cluster, service)
        for task in found.tasks:
            task.protected_until = WORLD.clock.now() + _PROTECTED_S if protected else 0.0
        backend.sim_touch(found)
        return {}


def _arguments(environ: dict[str, Any], body: bytes) -> dict[str, Any]:
    return {**dict(parse_qsl(environ.get("QUERY_STRING", ""))), **json.loads(body or b"{}")}
