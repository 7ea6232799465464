"""Who may write status, retry, abort and override; and what is recorded of who did it, with an operator that has its documented rights only."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import pytest
import yaml

from tests.control_plane.cluster import KubectlError
from tests.e2e.api import JSON_PATCH, MERGE, Refused
from tests.e2e.bed import GROUP, Place
from tests.e2e.people import API, APPLIED_BY, Person, body, grant, is_refused, made, path_of, user
from tests.e2e.sets import push

SAID = {"observedGeneration": 1000}
STATUS_WRITES: dict[str, Callable[[Person, str, dict[str, Any]], object]] = {
    "patch": lambda who, path, _: who.ask("PATCH", f"{path}/status", {"status": SAID}, MERGE),
    "json patch": lambda who, path, _: who.ask("PATCH", f"{path}/status", [{"op": "add", "path": "/status", "value": SAID}], JSON_PATCH),
    "apply": lambda who, path, found: who.apply(
        f"{path}/status", {"apiVersion": API, "kind": found["kind"], "metadata": {"name": found["metadata"]["name"]}, "status": SAID}
    ),
    "replace": lambda who, path, _: who.put(f"{path}/status", lambda found: found.update(status=SAID)),
    "kubectl patch": lambda who, path, found: who.kubectl(
        "-n", path.split("/")[5], "patch", found["kind"], found["metadata"]["name"], "--subresource=status", "--type=merge",
        "-p", json.dumps({"status": SAID}),
    ),
    "kubectl replace --raw": lambda who, path, _: who.kubectl(
        "replace", "--raw", f"{path}/status", "-f", "-", stdin=json.dumps(who.ask("GET", path) | {"status": SAID})
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", ["Release", "ReleaseSet", "Project", "Environment"])
def test_only_the_operator_writes_status(office: Place, kind: str) -> None:
    if kind in ("Release", "ReleaseSet"):
        path, _ = made(office, "ana", kind)
    else:
        name = office.environment(mode="Observe") if kind == "Environment" else "shop"
        office.project()
        path = path_of(kind, office.name, name)
    found = Person(office.bed, "ana").ask("GET", path)
    # An administrator, too: whom the KUBECONFIG names.
    for who in ("mallory", ""):
        for way, write in STATUS_WRITES.items():
            assert refusal(lambda write=write, who=who: write(Person(office.bed, who), path, found)) == "only the operator", way
    assert Person(office.bed, "ana").ask("GET", path)["status"]["observedGeneration"] < 1000


def test_an_operator_that_runs_as_another_service_account_is_told_whom_the_policy_expects(office: Place) -> None:
    path, _ = made(office, "ana", "Release")
    who = ["--as=system:serviceaccount:elsewhere:operator", "--as-group=system:masters", "-n", office.name]
    with pytest.raises(KubectlError) as error:
        office.bed.cluster.kubectl(
            *who, "patch", "release", path.split("/")[-1], "--subresource=status", "--type=merge", "-p", '{"status": {"phase": "x"}}'
        )
    assert "only the operator (system:serviceaccount:" in str(error.value)
    assert "add it to operators in ValidatingAdmissionPolicy ecs-release-status" in str(error.value)


def refusal(write: Callable[[], object]) -> str:
    """Tell why a write of a status is refused; it is tried again where somebody else, such as the operator, was quicker."""
    for _ in range(20):
        with pytest.raises((Refused, KubectlError)) as error:
            write()
        if "please apply your changes to the latest version" not in str(error.value):
            break
    fits = re.search(r"may not write the status of \w+.ecs-release.dev: (only the operator)", str(error.value))
    return fits[1] if fits else str(error.value)


def test_status_that_comes_with_an_object_is_not_taken(desk: Place) -> None:
    wanted = {**body(desk), "status": SAID}
    mallory = Person(desk.bed, "mallory")
    path = path_of("Release", desk.name)
    assert mallory.ask("POST", path, wanted)["status"] == {"observedGeneration": -1}
    path += "/" + wanted["metadata"]["name"]
    assert mallory.put(path, lambda found: found.update(status=SAID))["status"]["observedGeneration"] < 1000


def asking(verb: str, value: str | None = "1/why") -> dict[str, Any]:
    return {"metadata": {"annotations": {f"{GROUP}/{verb}": value}}}


VERBS = [("Release", "retry"), ("Release", "abort"), ("ReleaseSet", "retry"), ("ReleaseSet", "abort")]
VERBS += [("Release", "continue"), ("ReleaseSet", "continue")]
OVERRIDES = [(kind, verb) for kind in ("Release", "ReleaseSet") for verb in ("override-window", "override-commits")]


@pytest.mark.parametrize(("kind", "verb"), [*VERBS, *OVERRIDES])
def test_a_request_needs_its_verb(desk: Place, kind: str, verb: str) -> None:
    ana, ben = (Person(desk.bed, name) for name in ("ana", "ben"))
    path, wanted = made(desk, "ben", kind)
    name = wanted["metadata"]["name"]
    said = rf"user ben may not .*{desk.name}.*verb {verb}"
    asked = {**wanted, "metadata": {**wanted["metadata"], **asking(verb)["metadata"]}}
    with pytest.raises(Refused, match=said):
        ben.ask("PATCH", path, asking(verb), MERGE)
    with pytest.raises(Refused, match=said):
        ben.apply(path, asked)
    with pytest.raises(Refused, match=said):
        ben.put(path, lambda found: found["metadata"]["annotations"].update({f"{GROUP}/{verb}": "1/why"}))
    with pytest.raises(Refused, match=said):
        ben.ask("POST", path_of(kind, desk.name), {**asked, "metadata": {**asked["metadata"], "name": f"{name}-new"}})
    with pytest.raises(KubectlError, match=said):
        ben.kubectl("-n", desk.name, "annotate", kind, name, f"{GROUP}/{verb}=1")
    ana.ask("PATCH", path, asking(verb), MERGE)
    ben.ask("PATCH", path, {"spec": {"suspend": True}}, MERGE)
    with pytest.raises(Refused, match=said):
        ben.ask("PATCH", path, asking(verb, "2/why"), MERGE)
    ben.ask("PATCH", path, asking(verb, None), MERGE)
    with pytest.raises(Refused, match=said):
        ben.ask("PATCH", path, asking(verb), MERGE)


def test_a_verb_is_given_by_name(desk: Place) -> None:
    rule = {"apiGroups": [GROUP], "resources": ["releases"], "resourceNames": ["one"], "verbs": ["retry"]}
    meta = {"name": "retry-one", "namespace": desk.name}
    desk.bed.cluster.apply({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": meta, "rules": [rule]})
    grant(desk.bed.cluster, "retry-one", "dave", namespace=desk.name, kind="Role")
    (one, _), (two, _), (its_set, _) = (
        made(desk, "ben", name="one"),
        made(desk, "ben", name="two"),
        made(desk, "ben", "ReleaseSet", name="one"),
    )
    dave = Person(desk.bed, "dave")
    desk.until(lambda: not is_refused(lambda: dave.ask("PATCH", one, asking("retry"), MERGE)), "the role", show=dict)
    with pytest.raises(Refused, match=rf"may not retry releases.ecs-release.dev two in namespace {desk.name}"):
        dave.ask("PATCH", two, asking("retry"), MERGE)
    with pytest.raises(Refused, match=r"may not retry releasesets.ecs-release.dev one"):
        dave.ask("PATCH", its_set, asking("retry"), MERGE)
    with pytest.raises(Refused, match=r"may not abort releases"):
        dave.ask("PATCH", one, {"metadata": {"annotations": {f"{GROUP}/retry": "2", f"{GROUP}/abort": "2"}}}, MERGE)


@pytest.fixture
def duo(office: Place) -> Place:
    office.environment(rollout={"settleSeconds": 0})
    office.services("api", "web")
    return office


def apply(place: Place, who: str, wanted: dict[str, Any]) -> None:
    Person(place.bed, who).kubectl("apply", "-f", "-", stdin=yaml.safe_dump(wanted))


def test_the_attempts_of_a_set_name_who_applied_it(duo: Place) -> None:
    """The operator writes the children, and may hand a retry on: its account has the verbs."""
    push(duo, "v2", "api", "web")
    push(duo, "v3", "api")
    wanted = body(duo, "ReleaseSet", "all", source={"releaseHash": "v2"}, change={"requestedBy": "the boss"})
    apply(duo, "ana", wanted)
    status = duo.wait_set("Succeeded")
    assert people(status) == ("the boss", "ana") and status["summary"]["appliedBy"] == "ana"
    children = duo.children()
    assert {name: (user(c), people(c["status"])) for name, c in children.items()} == dict.fromkeys(
        ("api", "web"), ("ana", ("the boss", "ana"))
    )

    wanted["spec"]["strategy"] = {"maxParallel": 3}
    apply(duo, "ben", wanted)
    duo.wait_set("Succeeded")
    assert user(duo.get_set()) == "ben"
    specs = {name: (c["metadata"]["generation"], user(c)) for name, c in duo.children().items()}
    assert specs == {"api": (1, "ana"), "web": (1, "ana")}, "nothing of it concerns them"

    duo.push("crash.v3", "v3", service="web")
    wanted["spec"]["source"] = {"releaseHash": "v3"}
    apply(duo, "ben", wanted)
    assert people(duo.wait_set("RolledBack")) == ("the boss", "ben")
    duo.until_set(lambda: people(duo.children()["web"]["status"]) == ("the boss", "ben"), "the child to say so")
    Person(duo.bed, "ana").kubectl("-n", duo.name, "annotate", "releaseset", "all", f"{GROUP}/retry=1")
    duo.until_set(lambda: (e := duo.children()["web"]["status"]["history"][0])["cause"] == "Retry" and e["appliedBy"] == "ana", "the retry")


def people(status: dict[str, Any]) -> tuple[str, str]:
    """Who asked for the latest attempt, and who applied it."""
    return status["history"][0]["requestedBy"], status["history"][0]["appliedBy"]


def test_an_edit_of_a_child_is_its_users_until_it_is_put_back(duo: Place) -> None:
    push(duo, "v2", "api", "web")
    apply(duo, "ana", body(duo, "ReleaseSet", "all", source={"releaseHash": "v2"}))
    duo.wait_set("Succeeded")
    child = duo.children()["web"]
    path, mallory = path_of("Release", duo.name, child["metadata"]["name"]), Person(duo.bed, "mallory")
    edit = {"spec": {"source": {"releaseHash": "v1", "images": None}}, "metadata": {"annotations": {APPLIED_BY: "ana"}}}
    assert user(mallory.ask("PATCH", path, edit, MERGE)) == "mallory"
    duo.until_set(lambda: (c := duo.children()["web"])["spec"] == child["spec"] and user(c) == "ana", "it to be put back")
    assert len(duo.children()["web"]["status"]["history"]) == len(child["status"]["history"]), "it was not acted on"


def test_an_attempt_names_who_applied_it_when_it_began(office: Place) -> None:
    office.service("v1")
    office.environment()
    office.project()
    office.push("slow.v2", "v2")
    wanted = body(office, name="web", source={"releaseHash": "v2"}, change={"requestedBy": "the boss"})
    apply(office, "ana", wanted)
    office.wait("RollingOut")
    wanted["spec"]["change"] = {"requestedBy": "ben", "description": "better words"}
    apply(office, "ben", wanted)
    status = office.wait("Succeeded")
    assert people(status) == ("the boss", "ana")
    assert (status["summary"]["requestedBy"], status["summary"]["appliedBy"]) == ("ben", "ben")
    header, row = office.kubectl("get", "release", "web", "-o", "wide").splitlines()
    assert row[header.index("APPLIED BY") :].split()[0] == "ben"
