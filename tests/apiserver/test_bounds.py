"""Every list of every CRD has as many items as its schema says, on a real API server: rules in CEL have a budget that only it computes."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from itertools import count
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import yaml

from ecs_release.cluster import api_server
from ecs_release.cluster.api_server import ApiServer
from ecs_release.domain.model.api_paths import ApiPath
from tests.builders.maximal import lists_of, maximal
from tests.control_plane.cluster import Cluster
from tests.waiting import PATIENCE_S

CRDS = [yaml.load(path.read_text(), yaml.CSafeLoader) for path in sorted((Path(__file__).parents[2] / "crds").glob("*.yaml"))]
NUMBERS = count()
KEPT = 300_000
"""Bytes of JSON that are stored, and not only validated: managed fields are up to four times as large."""


def _cases() -> Iterator[Any]:
    for crd in CRDS:
        properties = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]
        for part in ("spec", "status"):
            for path in lists_of(properties[part]):
                yield pytest.param(crd, part, path, id=f"{crd['spec']['names']['kind']}-{'.'.join((part, *path))}")


def _object(crd: Mapping[str, Any], name: str, spec: Any) -> dict[str, Any]:
    meta = {"name": name, **({} if crd["spec"]["scope"] == "Cluster" else {"namespace": "default"})}
    return {"apiVersion": "ecs-release.dev/v1alpha1", "kind": crd["spec"]["names"]["kind"], "metadata": meta, "spec": spec}


def _schema(crd: Mapping[str, Any], part: str) -> Mapping[str, Any]:
    return crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"][part]


@pytest.fixture(autouse=True)
def _patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait for a busy API server: rules over a list at its bound take seconds of CPU there."""
    monkeypatch.setattr(api_server, "_TIMEOUT", aiohttp.ClientTimeout(total=PATIENCE_S))
    monkeypatch.setattr(api_server, "_DEADLINE_S", PATIENCE_S)


@pytest.mark.parametrize(("crd", "part", "path"), _cases())
async def test_a_list_at_its_bound_is_created_and_updated(
    cluster: Cluster, server: ApiServer, crd: Mapping[str, Any], part: str, path: tuple[str, ...]
) -> None:
    least = maximal(_schema(crd, "spec"), ())
    largest = maximal(_schema(crd, part), path)
    name = f"bound-{next(NUMBERS)}"
    within = () if crd["spec"]["scope"] == "Cluster" else ("namespaces", "default")
    place = ApiPath(("apis", "ecs-release.dev", "v1alpha1", *within, crd["spec"]["names"]["plural"]))
    stored = len(json.dumps(largest)) <= KEPT
    dry = [] if stored else [("dryRun", "All")]
    if part == "spec":
        await server.request("POST", place, query=dry, body=_object(crd, f"{name}-new", largest))
    made = await server.request("POST", place, body=_object(crd, name, least))
    # Immutable fields of the spec are as they were.
    for repeat in range(2 if stored else 1):
        body = {**made, "spec": {**made["spec"], **_mutable(largest)}} if part == "spec" else {**made, "status": largest}
        body["metadata"] = {**made["metadata"], "labels": {"repeat": str(repeat)}}
        made = await server.request("PUT", place.below(name, *(["status"] if part == "status" else [])), query=dry, body=body)
    found = _at([made[part]], path)
    assert found, "the list was dropped"


def _mutable(spec: Mapping[str, Any]) -> dict[str, Any]:
    return {k: v for k, v in spec.items() if k not in {"aws", "projectRef", "service", "serviceSet", "environmentRef"}}


def _at(values: list[Any], path: tuple[str, ...]) -> list[Any]:
    for part in path:
        values = [inner for v in values for inner in (v if part == "[]" else v.values() if part == "{}" else [v[part]])]
    return values
