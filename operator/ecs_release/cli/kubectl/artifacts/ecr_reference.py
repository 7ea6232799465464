"""ECR references on a command line, parsed strictly: what is ambiguous is refused, never guessed."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ecs_release.api.meta import REPOSITORY, TAG
from ecs_release.domain.model.image_names import DIGEST, parse_ecr_host, parse_image

_OTHERS = frozenset({"localhost", "docker.io", "index.docker.io", "public.ecr.aws", "ghcr.io", "quay.io", "gcr.io", "registry.k8s.io"})
"""Public registries, whose images cannot be published by tag in ECR."""


@dataclass(frozen=True, slots=True)
class Reference:
    """An image in ECR; account and region are empty if the name has no host. `digest` takes precedence over `tag`."""

    account: str
    region: str
    repository: str
    tag: str
    digest: str

    def __str__(self) -> str:
        """Return the reference without its registry."""
        return self.repository + (f":{self.tag}" if self.tag else "") + (f"@{self.digest}" if self.digest else "")


def reference(text: str) -> Reference:
    """Parse `[registry/]repository` with `:tag`, `@digest` or both. Raises ValueError with what is wrong."""
    if text.count("@") > 1 or "://" in text:
        raise ValueError(f"{text!r} names no image: expected [REGISTRY/]REPOSITORY:TAG or [REGISTRY/]REPOSITORY@DIGEST")
    name = parse_image(text)
    ecr, repository = name.ecr, name.repository
    if name.host and ecr is None:
        if ":" in name.host or name.host in _OTHERS:
            port = " (ECR's have no port)" if ":" in name.host else ""
            raise ValueError(f"{text!r}: {name.host!r} is no private ECR registry{port}")
        # Repositories of ECR may begin like a host: uk.ac.wellcome/bag_register.
        repository = f"{name.host}/{name.repository}"
    if not re.fullmatch(REPOSITORY, repository) or not 2 <= len(repository) <= 256:
        raise ValueError(f"{text!r}: {repository!r} can be no ECR repository")
    if ":" in text.partition("@")[0].rpartition("/")[2] and not re.fullmatch(TAG, name.tag):
        raise ValueError(f"{text!r}: {name.tag!r} can be no tag")
    if "@" in text and not DIGEST.fullmatch(name.digest):
        raise ValueError(f"{text!r}: {name.digest!r} is no digest: expected sha256: and 64 hexadecimal digits")
    if not name.tag and not name.digest:
        raise ValueError(f"{text!r} names neither tag nor digest: which of the repository's images is meant?")
    return Reference(ecr.account if ecr else "", ecr.region if ecr else "", repository, name.tag, name.digest)


def registry(text: str) -> tuple[str, str]:
    """Parse a registry: its host name, or only its account; returns account and region (empty if not given). Raises ValueError."""
    if re.fullmatch(r"[0-9]{12}", text):
        return text, ""
    host = parse_ecr_host(text)
    if host is None:
        raise ValueError(f"{text!r} is neither an AWS account nor a private ECR registry")
    return host.account, host.region


def release_tag(tag_format: str, release_hash: str) -> str:
    """Return the tag of a release hash. Raises ValueError if it is no valid tag."""
    if tag_format.count("{releaseHash}") != 1:
        raise ValueError(f"{tag_format!r} is no tag format: it must hold {{releaseHash}} once, as in an Environment's tagFormats")
    tag = tag_format.replace("{releaseHash}", release_hash)
    if not release_hash or not re.fullmatch(TAG, tag):
        raise ValueError(f"{tag!r} can be no tag: is {release_hash!r} a git commit?")
    return tag
