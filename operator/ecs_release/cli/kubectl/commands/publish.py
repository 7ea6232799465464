"""`publish`: give images in ECR their release hash as a tag, and move `latest` to them."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ecs_release.api.environment import Artifacts
from ecs_release.cli.kubectl.artifacts import hash_prefix
from ecs_release.cli.kubectl.artifacts.ecr_reference import Reference, reference, registry, release_tag
from ecs_release.cli.kubectl.client.aws_flags import access_of, add_aws, region_of, with_aws
from ecs_release.cli.kubectl.client.flags import add_output
from ecs_release.cli.kubectl.own_clone.clone import Clone, is_abbreviated
from ecs_release.cli.kubectl.terminal.errors import CommandError
from ecs_release.domain.model.errors import Blocked, Problem

if TYPE_CHECKING:
    from ecs_release.aws.command_clients import CommandClients
    from ecs_release.aws.registry.publishing import Published, Publisher
    from ecs_release.cli.kubectl.client.session import Session


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to publish: images, the tag of their release hash, and the tags that move to them."""

    images: tuple[Reference, ...]
    release_tag: str
    moving: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Image:
    """An image in ECR, and the publisher that tags it."""

    reference: Reference
    account: str
    region: str
    digest: str
    publisher: Publisher


def configure(parser: argparse.ArgumentParser) -> None:
    """Add its flags."""
    parser.add_argument(
        "images", nargs="+", metavar="IMAGE", help="An image that was pushed: [REGISTRY/]REPOSITORY with :TAG or @sha256:DIGEST"
    )
    parser.add_argument("--release-hash", metavar="HASH", help="The commit that it was built from; without it git's HEAD")
    parser.add_argument(
        "--tag-format", default=Artifacts().tag_formats[0], metavar="FORMAT", help="How a release hash becomes a tag (%(default)s)"
    )
    parser.add_argument("--moving-tag", action="append", metavar="TAG", help="A tag that comes to the image: latest, unless said otherwise")
    parser.add_argument("--no-moving-tag", action="store_true", help="Move no tag")
    parser.add_argument("--registry", metavar="REGISTRY", help="Account or host name of the registry of images that name none")
    add_aws(parser)
    add_output(parser, formats=("json", "yaml"))


def run(session: Session, arguments: argparse.Namespace) -> int:
    """Tag the images. Raises CommandError; nothing is tagged if one of the images does not exist, or may not have the tag."""
    try:
        images = tuple(dict.fromkeys(reference(text) for text in arguments.images))
        home = registry(arguments.registry) if arguments.registry else ("", "")
        release_hash = _release_hash(session, arguments.release_hash, images, home, arguments.tag_format)
        wanted = Wanted(
            images,
            release_tag(arguments.tag_format, release_hash),
            () if arguments.no_moving_tag else tuple(dict.fromkeys(arguments.moving_tag or ["latest"])),
        )
    except ValueError as error:
        raise CommandError(str(error)) from error
    done = with_aws(session, lambda clients: _publish(session, clients, wanted, home))
    _show(session, arguments, release_hash, done)
    return 0


def _release_hash(session: Session, given: str | None, images: Sequence[Reference], home: tuple[str, str], tag_format: str) -> str:
    """Return the full release hash: an abbreviated one would become another immutable tag. Raises CommandError."""
    clone = Clone()
    if not given:
        found = clone.head()
        if not found:
            raise CommandError("this folder is in no git repository: give --release-hash")
        if clone.is_dirty():
            session.out.note(f"warning: tracked files differ from commit {found}: is the image what it says?")
        return found
    if not is_abbreviated(given):
        return given
    return hash_prefix.only_match(given, clone.commits(given)) or _in_registry(session, given, images, home, tag_format) or given


def _in_registry(session: Session, given: str, images: Sequence[Reference], home: tuple[str, str], tag_format: str) -> str:
    """Expand a hash by the tags in the images' repositories. Raises CommandError if there are several."""
    from ecs_release.cli.kubectl.client.aws_reader import AwsReader

    repositories = (
        hash_prefix.Repository(
            access_of(session, region_of(session, image.region or home[1])), image.account or home[0], image.repository, [tag_format]
        )
        for image in images
    )
    return hash_prefix.expand_in(session, given, repositories, AwsReader(session, through_roles=True), ", it is taken as it is")


async def _publish(session: Session, clients: CommandClients, wanted: Wanted, home: tuple[str, str]) -> list[tuple[Image, list[Published]]]:
    images = [await _found(session, clients, one, home) for one in wanted.images]
    await _check(images, wanted.release_tag)
    done = [(image, [await image.publisher.release_tag(image.reference.repository, wanted.release_tag, image.digest)]) for image in images]
    # All images have their release hash before the first tag moves: `latest` is then a complete set.
    for image, published in done:
        published += [await image.publisher.moving_tag(image.reference.repository, tag, image.digest) for tag in wanted.moving]
    return done


async def _found(session: Session, clients: CommandClients, one: Reference, home: tuple[str, str]) -> Image:
    from ecs_release.aws.registry.publishing import Publisher

    region = region_of(session, one.region or home[1])
    access = access_of(session, region)
    account = one.account or home[0] or await clients.account(access)
    publisher = Publisher(clients.registry(access, account, region))
    digest = await publisher.digest(one.repository, one.tag, one.digest)
    return Image(one, account, region, digest, publisher)


async def _check(images: list[Image], tag: str) -> None:
    """Check all images before any is tagged. Raises Blocked with every refusal."""
    by_repository: dict[tuple[str, str, str], str] = {}
    refused: list[Problem] = []
    for image in images:
        key = (image.account, image.region, image.reference.repository)
        if by_repository.setdefault(key, image.digest) != image.digest:
            raise CommandError(f"two images of repository {key[2]} cannot both have the tag {tag!r}: {by_repository[key]}, {image.digest}")
        try:
            await image.publisher.check_release_tag(image.reference.repository, tag, image.digest)
        except Blocked as problem:
            refused.append(problem)
    if refused:
        raise Blocked(refused[0].reason, "; ".join(p.message for p in refused))


def _show(session: Session, arguments: argparse.Namespace, release_hash: str, done: list[tuple[Image, list[Published]]]) -> None:
    for _, published in done:
        for one in published:
            if one.note:
                session.out.note(f"warning: {one.tag}: {one.note}")
    if arguments.output:
        session.out.data({"releaseHash": release_hash, "images": [_data(image, published) for image, published in done]}, arguments.output)
        return
    rows = [[i.reference.repository, p.tag, i.digest, str(p.step)] for i, published in done for p in published]
    session.out.rows(["REPOSITORY", "TAG", "DIGEST", "RESULT"], rows, no_headers=arguments.no_headers)


def _data(image: Image, published: list[Published]) -> dict[str, Any]:
    tags = [{"tag": p.tag, "result": str(p.step), "before": p.before or None, "note": p.note or None} for p in published]
    return {
        "registryID": image.account,
        "region": image.region,
        "repository": image.reference.repository,
        "digest": image.digest,
        "tags": [{k: v for k, v in tag.items() if v is not None} for tag in tags],
    }
