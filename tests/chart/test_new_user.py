"""A new user's first day, by the commands of docs/how-to: the chart, people and their rights, import, Observe, plan, a set, and back.

What the chart renders is on the control plane, the operator has its service account's token (`installed`), and everybody here has a token
of their own. Nothing is looked at but what commands print and how they exit.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.chart.generate import ROOT
from tests.e2e.bed import GROUP, Bed, Place
from tests.environment import plain

ADOPT = "adopt.md"


@dataclass(frozen=True)
class Shell:
    """Somebody's shell: kubectl and its plugin are on PATH, KUBECONFIG holds a token of theirs, and there are credentials of AWS."""

    place: Place
    kubeconfig: Path
    folder: Path

    def run(self, command: str, code: int = 0) -> str:
        """Run a command; returns what it prints, on either stream. Raises AssertionError where it ends with another exit code."""
        inherited = plain()
        programs = [Path(sys.executable).parent, Path(self.place.bed.cluster.kubectl_path).parent]
        path = os.pathsep.join([*map(str, programs), inherited["PATH"]])
        ours = {"PATH": path, "HOME": str(self.folder), "KUBECONFIG": str(self.kubeconfig), "GIT_CEILING_DIRECTORIES": "/"}
        done = subprocess.run(
            ["bash", "-euc", command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, timeout=600,
            cwd=self.folder, env=inherited | self.place.aws.environment() | ours,
        )  # fmt: skip
        assert done.returncode == code, f"{command}\nended with {done.returncode}:\n{done.stdout}\n{self.place.bed.operator.tail(3000)}"
        return done.stdout

    def documented(self, begins: str, more: str = "", page: str = ADOPT, code: int = 0) -> str:
        """Run the command of a page that begins so, of this place's names. `more` is put behind its words, before where its output goes."""
        command, _, output = documented(page, begins, self.place).partition(" > ")
        return self.run(f"{command} {more}" + (f" > {output}" if output else ""), code)


def blocks(page: str) -> list[str]:
    """Return what stands in the fenced blocks of a page of docs/how-to."""
    return re.findall(r"^```\w*\n(.*?)^```$", (ROOT / "docs" / "how-to" / page).read_text(), re.MULTILINE | re.DOTALL)


def documented(page: str, begins: str, place: Place) -> str:
    """Return the one command, or file, of a page that begins so, with the names of a place."""
    lines = [line for block in blocks(page) for line in ([block] if block.startswith("#") else block.replace("\\\n", "").splitlines())]
    found = [line for line in lines if line == begins] or [line for line in lines if line.startswith(begins)]
    assert len(found) == 1, f"docs/how-to/{page} has {len(found)} commands that begin with {begins!r}"
    names = {
        "storage-prod": place.name, "storage-team": f"{place.name}-team", "storage": namespace(place), "platform": f"{place.name}-platform",
        "group=": "group=system:serviceaccounts:", "arn:aws:iam::111122223333:role/releases": place.role, "eu-west-1": place.region,
    }  # fmt: skip
    return re.sub("|".join(names), lambda m: names[m.group()], found[0])


def namespace(place: Place) -> str:
    """Name the team's namespace, which people make here."""
    return f"{place.name}-storage"


@pytest.fixture
def place(installed: Bed) -> Place:
    """A live ECS cluster, of which Kubernetes knows nothing: two services that somebody has deployed, and the next build is pushed."""
    place = Place(installed)
    for service in ("api", "web"):
        # Named as an ECS service of that environment is.
        place.service("v1", f"{place.name}-{service}")
        place.push("v2", service=f"{place.name}-{service}")
    return place


def shell(place: Place, folder: Path, team: str = "") -> Shell:
    """A shell of somebody of a team, or of an administrator. Groups are those of service accounts: there is nobody here to log in at."""
    cluster = place.bed.cluster
    if not team:
        return Shell(place, cluster.kubeconfig, folder)
    home = f"{place.name}-{team}"
    cluster.kubectl("create", "namespace", home)
    cluster.kubectl("create", "serviceaccount", "she", "--namespace", home)
    return Shell(place, cluster.service_account_kubeconfig(home, "she"), folder)


def test_from_an_installed_chart_to_a_rollback(place: Place, tmp_path: Path) -> None:
    admin, pam, dora = shell(place, tmp_path), shell(place, tmp_path, "platform"), shell(place, tmp_path, "team")
    _rights(place, admin, pam, dora)
    before = place.aws.mark()
    _describe(place, pam, dora)
    _watch(place, admin, pam, dora)
    _own(place, pam, dora)
    assert place.changes(before) == [], "so far nobody has changed anything here in AWS"
    _release(place, dora)
    assert {c["action"] for c in place.changes(before)} == {"RegisterTaskDefinition", "UpdateService"}
    _go_back(place, dora)


def _rights(place: Place, admin: Shell, pam: Shell, dora: Shell) -> None:
    """The platform team may write Environments, the team has Kubernetes' own role edit in its namespace, and the one not the other's."""
    admin.documented("kubectl create clusterrolebinding platform", page="install.md")
    admin.documented("kubectl create namespace storage")
    admin.documented("kubectl create rolebinding storage-team")
    can = "kubectl auth can-i create {}.ecs-release.dev -n " + namespace(place)
    for who, what in ((pam, "environments"), (dora, "releases"), (dora, "releasesets")):
        # The authorizer hears of a binding a moment later.
        place.until(lambda who=who, what=what: "yes" in who.run(f"{can.format(what)} || true"), f"the right to {what}", show=dict)
    assert "no" in dora.run(can.format("environments"), code=1)
    assert "no" in pam.run(can.format("releases"), code=1)


def _describe(place: Place, pam: Shell, dora: Shell) -> None:
    importing = "kubectl ecs-release import ecs storage-prod"
    file = f"{namespace(place)}.yaml"
    (said,) = dora.documented(importing).splitlines()
    assert said.startswith(f"note: the names of Environments are the whole cluster's ({place.name})")
    assert [line for line in (dora.folder / file).read_text().splitlines() if line.startswith("kind: ")] == [
        "kind: Project", "kind: Environment", "kind: Release", "kind: Release",
    ]  # fmt: skip
    said = dora.documented("kubectl apply -f storage.yaml", code=1)
    assert "environments.ecs-release.dev" in said and "forbidden" in said.lower(), "an Environment is not the team's to write"
    pam.documented(importing, "--kind Environment")
    # Read it, and correct it: who tests cannot wait as long as it is usual.
    text = (pam.folder / file).read_text()
    (pam.folder / file).write_text(
        text.replace("  mode: Observe\n", "  mode: Observe\n  observation: {intervalSeconds: 5}\n  rollout: {settleSeconds: 0}\n")
    )
    assert pam.documented("kubectl apply -f storage.yaml") == f"environment.{GROUP}/{place.name} created\n"
    dora.documented(importing, "--kind Project --kind Release")
    dora.documented("kubectl apply -f storage.yaml")


def _watch(place: Place, admin: Shell, pam: Shell, dora: Shell) -> None:
    """In mode Observe everything is Ready and in sync; of what would be released next the plan is told."""
    dora.documented("kubectl wait releases --all")
    table = dora.documented("kubectl get releases -n storage").splitlines()
    assert [line.split()[0] for line in table] == ["NAME", f"api-{place.name}", f"web-{place.name}"]
    assert all(re.search(r" v1 +v1 +Suspended +True +2/2 ", line) for line in table[1:]), table
    plans = dora.documented("kubectl get releases -n storage -o custom-columns").splitlines()
    assert all(re.fullmatch(r"\S+ +<none> +<none>", line) for line in plans[1:]), plans
    assert re.search(rf"^{place.name} .* Observe +True ", pam.run("kubectl get environments"), re.MULTILINE)
    (dora.folder / "release.yaml").write_text(documented(ADOPT, "# release.yaml", place).replace("3f2a91c", "v2"))
    planning = "kubectl ecs-release plan -f release.yaml"
    assert "not there, or you may not read it" in dora.documented(planning), "edit in a namespace gives nothing on Environments"
    admin.documented("kubectl create clusterrolebinding storage-team")
    can = "kubectl auth can-i get environments.ecs-release.dev"
    place.until(lambda: "yes" in dora.run(f"{can} || true"), "the right to read Environments", show=dict)
    said = dora.documented(planning, "--assume-roles")
    assert f"blocked by: Environment '{place.name}' is in mode Observe" in said, said
    assert f"blocked by: held by another Release: api by release/api-{place.name}, web by release/web-{place.name}" in said, said
    assert len(re.findall(r"^(?:api|web) +v1 \(\w+\) +v2 \(\w+\) +deploy$", said, re.MULTILINE)) == 2, said


def _own(place: Place, pam: Shell, dora: Shell) -> None:
    assert "patched" in pam.documented("kubectl patch environment storage-prod")
    causes = f"kubectl get releases -n {namespace(place)} -o jsonpath='{{.items[*].status.history[0].cause}}'"
    place.until(lambda: dora.run(causes) == "Adopted Adopted", "what runs to be adopted", show=lambda: {"causes": dora.run(causes)})
    dora.documented("kubectl wait releases --all")


def _release(place: Place, dora: Shell) -> None:
    assert dora.documented("kubectl delete releases --all").count("deleted") == 2
    dora.documented("kubectl apply -f release.yaml")
    said = dora.documented("kubectl ecs-release status releaseset/storage-prod")
    assert "Succeeded" in said, said
    assert re.search(rf"^{place.name} .* 2/2 ready", dora.run(f"kubectl get releasesets -n {namespace(place)}"), re.MULTILINE)
    table = dora.documented("kubectl get releases -n storage").splitlines()
    assert all(re.search(r" v2 +v2 +Ready +True +2/2 ", line) for line in table[1:]) and len(table) == 3, table


def _go_back(place: Place, dora: Shell) -> None:
    """By digest, to what ran before this operator had done anything."""
    said = dora.documented("kubectl ecs-release rollback releaseset/storage-prod")
    assert "roll back to v1" in said and f"releaseset/{place.name} changed" in said, said
    dora.documented("kubectl ecs-release status releaseset/storage-prod")
    table = dora.documented("kubectl get releases -n storage").splitlines()
    assert all(re.search(r" v1 +v1 +Ready +True +2/2 ", line) for line in table[1:]) and len(table) == 3, table
    said = dora.run(f"kubectl ecs-release history releaseset/{place.name} -n {namespace(place)}")
    assert re.search(r"Requested .*\n.*Requested ", said) and said.count("Succeeded") == 2, said
