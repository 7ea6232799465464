"""Which commits a page shows, and of which Project, as its address says. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlencode

from ecs_release.domain.decision.commit_rules import is_commit_hash
from ecs_release.domain.ports.commits import Commit
from ecs_release.pages.filters import FilterError

_LONGEST = 253
_NAMES = {"project": "project", "service": "service", "environment": "environment", "author": "author", "q": "text"}


@dataclass(frozen=True, slots=True)
class CommitFilters:
    """What is shown; what is empty narrows nothing. `project` is `NAMESPACE/NAME`, `text` the beginning of a hash, or part of a subject."""

    project: str = ""
    service: str = ""
    environment: str = ""
    author: str = ""
    text: str = ""

    @property
    def query(self) -> str:
        """The filters as the address of a page says them; empty without any."""
        return urlencode({name: getattr(self, field) for name, field in _NAMES.items() if getattr(self, field)})

    @property
    def commit(self) -> str:
        """The hash that is looked for, perhaps abbreviated; empty if the text is none."""
        text = self.text.lower()
        return text if is_commit_hash(text) else ""

    def admits(self, commit: Commit) -> bool:
        """Return whether a commit is shown."""
        text = self.text.lower()
        return self.author.lower() in commit.author.lower() and (commit.hash.startswith(text) or text in commit.subject.lower())


def parse_commits(query: Mapping[str, str]) -> CommitFilters:
    """Read the filters of an address. Raises FilterError."""
    given = {field: query.get(name, "").strip() for name, field in _NAMES.items()}
    for name, field in _NAMES.items():
        if len(given[field]) > 2 * _LONGEST + 1:
            raise FilterError(f"{name} is too long")
    return CommitFilters(**given)
