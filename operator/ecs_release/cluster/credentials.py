"""The address and credentials of the API server: from KUBECONFIG, else the pod's service account, else ~/.kube/config.

Both clients (our own and kopf's watch) use this module, so that they never log in differently. Expiring credentials are renewed:
a service account's token file is read again every minute, an exec plugin runs again before its token expires, and after a 401 `load`
reloads everything (a token file or a client certificate that was replaced, a plugin without an expiry).
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

from kubernetes.aio import config as kubernetes_config
from kubernetes.aio.client import Configuration
from kubernetes.aio.config import ConfigException

_DEFAULT = Path("~/.kube/config")


@dataclass(frozen=True, slots=True)
class Credentials:
    """How to reach the API server. `authorization` is the header's value, empty with a client certificate, which is in files."""

    server: str
    authorization: str = field(repr=False)
    verify: bool = True
    ca_file: str | None = None
    certificate_file: str | None = None
    key_file: str | None = None
    proxy: str | None = None


async def load(kubeconfig: str | None = None) -> Configuration:
    """Load the configuration: of the files given (separated as in KUBECONFIG), else as the module says.

    Raises ConfigException, also if the files cannot be read or name no context.
    """
    configuration = Configuration()
    files = kubeconfig or os.environ.get("KUBECONFIG")
    if not files and os.environ.get("KUBERNETES_SERVICE_HOST"):
        kubernetes_config.load_incluster_config(client_configuration=configuration)
        return configuration
    files = files or str(_DEFAULT)
    if not _any_file(files):
        raise ConfigException(f"no cluster to connect to: there is no file {files}; set KUBECONFIG, or run in a pod with a service account")
    try:
        # Renewed OIDC tokens stay in memory: do not change a file that kubectl writes, too.
        loader = await kubernetes_config.load_kube_config(config_file=files, client_configuration=configuration, persist_config=False)
    except ConfigException:
        raise
    except Exception as error:
        raise ConfigException(f"cannot read the KUBECONFIG {files}: {type(error).__name__}: {error}") from error
    if getattr(loader, "exec_plugin_expiry", None):

        async def renew(current: Configuration) -> None:
            # Runs the plugin only when its token is about to expire.
            await loader.load_from_exec_plugin()
            current.api_key["BearerToken"] = loader.token

        configuration.refresh_api_key_hook = renew  # type: ignore[assignment]
    return configuration


async def credentials_of(configuration: Configuration) -> Credentials:
    """Return the current credentials of a configuration, renewed if they are about to expire."""
    authorization = await configuration.get_api_key_with_prefix("BearerToken")
    return Credentials(
        server=configuration.host,
        authorization=authorization or "",
        verify=configuration.verify_ssl,
        ca_file=configuration.ssl_ca_cert,
        certificate_file=configuration.cert_file,
        key_file=configuration.key_file,
        proxy=configuration.proxy,
    )


def _any_file(files: str) -> bool:
    return any(Path(file).expanduser().is_file() for file in files.split(os.pathsep) if file)
