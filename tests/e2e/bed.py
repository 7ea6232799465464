"""The test bed of one worker: a control plane, a simulated AWS, the operator; and a place in it for each test."""

from __future__ import annotations

import itertools
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from operator import attrgetter
from pathlib import Path
from typing import Any

import pytest
import urllib3
import yaml
from kubernetes import client as kubernetes_client
from kubernetes import config as kubernetes_config

from tests.aws_simulator.client import ACCOUNT, REGION, Simulator, image_name
from tests.control_plane.control_plane import Cluster, control_plane
from tests.e2e.api import APPLY, Refused, ask
from tests.kind.installed import InstalledOperator, InstalledSimulator
from tests.kind.steps import INSTALLED
from tests.operator_process import FAST, Operator
from tests.proof import rights, usage
from tests.waiting import PATIENCE_S, pause

ROOT = Path(__file__).parent.parent.parent
GROUP, VERSION = "ecs-release.dev", "v1alpha1"
_API = f"{GROUP}/{VERSION}"
_numbers = itertools.count(1)


@dataclass
class Bed:
    """Everything that runs."""

    cluster: Cluster
    aws: Simulator
    operator: Operator | InstalledOperator
    api: Any
    places: list[Place] = field(default_factory=list)

    @contextmanager
    def cleared(self) -> Iterator[None]:
        """Remove afterwards the objects of all places made inside: the operator would look after them to the end of the session."""
        before = len(self.places)
        try:
            yield
        finally:
            while len(self.places) > before:
                self.places.pop().clear()

    def restart_operator(self) -> None:
        """Stop the operator and start it again."""
        self.operator.stop()
        self.operator.start()
        self.operator.wait_until_ready()


ADMIN: Callable[[Cluster], Path] = attrgetter("kubeconfig")
"""The operator may do everything: for those that outlive their service account."""


def chart_rights(cluster: Cluster) -> Path:
    """Give the operator what the chart gives it. Returns the KUBECONFIG of its service account."""
    found = rights.rendered()
    account = next(o["metadata"] for o in found if o["kind"] == "ServiceAccount")
    cluster.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": account["namespace"]}}, *found)
    return cluster.service_account_kubeconfig(account["namespace"], account["name"])


def custom_objects(cluster: Cluster) -> Any:
    """Return a client of our kinds, with all rights."""
    urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)
    return kubernetes_client.CustomObjectsApi(kubernetes_config.new_client_from_config(str(cluster.kubeconfig)))


@contextmanager
def running_bed(
    settings: Mapping[str, str] = FAST,
    prepare: Callable[[Cluster], Path] = chart_rights,
) -> Iterator[Bed]:
    """Run a bed. `settings` are the operator's; `prepare` gets the cluster ready, and returns the KUBECONFIG that the operator has."""
    if INSTALLED in os.environ:
        with _installed_bed(settings is FAST and prepare is chart_rights) as bed:
            yield bed
        return
    with control_plane(audit=usage.SERVICE_ACCOUNTS if usage.wanted() else False) as cluster, Simulator(time_scale=60) as aws:
        cluster.install_crds(ROOT / "crds")
        api = custom_objects(cluster)
        kubeconfig = prepare(cluster)
        with Operator(kubeconfig, aws.environment(), settings) as operator:
            operator.wait_until_ready()
            yield Bed(cluster, aws, operator, api)
        usage.write(cluster, aws, kubeconfig)


@contextmanager
def _installed_bed(usual: bool) -> Iterator[Bed]:
    """A bed of what `make test-kind` has installed; what wants another one than the usual is skipped."""
    if not usual:
        pytest.skip("needs an operator with settings or rights of its own")
    with control_plane() as cluster, InstalledSimulator(os.environ[INSTALLED]) as aws:
        api = custom_objects(cluster)
        operator = InstalledOperator(cluster)
        operator.wait_until_ready()
        yield Bed(cluster, aws, operator, api)


@dataclass
class Place:
    """A namespace, an Environment and an ECS cluster of one test's own."""

    bed: Bed
    name: str = field(default_factory=lambda: f"t{next(_numbers)}-{int(time.time() * 1000) % 10**6}")
    account: str = ACCOUNT
    region: str = REGION
    begun: int = 0

    def __post_init__(self) -> None:
        """Make the namespace and the ECS cluster."""
        self._apply("/api/v1/namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": self.name}})
        self.aws.client("ecs", self.account, self.region).create_cluster(clusterName=self.name)
        self.begun = self.aws.mark()
        self.bed.places.append(self)

    def clear(self) -> None:
        """Delete what the operator looks after here, and what goes on in AWS by itself: its services, and the rule that feeds its queue."""
        for plural in ("releasesets", "releases", "projects"):
            self.bed.api.delete_collection_namespaced_custom_object(GROUP, VERSION, self.name, plural)
        for found in self.bed.api.list_cluster_custom_object(GROUP, VERSION, "environments")["items"]:
            if self.name in (found["metadata"]["name"], *found["spec"].get("allowedNamespaces", {}).get("names", ())):
                with suppress(kubernetes_client.ApiException):
                    self.bed.api.delete_cluster_custom_object(GROUP, VERSION, "environments", found["metadata"]["name"])
        self.aws.control("end", name=self.name)

    @property
    def aws(self) -> Simulator:
        """The simulated AWS."""
        return self.bed.aws

    @property
    def role(self) -> str:
        """The Environment's role."""
        return f"arn:aws:iam::{self.account}:role/{self.name}"

    # Kubernetes.

    def environment(self, name: str | None = None, **spec: Any) -> str:
        """Apply an Environment; fields given replace those of the usual one."""
        usual = {
            "allowedNamespaces": {"names": [self.name]},
            "aws": {"accountID": self.account, "region": self.region, "roleARN": self.role},
            "target": {"cluster": self.name, "serviceName": "{service}"},
            "observation": {"intervalSeconds": 5, "graceSeconds": 5},
        }
        self.apply("Environment", name or self.name, {**usual, **spec}, namespaced=False)
        return name or self.name

    def project(self, *services: str, containers: dict[str, str] | None = None, **service: Any) -> None:
        """Apply the Project `shop` of some services, each with one container `app` unless said otherwise."""
        wanted = containers or {"app": ""}
        sets = [
            {
                "name": "all",
                "services": [
                    {"name": s, "containers": [{"name": c, "repository": r or self.repository(s)} for c, r in wanted.items()], **service}
                    for s in services or ("web",)
                ],
            }
        ]
        self.apply("Project", "shop", {"serviceSets": sets})

    def release(
        self,
        source: dict[str, Any] | str,
        service: str = "web",
        name: str | None = None,
        annotations: dict[str, str] | None = None,
        **spec: Any,
    ) -> str:
        """Apply a Release of a service: `source` is a source, or a release hash."""
        wanted = {"releaseHash": source} if isinstance(source, str) else source
        body = {"projectRef": {"name": "shop"}, "service": service, "environmentRef": {"name": self.name}, "source": wanted, **spec}
        self.apply("Release", name or service, body, annotations=annotations)
        return name or service

    def services(self, *names: str, tag: str = "v1", **service: Any) -> None:
        """Create services that run an image of their own, and the Project `shop` of them."""
        for name in names:
            self.service(tag, name, **service)
        self.project(*names)

    def release_set(self, source: dict[str, Any] | str, name: str = "all", annotations: dict[str, str] | None = None, **spec: Any) -> str:
        """Apply a ReleaseSet of the Project's one service set: `source` is a source, or a release hash."""
        wanted = {"releaseHash": source} if isinstance(source, str) else source
        body = {"projectRef": {"name": "shop"}, "serviceSet": "all", "environmentRef": {"name": self.name}, "source": wanted, **spec}
        self.apply("ReleaseSet", name, body, annotations=annotations)
        return name

    def get_set(self, name: str = "all") -> dict[str, Any]:
        """Read a ReleaseSet."""
        return dict(self.bed.api.get_namespaced_custom_object(GROUP, VERSION, self.name, "releasesets", name))

    def set_status(self, name: str = "all") -> dict[str, Any]:
        """Read a ReleaseSet's status."""
        return dict(self.get_set(name).get("status") or {})

    def children(self, name: str = "all") -> dict[str, dict[str, Any]]:
        """Return the Releases of a set by service."""
        selector = f"{GROUP}/release-set={name}"
        found = self.bed.api.list_namespaced_custom_object(GROUP, VERSION, self.name, "releases", label_selector=selector)["items"]
        return {r["spec"]["service"]: r for r in found}

    def wait_set(self, reason: str, name: str = "all", *, deadline_s: float = PATIENCE_S, **more: Any) -> dict[str, Any]:
        """Wait until a set's Ready has a reason, said of the newest spec; returns the status. `more` are fields that must be so, too."""

        def there() -> dict[str, Any] | None:
            found = self.get_set(name)
            status = found.get("status") or {}
            up_to_date = status.get("observedGeneration") == found["metadata"]["generation"]
            fits = up_to_date and condition(status, "Ready").get("reason") == reason and all(status.get(k) == v for k, v in more.items())
            return status if fits else None

        return self.until_set(there, f"Ready to be {reason}", name, deadline_s)

    def until_set(self, there: Callable[[], Any], what: str, name: str = "all", deadline_s: float = PATIENCE_S) -> Any:
        """Wait until something of a set is there."""
        return self.until(there, what, name, deadline_s, lambda: self.set_status(name))

    def apply(
        self, kind: str, name: str, spec: dict[str, Any], *, namespaced: bool = True, annotations: dict[str, str] | None = None
    ) -> None:
        """Apply an object on the server's side, without fields that are None. Raises KubectlError, with what kubectl says, where it is refused."""
        meta: dict[str, Any] = {"name": name} | ({"namespace": self.name} if namespaced else {})
        if annotations:
            meta["annotations"] = annotations
        where = f"/namespaces/{self.name}" if namespaced else ""
        body = {"apiVersion": _API, "kind": kind, "metadata": meta, "spec": _without_nulls(spec)}
        try:
            self._apply(f"/apis/{_API}{where}/{kind.lower()}s", body)
        except Refused as refused:
            self.bed.cluster.apply(body)
            if str(refused).startswith(("400", "403", "422")):
                raise AssertionError(f"kubectl applies what is refused on the server's side: {refused}") from refused

    def _apply(self, path: str, body: dict[str, Any]) -> None:
        where = f"{path}/{body['metadata']['name']}?fieldManager=tests&force=true&fieldValidation=Strict"
        ask(self.bed.api, "PATCH", where, body, APPLY)

    def annotate(self, name: str, kind: str = "release", **annotations: str) -> None:
        """Annotate a Release (or another kind) with requests."""
        pairs = [f"{GROUP}/{k}={v}" for k, v in annotations.items()]
        self.kubectl("annotate", "--overwrite", kind, name, *pairs)

    def delete(self, kind: str, name: str) -> None:
        """Delete an object and wait until it is gone."""
        self.kubectl("delete", kind, name, "--timeout=20s")

    def kubectl(self, *arguments: str) -> str:
        """Run kubectl in the namespace."""
        return self.bed.cluster.kubectl("-n", self.name, *arguments)

    def get(self, name: str = "web") -> dict[str, Any]:
        """Read a Release."""
        return dict(self.bed.api.get_namespaced_custom_object(GROUP, VERSION, self.name, "releases", name))

    def get_environment(self, name: str | None = None) -> dict[str, Any]:
        """Read an Environment."""
        return dict(self.bed.api.get_cluster_custom_object(GROUP, VERSION, "environments", name or self.name))

    def status(self, name: str = "web") -> dict[str, Any]:
        """Read a Release's status."""
        return dict(self.get(name).get("status") or {})

    def wait(self, reason: str, name: str = "web", *, deadline_s: float = PATIENCE_S, **more: Any) -> dict[str, Any]:
        """Wait until Ready has a reason, said of the newest spec; returns the status. `more` are fields of the status that must be so, too."""

        def there() -> dict[str, Any] | None:
            release = self.get(name)
            status = release.get("status") or {}
            ready = condition(status, "Ready")
            up_to_date = status.get("observedGeneration") == release["metadata"]["generation"]
            fits = up_to_date and ready.get("reason") == reason and all(status.get(k) == v for k, v in more.items())
            return status if fits else None

        return self.until(there, f"Ready to be {reason}", name, deadline_s)

    def deployed(self, name: str = "web", *, deadline_s: float = PATIENCE_S) -> str:
        """Wait until an attempt at the newest spec has reached ECS; returns the id of its deployment. Ready may be RollingOut before that."""

        def there() -> str:
            release = self.get(name)
            status = release.get("status") or {}
            rollout, pin = status.get("rollout") or {}, status.get("pin") or {}
            up_to_date = status.get("observedGeneration") == release["metadata"]["generation"] and rollout.get("pinID") == pin.get("id")
            return str(rollout.get("deploymentID") or "") if up_to_date else ""

        return str(self.until(there, "a deployment", name, deadline_s))

    def until(
        self,
        there: Callable[[], Any],
        what: str,
        name: str = "web",
        deadline_s: float = PATIENCE_S,
        show: Callable[[], Any] | None = None,
    ) -> Any:
        """Wait until something is there."""
        end = time.monotonic() + deadline_s
        while True:
            begun = time.monotonic()
            found = there()
            if found:
                return found
            if time.monotonic() > end:
                try:
                    shown = yaml.safe_dump(show() if show else self.status(name))
                except kubernetes_client.ApiException as error:
                    shown = str(error.reason)
                raise AssertionError(f"waited {deadline_s:.0f} s for {what}; status is\n{shown}\n{self.bed.operator.tail(3000)}")
            pause(begun)

    def stays(self, reason: str, name: str = "web", seconds: float = 3.0) -> dict[str, Any]:
        """Check that Ready keeps its reason for a while."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            status = self.status(name)
            assert condition(status, "Ready").get("reason") == reason, yaml.safe_dump(status)
            time.sleep(0.1)
        return self.status(name)

    def events(self, name: str = "web") -> list[dict[str, Any]]:
        """List the Events on a Release."""
        found = self.bed.api.list_namespaced_custom_object("events.k8s.io", "v1", self.name, "events")["items"]
        return [e for e in found if e["regarding"]["name"] == name]

    # AWS.

    def repository(self, service: str = "web") -> str:
        """Name a service's repository."""
        return f"{self.name}/{service}"

    def push(self, *tags: str, service: str = "web", **more: Any) -> str:
        """Push an image of a service; a tag is taken for a release hash unless it holds a dot or is `latest`."""
        named = [t if "." in t or t == "latest" else f"ref.{t}" for t in tags]
        return self.aws.push_image(self.repository(service), named, account=self.account, region=self.region, **more)

    def service(self, tag: str = "v1", service: str = "web", *, push: bool = True, **more: Any) -> str:
        """Create a service that runs an image, and wait until it is steady. Returns the image's digest."""
        digest = self.push(tag, service=service) if push else ""
        image = image_name(self.repository(service), f"ref.{tag}", account=self.account, region=self.region)
        containers = more.pop("containers", {"app": image})
        more.setdefault("family", f"{self.name}-{service}")
        self.aws.create_service(service, containers, cluster=self.name, account=self.account, region=self.region, **more)
        return digest

    def deploy(self, tag: str | None = None, service: str = "web", **more: Any) -> str:
        """Deploy an image as somebody else would. Returns the deployment's id."""
        containers = more.pop("containers", None)
        if tag is not None:
            containers = {"app": image_name(self.repository(service), f"ref.{tag}", account=self.account, region=self.region)}
        return self.aws.deploy(service, containers, cluster=self.name, account=self.account, region=self.region, **more)

    def ecs_service(self, service: str = "web") -> dict[str, Any]:
        """Describe the ECS service."""
        return self.aws.service(service, cluster=self.name, account=self.account, region=self.region)

    def ecs(self) -> Any:
        """A client of ECS."""
        return self.aws.client("ecs", self.account, self.region)

    def running(self, service: str = "web") -> dict[str, set[str]]:
        """Return the digests of running tasks by container."""
        return self.aws.running_digests(service, cluster=self.name, account=self.account, region=self.region)

    def updates(self) -> list[dict[str, Any]]:
        """List the operator's UpdateService calls here."""
        calls = self.aws.calls(action="UpdateService", since=self.begun)
        return [c for c in calls if c["parameters"].get("cluster") == self.name]

    def mutations(self) -> list[dict[str, Any]]:
        """List the operator's calls here that change anything."""
        return [c for c in self.aws.calls(mutating=True, since=self.begun) if f"/{self.name}/" in c["caller"]]

    def changes(self, since: int) -> list[dict[str, Any]]:
        """List the calls since a mark that change anything here, whoever makes them: all that is here has this name in its own."""
        return [c for c in self.aws.calls(mutating=True, since=since) if self.name in str(c)]


def condition(status: dict[str, Any], kind: str) -> dict[str, Any]:
    """Return a condition; an empty one where there is none."""
    return next((dict(c) for c in status.get("conditions") or () if c["type"] == kind), {})


def triple(status: dict[str, Any]) -> tuple[str, str, str]:
    """Return the statuses of Ready, Reconciling and Stalled."""
    ready, reconciling, stalled = (condition(status, k).get("status", "") for k in ("Ready", "Reconciling", "Stalled"))
    return ready, reconciling, stalled


PROGRESSING, WAITING, STALLED, READY, UNREADY = (
    ("Unknown", "True", "False"),
    ("False", "True", "False"),
    ("False", "False", "True"),
    ("True", "False", "False"),
    ("False", "False", "False"),
)


def _without_nulls(value: Any) -> Any:
    """Leave out of objects, at any depth, what is null: as kubectl applies them, and as server-side apply refuses it."""
    if isinstance(value, dict):
        return {k: _without_nulls(v) for k, v in value.items() if v is not None}
    return [_without_nulls(v) for v in value] if isinstance(value, list) else value
