"""The port `domain.ports.views.ViewSink`: shows deployment sets on GitHub."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence

from ecs_release.domain.model.errors import Blocked
from ecs_release.domain.ports.protocols import Fence
from ecs_release.domain.ports.views import LEFT, Created, Part, Place
from ecs_release.domain.views.github import DEPLOYMENT
from ecs_release.github.client import Client, LockedError, MissingError, malformed, rejected
from ecs_release.github.comments import Comments
from ecs_release.github.credentials import Credentials, FileToken, InstallationToken
from ecs_release.github.deployments import Deployments
from ecs_release.github.identity import Identity
from ecs_release.outbound.connections import GitHubConnection
from ecs_release.outbound.session import Session

_MOST_PULLS, _KEPT = 10, 2000
_NO_ID = "0"


def connect(connection: GitHubConnection, session: Session, fence: Fence | None, operators: int = 1) -> GitHub:
    """Return the sink of a connection, which so many operators have. Nothing is called yet."""
    credentials: Credentials
    app = InstallationToken(connection.app, session) if connection.app is not None else None
    if app is not None:
        credentials = app
    else:
        assert connection.token_file is not None, "one of both, by the configuration's validation"
        credentials = FileToken(connection.token_file)
    client = Client(session, credentials, fence, operators)
    return GitHub(connection.host, client, Identity(client, app))


class GitHub:
    """One GitHub, with one identity."""

    def __init__(self, site: str, client: Client, identity: Identity) -> None:
        """`site` is the host of the repositories' URLs."""
        self.site = site
        self._client = client
        self._deployments = Deployments(client, identity)
        self._comments = Comments(client, identity)
        self._pulls: OrderedDict[tuple[str, str], tuple[int, ...]] = OrderedDict()

    @property
    def hourly(self) -> int:
        """How many requests that create content GitHub allows this operator in an hour."""
        return self._client.limits.hourly

    @property
    def spent(self) -> int:
        """How many of those were made."""
        return self._client.limits.count

    def ready_in_s(self) -> float:
        """Return in how many seconds the limits allow the next call."""
        return self._client.ready_in_s()

    async def close(self) -> None:
        """Close all connections."""
        await self._client.close()

    async def find(self, place: Place, part: Part) -> list[str]:
        """Return the receipts of what has the part's key, oldest first."""
        return await self._of(part).find(place, part)

    async def create(self, place: Place, part: Part) -> Created:
        """Create a part. Nothing is said where people have locked the conversation, but a label can be set."""
        try:
            return await self._of(part).create(place, part)
        except Blocked as problem:
            if not isinstance(problem.__cause__, LockedError):
                raise
            return Created(LEFT, is_current=not part.content.get("label"))

    async def change(self, place: Place, receipt: str, part: Part) -> None:
        """Have it show the part's content."""
        await self._of(part).change(place, _NO_ID if receipt == LEFT else receipt, part)

    async def remove(self, place: Place, receipt: str, part: Part) -> None:
        """Remove what was created twice."""
        await self._of(part).remove(place, receipt)

    async def pull_requests(self, address: str, commit: str) -> Sequence[int]:
        """Return the numbers of the merged pull requests that brought a commit: GitHub says so of those on the default branch."""
        found = self._pulls.get((address, commit))
        if found is None:
            try:
                listed = await self._client.get(f"/repos/{address}/commits/{commit}/pulls", {"per_page": str(_MOST_PULLS)})
            except MissingError as error:
                raise rejected(error) from error
            if not isinstance(listed, list):
                raise malformed("a list of pull requests is expected")
            merged = [one for one in listed if isinstance(one, Mapping) and one.get("merged_at")]
            found = tuple(one["number"] for one in merged if isinstance(one.get("number"), int))
            self._pulls[address, commit] = found
            while len(self._pulls) > _KEPT:
                self._pulls.popitem(last=False)
        return found

    def _of(self, part: Part) -> Deployments | Comments:
        return self._deployments if part.name == DEPLOYMENT else self._comments
