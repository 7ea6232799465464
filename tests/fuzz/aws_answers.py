"""Answers of ECS, ECR, SQS and DynamoDB, changed from recorded ones: what is read is as documented, or a Problem names the call."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import strategies as st

from ecs_release.domain.model.errors import Problem
from tests.builders import aws_answers
from tests.builders.aws_answers import CALLS, CHANGES, Wire
from tests.builders.changed_values import changed

_LONGEST = 4096
"""Of a Problem's message, whatever AWS or somebody between has written."""
_CODES = (
    "AccessDeniedException", "ThrottlingException", "ServerException", "ClientException", "ExpiredTokenException", "ServiceNotFoundException",
    "ImageNotFoundException", "ResourceNotFoundException", "UnknownOperationException", "", "x" * 5000,
)  # fmt: skip
_ODD = (*aws_answers.ODD, "x" * 5000, "\0", "\ud800", -(10**30), "9999-99-99T00:00:00Z", "sha256:" + "g" * 64, [[[]]] * 50)
_WIRES = {200: Wire(), 400: Wire(status=400), 500: Wire(status=500)}


def _bodies(whole: Any) -> st.SearchStrategy[Any]:
    once, text = changed(whole, _ODD), json.dumps(whole).encode()
    cut = st.builds(lambda at, by: text[:at] + by, st.integers(0, len(text)), st.binary(max_size=4))
    deep = st.integers(1, 100_000).map(lambda n: b"[" * n)
    return st.one_of(once, once.flatmap(lambda value: changed(value, _ODD)), cut, deep)


def _examples(name: str) -> st.SearchStrategy[tuple[str, int, Any]]:
    errors = st.fixed_dictionaries({"__type": st.sampled_from(_CODES)}, optional={"message": st.sampled_from(_ODD)})
    good = st.tuples(st.just(name), st.just(200), _bodies((CALLS | CHANGES)[name][0]))
    return st.one_of(good, good, st.tuples(st.just(name), st.sampled_from((400, 500)), errors))


INPUTS = st.sampled_from([*CALLS, *CHANGES]).flatmap(_examples)


def check(example: tuple[str, int, Any]) -> None:
    """Make a call that is answered so. Raises AssertionError for what is neither read nor a Problem, and for a message without end."""
    name, status, body = example
    (found,) = aws_answers.outcomes(_WIRES[status], (CALLS | CHANGES)[name][2], [body])
    if status == 200:
        aws_answers.check(name, found, body)
    if isinstance(found, Problem):
        assert len(found.message) <= _LONGEST, len(found.message)
