"""Every page with no Release, one, and a whole fleet of them: what it counts, and how large it is."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from tests.builders.board_desk import BoardDesk
from tests.builders.fake_commits import FakeCommits
from tests.unit.cli.kubectl.objects import environment, project, release, release_set

A, C = "a" * 40, "c" * 40
PLACES = ("staging", "production")
BOTH = "/compare?first=staging&second=production"
MOST_BYTES = 150_000
"""Of an answer as it is sent, compressed."""


def releases(count: int) -> list[dict[str, Any]]:
    """Services in two environments; each runs a hash of its own, in every fourth service the same in both."""
    made = {place: json.dumps(release("NAME", environment=place)) for place in PLACES}
    found = []
    for number in range(count):
        service, place = number // 2, PLACES[number % 2]
        body = json.loads(made[place].replace("NAME", f"service-{service:04}"))
        shown = f"{(service if service % 4 == 0 else number + 10_000) * 7919 % 2**28:07x}"
        digests = [{"digest": f"sha256:{shown * 10:.64}", "tasks": 2, "releaseHash": shown}]
        body["status"]["running"] |= {"hash": shown, "containers": [{"name": "app", "digests": digests}]}
        body["status"]["pin"] = None
        body["status"]["summary"]["hash"] = shown
        found.append(body)
    return found


@pytest.mark.parametrize("count", [0, 1, pytest.param(5000, marks=pytest.mark.slow)])
async def test_every_page_counts_right_and_is_bounded(count: int) -> None:
    desk = BoardDesk(FakeCommits({A: [], C: [A]}, tip=C))
    code = project("web")
    desk.put(*map(environment, PLACES), {**code, "spec": {**code["spec"], "git": {"url": "https://github.com/example/shop"}}})
    desk.put(release_set(), *releases(count))
    services = (count + 1) // 2
    async with desk.served():
        found = await desk.json("/")
        assert (len(found["services"]), sum(len(s["environments"]) for s in found["services"])) == (services, count)
        text = (await desk.get("/"))[1]
        assert text.count('href="/services/shop/shop/service-') == count

        found = await desk.json(BOTH)
        differing = sum(n % 4 != 0 or n == count // 2 for n in range(services))
        assert (len(found["services"]), sum(s["differs"] for s in found["services"])) == (services, differing)
        text = re.sub(r"<[^>]*>", "", (await desk.get(BOTH))[1])
        assert not services or re.search(rf"\b{differing} of {services} services? differs?\.", text)

        found = await desk.json("/commits")
        assert found["projects"] == (["shop/shop"] if count else [])
        assert (f"This Project has {count} Releases" in str(found["notes"])) is (count > 200)

        assert (await desk.get("/services/shop/shop/service-0000/staging"))[0] == (200 if count else 404)
        assert (await desk.json("/sets/shop/storefront-staging"))["name"] == "storefront-staging"
        for path in (
            "/",
            BOTH,
            f"{BOTH}&only=different",
            "/commits",
            "/services/shop/shop/service-0000/staging",
            "/sets/shop/storefront-staging",
        ):
            for accept in ("text/html", "application/json"):
                _, _, headers = await desk.get(path, **{"Accept": accept, "Accept-Encoding": "gzip"})
                assert int(headers["Content-Length"]) < MOST_BYTES, (path, accept, headers["Content-Length"])
