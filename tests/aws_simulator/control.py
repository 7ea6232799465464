"""The simulator's own API for tests: POST /simulator/<command> with a JSON object; `client.Simulator` wraps it.

calls {filters}; reset; configure {section: {field: value}}; fault {...}; clear-faults; deny {...}; external-id {role, id};
behave {digest, kind}; lose-task {account, region, cluster, service, reason, code}; protect {...}; running {...}.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import Any

from moto.ecs.models import ecs_backends

from tests.aws_simulator.faults import Denial, Fault
from tests.aws_simulator.world import WORLD, reset


class Control:
    """Answers commands."""

    def __call__(self, environ: dict[str, Any], body: bytes, start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Answer one command."""
        name = environ["PATH_INFO"].removeprefix("/simulator/").replace("-", "_")
        command = getattr(self, f"do_{name}", None)
        if command is None:
            start_response("404 Not Found", [])
            return [b"no such command"]
        with WORLD.lock:
            answer = command(**json.loads(body or b"{}"))
        text = json.dumps(answer, default=str).encode()
        start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(text)))])
        return [text]

    def do_ready(self) -> dict[str, Any]:
        return {"ready": True}

    def do_calls(self, **filters: Any) -> list[dict[str, Any]]:
        return WORLD.faults.listed(**filters)

    def do_reset(self) -> dict[str, Any]:
        from moto.core.base_backend import BackendDict

        reset()
        BackendDict.reset()
        return {}

    def do_configure(self, **sections: dict[str, Any]) -> dict[str, Any]:
        """Set fields of the world's parts: switches, faults, throttling, clock."""
        for section, fields in sections.items():
            for name, value in fields.items():
                if not hasattr(getattr(WORLD, section), name):
                    raise ValueError(f"{section} has no {name}")
                setattr(getattr(WORLD, section), name, value)
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
        WORLD.behaviours.set(digest, kind)
        return {}

    def do_lose_task(
        self,
        account: str,
        region: str,
        cluster: str,
        service: str,
        reason: str = "Your Spot Task was interrupted.",
        code: str = "SpotInterruption",
    ) -> dict[str, Any]:
        backend = ecs_backends[account][region]
        found = backend.sim_service(cluster, service)
        task = next(t for t in found.tasks if t.status == "RUNNING" and not t.leaving)
        found.lose_task(task, reason, code, WORLD.clock.now())
        backend.sim_touch(found)
        return {"task": task.arn}

    def do_protect(self, account: str, region: str, cluster: str, service: str, protected: bool = True) -> dict[str, Any]:
        for task in ecs_backends[account][region].sim_service(cluster, service).tasks:
            task.protected = protected
        return {}
