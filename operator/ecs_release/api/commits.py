"""Where a Project's commits are, and what the commit graph must say before anything begins in an Environment."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from ecs_release.api.bounded_types import Count, Word
from ecs_release.api.meta import Model, Time

Branch = Annotated[str, Field(min_length=1, max_length=244, pattern=r"^[^\s~^:?*\[\\/.-][^\s~^:?*\[\\]*$")]
CommitHash = Annotated[str, Field(min_length=7, max_length=40, pattern=r"^[0-9a-f]+$")]


class ProjectGit(Model):
    """The git repository that a Project's images are built from. The commits service reads it, if its configuration lets the namespace."""

    url: Annotated[
        str, Field(min_length=9, max_length=2048, pattern=r"^https://[^\s@]+$", description="Its URL: https, without a user or password.")
    ]
    branch: Annotated[Branch, Field(description="The branch that commits are merged into.")] = "main"


class EnvironmentCommits(Model):
    """What the commit graph must say before anything begins. The commits service is asked about the Project's spec.git."""

    branch: Annotated[Branch | None, Field(description="The branch that counts here; absent: the Project's.")] = None
    not_merged: Annotated[
        Literal["Allow", "Refuse"],
        Field(description="Refuse: only commits of the branch go out; a hash then needs 12 characters, and a tag in ECR that confirms it."),
    ] = "Allow"
    backwards: Annotated[
        Literal["Allow", "Hold"],
        Field(description="Hold: a commit that lacks some of what runs, or of the latest attempt, waits unless it is said to be meant."),
    ] = "Allow"
    unknown: Annotated[
        Literal["Allow", "Hold"], Field(description="Hold: what the two rules ask for, and nobody knows, is waited for.")
    ] = "Allow"

    @property
    def are_asked(self) -> bool:
        """Whether the commit graph is asked at all."""
        return self.not_merged == "Refuse" or self.backwards == "Hold"


class AttemptCommits(Model):
    """The commits that an attempt brings or takes back, by the commit graph and what committers claim. A statistic: it decides nothing."""

    before: Annotated[Word | None, Field(description="The commit that ran before.")] = None
    after: Annotated[Word | None, Field(description="The commit that is deployed.")] = None
    added: Annotated[Count, Field(description="Commits that did not run before: those that `after` has and `before` has not.")]
    removed: Annotated[
        Count | None, Field(description="Commits that ran before and are left out now: it goes back, or to another branch.")
    ] = None
    first: Annotated[
        Word | None, Field(description="The oldest of those added; if there are none, of those removed. Absent if there are more than 250.")
    ] = None
    last: Annotated[Word | None, Field(description="The newest of them.")] = None
    first_time: Annotated[Time | None, Field(description="When the oldest was committed, as its committer claims.")] = None
    authors: Annotated[Count | None, Field(description="Authors of the newest 250 of them, by name.")] = None
