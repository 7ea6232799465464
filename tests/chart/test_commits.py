"""The commits service as the chart installs it: apart from the operator in everything but the image and the token."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest
import yaml

from ecs_release.commits_service.bindings import bound, parse_url
from ecs_release.commits_service.config import load
from ecs_release.config import Settings
from tests.chart.conftest import GUEST, NAMESPACE, upgrade
from tests.chart.generate import CHART
from tests.chart.helm import COMMITS, MATRIX, HelmError, helm, objects, render
from tests.documentation.blocks import blocks, commands
from tests.e2e.bed import Bed

PAGE = "how-to/only-merged.md"
OPERATOR, SERVICE = "ecs-release-operator", "ecs-release-operator-commits"
ON: dict[str, Any] = {"commits": {"enabled": True}}


@pytest.fixture(scope="module")
def rendered() -> dict[tuple[str, str], dict[str, Any]]:
    return objects(render(COMMITS))


def test_it_is_off_by_default() -> None:
    # The right to override what the service answers is there without it, as that to override a window is.
    assert not [key for key in objects(render()) if "commits" in key[1] and "override-commits" not in key[1]]
    assert "ECS_RELEASE_COMMITS" not in render() and "commits" not in str(objects(render())["Deployment", OPERATOR])


def test_its_configuration_is_one_that_it_takes(rendered: dict[tuple[str, str], dict[str, Any]], tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(rendered["ConfigMap", SERVICE]["data"]["config.yaml"])
    config = load(path)
    assert (config.port, config.metrics_port, config.cache.max_bytes, config.cache.max_repositories) == (8090, 8091, 4294967296, 50)
    assert config.limits.answer_seconds == 20 and config.bindings[0].namespaces == ["shop", "shop-*"]
    path.write_text(objects(render(ON))["ConfigMap", SERVICE]["data"]["config.yaml"])
    assert load(path).bindings == []


def test_the_values_of_the_page_are_what_it_takes(tmp_path: Path) -> None:
    """The credential is a key of the Secret that the page makes, which is mounted where the page says."""
    values = yaml.safe_load(next(b.text for b in blocks(PAGE) if b.text.startswith("# commits.yaml")))
    script = next(b.text for b in commands(PAGE) if "helm upgrade" in b.text)
    assert "--set commits.enabled=true --set commits.credentialsSecret=git-credentials --values commits.yaml" in script
    found = objects(render({"commits": {"enabled": True, "credentialsSecret": "git-credentials", **values["commits"]}}))
    path = tmp_path / "config.yaml"
    path.write_text(found["ConfigMap", SERVICE]["data"]["config.yaml"])
    (binding,) = load(path).bindings
    assert binding.credential is not None
    pod = found["Deployment", SERVICE]["spec"]["template"]["spec"]
    (volume,) = (v["name"] for v in pod["volumes"] if v.get("secret", {}).get("secretName") == "git-credentials")
    (mounted,) = (m["mountPath"] for m in pod["containers"][0]["volumeMounts"] if m["name"] == volume)
    assert str(binding.credential.password_file.parent) == mounted
    assert f"secret generic git-credentials --namespace ecs-release --from-literal={binding.credential.password_file.name}=" in script
    project = yaml.safe_load(next(b.text for b in blocks(PAGE) if "url:" in b.text))
    assert bound([binding], "shop", parse_url(project["spec"]["git"]["url"])) == 0


def test_its_folder_is_not_to_be_chosen() -> None:
    found = objects(render({"commits": {"enabled": True, "cache": {"folder": "/"}}}))
    assert yaml.safe_load(found["ConfigMap", SERVICE]["data"]["config.yaml"])["cache"]["folder"] == "/cache"


def test_the_operator_is_told_where_it_is(rendered: dict[tuple[str, str], dict[str, Any]], monkeypatch: pytest.MonkeyPatch) -> None:
    pod = rendered["Deployment", OPERATOR]["spec"]["template"]["spec"]
    for entry in pod["containers"][0]["env"]:
        monkeypatch.setenv(entry["name"], entry["value"])
    settings = Settings()
    service = rendered["Service", SERVICE]["spec"]
    assert settings.commits_address == f"http://{SERVICE}.ecs-release.svc:{service['ports'][0]['port']}"
    assert settings.commits_token_file == Path("/var/run/ecs-release-commits/token")
    for name in (OPERATOR, SERVICE):
        its = rendered["Deployment", name]["spec"]["template"]["spec"]
        volume = next(v for v in its["volumes"] if v.get("secret", {}).get("secretName") == "commits-token")
        mount = next(m for m in its["containers"][0]["volumeMounts"] if m["name"] == volume["name"])
        assert (mount["mountPath"], mount["readOnly"]) == ("/var/run/ecs-release-commits", True)


def test_it_has_no_rights(rendered: dict[tuple[str, str], dict[str, Any]]) -> None:
    assert rendered["ServiceAccount", SERVICE]["automountServiceAccountToken"] is False
    pod = rendered["Deployment", SERVICE]["spec"]["template"]["spec"]
    assert (pod["serviceAccountName"], pod["automountServiceAccountToken"]) == (SERVICE, False)
    assert not [key for key, o in rendered.items() if "Binding" in key[0] for s in o.get("subjects", ()) if s["name"] == SERVICE]
    assert "annotations" not in rendered["ServiceAccount", SERVICE]["metadata"], "no role of AWS"
    assert "env" not in pod["containers"][0]
    (cache,) = [v["emptyDir"] for v in pod["volumes"] if "emptyDir" in v]
    assert cache == {"sizeLimit": "6Gi"}
    assert pod["containers"][0]["resources"]["limits"]["memory"]


def test_selectors_choose_one_of_both(rendered: dict[tuple[str, str], dict[str, Any]]) -> None:
    """The operator's Services, budgets and policies do not take the service's pod for a replica, nor the other way round."""
    labels = {name: rendered["Deployment", name]["spec"]["template"]["metadata"]["labels"] for name in (OPERATOR, SERVICE)}
    for (kind, name), its in rendered.items():
        spec = its.get("spec", {})
        selector = spec.get("podSelector", {}).get("matchLabels") if kind == "NetworkPolicy" else None
        if kind in {"Deployment", "PodDisruptionBudget"}:
            selector = spec["selector"]["matchLabels"]
        if kind == "Service":
            selector = spec["selector"]
        if selector:
            chosen = {of for of, its_labels in labels.items() if selector.items() <= its_labels.items()}
            assert chosen == {SERVICE if "commits" in name else OPERATOR}, (kind, name)


def test_only_the_operator_reaches_it_and_it_only_git_hosts(rendered: dict[tuple[str, str], dict[str, Any]]) -> None:
    policy = rendered["NetworkPolicy", SERVICE]["spec"]
    first, metrics = policy["ingress"]
    (peer,) = first["from"]
    operator = rendered["Deployment", OPERATOR]["spec"]["template"]["metadata"]["labels"]
    assert peer["podSelector"]["matchLabels"].items() <= operator.items() and first["ports"] == [{"port": "http", "protocol": "TCP"}]
    assert metrics["ports"] == [{"port": "metrics", "protocol": "TCP"}]
    dns, hosts = policy["egress"]
    assert {p["port"] for p in dns["ports"]} == {53} and {p["port"] for p in hosts["ports"]} == {443}
    assert "169.254.0.0/16" in hosts["to"][0]["ipBlock"]["except"]
    service = rendered["Deployment", SERVICE]["spec"]["template"]["metadata"]["labels"]
    ours = [e for e in rendered["NetworkPolicy", OPERATOR]["spec"]["egress"] if "podSelector" in str(e)]
    assert ours[0]["to"][0]["podSelector"]["matchLabels"].items() <= service.items() and ours[0]["ports"][0]["port"] == 8090
    assert len(objects(render(ON))["NetworkPolicy", SERVICE]["spec"]["ingress"]) == 1, "metrics are nobody's unless said"
    off = {"commits": {"enabled": True, "networkPolicy": {"enabled": False}}}
    assert ("NetworkPolicy", SERVICE) not in objects(render(off))


def test_its_metrics_are_scraped_by_a_monitor_of_its_own(rendered: dict[tuple[str, str], dict[str, Any]]) -> None:
    monitors = {name: its for (kind, name), its in rendered.items() if kind == "ServiceMonitor"}
    assert monitors.keys() == {OPERATOR, SERVICE}
    assert monitors[SERVICE]["metadata"]["labels"]["release"] == "prometheus"
    for name, its in monitors.items():
        (endpoint,) = its["spec"]["endpoints"]
        wanted = its["spec"]["selector"]["matchLabels"].items()
        chosen = {
            found["metadata"]["name"]: found
            for (kind, _), found in rendered.items()
            if kind == "Service" and wanted <= found["metadata"]["labels"].items()
        }
        assert chosen.keys() == {SERVICE if name == SERVICE else f"{OPERATOR}-metrics"}
        assert endpoint["port"] in {port["name"] for found in chosen.values() for port in found["spec"]["ports"]}
        assert endpoint["interval"] == "15s"
    watched = {"metrics": {"serviceMonitor": {"enabled": True}}}
    assert ("ServiceMonitor", SERVICE) not in objects(render(watched)), "there is nothing to scrape"
    assert ("ServiceMonitor", SERVICE) not in objects(render(ON)), "nobody has said that there is Prometheus Operator"


def test_a_new_configuration_starts_it_anew() -> None:
    def checksum(values: dict[str, Any]) -> str:
        return str(objects(render(values))["Deployment", SERVICE]["spec"]["template"]["metadata"]["annotations"]["checksum/config"])

    assert checksum(ON) == checksum(ON) != checksum({"commits": {"enabled": True, "limits": {"answerSeconds": 20}}})


def test_a_token_is_made(rendered: dict[tuple[str, str], dict[str, Any]]) -> None:
    tokens = [base64.b64decode(objects(render(ON))["Secret", f"{SERVICE}-token"]["data"]["token"]) for _ in range(2)]
    assert all(len(token) == 48 for token in tokens) and tokens[0] != tokens[1]
    assert not [key for key in rendered if key[0] == "Secret"], "one that is given is nobody else's to make"


def test_long_names_fit() -> None:
    found = objects(render({**ON, "fullnameOverride": "a" * 63}))
    assert all(len(name) <= 63 for kind, name in found if kind != "CustomResourceDefinition")


@pytest.mark.parametrize(
    "values",
    [
        {"enabled": True, "bindings": [{"hosts": ["x"]}]},
        {"enabled": True, "cacheSize": "lots"},
        {"enabled": True, "port": 80},
        {"enable": True},
        {"enabled": True, "networkPolicy": {"on": True}},
    ],
)
def test_wrong_values_are_refused(values: dict[str, Any]) -> None:
    with pytest.raises(HelmError, match="commits"):
        render({"commits": values})


def test_it_is_a_case_of_the_matrix() -> None:
    """So that the API server takes it, strictly, and all that holds for every pod holds for this one."""
    assert MATRIX["commits"][0] == COMMITS and (CHART / "templates" / "commits.yaml").is_file()


def test_the_token_is_kept_over_upgrades(installed: Bed) -> None:
    """Of an installation of its own: other tests count the changes of theirs."""
    name, guest = "keeper", {**GUEST, "serviceAccount": {"name": "keeper"}}

    def token() -> str:
        return str(installed.cluster.get("secret", f"{name}-ecs-release-operator-commits-token", "-n", NAMESPACE)["data"]["token"])

    upgrade(installed.cluster, guest | ON, name)
    first = token()
    upgrade(installed.cluster, guest | {"commits": {"enabled": True, "limits": {"answerSeconds": 20}}}, name)
    assert token() == first
    helm("uninstall", name, f"--namespace={NAMESPACE}", f"--kubeconfig={installed.cluster.kubeconfig}")
