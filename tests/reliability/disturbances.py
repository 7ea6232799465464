"""What happens to the real process once, in the middle of a scenario: each is over before the scenario ends, and nothing may come of it."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType

import yaml

from tests.aws_simulator.client import ACCOUNT
from tests.control_plane.control_plane import Cluster, ControlPlane
from tests.e2e.bed import Place, chart_rights
from tests.proof import rights
from tests.reliability.calls import CLOCK, SERVICE_ACCOUNT
from tests.reliability.mortal import MortalOperator
from tests.reliability.wires import KUBERNETES, Wires, key_error, write_refused
from tests.waiting import PATIENCE_S

_REFUSED_S = 10.0
_CLOCK_S = 540
"""Nine minutes: AWS refuses to be called by a clock that is off by more (sigv4: fifteen at most)."""
_ROTATED_S = 3.0
"""How long there is no good token."""
_FIRST_KEY, _SECOND_KEY = "AKIAIOSFODNN7EXAMPLE", "AKIAI44QH8DHBEXAMPLE"
_EXPIRED = key_error("ExpiredTokenException", "The security token included in the request is expired", "ExpiredToken")
_UNKNOWN = key_error("UnrecognizedClientException", "The security token included in the request is invalid.", "InvalidClientTokenId")


@dataclass(frozen=True)
class Stage:
    """What a disturbance may touch."""

    cluster: Cluster
    place: Place
    operator: MortalOperator
    wires: Wires


@dataclass(frozen=True)
class Disturbance:
    """`settle` returns the environment in which the operator begins, `strike` happens after the first UpdateService was accepted."""

    strike: Callable[[Stage], None]
    settle: Callable[[Stage], Mapping[str, str]] = lambda _: {}


def _restart_api_server(stage: Stage) -> None:
    """Kill the API server and start it again; a cluster that is not ours meets the like of it: nothing is answered for a while."""
    if isinstance(stage.cluster, ControlPlane):
        stage.cluster.restart_apiserver()
    else:
        with stage.wires.kubernetes_always(KUBERNETES["connection reset"]):
            time.sleep(_REFUSED_S)


def _settle_token(stage: Stage) -> dict[str, str]:
    """Run in a pod, as it seems: with the chart's service account, whose token is in a file that is replaced."""
    chart_rights(stage.cluster)
    _write_token(stage, "first")
    config = yaml.safe_load(stage.cluster.kubeconfig.read_text())["clusters"][0]["cluster"]
    host, _, port = config["server"].removeprefix("https://").rpartition(":")
    (stage.operator.folder / "ca.crt").write_bytes(base64.b64decode(config["certificate-authority-data"]))
    return {
        "KUBECONFIG": "", "KUBERNETES_SERVICE_HOST": host, "KUBERNETES_SERVICE_PORT": port, SERVICE_ACCOUNT: str(stage.operator.folder),
    }  # fmt: skip


def _write_token(stage: Stage, bound_to: str) -> None:
    """Put a token into the file that ends with a Secret, as that of a pod ends with the pod."""
    account = _account()
    name = f"{stage.place.name}-{bound_to}"
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name, "namespace": account["namespace"]}}
    stage.cluster.apply(secret)
    token = stage.cluster.kubectl(
        "create", "token", account["name"], "-n", account["namespace"], "--bound-object-kind=Secret", f"--bound-object-name={name}"
    )
    file = stage.operator.folder / "token"
    file.touch(mode=0o600)
    file.write_text(token.strip())


def _account() -> Mapping[str, str]:
    return next(dict(o["metadata"]) for o in rights.rendered() if o["kind"] == "ServiceAccount")


def _rotate_token(stage: Stage) -> None:
    """Revoke the token; the next one comes only after the API server has refused it for a while."""
    token = (stage.operator.folder / "token").read_text()
    stage.cluster.kubectl("delete", "secret", f"{stage.place.name}-first", "-n", _account()["namespace"])
    until = time.monotonic() + PATIENCE_S
    while not _is_refused(stage.cluster, token):
        if time.monotonic() > until:
            raise AssertionError("the API server still knows a token whose Secret is gone")
        time.sleep(0.2)
    time.sleep(_ROTATED_S)
    _write_token(stage, "second")


def _is_refused(cluster: Cluster, token: str) -> bool:
    review = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "spec": {"token": token}}
    answer = json.loads(cluster.kubectl("create", "-f", "-", "-o", "json", stdin=json.dumps(review)))
    return not answer["status"].get("authenticated")


def _refuse_writes(code: int, stage: Stage) -> None:
    with stage.wires.kubernetes_always(write_refused(code)):
        time.sleep(_REFUSED_S)


def _settle_pod_identity(stage: Stage) -> dict[str, str]:
    """Have the credentials from EKS Pod Identity's agent, which gives others when it is asked again."""
    token = stage.operator.folder / "pod-token"
    token.write_text("token")
    uri = f"{stage.wires.aws_url}/simulator/container-credentials?role=arn:aws:iam::{ACCOUNT}:role/operator"
    return {**_NO_KEYS, "AWS_CONTAINER_CREDENTIALS_FULL_URI": uri, "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": str(token)}


_NO_KEYS = {"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""}


def _settle_key_file(stage: Stage) -> dict[str, str]:
    """Have an access key from a file."""
    _write_key(stage, _FIRST_KEY)
    return {**_NO_KEYS, "AWS_SHARED_CREDENTIALS_FILE": str(stage.operator.folder / "credentials")}


def _write_key(stage: Stage, key: str) -> None:
    (stage.operator.folder / "credentials").write_text(f"[default]\naws_access_key_id = {key}\naws_secret_access_key = not-a-secret\n")


def _expire_keys(stage: Stage) -> None:
    """Let all credentials end before their time, those that the Environment's role was assumed with, too."""
    stage.wires.aws.refused = dict.fromkeys(stage.wires.aws.keys, _EXPIRED)


def _replace_key(stage: Stage) -> None:
    """Delete the access key, and let what was got with it expire; put another one into the file."""
    stage.wires.aws.refused = {**dict.fromkeys(stage.wires.aws.keys, _EXPIRED), _FIRST_KEY: _UNKNOWN}
    time.sleep(_ROTATED_S)
    _write_key(stage, _SECOND_KEY)


def _turn_clock(stage: Stage) -> None:
    """Go on with a process whose clock is wrong the other way."""
    stage.operator.restart({CLOCK: str(-_CLOCK_S)})


DISTURBANCES: Mapping[str, Disturbance] = MappingProxyType(
    {
        "the API server is restarted": Disturbance(_restart_api_server),
        "the service account's token is replaced": Disturbance(_rotate_token, _settle_token),
        **{f"each write is refused with {code} for ten seconds": Disturbance(partial(_refuse_writes, code)) for code in (403, 409, 422)},
        "all AWS credentials expire before their time": Disturbance(_expire_keys, _settle_pod_identity),
        "the AWS access key is replaced in its file": Disturbance(_replace_key, _settle_key_file),
        "the clock is nine minutes fast, then nine slow": Disturbance(_turn_clock, lambda _: {CLOCK: str(_CLOCK_S)}),
    }
)
