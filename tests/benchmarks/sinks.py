"""Releases into 200 Environments whose topic, GitHub and Slack do not answer, against the same releases without sinks."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import yaml

from ecs_release.api.names import GROUP, VERSION
from tests.aws_simulator.client import ACCOUNT, REGION, image_name
from tests.benchmarks.results import Result
from tests.e2e.bed import Place, condition, running_bed
from tests.github_fake.server import GitHubFake
from tests.operator_process import FAST
from tests.slack_host.server import TOKEN, SlackHost

ENVIRONMENTS, ACCOUNTS = 200, 20
"""Several accounts, so that AWS's rates are not what is measured."""
BOUND = 1.1
_HANGS_S = 25.0
"""Longer than the operator waits for an answer."""
_DEADLINE_S = 600.0
_CHANNEL = "C0RELEASES"


def measure() -> list[Result]:
    """Release four times: without sinks, twice with sinks that hang, and without sinks again, so that what the machine does else is even."""
    settings = {
        **FAST,
        "ECS_RELEASE_ARTIFACT_INTERVAL_SECONDS": "86400",
        "ECS_RELEASE_LOG_LEVEL": "info",
        "ECS_RELEASE_RESYNC_SECONDS": "3600",
    }
    with _hanging_hosts() as (file, github, slack), running_bed(settings=settings | _connections(file)) as bed:
        place = Place(bed)
        names = [f"s{n:03}" for n in range(ENVIRONMENTS)]
        for tag in ("v1", "v2", "v3", "v4", "v5"):
            place.push(tag)
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda n: place.aws.client("ecs", _account(n), REGION).create_cluster(clusterName=place.name), range(ACCOUNTS)))
            list(pool.map(lambda name: _make(place, name), names))
        repository = place.repository()
        services = [{"name": name, "containers": [{"name": "app", "repository": repository}]} for name in names]
        sets = [{"name": f"set{n}", "services": services[n : n + 50]} for n in range(0, ENVIRONMENTS, 50)]
        place.apply("Project", "shop", {"serviceSets": sets, "git": {"url": "https://github.com/acme/shop"}})
        for name in names:
            place.bed.api.create_cluster_custom_object(GROUP, VERSION, "environments", _environment(place, name))
            place.bed.api.create_namespaced_custom_object(GROUP, VERSION, place.name, "releases", _release(place, name))
        _until_all(place, "v1")
        bed.aws.fault("Publish", kind="delay", seconds=_HANGS_S, times=None)
        without = [_taken(place, names, "v2")]
        _notify(place, names, hang=True)
        hanging = [_taken(place, names, tag) for tag in ("v3", "v4")]
        sent = {"SNS": len(bed.aws.calls(action="Publish")), "GitHub": len(github.calls), "Slack": len(slack.calls)}
        _notify(place, names, hang=False)
        without.append(_taken(place, names, "v5"))
    # GitHub and Slack are each one connection: what hangs there is one call at a time.
    assert sent["SNS"] >= ENVIRONMENTS and sent["GitHub"] and sent["Slack"], f"too few calls have hung: {sent}"
    what = f"{ENVIRONMENTS} Environments, a release each at once, topics, GitHub and Slack hang, against without sinks"
    return [Result(what, sum(hanging) / 2, "s", sum(without) / 2, BOUND, 2)]


@contextmanager
def _hanging_hosts() -> Iterator[tuple[Path, GitHubFake, SlackHost]]:
    """Run a GitHub and a Slack that never answer. Yields the operator's file of connections to them, too."""
    with TemporaryDirectory() as name, GitHubFake(checks=False).running() as github, SlackHost() as slack:
        folder = Path(name)
        (folder / "token").write_text(TOKEN)
        to_slack = yaml.safe_dump({"slack": [{"name": "main", "url": slack.url, "tokenFile": str(folder / "token")}]})
        (folder / "connections.yaml").write_text("github:\n" + github.connection(folder) + to_slack)
        slack.channel(_CHANNEL)
        github.fault("hang", times=None)
        slack.fault("*", "hang", times=None)
        yield folder / "connections.yaml", github, slack


def _connections(file: Path) -> dict[str, str]:
    return {"ECS_RELEASE_CONNECTIONS_FILE": str(file), "ECS_RELEASE_CONNECTIONS_ALLOW_LOOPBACK": "true"}


def _account(number: int) -> str:
    return ACCOUNT if number == 0 else str(200_000_000_000 + number)


def _of(name: str) -> str:
    return _account(int(name[1:]) % ACCOUNTS)


def _make(place: Place, name: str) -> None:
    image = image_name(place.repository(), "ref.v1", account=ACCOUNT, region=REGION)
    place.aws.create_service(name, {"app": image}, cluster=place.name, account=_of(name), region=REGION, wait=False)


def _environment(place: Place, name: str) -> dict[str, Any]:
    account = _of(name)
    spec = {
        "allowedNamespaces": {"names": [place.name]},
        "aws": {"accountID": account, "region": REGION, "roleARN": f"arn:aws:iam::{account}:role/{place.name}"},
        "target": {"cluster": place.name, "serviceName": "{service}"},
        "artifacts": {"registryID": ACCOUNT},
        "observation": {"intervalSeconds": 60, "graceSeconds": 60},
    }
    return {"apiVersion": f"{GROUP}/{VERSION}", "kind": "Environment", "metadata": {"name": f"{place.name}-{name}"}, "spec": spec}


def _notify(place: Place, names: list[str], *, hang: bool) -> None:
    """Give each Environment sinks that do not answer, or take them away."""
    rules = [{"namespaces": [place.name], "repositories": ["acme/*"]}]
    views = {
        "github": {"credentials": "main", "repositories": rules, "environmentName": "{environment}"},
        "slack": {"credentials": "main", "channel": _CHANNEL},
    }
    for name in names:
        sinks = {"snsTopicARN": f"arn:aws:sns:{REGION}:{_of(name)}:{name}", **views}
        body = {"spec": {"notify": sinks if hang else None}}
        place.bed.api.patch_cluster_custom_object(GROUP, VERSION, "environments", f"{place.name}-{name}", body)
    time.sleep(3)


def _release(place: Place, name: str) -> dict[str, Any]:
    spec = {
        "projectRef": {"name": "shop"}, "service": name, "environmentRef": {"name": f"{place.name}-{name}"}, "source": {"releaseHash": "v1"},
    }  # fmt: skip
    return {"apiVersion": f"{GROUP}/{VERSION}", "kind": "Release", "metadata": {"name": name, "namespace": place.name}, "spec": spec}


def _taken(place: Place, names: list[str], tag: str) -> float:
    """Release everywhere at once. Returns the seconds until all have succeeded."""
    body, api = {"spec": {"source": {"releaseHash": tag}}}, place.bed.api
    begun = time.monotonic()
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda name: api.patch_namespaced_custom_object(GROUP, VERSION, place.name, "releases", name, body), names))
    _until_all(place, tag)
    return time.monotonic() - begun


def _until_all(place: Place, tag: str) -> None:
    """Wait until all Releases have succeeded with a tag."""

    def done() -> bool:
        found = place.bed.api.list_namespaced_custom_object(GROUP, VERSION, place.name, "releases")["items"]
        return len(found) == ENVIRONMENTS and all(_is_done(body.get("status") or {}, tag) for body in found)

    place.until(done, f"all to be on {tag}", "s000", deadline_s=_DEADLINE_S)


def _is_done(status: dict[str, Any], tag: str) -> bool:
    return condition(status, "Ready").get("status") == "True" and (status.get("summary") or {}).get("runningHash") == tag
