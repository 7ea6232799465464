"""The simulator for tests: started and stopped, asked, seeded."""

from __future__ import annotations

import hashlib
import json
import os
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

from tests.aws_simulator.client_rollouts import ACCOUNT, REGION, Rollouts
from tests.control_plane.processes import ChildProcess
from tests.waiting import PATIENCE_S

_OURS = "test"
"""Marks the test's own calls in the user agent."""
_RENEWED_S = 1800.0
_ROOT = Path(__file__).parent.parent.parent
_CREDENTIALS = {"aws_access_key_id": "AKIAIOSFODNN7EXAMPLE", "aws_secret_access_key": "not-a-secret"}

_MANIFEST, _INDEX = "application/vnd.oci.image.manifest.v1+json", "application/vnd.oci.image.index.v1+json"
_CONFIG = "application/vnd.docker.container.image.v1+json"


class Simulator(Rollouts):
    """A simulated AWS in a process of its own. Use it as a context manager."""

    def __init__(self, *, time_scale: float = 60.0, port: int = 0, seed: int = 1) -> None:
        """`time_scale` divides AWS's durations."""
        self._options = ["--port", str(port), "--time-scale", str(time_scale), "--seed", str(seed)]
        self._folder = tempfile.TemporaryDirectory(prefix="aws-simulator-")
        self.process: ChildProcess
        self.endpoint = ""
        self._clients: dict[tuple[str, str, str], tuple[float, Any]] = {}

    def __enter__(self) -> Simulator:
        """Start it and wait until it answers."""
        log = Path(self._folder.name) / "log"
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(_ROOT), str(_ROOT / "operator")])}
        self.process = ChildProcess("aws simulator", [sys.executable, "-m", "tests.aws_simulator", *self._options], log, environment)
        try:
            self.process.wait_until(lambda: "http://" in self.process.tail(), PATIENCE_S)
        except BaseException:
            self.stop()
            raise
        self.endpoint = next(line for line in self.process.tail().splitlines() if line.startswith("http://"))
        return self

    def __exit__(self, *_: object) -> None:
        """Stop it."""
        self.stop()

    def stop(self) -> None:
        """Stop it and remove its folder."""
        self.process.stop(2)
        self._folder.cleanup()

    # Asking and controlling.

    def environment(self) -> dict[str, str]:
        """What a program needs in its environment to use it."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ACCESS_KEY_ID": _CREDENTIALS["aws_access_key_id"],
            "AWS_SECRET_ACCESS_KEY": _CREDENTIALS["aws_secret_access_key"],
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def client(self, service: str, account: str = ACCOUNT, region: str = REGION) -> Any:
        """Return a boto3 client in an account and region."""
        key = (service, account, region)
        made, _ = self._clients.get(key, (-_RENEWED_S, None))
        # A role's credentials last for an hour: with a machine that is busy enough, a worker's tests last longer.
        if time.monotonic() - made >= _RENEWED_S:
            config = Config(retries={"total_max_attempts": 1}, read_timeout=30, user_agent_extra=_OURS)
            base = {"region_name": region, "endpoint_url": self.endpoint, "config": config}
            sts = boto3.client("sts", **base, **_CREDENTIALS)
            role = sts.assume_role(RoleArn=f"arn:aws:iam::{account}:role/test", RoleSessionName="test")["Credentials"]
            client = boto3.client(
                service, **base, aws_access_key_id=role["AccessKeyId"], aws_secret_access_key=role["SecretAccessKey"],
                aws_session_token=role["SessionToken"],
            )  # fmt: skip
            self._clients[key] = (time.monotonic(), client)
        return self._clients[key][1]

    def control(self, command: str, **arguments: Any) -> Any:
        """Send a command of the control API."""
        request = urllib.request.Request(
            f"{self.endpoint}/simulator/{command}", json.dumps(arguments).encode(), {"Content-Type": "application/json"}
        )
        try:
            with urllib.request.urlopen(request, timeout=120) as answer:
                return json.loads(answer.read())
        except urllib.error.HTTPError as error:
            raise ValueError(f"the simulator refuses {command}: {error.read().decode()}") from None

    def calls(self, **filters: Any) -> list[dict[str, Any]]:
        """List the calls that were made, by field; the test's own are left out."""
        return [c for c in self.control("calls", **filters) if _OURS not in c["user_agent"].split()]

    def mark(self) -> int:
        """Return the number of the last call so far, for `calls(since=…)`."""
        return int(self.control("mark")["number"])

    def count_mutating(self, **filters: Any) -> int:
        """Count the calls that changed anything, the test's own left out."""
        return len(self.calls(mutating=True, **filters))

    def reset(self) -> None:
        """Forget everything: resources, faults, calls."""
        self.control("reset")
        self._clients.clear()

    def configure(self, **sections: dict[str, Any]) -> None:
        """Set switches: `configure(switches={"visibility_lag_s": 2})`."""
        self.control("configure", **sections)

    def fault(self, action: str, **facts: Any) -> None:
        """Have calls fail: see `faults.Fault`."""
        self.control("fault", action=action, **facts)

    def deny(self, **facts: Any) -> None:
        """Deny calls: see `faults.Denial`."""
        self.control("deny", **facts)

    def lose_task(self, service: str, *, cluster: str = "main", account: str = ACCOUNT, region: str = REGION, **more: str) -> str:
        """End a running task of a service, by loss of Spot capacity unless `reason` and `code` say otherwise. Returns its ARN."""
        return str(self.control("lose-task", account=account, region=region, cluster=cluster, service=service, **more)["task"])

    def behave(self, digest: str, kind: str) -> None:
        """Make an image behave otherwise from its next task on: see `behaviour.KINDS`."""
        self.control("behave", digest=digest, kind=kind)

    def clear_faults(self, match: str = "") -> None:
        """Take back faults and denials: all, or those made with this match, role or account."""
        self.control("clear-faults", match=match)

    # Seeding.

    def push_image(
        self, repository: str, tags: Sequence[str] = ("latest",), *, account: str = ACCOUNT, region: str = REGION,
        content: str | None = None, platforms: Sequence[str] = (), mutability: str = "MUTABLE", config: str = _CONFIG,
    ) -> str:  # fmt: skip
        """Push an image under some tags and return its digest. Other `content` gives another digest; by default the first tag does."""
        ecr = self.client("ecr", account, region)
        try:
            ecr.create_repository(repositoryName=repository, imageTagMutability=mutability)
        except ecr.exceptions.RepositoryAlreadyExistsException:
            pass
        content = content or f"{repository} {tags[0] if tags else ''}"
        manifest = _manifest(content, config)
        if platforms:
            entries = []
            for platform in platforms:
                one = self.push_image(repository, (), account=account, region=region, content=f"{content} {platform}")
                operating_system, _, architecture = platform.partition("/")
                entries.append(
                    {"digest": one, "size": 1, "mediaType": _MANIFEST, "platform": {"os": operating_system, "architecture": architecture}}
                )
            manifest = json.dumps({"schemaVersion": 2, "mediaType": _INDEX, "manifests": entries})
        digest = ""
        for tag in tags or [None]:
            arguments = {"imageTag": tag} if tag else {}
            try:
                digest = ecr.put_image(repositoryName=repository, imageManifest=manifest, **arguments)["image"]["imageId"]["imageDigest"]
            except ecr.exceptions.ImageAlreadyExistsException:
                digest = "sha256:" + hashlib.sha256(manifest.encode()).hexdigest()
        return digest

    def create_service(
        self, name: str, containers: dict[str, str], *, cluster: str = "main", account: str = ACCOUNT, region: str = REGION, desired: int = 2,
        circuit_breaker: bool = True, rollback: bool = True, wait: bool = True, **more: Any,
    ) -> str:  # fmt: skip
        """Create a cluster, a task definition of containers (name to image) and a service; wait until it is steady."""
        ecs = self.client("ecs", account, region)
        ecs.create_cluster(clusterName=cluster)
        revision = ecs.register_task_definition(family=more.pop("family", name), **task_definition(containers))["taskDefinition"][
            "taskDefinitionArn"
        ]
        configuration = {"deploymentCircuitBreaker": {"enable": circuit_breaker, "rollback": rollback}}
        configuration |= more.pop("deploymentConfiguration", {})
        self._wait_until_drained(name, cluster, account, region)
        count = {} if more.get("schedulingStrategy") == "DAEMON" else {"desiredCount": desired}
        ecs.create_service(
            cluster=cluster, serviceName=name, taskDefinition=revision, deploymentConfiguration=configuration, **count, **more
        )
        if wait:
            self.wait_steady(name, cluster=cluster, account=account, region=region)
        return revision

    def _wait_until_drained(self, name: str, cluster: str, account: str, region: str, deadline_s: float = PATIENCE_S) -> None:
        """A deleted service's name is free once its last task has stopped."""
        until = time.monotonic() + deadline_s
        ecs = self.client("ecs", account, region)
        while [s for s in ecs.describe_services(cluster=cluster, services=[name])["services"] if s["status"] == "DRAINING"]:
            if time.monotonic() > until:
                raise TimeoutError(f"{name} is still DRAINING after {deadline_s:.0f} s")
            time.sleep(0.05)

    def service(self, name: str, *, cluster: str = "main", account: str = ACCOUNT, region: str = REGION) -> dict[str, Any]:
        """Describe a service."""
        return dict(self.client("ecs", account, region).describe_services(cluster=cluster, services=[name])["services"][0])

    def wait_steady(self, name: str, *, deadline_s: float = PATIENCE_S, **where: str) -> dict[str, Any]:
        """Wait until a service has one deployment, COMPLETED, or one task set, steady."""
        until = time.monotonic() + deadline_s
        while True:
            service = self.service(name, **where)
            deployments = service["deployments"]
            done = len(deployments) == 1 and deployments[0].get("rolloutState", "COMPLETED") == "COMPLETED"
            done = done or [s["stabilityStatus"] for s in service.get("taskSets") or ()] == ["STEADY_STATE"]
            if done and service["runningCount"] == service["desiredCount"]:
                return service
            if time.monotonic() > until:
                raise TimeoutError(f"{name} is not steady: {deployments}")
            time.sleep(0.05)

    def deploy(
        self,
        name: str,
        containers: dict[str, str] | None = None,
        *,
        cluster: str = "main",
        account: str = ACCOUNT,
        region: str = REGION,
        **more: Any,
    ) -> str:
        """Deploy as somebody else would: register a revision and update the service. Returns the deployment's id."""
        ecs = self.client("ecs", account, region)
        revision = more.pop("taskDefinition", None)
        if containers is not None:
            family = (
                self.service(name, cluster=cluster, account=account, region=region)["taskDefinition"].rpartition("/")[2].partition(":")[0]
            )
            revision = ecs.register_task_definition(family=family, **task_definition(containers))["taskDefinition"]["taskDefinitionArn"]
        arguments = {"taskDefinition": revision} if revision else {}
        answer = ecs.update_service(cluster=cluster, service=name, **arguments, **more)
        return str(next(d["id"] for d in answer["service"]["deployments"] if d["status"] == "PRIMARY"))

    def running_digests(self, name: str, *, cluster: str = "main", account: str = ACCOUNT, region: str = REGION) -> dict[str, set[str]]:
        """Return the digests of running tasks by container."""
        ecs = self.client("ecs", account, region)
        arns = ecs.list_tasks(cluster=cluster, serviceName=name)["taskArns"]
        found: dict[str, set[str]] = {}
        for task in ecs.describe_tasks(cluster=cluster, tasks=arns)["tasks"] if arns else ():
            for container in task["containers"]:
                if task["lastStatus"] == "RUNNING":
                    found.setdefault(container["name"], set()).add(container.get("imageDigest", ""))
        return found


def _manifest(content: str, config: str = _CONFIG) -> str:
    described = {"mediaType": config, "size": 1, "comment": content}
    return json.dumps({"schemaVersion": 2, "mediaType": _MANIFEST, "config": described, "layers": []})


def image_name(repository: str, tag: str, *, account: str = ACCOUNT, region: str = REGION) -> str:
    """Name an image in ECR."""
    return f"{account}.dkr.ecr.{region}.amazonaws.com/{repository}:{tag}"


def task_definition(containers: dict[str, str]) -> dict[str, Any]:
    """Make a task definition of containers with logs, an environment and secrets, as real ones have."""
    return {
        "networkMode": "awsvpc",
        "requiresCompatibilities": ["FARGATE"],
        "cpu": "256",
        "memory": "512",
        "executionRoleArn": f"arn:aws:iam::{ACCOUNT}:role/execution",
        "taskRoleArn": f"arn:aws:iam::{ACCOUNT}:role/task",
        "runtimePlatform": {"cpuArchitecture": "ARM64", "operatingSystemFamily": "LINUX"},
        "volumes": [{"name": "scratch"}],
        "containerDefinitions": [
            {
                "name": name,
                "image": image,
                "essential": True,
                "environment": [{"name": "LOG_LEVEL", "value": "info"}],
                "secrets": [{"name": "KEY", "valueFrom": f"arn:aws:ssm:{REGION}:{ACCOUNT}:parameter/key"}],
                "portMappings": [{"containerPort": 8080, "protocol": "tcp", "appProtocol": "http", "name": f"{name}-http"}],
                "logConfiguration": {
                    "logDriver": "awslogs",
                    "options": {"awslogs-group": f"/ecs/{name}", "awslogs-region": REGION, "awslogs-stream-prefix": "app"},
                },
                "healthCheck": {"command": ["CMD-SHELL", "true"], "interval": 10},
                "dependsOn": [],
                "stopTimeout": 30,
            }
            for name, image in containers.items()
        ],
        "tags": [{"key": "team", "value": "storage"}],
    }
