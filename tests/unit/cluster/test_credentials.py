"""Where the credentials come from, and that they are renewed."""

from __future__ import annotations

import os
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from kubernetes.aio.config import ConfigException

from ecs_release.cluster.credentials import Credentials, credentials_of, load
from ecs_release.handlers.login import connection_info
from tests.builders.kubeconfig import write_kubeconfig


@pytest.fixture(autouse=True)
def _no_cluster_of_our_own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("KUBECONFIG", "KUBERNETES_SERVICE_HOST", "KUBERNETES_SERVICE_PORT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))


async def test_kubeconfig_is_a_list_of_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = tmp_path / "first"
    first.write_text("apiVersion: v1\nkind: Config\n")
    second = write_kubeconfig(tmp_path / "second", "https://one.example", {"token": "t"})
    monkeypatch.setenv("KUBECONFIG", os.pathsep.join([str(first), str(tmp_path / "missing"), str(second)]))

    found = await credentials_of(await load())

    assert (found.server, found.authorization) == ("https://one.example", "Bearer t")


async def test_kubeconfig_goes_before_the_service_account_and_that_before_the_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As client-go's loading rules: a pod in one cluster may serve another."""
    (tmp_path / ".kube").mkdir()
    write_kubeconfig(tmp_path / ".kube" / "config", "https://home.example", {})
    assert (await load()).host == "https://home.example"

    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1")
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", "443")
    with pytest.raises(ConfigException, match="Service token file"):
        await load()

    monkeypatch.setenv("KUBECONFIG", str(write_kubeconfig(tmp_path / "other", "https://other.example", {})))
    assert (await load()).host == "https://other.example"


@pytest.mark.parametrize("text", ["", "{", "apiVersion: v1\nkind: Config\ncurrent-context: gone\n", "[]"])
async def test_a_file_that_says_nothing_useful_is_an_error(tmp_path: Path, text: str) -> None:
    path = tmp_path / "config"
    path.write_text(text)
    with pytest.raises(ConfigException):
        await load(str(path))


async def test_no_cluster_at_all_says_what_to_do() -> None:
    with pytest.raises(ConfigException, match="set KUBECONFIG"):
        await load()


async def test_an_exec_plugin_runs_again_when_its_token_ends(tmp_path: Path) -> None:
    """EKS: `aws eks get-token` gives tokens of 15 minutes."""
    runs, ends = tmp_path / "runs", tmp_path / "ends"
    plugin = tmp_path / "plugin.py"
    plugin.write_text(
        "import json, pathlib\n"
        f"runs = pathlib.Path({str(runs)!r}); n = len(runs.read_text()) + 1 if runs.exists() else 1; runs.write_text('x' * n)\n"
        "print(json.dumps({'apiVersion': 'client.authentication.k8s.io/v1', 'kind': 'ExecCredential', 'status': {\n"
        f"  'token': f'token-{{n}}', 'expirationTimestamp': pathlib.Path({str(ends)!r}).read_text()}}}}))\n"
    )
    user = {
        "exec": {
            "apiVersion": "client.authentication.k8s.io/v1",
            "command": sys.executable,
            "args": [str(plugin)],
            "interactiveMode": "Never",
        }
    }
    ends.write_text((datetime.now(UTC) - timedelta(minutes=1)).strftime("%Y-%m-%dT%H:%M:%SZ"))
    configuration = await load(str(write_kubeconfig(tmp_path / "config", "https://eks.example", user)))

    ends.write_text((datetime.now(UTC) + timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ"))

    assert (await credentials_of(configuration)).authorization == "Bearer token-2"
    assert (await credentials_of(configuration)).authorization == "Bearer token-2"
    assert runs.read_text() == "xx"


def test_credentials_do_not_show_the_token() -> None:
    assert "hush" not in repr(Credentials("https://x", "Bearer hush"))


def test_kopf_logs_in_with_the_same() -> None:
    info = connection_info(
        Credentials("https://x", "bearer abc\n", verify=False, ca_file="/ca", certificate_file="/crt", key_file="/key", proxy="http://p")
    )

    assert (info.server, info.scheme, info.token, info.insecure, info.ca_path) == ("https://x", "bearer", "abc", True, "/ca")
    assert (info.certificate_path, info.private_key_path, info.proxy_url, info.trust_env) == ("/crt", "/key", "http://p", True)
    assert connection_info(Credentials("https://x", "")).as_http_headers() == {}
