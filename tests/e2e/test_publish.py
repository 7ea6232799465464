"""`publish`: what a build does after it has pushed its images."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.bed import Place
from tests.e2e.plugin import Done, ecs_release

COMMIT = "1a2b3c4d5e6f708192a3b4c5d6e7f8091a2b3c4d"


@pytest.fixture
def build(place: Place) -> Place:
    """A place with two images that a build has pushed under its number."""
    for service in ("api", "web"):
        place.push("build.7", service=service)
    return place


def publish(place: Place, *arguments: str, check: bool = True, folder: Path | None = None) -> Done:
    environment = {**place.aws.environment(), "AWS_REGION": place.region}
    role = ["--role-arn", f"arn:aws:iam::{place.account}:role/build"]
    return ecs_release(place.bed.cluster, "publish", *arguments, *role, check=check, environment=environment, folder=folder)


def tags(place: Place, service: str) -> dict[str, str]:
    ecr = place.aws.client("ecr", place.account, place.region)
    found: list[Any] = ecr.describe_images(repositoryName=place.repository(service))["imageDetails"]
    return {tag: i["imageDigest"] for i in found for tag in i.get("imageTags", ())}


def test_images_get_their_release_hash_and_latest_comes_to_them(build: Place) -> None:
    images = [f"{build.repository(s)}:build.7" for s in ("api", "web")]
    done = publish(build, *images, "--release-hash", COMMIT, "-o", "json")
    answer = json.loads(done.out)
    assert answer["releaseHash"] == COMMIT
    for service, image in zip(("api", "web"), answer["images"], strict=True):
        there = tags(build, service)
        assert there == {"build.7": image["digest"], f"ref.{COMMIT}": image["digest"], "latest": image["digest"]}
        assert [(t["tag"], t["result"]) for t in image["tags"]] == [(f"ref.{COMMIT}", "Added"), ("latest", "Added")]
    again = publish(build, *images, "--release-hash", COMMIT)
    assert again.out.count("Unchanged") == 4 and "Added" not in again.out


def test_a_release_hash_is_not_moved_and_nothing_else_is_done(build: Place) -> None:
    other = build.push("build.8", service="web")
    first = tags(build, "web")["build.7"]
    publish(build, f"{build.repository('web')}:build.7", "--release-hash", COMMIT)
    done = publish(build, f"{build.repository('api')}:build.7", f"{build.repository('web')}:build.8", "--release-hash", COMMIT, check=False)
    assert done.code == 1 and done.out == ""
    assert first in done.err and other in done.err and done.err.startswith("error: ")
    assert tags(build, "api").keys() == {"build.7"}, "a set of images is published whole or not at all"
    assert tags(build, "web")["latest"] == first


def test_latest_that_is_immutable_is_said(place: Place) -> None:
    first = place.push("build.1", "latest", mutability="IMMUTABLE")
    second = place.push("build.2", mutability="IMMUTABLE")
    done = publish(place, f"{place.repository()}:build.2", "--release-hash", COMMIT)
    assert "latest: tag 'latest' is immutable here" in done.err and "Immutable" in done.out
    assert tags(place, "web") == {"build.1": first, "latest": first, "build.2": second, f"ref.{COMMIT}": second}


def test_manifest_lists_are_tagged_as_they_are(place: Place) -> None:
    digest = place.push("build.1", platforms=("linux/amd64", "linux/arm64"))
    publish(place, f"{place.repository()}@{digest}", "--release-hash", COMMIT, "--no-moving-tag")
    assert tags(place, "web") == {"build.1": digest, f"ref.{COMMIT}": digest}


def test_an_image_uri_names_its_registry(place: Place) -> None:
    account, region = "777788889999", "us-east-1"
    digest = place.aws.push_image(place.repository(), ["built"], account=account, region=region)
    uri = f"{account}.dkr.ecr.{region}.amazonaws.com/{place.repository()}:built"
    environment = {**place.aws.environment(), "AWS_REGION": place.region}
    role = f"arn:aws:iam::{account}:role/build"
    moving = ["--moving-tag", "stable", "--moving-tag", "v2-branch"]
    ecs_release(place.bed.cluster, "publish", uri, "--release-hash", "v2", *moving, "--role-arn", role, environment=environment)
    found = place.aws.client("ecr", account, region).describe_images(repositoryName=place.repository())["imageDetails"]
    assert [(i["imageDigest"], sorted(i["imageTags"])) for i in found] == [(digest, ["built", "ref.v2", "stable", "v2-branch"])]


def test_the_commit_is_gits(build: Place, tmp_path: Path) -> None:
    def git(*arguments: str) -> str:
        identity = ["-c", "user.name=a", "-c", "user.email=a@example.com", "-c", "commit.gpgsign=false"]
        return subprocess.run(["git", *identity, *arguments], cwd=tmp_path, check=True, capture_output=True, text=True).stdout.strip()

    git("init", "--quiet")
    (tmp_path / "file").write_text("one")
    git("add", "file")
    git("commit", "--quiet", "-m", "one")
    commit = git("rev-parse", "HEAD")
    image = f"{build.repository('web')}:build.7"
    publish(build, image, folder=tmp_path)
    assert f"ref.{commit}" in tags(build, "web")
    short = publish(build, image, "--release-hash", commit[:8], "--tag-format", "{releaseHash}", folder=tmp_path)
    assert commit in short.out and f"{commit[:8]} " not in short.out
    # Where git does not know it, the image's repository does.
    elsewhere = publish(build, image, "--release-hash", commit[:8], "--no-moving-tag", folder=tmp_path.parent)
    assert commit in elsewhere.out and f"ref.{commit[:8]}" not in tags(build, "web")
    (tmp_path / "file").write_text("two")
    assert "tracked files differ" in publish(build, image, folder=tmp_path).err


@pytest.mark.parametrize(
    ("image", "message"),
    [("nothing/there:x", "nothing/there"), ("web", "neither tag nor digest"), ("localhost:5000/web:x", "no private ECR registry")],
)
def test_what_cannot_be_published(place: Place, image: str, message: str) -> None:
    done = publish(place, image, "--release-hash", COMMIT, check=False)
    assert done.code == 1 and message in done.err and "Traceback" not in done.err
