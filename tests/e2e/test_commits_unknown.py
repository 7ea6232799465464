"""What nobody knows of a commit: it waits or goes, as the Environment says. Operator and commits service are processes."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import pytest

from tests.e2e.bed import STALLED, WAITING, Place, condition, triple
from tests.e2e.git_shop import LIES, REFUSE, Graph, Shop, opened_shop, running_graph, runs
from tests.git_host.server import Behaviour

GIT = '{"spec": {"git": {"url": "https://git.example.com/shop/web"}}}'
LONG_ENOUGH = 36_500
"""Commits, of which two begin with the same 7 digits: the same two in each run."""


@pytest.fixture(scope="module")
def graph(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Graph]:
    with running_graph(tmp_path_factory.mktemp("graph")) as running:
        yield running


@pytest.fixture
def shop(graph: Graph) -> Iterator[Shop]:
    with opened_shop(graph) as opened:
        yield opened


def events(place: Place, reason: str) -> list[str]:
    return [e["note"] for e in place.events() if e["reason"] == reason]


@pytest.mark.parametrize("rules", [REFUSE, {"backwards": "Hold", "unknown": "Hold"}], ids=["merged", "backwards"])
def test_an_operator_without_a_commits_service_says_that_it_has_none(place: Place, rules: dict[str, str]) -> None:
    """Rules that nobody can obey hold what they are for. Status and an Event say why; whoever lets it through by hand has to say so."""
    running, wanted = "a" * 40, "b" * 40
    place.service(running)
    place.push(wanted)
    place.environment(commits={"branch": "main", **rules}, rollout={"settleSeconds": 0})
    place.project()
    place.kubectl("patch", "project", "shop", "--type=merge", "--patch", GIT)
    place.release(wanted)
    status = place.wait("CommitUnknown")
    message = condition(status, "Ready")["message"]
    assert triple(status) == STALLED and "this operator was given no address of a commits service" in message
    assert place.mutations() == [] and "would deploy" in status["plan"]["message"]
    place.until(lambda: any("no address of a commits service" in note for note in events(place, "CommitUnknown")), "an Event to say so")
    place.annotate("web", **{"override-commits": "inc-9/there is no service yet"})
    status = place.wait("Succeeded")
    assert status["history"][0]["commits"] == "override inc-9: there is no service yet"


def test_an_operator_without_a_commits_service_lets_go_what_may_be_unknown(place: Place) -> None:
    """By default. Without rules nothing is said of commits at all."""
    place.service("a" * 40)
    place.project()
    place.kubectl("patch", "project", "shop", "--type=merge", "--patch", GIT)
    for commit, rules in (("b" * 40, {"branch": "main", "notMerged": "Refuse", "backwards": "Hold"}), ("c" * 40, None)):
        place.push(commit)
        place.environment(commits=rules, rollout={"settleSeconds": 0})
        place.release(commit)
        place.wait("Succeeded")
        assert not events(place, "CommitUnknown") and "commitRange" not in place.status()["history"][0]


@pytest.mark.parametrize(
    ("behaviour", "said"),
    [
        (Behaviour(status=503), "returned error: 503"),
        (Behaviour(status=401), "the host refuses the credential of the repository's binding"),
    ],
    ids=["down", "refused"],
)
def test_a_repository_that_cannot_be_read_is_waited_for(shop: Shop, graph: Graph, behaviour: Behaviour, said: str) -> None:
    place, digest = shop.place, shop.place.push(shop.line[1])
    shop.rules(**REFUSE)
    graph.host.behave(f"shop/{place.name}", behaviour)
    place.release(shop.line[1])
    place.until(lambda: f"branch main of {shop.url}" in shop.message(), "it to be said")
    status = place.wait("CommitUnknown")
    assert triple(status) == WAITING and place.mutations() == []
    assert f"it is not known whether commit {shop.line[1][:12]} is merged: branch main of {shop.url}" in shop.message()
    assert said in shop.message()
    graph.host.behave(f"shop/{place.name}", None)
    place.wait("Succeeded")
    assert runs(place, digest)


def test_a_repository_that_cannot_be_read_is_passed_by_where_unknown_is_allowed(shop: Shop, graph: Graph) -> None:
    shop.rules(notMerged="Refuse", backwards="Hold")
    graph.host.behave(f"shop/{shop.place.name}", Behaviour(status=503))
    shop.place.release(shop.line[1])
    shop.place.wait("Succeeded")
    assert graph.host.requests(f"shop/{shop.place.name}")


def test_a_hash_that_is_short_for_two_commits_is_not_known(shop: Shop, graph: Graph) -> None:
    """Whoever gives more of it is understood."""
    place, path = shop.place, f"shop/{shop.place.name}-long"
    line = graph.host.repository(path).line(LONG_ENOUGH)
    assert line[0] == shop.line[0], "what runs is a commit of it"
    seen: dict[str, str] = {}
    both = next((seen[h[:7]], h) for h in line if seen.setdefault(h[:7], h) != h)
    shop.git(graph.host.url(path))
    shop.rules(backwards="Hold", unknown="Hold")
    short = both[0][:7]
    place.push(short)
    place.release(short)
    place.until(lambda: "give more of it" in shop.message(), "it to be said")
    status = place.wait("CommitUnknown")
    first, second = sorted(both)
    assert triple(status) == STALLED and f"{short} may be {first}, {second}: give more of it" in shop.message()
    place.until(lambda: any("give more of it" in note for note in events(place, "CommitUnknown")), "an Event to say so")
    assert place.mutations() == []
    digest = place.push(both[0])
    place.release(both[0])
    place.wait("Succeeded")
    assert runs(place, digest)


@pytest.mark.parametrize("unknown", ["Hold", "Allow"])
def test_what_is_short_or_only_claimed_is_not_known(shop: Shop, unknown: str) -> None:
    place, short = shop.place, shop.line[1][:11]
    shop.rules(notMerged="Refuse", unknown=unknown)
    place.push(short)
    claimed = place.push("untold.1")
    for source, words in (
        ({"releaseHash": short}, "can be forged"),
        ({"images": [{"container": "app", "digest": claimed, "releaseHash": shop.line[2]}]}, "no tag in ECR confirms it"),
    ):
        place.release(source)
        if unknown == "Allow":
            place.wait("Succeeded")
        else:
            assert triple(place.wait("CommitUnknown")) == STALLED
            place.until(lambda words=words: words in shop.message(), words)
    assert bool(place.mutations()) is (unknown == "Allow")


def test_a_service_that_hangs_holds_up_those_who_ask_and_nobody_else(shop: Shop, graph: Graph) -> None:
    place, digest = shop.place, shop.place.push(shop.line[1])
    shop.rules(**REFUSE)
    other = graph.neighbour(shop.line[0])
    other.push(shop.line[1])
    with graph.service.process.paused():
        place.release(shop.line[1])
        status = place.wait("CommitUnknown")
        assert triple(status) == WAITING and "asking the commits service" in shop.message()
        other.release(shop.line[1])
        other.wait("Succeeded")
        place.stays("CommitUnknown", seconds=1.0)
    place.wait("Succeeded")
    assert runs(place, digest)


def test_a_service_that_hangs_is_given_up_where_unknown_is_allowed(shop: Shop, graph: Graph) -> None:
    shop.rules(notMerged="Refuse")
    with graph.service.process.paused():
        shop.place.release(shop.line[1])
        shop.place.wait("Succeeded")


def test_a_service_that_lies_is_not_believed_and_slows_nobody_else(shop: Shop, graph: Graph) -> None:
    """No JSON, other types, invented reasons, too much: none is taken for an answer."""
    place, digest = shop.place, shop.place.push(shop.line[1])
    shop.rules(**REFUSE)
    other = graph.neighbour(shop.line[0])
    other.push(shop.line[1])
    with graph.proxy.lying():
        place.release(shop.line[1])
        status = place.wait("CommitUnknown")
        other.release(shop.line[1])
        other.wait("Succeeded")
        place.until(lambda: graph.proxy.told > len(LIES), "all lies to be told")
        status = place.until(lambda: (s := place.status()) and "malformed" in shop.message() and s, "it to be said")
        assert triple(status) == WAITING and place.mutations() == []
    place.wait("Succeeded")
    assert runs(place, digest)


def test_a_service_that_lies_is_passed_by_where_unknown_is_allowed(shop: Shop, graph: Graph) -> None:
    """Nor is a lie taken for the other answer: what is not merged is not refused either."""
    shop.rules(notMerged="Refuse", backwards="Hold")
    with graph.proxy.lying():
        shop.place.release(shop.line[1])
        shop.place.wait("Succeeded")
    assert graph.proxy.told


def test_a_service_that_restarts_empty_is_waited_for_and_slows_nobody_else(shop: Shop, graph: Graph) -> None:
    place = shop.place
    shop.rules(**REFUSE)
    place.release(shop.line[1])
    place.wait("Succeeded")
    other = graph.neighbour(shop.line[0])
    other.push(shop.line[1])
    graph.service.stop()
    try:
        place.release(shop.line[2])
        place.until(lambda: "commits service at" in shop.message(), "it to be said")
        assert triple(place.wait("CommitUnknown")) == WAITING
        other.release(shop.line[1])
        other.wait("Succeeded")
        shutil.rmtree(graph.service.cache)
    finally:
        graph.service.start()
    place.wait("Succeeded")
    assert place.status()["running"]["hash"] == shop.line[2]


def test_a_repository_that_is_not_bound_to_the_namespace_is_not_read(shop: Shop, graph: Graph) -> None:
    place = shop.place
    shop.rules(**REFUSE)
    graph.host.repository(f"others/{place.name}")
    shop.git(graph.host.url(f"others/{place.name}"))
    place.release(shop.line[1])
    assert triple(place.wait("CommitUnknown")) == STALLED and place.mutations() == []
    assert not graph.host.requests(f"others/{place.name}")
    shop.git(shop.url)
    place.wait("Succeeded")
