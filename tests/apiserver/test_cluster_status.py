"""Status by server-side apply, as the real API server takes it."""

from __future__ import annotations

import asyncio
import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ecs_release.api.names import ABORT_ANNOTATION, ENVIRONMENT, PLURALS, RELEASE, RETRY_ANNOTATION
from ecs_release.cluster.adapter import KubernetesCluster
from ecs_release.cluster.api_server import ApiServer
from ecs_release.cluster.events import EventRecorder
from ecs_release.domain.model.errors import Conflict, NotFound, Problem
from ecs_release.domain.model.namespaces import Namespaces
from ecs_release.domain.model.unicode import well_formed
from ecs_release.domain.ports.protocols import ObjectKey
from tests.builders.objects import environment_object, release_object
from tests.control_plane.control_plane import Cluster
from tests.waiting import until_blocking


@pytest.fixture
def adapter(server: ApiServer) -> KubernetesCluster:
    return KubernetesCluster(server, EventRecorder(server, "test"))


def condition(type_: str, status: str = "True") -> dict[str, str]:
    return {"type": type_, "status": status, "reason": "Succeeded", "message": "", "lastTransitionTime": "2026-01-01T00:00:00Z"}


async def test_replaces_what_is_ours_and_keeps_the_rest(cluster: Cluster, adapter: KubernetesCluster, namespace: str) -> None:
    cluster.apply(release_object(namespace=namespace))
    key = ObjectKey(RELEASE, namespace, "web")
    there = await adapter.get(key)
    assert there is not None
    meta = there["metadata"]

    first = await adapter.write_status(
        key, {"phase": "Ready", "conditions": [condition("Ready"), condition("Deployed")]}, uid=meta["uid"], resource_version=meta["resourceVersion"],
    )  # fmt: skip
    second = await adapter.write_status(
        key, {"conditions": [condition("Ready", "False")]}, uid=meta["uid"], resource_version=first["metadata"]["resourceVersion"]
    )

    assert first["status"]["phase"] == "Ready"
    assert "phase" not in second["status"]
    assert [(c["type"], c["status"]) for c in second["status"]["conditions"]] == [("Ready", "False")]
    assert second["spec"] == there["spec"]
    assert second["metadata"]["generation"] == meta["generation"]
    written = cluster.get("release", "web", "-n", namespace, "--show-managed-fields")
    ours = [m for m in written["metadata"]["managedFields"] if m["manager"] == "ecs-release.dev/operator"]
    assert [(m["operation"], m["subresource"]) for m in ours] == [("Apply", "status")]


async def test_an_update_keeps_the_metadata_of_others(cluster: Cluster, adapter: KubernetesCluster, namespace: str) -> None:
    """Most of it is not kept in memory, and must be written as it is there."""
    cluster.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a", "namespace": namespace}})
    # The garbage collector deletes what has an owner that does not exist.
    owner = cluster.get("configmap", "a", "-n", namespace)["metadata"]["uid"]
    made = release_object(namespace=namespace)
    made["metadata"] |= {
        "annotations": {"example.com/note": "\N{GRINNING FACE}" + "x" * 200_000, RETRY_ANNOTATION: "1"},
        "labels": {"example.com/team": "a"},
        "finalizers": ["example.com/hold"],
        "ownerReferences": [{"apiVersion": "v1", "kind": "ConfigMap", "name": "a", "uid": owner}],
    }
    cluster.kubectl("create", "-f", "-", stdin=json.dumps(made))
    key = ObjectKey(RELEASE, namespace, "web")
    try:
        read = await adapter.get(key)
        assert read is not None
        assert read["metadata"]["annotations"] == {RETRY_ANNOTATION: "1"}
        assert len(json.dumps(read)) < 5_000
        changed = {
            **read,
            "metadata": {**read["metadata"], "annotations": {ABORT_ANNOTATION: "2"}},
            "spec": {**read["spec"], "suspend": True},
        }
        assert len(json.dumps(await adapter.replace(key, changed))) < 5_000
        found = cluster.get("release", "web", "-n", namespace)
        assert found["spec"]["suspend"] is True
        assert found["metadata"]["annotations"] == {
            "example.com/note": made["metadata"]["annotations"]["example.com/note"],
            ABORT_ANNOTATION: "2",
        }
        assert {n: found["metadata"][n] for n in ("labels", "finalizers", "ownerReferences")} == {
            n: made["metadata"][n] for n in ("labels", "finalizers", "ownerReferences")
        }
        with pytest.raises(Conflict):
            await adapter.replace(key, changed)
    finally:
        cluster.kubectl("patch", "release", "web", "-n", namespace, "--type=merge", "-p", '{"metadata": {"finalizers": null}}')


async def test_an_object_that_moved_on_is_a_conflict(cluster: Cluster, adapter: KubernetesCluster, namespace: str) -> None:
    cluster.apply(release_object(namespace=namespace))
    key = ObjectKey(RELEASE, namespace, "web")
    meta = (await adapter.get(key) or {})["metadata"]
    cluster.kubectl("annotate", "releases.ecs-release.dev", "web", "-n", namespace, "team=storage")

    with pytest.raises(Conflict, match="modified"):
        await adapter.write_status(key, {"phase": "Ready"}, uid=meta["uid"], resource_version=meta["resourceVersion"])

    assert "phase" not in (await adapter.get(key) or {})["status"]


async def test_an_object_made_again_under_its_name_is_a_conflict(cluster: Cluster, adapter: KubernetesCluster, namespace: str) -> None:
    cluster.apply(release_object(namespace=namespace))
    key = ObjectKey(RELEASE, namespace, "web")
    meta = (await adapter.get(key) or {})["metadata"]
    cluster.kubectl("delete", "releases.ecs-release.dev", "web", "-n", namespace)
    cluster.apply(release_object(namespace=namespace))

    with pytest.raises(Conflict):
        await adapter.write_status(key, {"phase": "Ready"}, uid=meta["uid"], resource_version=meta["resourceVersion"])

    assert "phase" not in (await adapter.get(key) or {})["status"]


async def test_a_deleted_object_is_not_revived(cluster: Cluster, adapter: KubernetesCluster, namespace: str) -> None:
    cluster.apply(release_object(namespace=namespace))
    key = ObjectKey(RELEASE, namespace, "web")
    meta = (await adapter.get(key) or {})["metadata"]
    cluster.kubectl("delete", "releases.ecs-release.dev", "web", "-n", namespace)

    with pytest.raises(NotFound):
        await adapter.write_status(key, {"phase": "Ready"}, uid=meta["uid"], resource_version=meta["resourceVersion"])

    assert await adapter.get(key) is None


async def test_a_status_that_the_schema_refuses_is_a_problem_that_says_so(
    cluster: Cluster, adapter: KubernetesCluster, namespace: str
) -> None:
    cluster.apply(release_object(namespace=namespace))
    key = ObjectKey(RELEASE, namespace, "web")
    meta = (await adapter.get(key) or {})["metadata"]

    with pytest.raises(Problem, match=r"status\.phase"):
        await adapter.write_status(key, {"phase": ["x"]}, uid=meta["uid"], resource_version=meta["resourceVersion"])


async def test_cluster_scoped_objects_have_no_namespace(cluster: Cluster, adapter: KubernetesCluster) -> None:
    cluster.apply(environment_object("scoped"))
    key = ObjectKey(ENVIRONMENT, "", "scoped")
    meta = (await adapter.get(key) or {})["metadata"]

    written = await adapter.write_status(
        key, {"lastSweepTime": "2026-01-01T00:00:00Z"}, uid=meta["uid"], resource_version=meta["resourceVersion"]
    )

    assert written["status"]["lastSweepTime"] == "2026-01-01T00:00:00Z"


async def test_names_are_listed_page_by_page(
    cluster: Cluster, adapter: KubernetesCluster, namespace: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("_FIRST", "_LAST"):
        monkeypatch.setattr(f"ecs_release.domain.model.page_size.{name}", 2)
    cluster.apply(*(release_object(f"r{n}", namespace=namespace) for n in range(5)))

    found = [(ns, name, uid) async for ns, name, uid in adapter.names(RELEASE) if ns == namespace]

    listed = cluster.get(f"{PLURALS[RELEASE]}.ecs-release.dev", "-n", namespace)["items"]
    assert sorted(found) == sorted((namespace, i["metadata"]["name"], i["metadata"]["uid"]) for i in listed)
    assert len(found) == 5


async def test_names_are_listed_in_some_namespaces_only(cluster: Cluster, server: ApiServer, namespace: str) -> None:
    cluster.kubectl("create", "namespace", f"{namespace}-2")
    cluster.apply(
        release_object("one", namespace=namespace), release_object("two", namespace=f"{namespace}-2"), environment_object(namespace)
    )
    some = KubernetesCluster(server, EventRecorder(server, "test"), Namespaces([namespace, "not-there"]))

    assert [(ns, name) async for ns, name, _ in some.names(RELEASE)] == [(namespace, "one")]
    assert namespace in [name async for _, name, _ in some.names(ENVIRONMENT)]
    assert await some.count(RELEASE) == 1


async def test_what_is_left_out_is_not_listed(server: ApiServer, namespace: str) -> None:
    """And nothing is listed in its place."""
    namespaces = Namespaces([namespace])
    namespaces.left_out = frozenset([namespace])
    none = KubernetesCluster(server, EventRecorder(server, "test"), namespaces)

    assert [name async for name in none.names(RELEASE)] == []
    assert await none.count(RELEASE) == 0


async def test_a_namespace_without_our_role_refuses(cluster: Cluster, namespace: str) -> None:
    """Whether it is there or not."""
    cluster.kubectl("create", "serviceaccount", "nobody", "-n", namespace)
    nobody = await ApiServer.connect(str(cluster.service_account_kubeconfig(namespace, "nobody")), "test")
    try:
        adapter = KubernetesCluster(nobody, EventRecorder(nobody, "test"))
        for where in (namespace, "not-there"):
            assert "forbidden" in await adapter.refusal(where)
        account, user = f"--serviceaccount={namespace}:nobody", f"system:serviceaccount:{namespace}:nobody"
        cluster.kubectl("create", "rolebinding", "ours", "-n", namespace, "--clusterrole=cluster-admin", account)
        await until_blocking(lambda: cluster.can(user, "list", "releases.ecs-release.dev", "-n", namespace))
        assert await adapter.refusal(namespace) == ""
    finally:
        await nobody.close()


async def test_objects_are_counted_by_reading_one(cluster: Cluster, server: ApiServer, namespace: str) -> None:
    here = KubernetesCluster(server, EventRecorder(server, "test"), Namespaces([namespace]))
    assert await here.count(RELEASE) == 0
    cluster.apply(*(release_object(f"r{n}", namespace=namespace) for n in range(5)))
    assert await here.count(RELEASE) == 5


async def test_labelled_objects_are_listed_up_to_a_number(cluster: Cluster, adapter: KubernetesCluster, namespace: str) -> None:
    cluster.apply(*(release_object(f"r{n}", namespace=namespace, meta={"labels": {"set": "all"}}) for n in range(3)))
    cluster.apply(release_object("other", namespace=namespace))
    found = await adapter.list_labelled(RELEASE, namespace, "set", "all", most=3)
    assert found is not None and {(f["kind"], f["metadata"]["name"]) for f in found} == {(RELEASE, f"r{n}") for n in range(3)}
    assert await adapter.list_labelled(RELEASE, namespace, "set", "all", most=2) is None
    assert await adapter.list_labelled(RELEASE, namespace, "set", "none", most=2) == []


async def test_labels_of_namespaces(cluster: Cluster, adapter: KubernetesCluster, namespace: str) -> None:
    cluster.kubectl("label", "namespace", namespace, "team=storage")

    assert (await adapter.namespace_labels(namespace) or {})["team"] == "storage"
    assert await adapter.namespace_labels("not-there") is None


async def test_policies_that_are_not_there_or_not_served(adapter: KubernetesCluster) -> None:
    assert not await adapter.has_policy("validatingadmissionpolicies", "not-there")
    assert not await adapter.has_policy("notservedpolicies", "not-there")


ODD = [
    "ship \N{ROCKET}",
    "half \ud83d",
    "\0\x01\x1b\x7f\x85",
    "\u2028\u2029\ufeff\ufffe\uffff\U0001fffe",
    "--- \\ud83d \\ \" ' # : {",
    "a\r\n\tb",
]


async def test_any_text_can_be_said(cluster: Cluster, adapter: KubernetesCluster, namespace: str) -> None:
    """In a status, which is read as YAML, and in an object of ours, which is read as JSON."""
    cluster.apply(environment_object(namespace))
    key = ObjectKey(ENVIRONMENT, "", namespace)
    for number, text in enumerate(ODD):
        meta = (await adapter.get(key) or {})["metadata"]
        said = condition("Ready") | {"message": text}
        written = await adapter.write_status(key, {"conditions": [said]}, uid=meta["uid"], resource_version=meta["resourceVersion"])
        child, its_key = release_object(f"web-{number}", namespace=namespace), ObjectKey(RELEASE, namespace, f"web-{number}")
        created = await adapter.create(its_key, child | {"spec": child["spec"] | {"change": {"description": text}}})
        twice = created | {"spec": created["spec"] | {"change": {"description": text + text}}}
        replaced = await adapter.replace(its_key, twice)

        assert written["status"]["conditions"][0]["message"] == well_formed(text)
        assert created["spec"]["change"]["description"] == well_formed(text)
        assert replaced["spec"]["change"]["description"] == well_formed(text + text)


async def test_whatever_a_status_says_is_read_back(cluster: Cluster, adapter: KubernetesCluster, namespace: str) -> None:
    cluster.apply(release_object(namespace=namespace))
    key, loop = ObjectKey(RELEASE, namespace, "web"), asyncio.get_running_loop()
    any_text = st.text(st.characters(exclude_categories=()), max_size=200)

    async def said(description: str, message: str) -> tuple[str, str]:
        meta = (await adapter.get(key) or {})["metadata"]
        status = {"history": [{"attemptID": "a", "description": description}], "conditions": [condition("Ready") | {"message": message}]}
        written = await adapter.write_status(key, status, uid=meta["uid"], resource_version=meta["resourceVersion"])
        return written["status"]["history"][0]["description"], written["status"]["conditions"][0]["message"]

    @settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(any_text, any_text)
    def whatever(description: str, message: str) -> None:
        found = asyncio.run_coroutine_threadsafe(said(description, message), loop).result(30)
        assert found == (well_formed(description), well_formed(message))

    await asyncio.to_thread(whatever)
