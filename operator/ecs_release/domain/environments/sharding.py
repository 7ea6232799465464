"""Shards: which operator of an installation acts where.

A shard is a set of accounts and regions. AWS counts requests by account and region (Amazon ECS API reference, "Request throttling for the
Amazon ECS API"), so no two shards may overlap: their operators do not coordinate, and would use the rates twice.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ecs_release.api.meta import ACCOUNT, DNS_LABEL, REGION

DEFAULT = "default"
"""The shard of all accounts that no entry names, and of what belongs to no account: Projects."""

_ALL = ""


@dataclass(frozen=True, slots=True)
class AccountRegion:
    """An account in one region, or in all of them (an empty string)."""

    account: str
    region: str = _ALL

    def overlaps(self, other: AccountRegion) -> bool:
        """Return whether both have an account and region in common."""
        return self.account == other.account and (self.region == other.region or _ALL in (self.region, other.region))

    def __str__(self) -> str:
        """Describe it for a message."""
        return f"account {self.account}" + (f" in region {self.region}" if self.region else " in all regions")


@dataclass(frozen=True, slots=True)
class Shards:
    """All shards of an installation."""

    names: tuple[str, ...]
    owners: Mapping[AccountRegion, str]

    def of(self, account: str, region: str) -> str:
        """Return the shard of an account and region."""
        return self.owners.get(AccountRegion(account, region)) or self.owners.get(AccountRegion(account)) or DEFAULT

    @property
    def digest(self) -> str:
        """A hash of the table, whatever the order of its entries."""
        entries = sorted([*self.names, *(f"{part.account}/{part.region} {name}" for part, name in self.owners.items())])
        return hashlib.sha256("\n".join(entries).encode()).hexdigest()[:16]


SINGLE_SHARD = Shards((DEFAULT,), {})
"""No shards: one operator does everything."""


def shards_of(table: Mapping[str, Sequence[str]]) -> Shards:
    """Parse the table: shard to entries, each `account` (in all regions) or `account/region`.

    Raises ValueError, with a message for people, for an invalid name or entry, and if two shards overlap.
    """
    owners: dict[AccountRegion, str] = {}
    for name, entries in table.items():
        if len(name) > 63 or not re.fullmatch(DNS_LABEL, name):
            raise ValueError(f"shard {name!r}: a name has at most 63 lower-case letters, digits and hyphens")
        for entry in entries:
            part = _parse_entry(name, entry)
            for other, owner in owners.items():
                if owner != name and part.overlaps(other):
                    raise ValueError(
                        f"shards {owner!r} and {name!r} overlap: the one has {other}, the other {part};"
                        " two shards must not share AWS's request rates: give each account and region to one of them"
                    )
            owners[part] = name
    return Shards(tuple(dict.fromkeys((*table, DEFAULT))), owners)


def _parse_entry(shard: str, entry: str) -> AccountRegion:
    account, slash, region = entry.partition("/")
    if not re.fullmatch(ACCOUNT, account) or (slash and not re.fullmatch(REGION, region)):
        raise ValueError(
            f"shard {shard!r}: {entry!r} is neither an account of 12 digits nor account/region, such as 111122223333/eu-west-1"
        )
    return AccountRegion(account, region)
