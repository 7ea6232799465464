"""The board as the chart installs it: nobody reaches it but through the login, and it may do nothing but read and ask."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from ecs_release.board.config import BoardSettings
from tests.chart.helm import BOARD, BOARD_LOAD_BALANCER, BOARD_NAMESPACED, BOARD_WITH_COMMITS, HelmError, objects, render

NAME, OPERATOR = "ecs-release-operator-board", "ecs-release-operator"
_ARNS = BOARD_LOAD_BALANCER["board"]["loadBalancer"]["arns"]
Objects = dict[tuple[str, str], dict[str, Any]]


@pytest.fixture(scope="module")
def rendered() -> Objects:
    return objects(render(BOARD))


def containers(rendered: Objects) -> dict[str, dict[str, Any]]:
    return {c["name"]: c for c in rendered["Deployment", NAME]["spec"]["template"]["spec"]["containers"]}


def test_it_is_off_by_default() -> None:
    assert not [key for key in objects(render()) if key[1].endswith("-board")]


def test_its_settings_are_those_that_it_takes(rendered: Objects, monkeypatch: pytest.MonkeyPatch) -> None:
    known = {f"ECS_RELEASE_BOARD_{name.upper()}" for name in BoardSettings.model_fields}
    for entry in containers(rendered)["board"]["env"]:
        assert entry["name"] in known
        monkeypatch.setenv(entry["name"], entry["value"])
    settings = BoardSettings()
    assert (settings.login, settings.host, settings.hosts, settings.groups_prefix) == (
        "headers",
        "127.0.0.1",
        ["releases.example.com"],
        "oidc:",
    )
    assert settings.link_hosts == ["github.com", "gitlab.com"]
    login = containers(rendered)["login"]
    assert f"--upstream=http://127.0.0.1:{settings.port}/" in login["args"]
    ports = {p["name"]: p["containerPort"] for c in containers(rendered).values() for p in c["ports"]}
    assert ports == {"probes": settings.probe_port, "http": 4180}


def test_it_asks_the_commits_service_where_there_is_one(rendered: Objects, monkeypatch: pytest.MonkeyPatch) -> None:
    with_commits = objects(render(BOARD_WITH_COMMITS))
    for entry in containers(with_commits)["board"]["env"]:
        monkeypatch.setenv(entry["name"], entry["value"])
    settings = BoardSettings()
    service = with_commits["Service", "ecs-release-operator-commits"]["spec"]["ports"]
    (port,) = [p["port"] for p in service if p["name"] == "http"]
    assert settings.commits_address == f"http://ecs-release-operator-commits.ecs-release.svc:{port}"
    mounted = {m["mountPath"] for m in containers(with_commits)["board"]["volumeMounts"]}
    assert str(settings.commits_token_file).rpartition("/")[0] in mounted
    # Its policy lets it out there, and the commits service's lets it in.
    pod = with_commits["Deployment", NAME]["spec"]["template"]["metadata"]["labels"]
    let_in = with_commits["NetworkPolicy", "ecs-release-operator-commits"]["spec"]["ingress"][0]["from"]
    assert any(peer["podSelector"]["matchLabels"].items() <= pod.items() for peer in let_in)
    assert {"port": 8090, "protocol": "TCP"} in [p for rule in with_commits["NetworkPolicy", NAME]["spec"]["egress"] for p in rule["ports"]]
    assert not [e for e in containers(rendered)["board"]["env"] if "COMMITS" in e["name"]]


def test_the_ledger_is_read_where_that_is_asked_for_and_the_login_has_no_identity_of_aws(monkeypatch: pytest.MonkeyPatch) -> None:
    annotation = {"eks.amazonaws.com/role-arn": "arn:aws:iam::999988887777:role/board"}
    board = {**BOARD["board"], "readLedger": True, "serviceAccount": {"annotations": annotation}}
    found = objects(render({"board": board, "ledger": {"table": "ecs-release-ledger", "region": "eu-west-1"}}))
    for entry in containers(found)["board"]["env"]:
        monkeypatch.setenv(entry["name"], entry["value"])
    settings = BoardSettings()
    assert (settings.ledger_table, settings.ledger_region) == ("ecs-release-ledger", "eu-west-1")
    assert found["ServiceAccount", NAME]["metadata"]["annotations"] == annotation
    assert found["Deployment", NAME]["spec"]["template"]["metadata"]["annotations"] == {"eks.amazonaws.com/skip-containers": "login"}
    agents = [
        to["ipBlock"]["cidr"] for rule in found["NetworkPolicy", NAME]["spec"]["egress"] for to in rule.get("to", ()) if "ipBlock" in to
    ]
    assert {"169.254.170.23/32", "fd00:ec2::23/128"} <= {*agents}, "EKS Pod Identity is link-local"


def test_behind_a_load_balancer_that_signs_there_is_no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    found = objects(render(BOARD_LOAD_BALANCER))
    (board,) = found["Deployment", NAME]["spec"]["template"]["spec"]["containers"]
    known = {f"ECS_RELEASE_BOARD_{name.upper()}" for name in BoardSettings.model_fields}
    for entry in board["env"]:
        assert entry["name"] in known
        monkeypatch.setenv(entry["name"], entry["value"])
    settings = BoardSettings()
    assert (settings.login, settings.host, settings.load_balancer_client_id, settings.user_claim, settings.groups_claim) == (
        "load-balancer", "0.0.0.0", "board", "email", "groups",
    )  # fmt: skip
    assert settings.load_balancer_arns == BOARD_LOAD_BALANCER["board"]["loadBalancer"]["arns"]
    assert {p["name"]: p["containerPort"] for p in board["ports"]} == {"http": settings.port, "probes": settings.probe_port}
    (ingress,) = found["NetworkPolicy", NAME]["spec"]["ingress"]
    assert [p["port"] for p in ingress["ports"]] == ["http", "probes"]
    assert ingress["from"] == BOARD_LOAD_BALANCER["board"]["networkPolicy"]["from"]


def test_only_the_login_is_reached(rendered: Objects) -> None:
    (port,) = rendered["Service", NAME]["spec"]["ports"]
    assert port["targetPort"] == "http"
    (ingress,) = rendered["NetworkPolicy", NAME]["spec"]["ingress"]
    assert ingress["ports"] == [{"port": "http", "protocol": "TCP"}]
    assert ingress["from"] == BOARD["board"]["networkPolicy"]["from"]


def test_it_may_read_and_ask_who_may_see_and_nothing_else(rendered: Objects) -> None:
    (role,) = [o for (kind, name), o in rendered.items() if kind == "ClusterRole" and name == NAME]
    given = {(g, r, v) for rule in role["rules"] for g in rule["apiGroups"] for r in rule["resources"] for v in rule["verbs"]}
    assert {(g, r) for g, r, _ in given} == {
        ("ecs-release.dev", "releases"), ("ecs-release.dev", "releasesets"), ("ecs-release.dev", "projects"),
        ("ecs-release.dev", "environments"), ("authorization.k8s.io", "subjectaccessreviews"),
    }  # fmt: skip
    assert {v for g, _, v in given if g == "ecs-release.dev"} == {"list", "watch"}
    assert {v for g, _, v in given if g == "authorization.k8s.io"} == {"create"}
    bound = [o for (kind, _), o in rendered.items() if "Binding" in kind for s in o.get("subjects", ()) if s["name"] == NAME]
    assert [b["roleRef"]["name"] for b in bound] == [NAME]
    assert "annotations" not in rendered["ServiceAccount", NAME]["metadata"], "no role of AWS"


def test_of_some_namespaces_it_reads_those_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    found = [o for o in yaml.safe_load_all(render(BOARD_NAMESPACED)) if o and o["metadata"]["name"] == NAME]
    everywhere = {
        (r, v) for o in found if o["kind"] == "ClusterRole" for rule in o["rules"] for r in rule["resources"] for v in rule["verbs"]
    }
    assert everywhere == {("environments", "list"), ("environments", "watch"), ("subjectaccessreviews", "create")}
    roles = {o["metadata"]["namespace"]: o["rules"] for o in found if o["kind"] == "Role"}
    rule = {"apiGroups": ["ecs-release.dev"], "resources": ["releases", "releasesets", "projects"], "verbs": ["list", "watch"]}
    assert roles == {"shop": [rule], "storage": [rule]}
    bound = {
        o["metadata"]["namespace"]: (o["roleRef"]["kind"], o["roleRef"]["name"], o["subjects"]) for o in found if o["kind"] == "RoleBinding"
    }
    assert bound == dict.fromkeys(roles, ("Role", NAME, [{"kind": "ServiceAccount", "name": NAME, "namespace": "ecs-release"}]))
    (deployment,) = [o for o in found if o["kind"] == "Deployment"]
    (board,) = [c for c in deployment["spec"]["template"]["spec"]["containers"] if c["name"] == "board"]
    for entry in board["env"]:
        monkeypatch.setenv(entry["name"], entry["value"])
    assert BoardSettings().watch_namespaces == ["shop", "storage"]


def test_what_faces_browsers_has_no_token(rendered: Objects) -> None:
    pod = rendered["Deployment", NAME]["spec"]["template"]["spec"]
    assert pod["automountServiceAccountToken"] is False
    assert "volumeMounts" not in containers(rendered)["login"]
    assert containers(rendered)["board"]["volumeMounts"][0]["mountPath"] == "/var/run/secrets/kubernetes.io/serviceaccount"


def test_selectors_choose_one_of_both(rendered: Objects) -> None:
    labels = {name: rendered["Deployment", name]["spec"]["template"]["metadata"]["labels"] for name in (OPERATOR, NAME)}
    for (kind, name), its in rendered.items():
        spec = its.get("spec", {})
        selector = spec.get("podSelector", {}).get("matchLabels") or (spec.get("selector") if kind == "Service" else None)
        if selector:
            assert [n for n in labels if selector.items() <= labels[n].items()] == [NAME if name == NAME else OPERATOR], (kind, name)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"board": {"enabled": True, "proxy": {"secret": "s"}}}, "board.host is needed"),
        ({"board": {"enabled": True, "host": "a.example.com"}}, "board.proxy.secret is needed"),
        ({"board": {**BOARD["board"], "readLedger": True}}, "ledger.table is needed"),
        ({"board": {"enabled": True, "host": "a.example.com", "loadBalancer": {"arns": _ARNS}}}, "board.loadBalancer.clientID is needed"),
        ({"board": {**BOARD_LOAD_BALANCER["board"], "loadBalancer": {"arns": ["board"], "clientID": "x"}}}, "arns"),
        ({"board": {**BOARD["board"], "host": "https://a.example.com"}}, "host"),
        ({"board": {**BOARD["board"], "linkHosts": ["https://a.example.com"]}}, "linkHosts"),
    ],
)
def test_what_is_missing_is_said(values: dict[str, Any], message: str) -> None:
    with pytest.raises(HelmError, match=message):
        render(values)
