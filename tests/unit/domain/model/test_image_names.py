"""Names of images and registries, in every partition."""

from __future__ import annotations

import pytest

from ecs_release.domain.model.image_names import ecr_host, parse_ecr_host, parse_image, short_digest
from tests.builders.ecs import NEW

HOSTS = [
    ("111122223333.dkr.ecr.eu-west-1.amazonaws.com", "eu-west-1"),
    ("111122223333.dkr.ecr-fips.us-east-1.amazonaws.com", "us-east-1"),
    ("111122223333.dkr-ecr.eu-west-1.on.aws", "eu-west-1"),
    ("111122223333.dkr-ecr-fips.us-gov-west-1.on.aws", "us-gov-west-1"),
    ("111122223333.dkr.ecr.us-gov-west-1.amazonaws.com", "us-gov-west-1"),
    ("111122223333.dkr.ecr.cn-north-1.amazonaws.com.cn", "cn-north-1"),
    ("111122223333.dkr.ecr.us-iso-east-1.c2s.ic.gov", "us-iso-east-1"),
    ("111122223333.dkr.ecr.us-isob-east-1.sc2s.sgov.gov", "us-isob-east-1"),
    ("111122223333.dkr.ecr.us-isof-south-1.csp.hci.ic.gov", "us-isof-south-1"),
    ("111122223333.dkr.ecr.eu-isoe-west-1.cloud.adc-e.uk", "eu-isoe-west-1"),
    ("111122223333.dkr.ecr.eusc-de-east-1.amazonaws.eu", "eusc-de-east-1"),
]


@pytest.mark.parametrize(("host", "region"), HOSTS)
def test_hosts_of_every_partition(host: str, region: str) -> None:
    found = parse_ecr_host(host)
    assert found is not None
    assert (found.account, found.region) == ("111122223333", region)


@pytest.mark.parametrize("host", [h for h, _ in HOSTS if ".dkr.ecr." in h])
def test_our_own_host_is_the_partitions(host: str) -> None:
    region = next(r for h, r in HOSTS if h == host)
    assert ecr_host("111122223333", region) == host


@pytest.mark.parametrize("host", ["public.ecr.aws", "docker.io", "localhost:5000", "1.dkr.ecr.eu-west-1.amazonaws.com", ""])
def test_other_registries_are_not_ecr(host: str) -> None:
    assert parse_ecr_host(host) is None


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("nginx", ("", "nginx", "", "")),
        ("library/nginx:1.27", ("", "library/nginx", "1.27", "")),
        ("localhost:5000/a/b", ("localhost:5000", "a/b", "", "")),
        (f"{HOSTS[0][0]}/shop/web:ref.1", (HOSTS[0][0], "shop/web", "ref.1", "")),
        (f"{HOSTS[0][0]}/shop/web@{NEW}", (HOSTS[0][0], "shop/web", "", NEW)),
        (f"{HOSTS[0][0]}/shop/web:ref.1@{NEW}", (HOSTS[0][0], "shop/web", "ref.1", NEW)),
        ("", ("", "", "", "")),
    ],
)
def test_names_of_images(name: str, parts: tuple[str, str, str, str]) -> None:
    image = parse_image(name)
    assert (image.host, image.repository, image.tag, image.digest) == parts


def test_digests_are_shortened_for_people() -> None:
    assert short_digest(NEW) == "b" * 12
