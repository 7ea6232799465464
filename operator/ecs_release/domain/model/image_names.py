"""Names of container images: parsed for their registry and digest, never compared as strings.

ECS has been seen to report `repository:tag`, `repository@digest` and `repository:tag@digest` for the same image
(aws/amazon-ecs-agent#4226), so only digests are compared.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

DIGEST = re.compile(r"sha256:[0-9a-f]{64}")

# <account>.dkr.ecr.<region>.amazonaws.com, its FIPS and dual-stack forms, and the other partitions' domains
# (amazonaws.com.cn, c2s.ic.gov, sc2s.sgov.gov, cloud.adc-e.uk, csp.hci.ic.gov, amazonaws.eu, on.aws ...):
# ECR user guide, "Private registry authentication" and "Making requests over IPv6".
_ECR_HOST = re.compile(
    r"(?P<account>[0-9]{12})\.dkr(?:\.ecr|-ecr)(?P<fips>-fips)?\.(?P<region>[a-z]{2,}(?:-[a-z0-9]+)+)\.(?P<domain>[a-z0-9.-]+)"
)

_DOMAINS = {
    "cn-": "amazonaws.com.cn",
    "us-iso-": "c2s.ic.gov",
    "us-isob-": "sc2s.sgov.gov",
    "us-isof-": "csp.hci.ic.gov",
    "eu-isoe-": "cloud.adc-e.uk",
    "eusc-": "amazonaws.eu",
}


@dataclass(frozen=True, slots=True)
class EcrHost:
    """A private ECR registry's host name, taken apart."""

    host: str
    account: str
    region: str


@dataclass(frozen=True, slots=True)
class ImageName:
    """An image as a task definition names it: `host/repository:tag@digest`, of which only the repository is always there."""

    host: str
    repository: str
    tag: str
    digest: str

    @property
    def ecr(self) -> EcrHost | None:
        """The private ECR registry that the image is pulled from, or None for any other registry."""
        return parse_ecr_host(self.host)


def parse_ecr_host(host: str) -> EcrHost | None:
    """Take a registry's host name apart; None unless it is a private ECR registry in any partition."""
    match = _ECR_HOST.fullmatch(host)
    return EcrHost(host, match["account"], match["region"]) if match else None


def ecr_host(account: str, region: str) -> str:
    """Return the host name of a private ECR registry in the partition that the region belongs to."""
    domain = next((d for prefix, d in _DOMAINS.items() if region.startswith(prefix)), "amazonaws.com")
    return f"{account}.dkr.ecr.{region}.{domain}"


def parse_image(name: str) -> ImageName:
    """Take an image's name apart. Never fails: parts that are missing are empty strings.

    The first part is a host only if it has a dot, a port, or is `localhost` (the rule of the distribution reference grammar).
    """
    rest, _, digest = name.partition("@")
    host, slash, path = rest.partition("/")
    if not slash or not ("." in host or ":" in host or host == "localhost"):
        host, path = "", rest
    repository, colon, tag = path.rpartition(":")
    if not colon:
        repository, tag = path, ""
    return ImageName(host, repository, tag, digest)


def short_digest(digest: str) -> str:
    """Shorten a digest for people, as registries' consoles do: the first twelve hexadecimal digits."""
    return digest.removeprefix("sha256:")[:12]
