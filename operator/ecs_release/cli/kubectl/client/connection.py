"""Connection to the API server: kubeconfig files, flags and a pod's service account, as kubectl reads them."""

from __future__ import annotations

import argparse
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from kubernetes.client import Configuration
from kubernetes.config import ConfigException, load_incluster_config
from kubernetes.config.kube_config import KubeConfigLoader, KubeConfigMerger
from pydantic import BaseModel, Field, ValidationError

from ecs_release.cli.kubectl.terminal.errors import CommandError

_DEFAULT = "~/.kube/config"
_OURS = "kubectl ecs-release"
_Headers = tuple[tuple[str, str], ...]
_POD_NAMESPACE = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")


class KubeconfigUser(BaseModel):
    """Whom a kubeconfig's user acts as: fields of client-go's AuthInfo, which the Python client leaves out."""

    name: str | None = Field(None, alias="as")
    uid: str | None = Field(None, alias="as-uid")
    groups: list[str] | None = Field(None, alias="as-groups")
    extra: dict[str, list[str]] | None = Field(None, alias="as-user-extra")


@dataclass(frozen=True, slots=True)
class Connection:
    """How to reach the API server, and the default namespace."""

    configuration: Configuration
    namespace: str
    impersonation: _Headers = ()


def connect(arguments: argparse.Namespace, environment: Mapping[str, str]) -> Connection:
    """Read the configuration: --kubeconfig, else KUBECONFIG (a list of files), else ~/.kube/config, else the pod's service account.

    Raises CommandError.
    """
    configuration = Configuration()
    files = arguments.kubeconfig or environment.get("KUBECONFIG") or _DEFAULT
    there = [file for file in files.split(os.pathsep) if file and Path(file).expanduser().is_file()]
    if arguments.kubeconfig and not there:
        raise CommandError(f"there is no file {arguments.kubeconfig}: correct --kubeconfig")
    user = KubeconfigUser()
    if there:
        namespace, user = _from_files(configuration, files, arguments)
    elif environment.get("KUBERNETES_SERVICE_HOST") and not arguments.server:
        namespace = _from_pod(configuration)
    elif arguments.server:
        namespace = "default"
    else:
        raise CommandError(f"no cluster to connect to: there is no file {files}; set KUBECONFIG or give --kubeconfig")
    _override(configuration, arguments)
    if not configuration.host.startswith(("https://", "http://")):
        raise CommandError(
            f"the API server's address {configuration.host!r} does not begin with https://: correct the kubeconfig or --server"
        )
    return Connection(configuration, namespace, _acting_as(user, arguments))


def _from_files(configuration: Configuration, files: str, arguments: argparse.Namespace) -> tuple[str, KubeconfigUser]:
    """Load kubeconfig files and return the context's namespace, and its user. Raises CommandError."""
    try:
        merged = KubeConfigMerger(files).config
        context = _context(merged.value, arguments)
        # Renewed OIDC tokens stay in memory: kubectl writes that file, too.
        loader = KubeConfigLoader(config_dict=merged, active_context=_OURS, config_base_path=None)
        loader.load_and_set(configuration)
        users = {entry["name"]: _plain(entry).get("user") or {} for entry in merged.value.get("users") or ()}
        user = KubeconfigUser.model_validate(users.get(context.get("user", ""), {}))
    except CommandError:
        raise
    except ConfigException as error:
        raise CommandError(f"kubeconfig {files}: {error}") from error
    except ValidationError as error:
        first = error.errors()[0]
        raise CommandError(f"kubeconfig {files}: {'.'.join(map(str, first['loc']))} of the user: {first['msg']}") from error
    except Exception as error:
        raise CommandError(f"cannot read the kubeconfig {files}: {type(error).__name__}: {error}") from error
    return str(context.get("namespace") or "default"), user


def _plain(node: Any) -> dict[str, Any]:
    """Return the dictionary in a node of the merged kubeconfig."""
    return dict(getattr(node, "value", node))


def _acting_as(user: KubeconfigUser, arguments: argparse.Namespace) -> _Headers:
    """Return the headers for impersonation (Kubernetes, "User impersonation"). Raises CommandError.

    Each flag replaces its own field of the kubeconfig's user and leaves the others, as client-go merges an AuthInfo; the Python client
    supports neither.
    """
    name, uid = arguments.as_user or user.name, arguments.as_uid or user.uid
    groups, extra = arguments.as_group or user.groups or (), user.extra or {}
    if not name:
        if groups or uid or extra:
            raise CommandError("--as-group and --as-uid need --as: name the user to impersonate")
        return ()
    headers = [("Impersonate-User", name), *(("Impersonate-Group", group) for group in groups)]
    headers += [("Impersonate-Uid", uid)] if uid else []
    headers += [(f"Impersonate-Extra-{quote(key, safe='')}", value) for key, values in extra.items() for value in values]
    return tuple(headers)


def _context(config: dict[str, Any], arguments: argparse.Namespace) -> dict[str, Any]:
    """Add a context of our own: the selected one, with the cluster or user of the flags. Returns it."""
    named = arguments.context or config.get("current-context")
    contexts = {c["name"]: c["context"] for c in config.get("contexts") or ()}
    if named not in contexts and (arguments.context or not arguments.cluster):
        known = ", ".join(sorted(contexts)) or "none"
        raise CommandError(f"there is no context {named!r} in the kubeconfig (there are: {known}): choose one with --context")
    found = contexts.get(named)
    chosen = {key: found[key] for key in ("cluster", "user", "namespace") if found is not None and key in found}
    for key in ("cluster", "user"):
        if getattr(arguments, key):
            chosen[key] = getattr(arguments, key)
    users = {user["name"] for user in config.get("users") or ()}
    if arguments.user and arguments.user not in users:
        raise CommandError(f"there is no user {arguments.user!r} in the kubeconfig: correct --user")
    config["contexts"].append({"name": _OURS, "context": chosen})
    return chosen


def _from_pod(configuration: Configuration) -> str:
    try:
        load_incluster_config(client_configuration=configuration)
    except ConfigException as error:
        raise CommandError(f"the pod's service account cannot be used: {error}") from error
    return _POD_NAMESPACE.read_text().strip() if _POD_NAMESPACE.is_file() else "default"


def _override(configuration: Configuration, arguments: argparse.Namespace) -> None:
    """Apply the flags that override the configuration."""
    if arguments.server:
        configuration.host = arguments.server.rstrip("/")
    if arguments.token:
        configuration.api_key["BearerToken"] = f"Bearer {arguments.token}"
        configuration.refresh_api_key_hook = None
    if arguments.certificate_authority:
        configuration.ssl_ca_cert = _file(arguments.certificate_authority)
    if arguments.client_certificate:
        configuration.cert_file = _file(arguments.client_certificate)
    if arguments.client_key:
        configuration.key_file = _file(arguments.client_key)
    if arguments.tls_server_name:
        configuration.tls_server_name = arguments.tls_server_name
    if arguments.insecure_skip_tls_verify:
        configuration.verify_ssl = False


def _file(name: str) -> str:
    if not Path(name).is_file():
        raise CommandError(f"there is no file {name}")
    return name
