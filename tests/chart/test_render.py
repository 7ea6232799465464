"""What helm makes of the chart, over a matrix of values: golden files, and what must hold in all of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import promql_parser
import pytest
import yaml

from ecs_release.config import Settings
from tests.chart.generate import CHART, ROOT
from tests.chart.helm import GOLDEN, MATRIX, SHARDS, HelmError, golden, helm, notes, objects, render

Objects = dict[tuple[str, str], dict[str, Any]]


@pytest.fixture(scope="module")
def rendered() -> dict[str, Objects]:
    """Every case of the matrix."""
    return {case: objects(render(*its)) for case, its in MATRIX.items()}


def of_kind(found: Objects, kind: str) -> dict[str, dict[str, Any]]:
    return {name: its for (its_kind, name), its in found.items() if its_kind == kind}


def containers(found: Objects, component: str = "operator") -> list[dict[str, Any]]:
    deployments = of_kind(found, "Deployment").values()
    return [c for d in deployments for c in d["spec"]["template"]["spec"]["containers"] if c["name"] == component]


def environment(container: dict[str, Any]) -> dict[str, str]:
    return {e["name"]: e["value"] for e in container["env"]}


@pytest.mark.parametrize("case", MATRIX)
def test_golden_files(case: str) -> None:
    """Look at the difference; where it is meant, run python -m tests.chart.helm."""
    assert golden(case) == (GOLDEN / f"{case}.yaml").read_text()


@pytest.mark.parametrize("case", MATRIX)
def test_lint(case: str) -> None:
    values, version = MATRIX[case]
    assert "0 chart(s) failed" in helm("lint", "--strict", str(CHART), f"--kube-version={version}", values=values)


@pytest.mark.parametrize("case", MATRIX)
def test_settings_are_what_the_operator_takes(case: str, rendered: dict[str, Objects], monkeypatch: pytest.MonkeyPatch) -> None:
    known = {f"ECS_RELEASE_{name.upper()}" for name in Settings.model_fields}
    for container in containers(rendered[case]):
        given = {k: v for k, v in environment(container).items() if k.startswith("ECS_RELEASE_")}
        assert given.keys() <= known
        with monkeypatch.context() as patch:
            for name, value in given.items():
                patch.setenv(name, value)
            settings = Settings()
        ports = {p["name"]: p["containerPort"] for p in container["ports"]}
        assert (settings.probe_port, settings.metrics_port) == (ports["probes"], ports.get("metrics"))


def test_values_reach_the_operator(rendered: dict[str, Objects], monkeypatch: pytest.MonkeyPatch) -> None:
    (container,) = containers(rendered["everything"])
    for name, value in environment(container).items():
        monkeypatch.setenv(name, value)
    settings = Settings()
    assert (settings.installation, settings.log_level, settings.aws_rate_share) == ("main", "debug", 0.25)
    assert (settings.metrics_release_conditions, settings.resync_seconds) == (False, 7200)
    access = settings.ledger_access()
    assert access is not None
    assert (settings.ledger_table, settings.ledger_create, access.account_id, access.external_id) == (
        "ecs-release-ledger", True, "999988887777", "ledger",
    )  # fmt: skip


def test_every_shard_is_served(rendered: dict[str, Objects]) -> None:
    deployments = of_kind(rendered["shards"], "Deployment")
    tables = [environment(c) for c in containers(rendered["shards"])]
    assert {t["ECS_RELEASE_SHARD"] for t in tables} == {"default", "prod", "europe"}
    assert len({t["ECS_RELEASE_SHARDS"] for t in tables}) == 1
    selectors = [json.dumps(d["spec"]["selector"]["matchLabels"], sort_keys=True) for d in deployments.values()]
    assert len(set(selectors)) == 3
    assert of_kind(rendered["shards"], "PodDisruptionBudget").keys() == deployments.keys()
    (one,) = of_kind(rendered["defaults"], "Deployment").values()
    assert one["spec"]["selector"] == deployments[one["metadata"]["name"]]["spec"]["selector"], "immutable: shards may be added later"


@pytest.mark.parametrize("case", MATRIX)
def test_pods_are_restricted(case: str, rendered: dict[str, Objects]) -> None:
    """Pod Security Standards, profile Restricted, and a root file system that nobody writes to."""
    for deployment in of_kind(rendered[case], "Deployment").values():
        pod = deployment["spec"]["template"]["spec"]
        assert pod["securityContext"]["runAsNonRoot"] is True and pod["securityContext"]["runAsUser"] > 0
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        for container in pod["containers"]:
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]},
            }  # fmt: skip
            writable = [m["mountPath"] for m in container.get("volumeMounts", ()) if not m.get("readOnly")]
            assert writable == {"commits": ["/cache"], "operator": ["/tmp"]}.get(container["name"], [])
        assert not {"hostNetwork", "hostPID", "hostIPC"} & pod.keys()
        labels = deployment["spec"]["template"]["metadata"]["labels"]
        assert deployment["spec"]["selector"]["matchLabels"].items() <= labels.items()


@pytest.mark.parametrize("case", MATRIX)
def test_everything_says_whose_it_is(case: str, rendered: dict[str, Objects]) -> None:
    for (kind, name), its in rendered[case].items():
        assert its["metadata"]["labels"]["app.kubernetes.io/instance"] == "ecs-release-operator", (kind, name)
        assert len(name) <= 63


def test_rights_are_those_of_the_example(rendered: dict[str, Objects]) -> None:
    example = objects((ROOT / "examples" / "rbac" / "operator.yaml").read_text())
    for key, its in example.items():
        if key[0] != "Namespace":
            ours = rendered["defaults"][key]
            assert {k: v for k, v in ours.items() if k != "metadata"} == {k: v for k, v in its.items() if k != "metadata"}, key
    rules = rendered["everything"]["ClusterRole", "releaser"]["rules"]
    assert not [r for r in rules if "namespaces" in r["resources"]]


def given(roles: list[dict[str, Any]]) -> set[tuple[str, str, str]]:
    return {
        (g, r, v) for role in roles for rule in role["rules"] for g in rule["apiGroups"] for r in rule["resources"] for v in rule["verbs"]
    }


@pytest.mark.parametrize("reads", [True, False])
def test_rights_in_some_namespaces(reads: bool, rendered: dict[str, Objects]) -> None:
    """The same as everywhere, by Roles; what is given everywhere is about Environments alone."""
    values = {"watchNamespaces": ["shop", "storage"], "rbac": {"readNamespaces": reads}}
    found = [o for o in yaml.safe_load_all(render(values, namespace="platform")) if o and "ecs-release-operator" in o["metadata"]["name"]]
    wide = [o for o in found if o["kind"] == "ClusterRole"]
    roles = {o["metadata"]["namespace"]: o for o in found if o["kind"] == "Role" and o["metadata"]["name"].endswith("-releases")}
    assert roles.keys() == {"shop", "storage"}
    assert given([roles["shop"]]) == given([roles["storage"]])
    assert {r.partition("/")[0] for g, r, _ in given(wide) if g != "admissionregistration.k8s.io"} == {"environments"}
    everywhere = given([rendered["defaults"]["ClusterRole", "ecs-release-operator"]])
    assert given([*wide, roles["shop"]]) == {x for x in everywhere if reads or x[1] != "namespaces"}
    bindings = [o for o in found if o["kind"] == "RoleBinding" and o["roleRef"]["name"] == "platform-ecs-release-operator-releases"]
    assert [b["metadata"]["namespace"] for b in bindings] == ["shop", "storage"]
    account = {"kind": "ServiceAccount", "name": "ecs-release-operator", "namespace": "platform"}
    assert [b["subjects"] for b in bindings] == [[account], [account]]


def test_policies_name_the_accounts_that_operators_run_as() -> None:
    found = objects(render({"policies": {"operators": ["other:operator"]}, "serviceAccount": {"name": "acting"}}, namespace="apps"))
    expected = "['system:serviceaccount:apps:acting', 'system:serviceaccount:other:operator']"
    lists = [
        v["expression"]
        for (kind, _), o in found.items()
        if kind.endswith("AdmissionPolicy")
        for v in o["spec"].get("variables", ())
        if v["name"] == "operators"
    ]
    assert lists == [expected] * 3


def test_policies_are_the_examples(rendered: dict[str, Objects]) -> None:
    for path in (ROOT / "examples" / "policies").glob("*.yaml"):
        for key, its in objects(path.read_text()).items():
            ours = rendered["defaults"][key]
            assert {k: v for k, v in ours.items() if k != "metadata"} == {k: v for k, v in its.items() if k != "metadata"}


def test_what_a_cluster_does_not_serve_is_left_out(rendered: dict[str, Objects]) -> None:
    kinds = {case: {kind for kind, _ in found} for case, found in rendered.items()}
    assert "MutatingAdmissionPolicy" in kinds["defaults"]
    assert {"MutatingAdmissionPolicy", "MutatingAdmissionPolicyBinding"} == kinds["defaults"] - kinds["old-kubernetes"]
    assert not {k for k in kinds["guest"] if "Admission" in k or "Role" in k or "Custom" in k}
    with pytest.raises(HelmError, match=r"incompatible with Kubernetes v1\.31"):
        render(version="1.31.9")


def test_crds_are_kept_and_else_ours(rendered: dict[str, Objects]) -> None:
    for path in (ROOT / "crds").glob("*.yaml"):
        its = yaml.safe_load(path.read_text())
        for case, kept in (("defaults", {"helm.sh/resource-policy": "keep"}), ("everything", None)):
            ours = rendered[case]["CustomResourceDefinition", its["metadata"]["name"]]
            assert ours["metadata"].get("annotations") == kept
            assert (ours["spec"], ours["kind"]) == (its["spec"], its["kind"])


def test_roles_for_people(rendered: dict[str, Objects]) -> None:
    roles = of_kind(rendered["defaults"], "ClusterRole")
    included = {
        name: label.rpartition("-to-")[2]
        for name, role in roles.items()
        for label in role["metadata"]["labels"]
        if "/aggregate-to-" in label
    }
    assert included == {"ecs-release-view": "view", "ecs-release-edit": "edit"}
    given = {name: {(r, v) for rule in roles[name]["rules"] for r in rule["resources"] for v in rule["verbs"]} for name in included}
    requests = {"retry", "abort", "continue", "override-window", "override-commits", "*"}
    for name, its in given.items():
        assert not {(r, v) for r, v in its if "/" in r or v in requests}, name
    assert not {v for r, v in given["ecs-release-edit"] if r == "environments"}
    assert {v for _, v in given["ecs-release-view"]} == {"get", "list", "watch"}
    assert not [
        label
        for role in of_kind(rendered["everything"], "ClusterRole").values()
        for label in role["metadata"]["labels"]
        if "aggreg" in label
    ]


def test_a_budget_above_one_replica_only(rendered: dict[str, Objects]) -> None:
    there = {case: bool(of_kind(found, "PodDisruptionBudget")) for case, found in rendered.items()}
    assert there == {
        "defaults": True,
        "everything": True,
        "shards": True,
        "one-replica": False,
        "guest": False,
        "namespaced": True,
        "commits": True,
        "board": True,
        "board-namespaced": True,
        "board-with-commits": True,
        "board-load-balancer": True,
        "connections": True,
        "old-kubernetes": True,
    }


def test_monitoring(rendered: dict[str, Objects]) -> None:
    found = rendered["everything"]
    rules = yaml.safe_load((ROOT / "examples" / "monitoring" / "rules.yaml").read_text())
    assert found["PrometheusRule", "releaser"]["spec"] == rules
    monitor, service = found["ServiceMonitor", "releaser"]["spec"], found["Service", "releaser-metrics"]
    assert monitor["selector"]["matchLabels"].items() <= service["metadata"]["labels"].items()
    assert monitor["endpoints"][0]["port"] in [p["name"] for p in service["spec"]["ports"]] and monitor["endpoints"][0]["honorLabels"]
    (dashboard,) = of_kind(found, "ConfigMap").values()
    assert json.loads(dashboard["data"]["ecs-release.json"])["panels"]
    assert not {"ServiceMonitor", "PrometheusRule", "ConfigMap"} & {kind for kind, _ in rendered["defaults"]}


def test_nothing_is_open_unless_somebody_says_so(rendered: dict[str, Objects]) -> None:
    """Metrics name services and Releases, and the pod's identity may assume roles: by default nobody reaches the one, and the other little."""
    (policy,) = of_kind(rendered["defaults"], "NetworkPolicy").values()
    (deployment,) = of_kind(rendered["defaults"], "Deployment").values()
    spec = policy["spec"]
    assert spec["podSelector"]["matchLabels"].items() <= deployment["spec"]["template"]["metadata"]["labels"].items()
    assert (spec["policyTypes"], spec["ingress"]) == (["Ingress", "Egress"], [])
    anywhere = [port["port"] for rule in spec["egress"] if "to" not in rule for port in rule["ports"]]
    assert sorted(anywhere) == [53, 53, 443, 6443]
    (ingress,) = next(iter(of_kind(rendered["everything"], "NetworkPolicy").values()))["spec"]["ingress"]
    assert ingress["from"] and [p["port"] for p in ingress["ports"]] == ["metrics"]


def test_a_shard_that_is_absent_is_told() -> None:
    watched = {"metrics": {"serviceMonitor": {"enabled": True}, "rules": {"enabled": True}}}
    found = objects(render({**SHARDS, **watched}))
    common, shards = found["PrometheusRule", "ecs-release-operator"]["spec"]["groups"]
    assert common["name"] == "ecs-release"
    asked = {matcher.value for r in shards["rules"] for matcher in promql_parser.parse(r["expr"]).args[0].matchers.matchers}
    assert asked == {d["spec"]["template"]["metadata"]["labels"]["ecs-release.dev/shard"] for d in of_kind(found, "Deployment").values()}


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"replica": 2}, "replica"),
        ({"settings": {"logLevle": "debug"}}, "logLevle"),
        ({"settings": {"logLevel": "loud"}}, "logLevel"),
        ({"settings": {"awsRateShare": 2}}, "awsRateShare"),
        ({"settings": {"shard": "x"}}, "shard"),
        ({"shards": {"Prod": ["111122223333"]}}, "Prod"),
        ({"shards": {"prod": ["1234"]}}, "prod"),
        ({"ledger": {"table": "releases"}}, "ledger.region is needed with ledger.table"),
        ({"serviceAccount": {"create": False}}, "serviceAccount.name is needed"),
        ({"settings": {"leaderElect": False}}, "with replicas: 1 only"),
        ({"image": {"digest": "sha256:short"}}, "digest"),
        ({"fullnameOverride": "a" * 60, "shards": {"prod": ["111122223333"]}}, "shorter fullnameOverride"),
        ({"runAsUser": 0}, "runAsUser"),
        ({"watchNamespaces": ["shop-*"]}, "watchNamespaces"),
        ({"watchNamespaces": ["shop", "shop"]}, "watchNamespaces"),
        ({"settings": {"watchNamespaces": "shop"}}, "watchNamespaces"),
        ({"metrics": {"port": 80}}, "port"),
        ({"policies": {"operators": ["no-namespace"]}}, "operators"),
    ],
)
def test_wrong_values_are_refused(values: dict[str, Any], said: str) -> None:
    with pytest.raises(HelmError, match=said):
        render(values)


@pytest.mark.parametrize(
    ("case", "said", "unsaid"),
    [
        ("defaults", ["kubectl get environments,releases -A", "There is no ledger"], ["ATTENTION", "Shards", "one replica", "no others"]),
        ("old-kubernetes", ["does not serve MutatingAdmissionPolicy", "`appliedBy` is not authenticated"], ["not installed"]),
        ("guest", ["admission policies are not installed", "`appliedBy` is not authenticated", "CRDs are yours"], ["does not serve"]),
        ("shards", ["default, europe, prod"], ["ATTENTION"]),
        ("one-replica", ["There is one replica"], ["ATTENTION"]),
        ("namespaced", ["these namespaces, and no others: shop, storage.", "allow them by name"], ["ATTENTION"]),
        ("everything", [], ["There is no ledger", "ATTENTION"]),
    ],
)
def test_notes(case: str, said: list[str], unsaid: list[str], tmp_path: Path) -> None:
    text = notes(tmp_path, *MATRIX[case])
    assert [s for s in said if s not in text] == []
    assert [s for s in unsaid if s in text] == []


def test_two_installations_do_not_share_names() -> None:
    """Each in a namespace of its own, under the same name."""
    one, two = (
        objects(render({"userRoles": {"create": False}, "policies": {"install": False}, "crds": {"install": False}}, namespace=n))
        for n in ("a", "b")
    )
    wide = {"ClusterRole", "ClusterRoleBinding"}
    assert not {key for key in one if key[0] in wide} & set(two)


def test_a_package_holds_everything(tmp_path: Path) -> None:
    helm("package", str(CHART), f"--destination={tmp_path}")
    (package,) = tmp_path.glob("*.tgz")
    assert render(chart=package) == render()
