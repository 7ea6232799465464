"""What one tenant may do to slow others down: what it makes, and what it changes again and again meanwhile."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ecs_release.api.names import API_VERSION, PROJECT, REFRESH_ANNOTATION, RELEASE, RELEASE_SET, RETRY_ANNOTATION
from tests.benchmarks.large_objects import ANNOTATIONS, EMOJI
from tests.benchmarks.tenant_bed import SERVICES, SETS, STRANGER, TENANT, Bed, release_spec, service_name, set_name

RELEASES = int(os.environ.get("BENCH_TENANT_RELEASES", "1500"))
FEWER = RELEASES // 3
"""Of what is larger, or makes more work each: etcd keeps 2 GiB."""
_DESCRIPTION = 1024
_ODD = "\x1b]0;title\x07\u202e\N{GRINNING FACE}\x9b2J\t"
"""Escape sequences, a bidirectional override, and a character of four bytes."""

_Step = Callable[[Bed, int], object]


def _nothing(_: Bed) -> None:
    """Prepare nothing."""


@dataclass(frozen=True)
class Worst:
    """One of them. `make` makes an object by its number, from 0 to `size`; `change` makes one request, by a number that goes on and on."""

    what: str
    size: int
    make: _Step
    change: _Step
    prepare: Callable[[Bed], None] = _nothing


def _name(number: int, size: int = RELEASES) -> str:
    return f"r{number % size}"


def _turn(number: int, size: int = RELEASES) -> bool:
    """Return a value that is another one each time that an object's turn comes: a patch that changes nothing is no write."""
    return number // size % 2 == 0


def _release(namespace: str) -> _Step:
    return lambda bed, n: bed.create(RELEASE, namespace, f"r{n}", release_spec(service_name(n)))


def _suspend(namespace: str) -> _Step:
    return lambda bed, n: bed.patch(RELEASE, namespace, _name(n), {"spec": {"suspend": _turn(n)}})


def _release_of_nothing(bed: Bed, n: int) -> None:
    names = {"environment": f"none-{n}"} if n % 2 == 0 else {"project": f"none-{n}"}
    bed.create(RELEASE, TENANT, f"r{n}", release_spec(service_name(n), **names))


def _edit_project(bed: Bed, n: int) -> None:
    bed.patch(PROJECT, TENANT, "shop", {"spec": {"repository": f"https://example.com/{n}"}})


# Sets.


def _one_set(bed: Bed) -> None:
    bed.create(RELEASE_SET, TENANT, "all", _set_spec("set-0"))


def _set_spec(service_set: str, **more: Any) -> dict[str, Any]:
    return {
        "projectRef": {"name": "shop"}, "serviceSet": service_set, "environmentRef": {"name": "shared"}, "source": {"releaseHash": "v1"}, **more,
    }  # fmt: skip


def _forged_child(bed: Bed, n: int) -> None:
    """Make a Release that names the set as its controller: such ones the set has to tell from its own."""
    uid = bed.uid(RELEASE_SET, TENANT, "all")
    owner = {"apiVersion": API_VERSION, "kind": RELEASE_SET, "name": "all", "uid": uid, "controller": True}
    bed.create(RELEASE, TENANT, f"r{n}", release_spec(service_name(n)), ownerReferences=[owner])


def _another_source(size: int) -> Callable[[int], dict[str, Any]]:
    """Go to the other of two hashes that are there, so that services are rolled out again and again."""
    return lambda n: {"spec": {"source": {"releaseHash": "v2" if _turn(n, size) else "v1"}}}


def _roll_out_one_set(bed: Bed, n: int) -> None:
    if n % 2 == 0:
        bed.patch(RELEASE_SET, TENANT, "all", _another_source(1)(n // 2))
    else:
        bed.patch(RELEASE, TENANT, _name(n // 2), {"metadata": {"labels": {"example.com/n": str(n)}}})


def _small_set(bed: Bed, n: int) -> None:
    bed.create(RELEASE_SET, TENANT, f"r{n}", _set_spec(set_name(n), services=[service_name(n)]))


def _roll_out_small_sets(bed: Bed, n: int) -> None:
    bed.patch(RELEASE_SET, TENANT, _name(n, FEWER), _another_source(FEWER)(n))


# Annotations.


def _large(bed: Bed, n: int) -> None:
    text = {"example.com/large": EMOJI + "x" * (ANNOTATIONS - 100)}
    bed.create(RELEASE, TENANT, f"r{n}", release_spec(service_name(n)), annotations=text)


def _change_large(bed: Bed, n: int) -> None:
    bed.patch(RELEASE, TENANT, _name(n, FEWER), {"metadata": {"annotations": {"example.com/n": str(n)}}})


def _request(bed: Bed, n: int) -> None:
    annotation = (RETRY_ANNOTATION, REFRESH_ANNOTATION)[n // RELEASES % 2]
    bed.patch(RELEASE, TENANT, _name(n), {"metadata": {"annotations": {annotation: str(n)}}})


# Sources and texts.


def _of_one_service(bed: Bed, n: int) -> None:
    bed.create(RELEASE, TENANT, f"r{n}", release_spec("s0"))


def _make_again(bed: Bed, n: int) -> None:
    """Delete one, which may hold the service, and make it again: the API server lets go of it at once, for it has no finalizers."""
    name = _name(n)
    bed.delete(RELEASE, TENANT, name)
    bed.create(RELEASE, TENANT, name, release_spec("s0"))


def _missing(bed: Bed, n: int) -> None:
    text = (_ODD * _DESCRIPTION)[:_DESCRIPTION]
    bed.create(RELEASE, TENANT, f"r{n}", release_spec(service_name(n), source={"releaseHash": f"none{n}"}, change={"description": text}))


def _change_missing(bed: Bed, n: int) -> None:
    text = f"{n}{_ODD * _DESCRIPTION}"[:_DESCRIPTION]
    bed.patch(RELEASE, TENANT, _name(n), {"spec": {"source": {"releaseHash": f"again{n}"}, "change": {"description": text}}})


WORSTS = (
    Worst(f"{RELEASES:,} Releases of a Project are changed", RELEASES, _release(TENANT), _suspend(TENANT)),
    Worst(f"{RELEASES:,} Releases that are not admitted are changed", RELEASES, _release(STRANGER), _suspend(STRANGER)),
    Worst(
        f"{RELEASES:,} Releases that name no Environment or Project that is there are changed",
        RELEASES, _release_of_nothing, _suspend(TENANT),
    ),
    Worst(f"a Project of {SERVICES} services and {RELEASES:,} Releases is edited", RELEASES, _release(TENANT), _edit_project),
    Worst(
        f"a set of {SERVICES // SETS} services, which {RELEASES:,} forged children name, gets other sources",
        RELEASES, _forged_child, _roll_out_one_set, _one_set,
    ),
    Worst(f"{FEWER} sets of one service get other sources", FEWER, _small_set, _roll_out_small_sets),
    Worst(f"{FEWER} Releases with {ANNOTATIONS // 1000} kB of annotations are changed", FEWER, _large, _change_large),
    Worst(f"{RELEASES:,} Releases are told to retry and to refresh", RELEASES, _release(TENANT), _request),
    Worst(f"{RELEASES:,} Releases of one service are deleted and made again", RELEASES, _of_one_service, _make_again),
    Worst(
        f"{RELEASES:,} Releases get other hashes that are not there, and odd texts",
        RELEASES, _missing, _change_missing,
    ),
)  # fmt: skip
