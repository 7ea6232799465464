"""Images on a command line: every form and partition, and nothing guessed."""

from __future__ import annotations

import pytest

from ecs_release.cli.kubectl.artifacts.ecr_reference import Reference, reference, registry, release_tag

D = "sha256:" + "0f" * 32
HOST = "111122223333.dkr.ecr.eu-west-1.amazonaws.com"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("shop/web:v1RC", Reference("", "", "shop/web", "v1RC", "")),
        (f"shop/web@{D}", Reference("", "", "shop/web", "", D)),
        (f"uk.ac.wellcome/web:v1@{D}", Reference("", "", "uk.ac.wellcome/web", "v1", D)),
        (f"{HOST}/web:latest", Reference("111122223333", "eu-west-1", "web", "latest", "")),
        (f"{HOST}/shop/web@{D}", Reference("111122223333", "eu-west-1", "shop/web", "", D)),
        ("111122223333.dkr.ecr.cn-north-1.amazonaws.com.cn/a-b:x", Reference("111122223333", "cn-north-1", "a-b", "x", "")),
        ("111122223333.dkr.ecr-fips.us-gov-west-1.amazonaws.com/web:x", Reference("111122223333", "us-gov-west-1", "web", "x", "")),
        ("111122223333.dkr.ecr.us-iso-east-1.c2s.ic.gov/web:x", Reference("111122223333", "us-iso-east-1", "web", "x", "")),
        ("111122223333.dkr.ecr.us-isob-east-1.sc2s.sgov.gov/web:x", Reference("111122223333", "us-isob-east-1", "web", "x", "")),
        ("111122223333.dkr.ecr.eusc-de-east-1.amazonaws.eu/web:x", Reference("111122223333", "eusc-de-east-1", "web", "x", "")),
        ("111122223333.dkr-ecr.eu-west-1.on.aws/web:x", Reference("111122223333", "eu-west-1", "web", "x", "")),
    ],
)
def test_images(text: str, expected: Reference) -> None:
    assert reference(text) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no ECR repository"),
        ("web", "neither tag nor digest"),
        ("web:", "'' can be no tag"),
        ("web:-x", "can be no tag"),
        ("web:a b", "can be no tag"),
        ("web@", "is no digest"),
        ("web@sha256:abc", "is no digest"),
        (f"web@{D.upper()}", "is no digest"),
        (f"web@{D}@{D}", "names no image"),
        ("Web:x", "no ECR repository"),
        ("ghcr.io/example/web:x", "no private ECR registry"),
        ("111122223333.dkr.ecr.eu-west-1.amazonaws.com:443/web:x", "have no port"),
        (f"{HOST}:443/web:x", "have no port"),
        ("localhost:5000/web:x", "no private ECR registry"),
        ("public.ecr.aws/nginx/nginx:1", "no private ECR registry"),
        ("https://example.com/web:x", "names no image"),
        ("web:" + "x" * 129, "can be no tag"),
    ],
)
def test_what_is_refused(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        reference(text)


def test_registries() -> None:
    assert registry("111122223333") == ("111122223333", "") and registry(HOST) == ("111122223333", "eu-west-1")
    with pytest.raises(ValueError, match="neither an AWS account"):
        registry("docker.io")


@pytest.mark.parametrize(
    ("tag_format", "release_hash", "tag"),
    [("ref.{releaseHash}", "1a2b3c4", "ref.1a2b3c4"), ("{releaseHash}", "v1RC", "v1RC"), ("{releaseHash}-x", "a", "a-x")],
)
def test_release_tags(tag_format: str, release_hash: str, tag: str) -> None:
    assert release_tag(tag_format, release_hash) == tag


@pytest.mark.parametrize(
    ("tag_format", "release_hash"), [("ref", "a"), ("{releaseHash}{releaseHash}", "a"), ("{releaseHash}", ""), ("{releaseHash}", "a/b")]
)
def test_release_tags_that_can_be_none(tag_format: str, release_hash: str) -> None:
    with pytest.raises(ValueError, match=r"can be no tag|no tag format"):
        release_tag(tag_format, release_hash)
