"""Many images at once: how many calls it takes to find out what is missing, and where manifest lists are looked for."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from ecs_release.aws.registry.image_lookup import LISTS, look_up, manifest_lists_naming, other_artifact
from ecs_release.domain.ecs.service import RegistryImage
from ecs_release.domain.model.errors import BrokenAnswer, Denied, Problem, Retryable, ServerFault, Throttled
from ecs_release.domain.ports.protocols import ImagesAnswer

NOW = datetime(2026, 5, 4, tzinfo=UTC)
LIST = min(LISTS)


def digest(number: int) -> str:
    return f"sha256:{number:064x}"


class Answering:
    """A client with one answer to everything."""

    def __init__(self, answer: dict[str, Any]) -> None:
        self.answer = answer

    def __getattr__(self, _: str) -> Any:
        return lambda **__: self.answer


class FakeEcr:
    """One repository: active and archived images, tagged lists, and the calls that were made."""

    def __init__(self, there: set[int] | None = None, archived: set[int] | None = None, lists: dict[int, int] | None = None) -> None:
        self.there, self.archived, self.lists = there or set(), archived or set(), lists or {}
        self.asked: list[tuple[str, int]] = []
        self.endless = False
        self.odd: set[int] = set()
        self.fault: Problem = BrokenAnswer("no JSON")

    async def call(self, method: str, repository: str, parameters: Mapping[str, Any], read: Any = None) -> Any:
        ids = [i["imageDigest"] for i in parameters.get("imageIds", ())]
        self.asked.append((method, len(ids)))
        if method == "batch_get_image":
            self._refuse_odd(ids)
            return read(Answering({"images": [self._manifest(d) for d in ids]}), parameters)
        if not ids:
            more = {"nextToken": "more"} if self.endless else {}
            return read(Answering({"imageDetails": [self._list(n) for n in self.lists], **more}), parameters)
        known = {digest(n): "ACTIVE" for n in self.there}
        if "filter" in parameters:
            known |= {digest(n): "ARCHIVED" for n in self.archived}
        if any(d not in known for d in ids):
            return None
        self._refuse_odd(ids)
        return [{"imageDigest": d, "imageStatus": known[d], "imageTags": ["v1"]} for d in ids]

    def _refuse_odd(self, ids: list[str]) -> None:
        if any(digest(n) in ids for n in self.odd):
            raise self.fault

    def _list(self, number: int) -> dict[str, Any]:
        """List n was pushed n minutes after the beginning, and names image 1000 + n."""
        pushed = NOW + timedelta(minutes=number)
        return {"imageDigest": digest(number), "imageTags": [f"v{number}"], "imageManifestMediaType": LIST, "imagePushedAt": pushed}

    def _manifest(self, its_digest: str) -> dict[str, Any]:
        named = next(n for n in self.lists if digest(n) == its_digest)
        manifest = {"manifests": [{"digest": digest(self.lists[named]), "platform": {"os": "linux"}}]}
        return {"imageId": {"imageDigest": its_digest}, "imageManifest": json.dumps(manifest)}


@pytest.mark.parametrize(
    ("wanted", "missing", "most"),
    [(1, 0, 1), (100, 0, 1), (101, 0, 2), (250, 0, 3), (1, 1, 2), (100, 1, 16), (100, 3, 40), (100, 100, 2 * 199)],
)
async def test_what_is_missing_is_found_out_by_halves(wanted: int, missing: int, most: int) -> None:
    ecr = FakeEcr(there=set(range(missing, wanted)))
    found = await look_up(ecr.call, "shop/web", [digest(n) for n in range(wanted)])
    assert set(found.images) == {digest(n) for n in range(missing, wanted)}
    assert len(ecr.asked) <= most
    assert max(n for _, n in ecr.asked) <= 100


async def test_what_is_in_archive_is_told_from_what_is_gone() -> None:
    ecr = FakeEcr(there={1}, archived={2})
    found = await look_up(ecr.call, "shop/web", [digest(n) for n in (1, 2, 3)])
    assert {d: i.archived for d, i in found.images.items()} == {digest(1): False, digest(2): True}


async def test_nothing_is_asked_for_nothing() -> None:
    ecr = FakeEcr()
    assert await look_up(ecr.call, "shop/web", []) == ImagesAnswer()
    assert ecr.asked == []


async def test_the_lists_nearest_in_time_are_read() -> None:
    ecr = FakeEcr(lists={n: 1000 + n for n in range(1, 400)})
    near, far = (RegistryImage(digest(1000 + n), pushed_at=NOW + timedelta(minutes=200)) for n in (240, 10))
    found = await manifest_lists_naming(ecr.call, "shop/web", [near, far])
    assert {d: i.tags for d, i in found.images.items()} == {near.digest: ("v240",)}
    assert ecr.asked == [("describe_images", 0), *[("batch_get_image", 10)] * 10], "each may have four megabytes"


async def test_a_repository_without_end_is_read_for_five_pages() -> None:
    ecr = FakeEcr(lists={1: 1001})
    ecr.endless = True
    found = await manifest_lists_naming(ecr.call, "shop/web", [RegistryImage(digest(1001))])
    assert set(found.images) == {digest(1001)}
    assert [m for m, _ in ecr.asked].count("describe_images") == 5


@pytest.mark.parametrize("fault", [BrokenAnswer("no JSON"), ServerFault("500")])
@pytest.mark.parametrize("odd", [{5}, {5, 140}])
async def test_one_odd_image_hides_no_other(fault: Problem, odd: set[int]) -> None:
    gone = 7
    ecr = FakeEcr(there=set(range(150)) - {gone})
    ecr.odd, ecr.fault = odd, fault
    found = await look_up(ecr.call, "shop/web", [digest(n) for n in range(150)])
    assert found.unread == {digest(n): fault for n in odd}
    assert set(found.images) == {digest(n) for n in range(150)} - found.unread.keys() - {digest(gone)}
    assert len(ecr.asked) <= 50
    with pytest.raises(type(fault)):
        found.image(digest(5))
    assert found.image(digest(gone)) is None


async def test_an_outage_takes_few_calls_and_no_image_counts_as_missing() -> None:
    """One of them is missing, so that the first answer is that: what was not asked for after it is not missing for that."""
    ecr = FakeEcr(there=set(range(99)))
    ecr.odd = set(range(99))
    found = await look_up(ecr.call, "shop/web", [digest(n) for n in range(100)])
    assert set(found.unread) == {digest(n) for n in range(100)}
    assert len(ecr.asked) < 30


@pytest.mark.parametrize("fault", [Throttled("slow down"), Denied("no"), Retryable("no connection")])
async def test_what_is_no_problem_with_an_image_is_raised_at_once(fault: Problem) -> None:
    ecr = FakeEcr(there=set(range(100)), lists={1: 1001})
    ecr.odd, ecr.fault = {1}, fault
    with pytest.raises(type(fault)):
        await look_up(ecr.call, "shop/web", [digest(n) for n in range(100)])
    with pytest.raises(type(fault)):
        await manifest_lists_naming(ecr.call, "shop/web", [RegistryImage(digest(1001))])
    assert [method for method, n in ecr.asked if n] == ["describe_images", "batch_get_image"]


async def test_one_odd_list_hides_no_other_and_may_name_what_no_other_names() -> None:
    ecr = FakeEcr(lists={n: 1000 + n for n in range(1, 90)})
    ecr.odd = {40}
    found = await manifest_lists_naming(ecr.call, "shop/web", [RegistryImage(digest(n)) for n in (1007, 1040, 5)])
    assert set(found.images) == {digest(1007)}
    assert set(found.unread) == {digest(1040), digest(5)}


@pytest.mark.parametrize(
    ("manifest", "kind", "expected"),
    [
        ("application/vnd.docker.distribution.manifest.v2+json", "application/vnd.docker.container.image.v1+json", ""),
        ("application/vnd.oci.image.manifest.v1+json", "application/vnd.oci.image.config.v1+json", ""),
        ("application/vnd.oci.image.manifest.v1+json", None, ""),
        (LIST, None, ""),
        (LIST, LIST, ""),
        ("application/vnd.oci.image.manifest.v1+json", "application/vnd.cncf.helm.config.v1+json", "a Helm chart"),
        ("application/vnd.oci.image.manifest.v1+json", "application/vnd.amazon.soci.index.v1+json", "a SOCI index"),
        ("application/vnd.oci.image.manifest.v1+json", "application/vnd.dev.sigstore.bundle.v0.3+json", "a signature"),
        ("application/vnd.oci.image.manifest.v1+json", "application/vnd.oci.empty.v1+json", "an artifact"),
        ("application/vnd.oci.artifact.manifest.v1+json", None, "an artifact with a manifest of type"),
    ],
)
def test_only_container_images_are_images(manifest: str, kind: str | None, expected: str) -> None:
    found = other_artifact({"imageManifestMediaType": manifest, "artifactMediaType": kind})
    assert found.startswith(expected)
    assert bool(found) is bool(expected)
