"""Sessions and roles: one session for each role, with cached clients, and credentials that are renewed before they expire.

The source of credentials is boto3's default chain: environment, shared files, web identity (IRSA), EKS Pod Identity, instance profile.
An Environment's role is assumed from there. Role chaining caps a session at one hour (STS API reference, AssumeRole).
"""

from __future__ import annotations

import re
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from functools import partial
from typing import Any

import boto3
import botocore.session
from botocore.config import Config
from botocore.credentials import AssumeRoleCredentialFetcher, DeferredRefreshableCredentials, EnvProvider, RefreshableCredentials
from botocore.exceptions import NoCredentialsError
from botocore.loaders import Loader

from ecs_release.aws.sessions.response_text import repair_body
from ecs_release.aws.sessions.sdk_models import LeanFileLoader, read_time
from ecs_release.domain.ecs.service import Access
from ecs_release.domain.ports.protocols import Fence

_CLIENTS = 1000
_SOURCE_KEPT_S = 5.0
"""For so long the default chain is not asked again: many calls notice at once that its credentials are refused."""
_DURATION_S = 3600
_CONNECT_S, _READ_S = 3, 15


class Sessions:
    """Creates and caches clients by access, service, and whether they are for mutating calls."""

    def __init__(self, user_agent: str, session_name: str, threads: int = 24, fence: Fence | None = None) -> None:
        """`session_name` is what CloudTrail shows; `threads` limits concurrent calls; `fence` is checked before mutating calls."""
        self._fence = fence
        self._user_agent = user_agent
        self._session_name = re.sub(r"[^\w+=,.@-]", "-", session_name)[:64]
        self._threads = threads
        # One loader for all sessions: its models are 11 MB for each role otherwise (boto/botocore#3078).
        self._loader = Loader(file_loader=LeanFileLoader(), include_default_search_paths=True)
        self._lock = threading.Lock()
        self._base = self._plain_session()
        self._base_made = time.monotonic()
        self._roles: dict[tuple[str, str | None], botocore.session.Session] = {}
        self._clients: OrderedDict[tuple[Access, str, bool], Any] = OrderedDict()

    def client(self, access: Access, service: str, *, mutating: bool = False) -> Any:
        """Return a client. Blocks: call it in a thread. It sends each call once: `Caller` does retries and rate limits."""
        key = (access, service, mutating)
        with self._lock:
            found = self._clients.get(key)
            if found is None:
                found = self._make(access, service, mutating=mutating)
                self._clients[key] = found
                while len(self._clients) > _CLIENTS:
                    self._clients.popitem(last=False)
            self._clients.move_to_end(key)
            return found

    def forget_credentials(self, access: Access, *, source: bool = False) -> bool:
        """Drop refused credentials: those of a role, or (`source`) what the default chain has found. Returns whether there may be others.

        The role is assumed again by the next call. botocore reads a file of keys once, and keeps what an agent gave for as long as that
        said it would last, although either may be replaced before: the chain is gone through again. What the environment says stays.
        """
        with self._lock:
            if source or not access.role_arn:
                return self._forget_source()
            self._roles.pop((access.role_arn, access.external_id), None)
            self._drop_clients(lambda known: (known.role_arn, known.external_id) == (access.role_arn, access.external_id))
            return True

    def _forget_source(self) -> bool:
        # Not get_credentials(), which may ask an agent: the lock is held.
        found = self._base._credentials  # noqa: SLF001
        if found is not None and found.method == EnvProvider.METHOD:
            return False
        if time.monotonic() - self._base_made >= _SOURCE_KEPT_S:
            self._base, self._base_made = self._plain_session(), time.monotonic()
            self._drop_clients(lambda known: not known.role_arn)
        return True

    def _drop_clients(self, are_of: Callable[[Access], bool]) -> None:
        for key in [key for key in self._clients if are_of(key[0])]:
            del self._clients[key]

    def _make(self, access: Access, service: str, *, mutating: bool) -> Any:
        config = Config(
            retries={"mode": "standard", "total_max_attempts": 1},
            connect_timeout=_CONNECT_S,
            read_timeout=_READ_S,
            tcp_keepalive=True,
            max_pool_connections=self._threads,
            user_agent_extra=self._user_agent,
        )
        session = boto3.Session(botocore_session=self._session_of(access))
        client = session.client(service, region_name=access.region, config=config)
        if mutating and self._fence is not None:
            # botocore's last event before the request is sent: fetching credentials and signing before it may take seconds.
            client.meta.events.register("before-send", partial(_check, self._fence))
        return client

    def _session_of(self, access: Access) -> botocore.session.Session:
        if not access.role_arn:
            return self._base
        key = (access.role_arn, access.external_id)
        if key not in self._roles:
            self._roles[key] = self._assumed_session(access.role_arn, access.external_id, access.region)
        return self._roles[key]

    def _plain_session(self) -> botocore.session.Session:
        session = botocore.session.Session()
        session.register_component("data_loader", self._loader)
        session.get_component("response_parser_factory").set_parser_defaults(timestamp_parser=read_time)
        session.register("before-parse", repair_body)
        return session

    def _assumed_session(self, role_arn: str, external_id: str | None, region: str) -> botocore.session.Session:
        extra = {"RoleSessionName": self._session_name, "DurationSeconds": _DURATION_S}
        if external_id:
            extra["ExternalId"] = external_id
        fetcher = AssumeRoleCredentialFetcher(
            client_creator=self._sts_creator(region),
            source_credentials=_SourceCredentials(lambda: self._base),
            role_arn=role_arn,
            extra_args=extra,
        )
        session = self._plain_session()
        # Fetched at the first call, renewed 15 minutes before they expire by one caller; concurrent callers go on with the old ones.
        session._credentials = DeferredRefreshableCredentials(fetcher.fetch_credentials, "assume-role")  # noqa: SLF001
        return session

    def _sts_creator(self, region: str) -> Callable[..., Any]:
        config = Config(
            connect_timeout=3, read_timeout=10, retries={"mode": "standard", "total_max_attempts": 3}, user_agent_extra=self._user_agent
        )

        def create(service: str, **arguments: Any) -> Any:
            arguments.setdefault("region_name", region)
            return self._base.create_client(service, config=config, **arguments)

        return create


def _check(fence: Fence, event_name: str, **_: object) -> None:
    """Check the fence; what is raised here is raised by the client's method unchanged."""
    fence.check("a changing call to AWS (" + event_name.removeprefix("before-send.").replace(".", ":") + ")")


class _SourceCredentials:
    """The default chain's credentials, resolved lazily: a web identity token, for example, may not exist yet at the start."""

    def __init__(self, session: Callable[[], botocore.session.Session]) -> None:
        self._session = session

    def get_frozen_credentials(self) -> Any:
        credentials: RefreshableCredentials | None = self._session().get_credentials()
        if credentials is None:
            raise NoCredentialsError
        return credentials.get_frozen_credentials()
