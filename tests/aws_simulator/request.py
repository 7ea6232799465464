"""A request to AWS, taken apart, and errors in its service's protocol."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs
from xml.sax.saxutils import escape

from tests.aws_simulator.callers import account_of, caller_of, is_expired

_RESOURCES = {
    "task-definition": ("taskDefinition", "family"),
    "service": ("service", "serviceName", "services"),
    "task": ("task", "tasks"),
    "cluster": ("clusterName", "clusters"),
}
"""Which parameters name what an action is denied on, most telling first."""


class Request:
    """Who asks what of which service. STS by web identity is not signed."""

    def __init__(self, environ: dict[str, Any], body: bytes) -> None:
        """`body` is JSON where there is a target, else a form."""
        scope = environ.get("HTTP_AUTHORIZATION", "").partition("Credential=")[2].partition(",")[0].split("/")
        signed = len(scope) >= 5
        self.key, self.region, self.service = (scope[0], scope[2], scope[3]) if signed else ("", "us-east-1", "sts")
        target = environ.get("HTTP_X_AMZ_TARGET", "")
        self.is_json = bool(target)
        self.parameters: dict[str, Any]
        if target:
            self.action, self.parameters = target.rpartition(".")[2], json.loads(body or b"{}")
        else:
            form = parse_qs(body.decode(errors="replace"))
            self.action = form.get("Action", [""])[0]
            self.parameters = {k: v[0] for k, v in form.items()}
        self.account = account_of(self.key)
        self.caller = caller_of(self.key)
        self.expired = is_expired(self.key)
        self.user_agent = environ.get("HTTP_USER_AGENT", "")

    @property
    def resource(self) -> str:
        """The ARN that an access error names."""
        p = self.parameters
        if self.service == "ecr":
            registry = p.get("registryId") or self.account
            return f"arn:aws:ecr:{self.region}:{registry}:repository/{p['repositoryName']}" if p.get("repositoryName") else "*"
        if self.service == "dynamodb":
            return f"arn:aws:dynamodb:{self.region}:{self.account}:table/{p.get('TableName', '*')}"
        if self.service != "ecs" or self.action == "RegisterTaskDefinition":
            return "*"
        for kind, names in _RESOURCES.items():
            if kind == "task-definition" and self.action == "UpdateService":
                continue
            value = next((p[n] for n in names if p.get(n)), None)
            name = value[0] if isinstance(value, list) else value
            if isinstance(name, str):
                return name if name.startswith("arn:") else self._ecs_arn(kind, name)
        return self._ecs_arn("cluster", str(p["cluster"])) if p.get("cluster") else "*"

    def _ecs_arn(self, kind: str, name: str) -> str:
        if name.startswith("arn:"):
            return name
        cluster = str(self.parameters.get("cluster", "default")).rpartition("/")[2]
        return f"arn:aws:ecs:{self.region}:{self.account}:{kind}/" + (f"{cluster}/{name}" if kind in ("service", "task") else name)


@dataclass(frozen=True, slots=True)
class Refusal:
    """An error that is answered in moto's place."""

    code: str
    message: str
    status: int
    more: Mapping[str, Any] = field(default_factory=dict)

    def answer(self, request: Request, start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Answer in the service's protocol: JSON, or the XML of the query protocol."""
        if request.is_json:
            body = json.dumps({"__type": self.code, "message": self.message, **self.more}).encode()
            headers = [("Content-Type", "application/x-amz-json-1.1"), ("x-amzn-errortype", self.code)]
        else:
            text = (
                f"<ErrorResponse><Error><Type>Sender</Type><Code>{self.code}</Code><Message>{escape(self.message)}</Message></Error>"
                "<RequestId>00000000-0000-0000-0000-000000000000</RequestId></ErrorResponse>"
            )
            body, headers = text.encode(), [("Content-Type", "text/xml")]
        start_response(f"{self.status} Error", [*headers, ("Content-Length", str(len(body)))])
        return [body]


def access_denied(request: Request) -> Refusal:
    """Say that a caller may not do what it asked, as AWS does."""
    action = f"{request.service}:{request.action}"
    message = (
        f"User: {request.caller} is not authorized to perform: {action} on resource: {request.resource} because no identity-based policy"
        f" allows the {action} action"
    )
    return Refusal("AccessDenied", message, 403) if request.service == "sts" else Refusal("AccessDeniedException", message, 400)


def role_denied(request: Request) -> Refusal:
    """Say that a role may not be assumed, as STS does: a wrong external id and a missing role look the same."""
    role, action = request.parameters.get("RoleArn", ""), request.action
    if action == "AssumeRoleWithWebIdentity":
        return Refusal("AccessDenied", "Not authorized to perform sts:AssumeRoleWithWebIdentity", 403)
    return Refusal("AccessDenied", f"User: {request.caller} is not authorized to perform: sts:{action} on resource: {role}", 403)


def expired(request: Request) -> Refusal:
    """Say that the caller's credentials have expired."""
    message = "The security token included in the request is expired"
    return Refusal("ExpiredToken", message, 403) if request.service == "sts" else Refusal("ExpiredTokenException", message, 400)


THROTTLED = Refusal("ThrottlingException", "Rate exceeded", 400)
