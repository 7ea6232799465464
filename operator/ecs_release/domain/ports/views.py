"""Views: what shows one document for each deployment set, such as GitHub and Slack. The adapters `github` and `slack` implement the port.

A document consists of parts. Each is created once, found again by its key, and changed from then on; `domain.views.create_once` says when.
All methods may raise subclasses of `domain.model.errors.Problem`: Blocked if a place or a text is refused, Denied if the credentials are,
Throttled if the sink asks us to wait, Ambiguous if a creation may have been carried out, and other Retryable for what passes by itself.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

LEFT = "left"
"""The receipt of what cannot be created any more, such as a comment where people have locked the conversation: that is no fault."""


@dataclass(frozen=True, slots=True)
class Part:
    """One thing that a sink shows. `content` is JSON, in the sink's own terms.

    `key` is sent when it is created. `is_shared`: what has this key may have been created for another document. `below` is the part that
    must be there first, such as the message of a thread. `is_last`: status forgets it once it is shown.
    """

    name: str
    key: str
    content: Mapping[str, Any] = field(hash=False)
    is_shared: bool = False
    below: str = ""
    is_last: bool = False

    @property
    def hash(self) -> str:
        """Checksum of the content: it is sent if another one was accepted last."""
        return hashlib.sha256(json.dumps(self.content, sort_keys=True).encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class Place:
    """Where a part is: a repository as owner/name, or a channel's id; and the receipt of the part that it is below."""

    address: str
    below: str = ""


@dataclass(frozen=True, slots=True)
class Created:
    """A receipt: the id of what was created, or LEFT.

    `is_current`: it shows the part's content already, and need not be changed for that.
    """

    receipt: str
    is_current: bool = True


class ViewSink(Protocol):
    """One connection to a sink of views. What it returns is cheap to ask, but for the four calls."""

    @property
    def site(self) -> str:
        """The host that repositories are on, such as github.com; empty for a sink without repositories."""

    @property
    def hourly(self) -> int:
        """How many calls that create or change something the sink's limits allow in an hour; 0: they say nothing of hours."""

    @property
    def spent(self) -> int:
        """How many of those were made since the process began."""

    def ready_in_s(self) -> float:
        """Return in how many seconds something may be created or changed, by the sink's limits; 0: now. No call."""

    async def find(self, place: Place, part: Part) -> list[str]:
        """Return the receipts of all that have the part's key and were created with these credentials, oldest first."""

    async def create(self, place: Place, part: Part) -> Created:
        """Create a part. Its receipt is LEFT if people have closed the place where it would be."""

    async def change(self, place: Place, receipt: str, part: Part) -> None:
        """Have what was created show the part's content. What somebody has removed is left so, and no error."""

    async def remove(self, place: Place, receipt: str, part: Part) -> None:
        """Remove what was created twice. To find it gone is no error."""

    async def close(self) -> None:
        """Close all connections."""


@runtime_checkable
class CodeHost(Protocol):
    """What a sink of views can tell of a repository, if it has repositories."""

    async def pull_requests(self, address: str, commit: str) -> Sequence[int]:
        """Return the numbers of the merged pull requests that brought a commit, a few at most. They are kept: asking again is cheap."""
