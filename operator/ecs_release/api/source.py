"""What may be released: a source names a build artifact by its release hash, by a tag, or by digests."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from ecs_release.api.meta import ContainerName, Digest, Model, ReleaseHash
from ecs_release.api.schema import list_map, rules


class SourceImage(Model):
    """One container's image, by digest."""

    container: Annotated[ContainerName, Field(description="Container of the service, as the Project lists it.")]
    digest: Annotated[Digest, Field(description="Digest of the image or of its manifest list.")]
    release_hash: Annotated[
        ReleaseHash | None, Field(description="Release hash of the image, for people: marked as claimed unless a tag in ECR confirms it.")
    ] = None


class Source(Model):
    """Names a build artifact. Exactly one of releaseHash, tag and images is set."""

    model_config = rules(
        (
            "[has(self.releaseHash), has(self.tag), has(self.images)].filter(x, x).size() == 1",
            "set exactly one of releaseHash, tag and images",
        )
    )

    release_hash: Annotated[ReleaseHash | None, Field(description="A git ref, found in ECR by the Environment's artifacts.tagFormats.")] = (
        None
    )
    tag: Annotated[ReleaseHash | None, Field(description="An image tag such as latest; resolved once for each change of the source.")] = (
        None
    )
    images: Annotated[
        list[SourceImage] | None,
        Field(
            min_length=1,
            max_length=10,
            description="Images by digest, one for each container of the service.",
            json_schema_extra=list_map("container"),
        ),
    ] = None

    @property
    def digests(self) -> dict[str, str]:
        """The digest of each container; none if it is another kind of source."""
        return {i.container: i.digest for i in self.images or ()}
