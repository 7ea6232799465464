"""In front of moto: logs every call, and lets faults, denials, throttling and expired credentials happen, worded as AWS does.

Its own control API is under /simulator/ (see `control`).
"""

from __future__ import annotations

import io
import json
import time
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import parse_qs
from xml.sax.saxutils import escape

from moto.iam.models import get_account_id_from
from moto.sts.models import sts_backends

from tests.aws_simulator.control import Control
from tests.aws_simulator.faults import Fault
from tests.aws_simulator.world import WORLD

_ECS, _ECR, _STS = "ecs", "ecr", "sts"
_DENIED_WORDS = "User: {caller} is not authorized to perform: {service}:{action} on resource: * because no identity-based policy allows the {service}:{action} action"


class Simulator:
    """The WSGI application."""

    def __init__(self, moto: Callable[..., Iterable[bytes]]) -> None:
        """`moto` answers what nothing here answers."""
        self._moto = moto
        self._control = Control()

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Answer one request."""
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        environ["wsgi.input"] = io.BytesIO(body)
        if environ.get("PATH_INFO", "").startswith("/simulator/"):
            return self._control(environ, body, start_response)
        call = _Request(environ, body)
        if WORLD.faults.latency_s:
            time.sleep(WORLD.faults.latency_s)
        with WORLD.lock:
            refusal = self._refusal(call)
            fault = None if refusal else WORLD.faults.fault_for(call.account, call.action, call.parameters)
            logged = WORLD.faults.record(
                time=WORLD.clock.now(), account=call.account, region=call.region, service=call.service, action=call.action,
                caller=call.caller, parameters=call.parameters, user_agent=environ.get("HTTP_USER_AGENT", ""),
            )  # fmt: skip
        if fault is not None and fault.kind == "delay":
            time.sleep(fault.seconds)
            fault = None
        if fault is not None and fault.kind == "drop":
            logged.error = "dropped"
            return _drop(environ)
        if fault is not None and fault.kind == "error":
            refusal = _Refusal(fault.code, fault.message, fault.status)
        if refusal is not None:
            logged.error = refusal.code
            return refusal.answer(call, start_response)
        answered = self._answer(environ, start_response, call, fault, logged)
        return _drop(environ) if fault is not None and fault.kind == "lost" else answered

    def _answer(
        self, environ: dict[str, Any], start_response: Callable[..., Any], call: _Request, fault: Fault | None, logged: Any
    ) -> Iterable[bytes]:
        lost = fault is not None and fault.kind == "lost"

        begun: list[Any] = []

        def begin(status: str, headers: list[tuple[str, str]], *rest: Any) -> Any:
            if not status.startswith("2"):
                logged.error = next((v.partition(":")[0] for k, v in headers if k.lower() == "x-amzn-errortype"), status)
            begun[:] = [status, headers, *rest]

        with WORLD.lock:
            answer = b"".join(self._moto(environ, begin))
        if lost:
            logged.error = "lost answer"
        if call.action == "DescribeTaskDefinition" and WORLD.switches.unknown_task_definition_field and answer.startswith(b"{"):
            data = json.loads(answer)
            data.get("taskDefinition", {})[WORLD.switches.unknown_task_definition_field] = {"new": True}
            answer = json.dumps(data).encode()
        if not lost:
            status, headers, *rest = begun
            start_response(
                status, [(k, v) for k, v in headers if k.lower() != "content-length"] + [("Content-Length", str(len(answer)))], *rest
            )
        return [answer]

    def _refusal(self, call: _Request) -> _Refusal | None:
        faults = WORLD.faults
        if call.expired:
            return _Refusal(
                "ExpiredTokenException" if call.service != _STS else "ExpiredToken",
                "The security token included in the request is expired",
                400,
            )
        if call.action == "AssumeRole":
            role = str(call.parameters.get("RoleArn", ""))
            expected = faults.external_ids.get(role)
            wrong = expected is not None and call.parameters.get("ExternalId") != expected
            if wrong or faults.denied("", "AssumeRole", role, call.parameters):
                text = f"User: {call.caller} is not authorized to perform: sts:AssumeRole on resource: {role}"
                return _Refusal("AccessDenied", text, 403)
        elif faults.denied(call.account, call.action, call.caller, call.parameters):
            code = "AccessDenied" if call.service == _STS else "AccessDeniedException"
            text = _DENIED_WORDS.format(caller=call.caller, service=call.service, action=call.action)
            return _Refusal(code, text, 403 if call.service == _STS else 400)
        if call.service == _ECS and not WORLD.throttling.admits(call.account, call.region, call.action, WORLD.clock.now()):
            return _Refusal("ThrottlingException", "Rate exceeded", 400)
        return None


class _Request:
    """One request, taken apart."""

    def __init__(self, environ: dict[str, Any], body: bytes) -> None:
        scope = environ.get("HTTP_AUTHORIZATION", "").partition("Credential=")[2].partition(",")[0].split("/")
        self.key, self.region, self.service = (scope[0], scope[2], scope[3]) if len(scope) >= 4 else ("", "", _STS)
        target = environ.get("HTTP_X_AMZ_TARGET", "")
        self.is_json = bool(target)
        self.action = target.rpartition(".")[2]
        self.parameters: dict[str, Any] = {}
        if target:
            self.parameters = json.loads(body or b"{}")
        else:
            form = parse_qs(body.decode(errors="replace"))
            self.action = form.get("Action", [""])[0]
            self.parameters = {k: v[0] for k, v in form.items()}
        self.account = get_account_id_from(self.key)
        self.caller = f"arn:aws:sts::{self.account}:user/moto"
        self.expired = False
        for account in list(sts_backends.values()):
            for backend in list(account.values()):
                role = backend.get_assumed_role_from_access_key(self.key)
                if role is not None:
                    self.caller = role.arn
                    self.expired = _is_expired(role)


def _is_expired(role: Any) -> bool:
    limit = WORLD.faults.credentials_s
    if limit is None:
        return False
    if not hasattr(role, "simulator_expires"):
        role.simulator_expires = time.time() + limit
    return bool(time.time() > role.simulator_expires)


class _Refusal:
    """An error that is answered in moto's place."""

    def __init__(self, code: str, message: str, status: int) -> None:
        self.code, self.message, self.status = code, message, status

    def answer(self, call: _Request, start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Answer in the service's protocol."""
        if call.is_json:
            body = json.dumps({"__type": self.code, "message": self.message}).encode()
            headers = [("Content-Type", "application/x-amz-json-1.1"), ("x-amzn-errortype", self.code)]
        else:
            text = f"<ErrorResponse><Error><Type>Sender</Type><Code>{self.code}</Code><Message>{escape(self.message)}</Message></Error><RequestId>0</RequestId></ErrorResponse>"
            body, headers = text.encode(), [("Content-Type", "text/xml")]
        start_response(f"{self.status} Error", [*headers, ("Content-Length", str(len(body)))])
        return [body]


def _drop(environ: dict[str, Any]) -> Iterable[bytes]:
    """Close the connection without an answer."""
    sock = environ.get("werkzeug.socket")
    if sock is not None:
        sock.shutdown(2)
    raise ConnectionAbortedError("the simulator dropped this connection")
