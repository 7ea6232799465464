"""Answers on the wire that are not as documented: whatever is in them, nothing but a Problem that names the call comes of it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ecs_release.aws.clients.ecs import BotoEcs
from ecs_release.aws.registry.ecr import BotoRegistry
from ecs_release.domain.ecs.service import RegistryImage
from ecs_release.domain.model.errors import Ambiguous, BrokenAnswer, Problem, Retryable
from ecs_release.domain.model.halving import is_faulty
from ecs_release.domain.ports.protocols import ImagesAnswer
from tests.builders.aws_answers import (
    ACCESS,
    ARN,
    CALLS,
    CHANGES,
    DETAIL,
    DIGEST,
    ODD,
    OTHER,
    SERVICE,
    TASK,
    WHOLE,
    Call,
    Wire,
    check,
    outcomes,
)
from tests.builders.changed_values import paths, replaced


@pytest.fixture(scope="module")
def wire() -> Wire:
    return Wire()


def outcome(wire: Wire, call: Call) -> Any:
    return outcomes(wire, call, [wire.body])[0]


def run(wire: Wire, call: Call) -> Any:
    found = outcome(wire, call)
    if isinstance(found, Problem):
        raise found
    return found


@pytest.mark.parametrize("name", [*CALLS, *CHANGES])
def test_what_is_as_documented_is_read(wire: Wire, name: str) -> None:
    wire.body, _, call = (CALLS | CHANGES)[name]

    run(wire, call)


@pytest.mark.parametrize("body", WHOLE, ids=[str(w[:12]) for w in WHOLE])
@pytest.mark.parametrize("name", [*CALLS, *CHANGES])
def test_what_is_no_answer_at_all_is_a_problem_of_that_call(wire: Wire, name: str, body: bytes) -> None:
    _, service, call = (CALLS | CHANGES)[name]
    wire.body = body
    found = outcome(wire, call)
    if isinstance(found, Problem):
        assert isinstance(found, Ambiguous if name in CHANGES else Retryable)
        assert found.message.startswith(f"{service}:{name.split(' ', maxsplit=1)[0]}")


@pytest.mark.parametrize("name", [*CALLS, *CHANGES])
def test_what_is_odd_in_an_answer_is_a_problem_of_that_call(wire: Wire, name: str) -> None:
    """Each field, each odd value."""
    whole, _, call = (CALLS | CHANGES)[name]
    bodies = [replaced(whole, path, odd) for path in paths(whole) for odd in ODD]
    for body, found in zip(bodies, outcomes(wire, call, bodies), strict=True):
        check(name, found, body)


@given(data=st.data())
@settings(max_examples=200, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck))
def test_what_is_odd_twice_is_one_too(wire: Wire, data: st.DataObject) -> None:
    name = data.draw(st.sampled_from([*CALLS, *CHANGES]))
    body, _, call = (CALLS | CHANGES)[name]
    for _ in range(2):
        path = data.draw(st.sampled_from(list(paths(body))))
        body = replaced(body, path, data.draw(st.sampled_from(ODD)))
    wire.body = body
    check(name, outcome(wire, call), body)


def test_one_odd_service_blinds_nobody_to_the_others(wire: Wire) -> None:
    wire.body = {"services": [{**SERVICE, "runningCount": "many"}, OTHER], "failures": []}

    found = run(wire, CALLS["DescribeServices"][2])

    assert set(found.services) == {"api"}
    assert isinstance(found.unread["web"], BrokenAnswer)
    assert "ecs:DescribeServices on web: the answer cannot be read: services[0].runningCount is str 'many', not a count" in str(
        found.unread["web"]
    )


@pytest.mark.parametrize(
    ("name", "field"),
    [
        ("ListTasks", "taskArns"),
        ("DescribeTasks", "tasks"),
        ("DescribeServices", "services"),
        ("DescribeImages by tag", "imageDetails"),
        ("Query", "Items"),
    ],
)
@pytest.mark.parametrize("body", [{}, {"other": 1}, None])
def test_an_answer_without_its_list_is_not_an_empty_list(wire: Wire, name: str, field: str, body: Any) -> None:
    """What is not known would be read as none: no tasks, no images."""
    wire.body = body if body is not None else {field: None}

    assert isinstance(outcome(wire, CALLS[name][2]), BrokenAnswer)


def digest(number: int) -> str:
    return f"sha256:{number:064x}"


def images(wire: Wire, *numbers: int) -> ImagesAnswer:
    found: ImagesAnswer = run(
        wire, lambda c: BotoRegistry(c, ACCESS, "111122223333", "eu-west-1").images("shop/web", [digest(n) for n in numbers])
    )
    return found


@pytest.mark.parametrize("odd", [{"imageTags": [7]}, {"imageManifestMediaType": 7}, {"imageStatus": ["ACTIVE"]}])
def test_one_odd_image_hides_no_other(wire: Wire, odd: dict[str, Any]) -> None:
    def details(asked: dict[str, Any]) -> Any:
        ids = [i["imageDigest"] for i in asked["imageIds"]]
        return {"imageDetails": [{**DETAIL, "imageDigest": d, **(odd if d == digest(3) else {})} for d in ids]}

    wire.body = details

    found = images(wire, *range(10))

    assert set(found.images) == {digest(n) for n in range(10) if n != 3}
    assert isinstance(found.unread[digest(3)], BrokenAnswer)
    assert (
        f"ecr:DescribeImages on shop/web in registry 111122223333: the answer cannot be read: UnreadableError: imageDetails[0].{min(odd)}"
        in str(found.unread[digest(3)])
    )


@pytest.mark.parametrize(
    "odd",
    [
        "no JSON",
        "[]",
        "[" * 100_000,
        json.dumps({"manifests": "many"}),
        json.dumps({"manifests": [{"digest": DIGEST, "platform": 7}]}),
        None,
    ],
    ids=["no JSON", "no object", "deep", "no list", "no platform", "failure"],
)
def test_one_odd_list_hides_no_other(wire: Wire, odd: str | None) -> None:
    """Whoever may push to a repository chooses what a manifest list holds."""

    def answer(asked: dict[str, Any]) -> Any:
        if "acceptedMediaTypes" not in asked:
            return {"imageDetails": [{**DETAIL, "imageDigest": digest(n)} for n in range(10)]}
        lists = {digest(n): json.dumps({"manifests": [{"digest": digest(100 + n)}]}) for n in range(10)}
        lists[digest(3)] = odd or ""
        if odd is None:
            del lists[digest(3)]
        failure = {"imageId": {"imageDigest": digest(3)}, "failureCode": "KmsError", "failureReason": "no key"}
        return {
            "images": [{"imageId": {"imageDigest": d}, "imageManifest": m} for d, m in lists.items()],
            "failures": [] if odd else [failure],
        }

    wire.body = answer

    found: ImagesAnswer = run(
        wire,
        lambda c: BotoRegistry(c, ACCESS, "111122223333", "eu-west-1").manifest_lists_naming(
            "shop/web", [RegistryImage(digest(101)), RegistryImage(digest(103))]
        ),
    )

    assert found.images.keys() == {digest(101)}
    assert str(found.unread[digest(103)]).startswith("ecr:BatchGetImage")


def test_one_task_that_cannot_be_described_is_found_among_the_others(wire: Wire) -> None:
    """A reason that is not documented is asked about by halves, as an odd answer is."""
    wire.body = {"tasks": [TASK], "failures": [{"arn": f"{ARN}:task/main/2", "reason": "SOMETHING_NEW"}]}

    assert is_faulty(outcome(wire, lambda c: BotoEcs(c, ACCESS).describe_tasks("main", ["1", "2"])))


def test_a_service_that_an_answer_does_not_mention_is_unread_and_not_missing(wire: Wire) -> None:
    wire.body = {"services": [SERVICE], "failures": []}

    found = run(wire, CALLS["DescribeServices"][2])

    assert set(found.unread) == {"api"}
