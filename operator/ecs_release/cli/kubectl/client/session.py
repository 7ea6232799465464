"""What a command uses: the API server, the namespace, the output, the time; each created on first use."""

from __future__ import annotations

import argparse
import logging
import os
import warnings
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cached_property
from importlib.metadata import version
from types import TracebackType
from typing import TYPE_CHECKING

from ecs_release.cli.kubectl.terminal.output import Output

if TYPE_CHECKING:
    from ecs_release.cli.kubectl.client.api_server import Api
    from ecs_release.cli.kubectl.client.connection import Connection


class Session:
    """One run of one command."""

    def __init__(self, arguments: argparse.Namespace, environment: Mapping[str, str] | None = None, out: Output | None = None) -> None:
        """`arguments` holds kubectl's flags."""
        self.arguments = arguments
        self.environment: Mapping[str, str] = os.environ if environment is None else environment
        self.out = out or Output(self.environment)

    def __enter__(self) -> Session:
        """Return the session; nothing is connected yet."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Close what was opened."""
        if "api" in self.__dict__:
            self.api.close()

    @cached_property
    def connection(self) -> Connection:
        """How to reach the API server. Raises CommandError."""
        from ecs_release.cli.kubectl.client.connection import connect

        return connect(self.arguments, self.environment)

    @cached_property
    def api(self) -> Api:
        """The API server. Raises CommandError, as everything that it does."""
        from ecs_release.cli.kubectl.client.api_server import Api

        # Our own message is enough; and a user who skips the check of certificates needs no warning.
        logging.getLogger("urllib3").setLevel(logging.ERROR)
        logging.basicConfig(format="%(message)s", level=logging.ERROR)
        warnings.filterwarnings("ignore", message="Unverified HTTPS request")
        timeout_s = self.arguments.request_timeout
        return Api(
            self.connection, f"kubectl-ecs-release/{self.version}", timeout_s, self.out.note if self.arguments.verbosity >= 6 else None
        )

    @cached_property
    def namespace(self) -> str:
        """The namespace: --namespace, else the context's, else default."""
        return str(self.arguments.namespace or self.connection.namespace)

    @property
    def all_namespaces(self) -> bool:
        """Whether -A is given."""
        return bool(self.arguments.all_namespaces)

    @property
    def scope(self) -> str:
        """The namespace to list in: an empty string means all."""
        return "" if self.all_namespaces else self.namespace

    @property
    def version(self) -> str:
        """The plugin's version."""
        return version("ecs-release-operator")

    def now(self) -> datetime:
        """Return the time in UTC."""
        return datetime.now(UTC)
