"""AWS's answers are taken in whatever is in them: half a character neither fails a call nor goes on."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pytest
from botocore.awsrequest import AWSResponse
from botocore.exceptions import ClientError
from hypothesis import given
from hypothesis import strategies as st

from ecs_release.aws.sessions.response_text import repair_body
from ecs_release.aws.sessions.sessions import Sessions
from ecs_release.domain.ecs.service import Access
from ecs_release.domain.model.unicode import well_formed

ANY_TEXT = st.text(st.characters(exclude_categories=()))


def mended(body: bytes) -> bytes:
    answer = {"body": body}
    repair_body(answer)
    return answer["body"]


@pytest.mark.parametrize(
    ("body", "its"),
    [
        (b'{"a":"\\ud83d\\ude80"}', "\N{ROCKET}"),
        (b'{"a":"x\\ud83d"}', "x\N{REPLACEMENT CHARACTER}"),
        (b'{"a":"\\uDE80x"}', "\N{REPLACEMENT CHARACTER}x"),
        (b'{"a":"\\\\ud83d"}', "\\ud83d"),
        (b'{"a":"\\\\\\ud83d"}', "\\\N{REPLACEMENT CHARACTER}"),
        (b'{"a":"\xf0\x9f"}', "\N{REPLACEMENT CHARACTER}"),
        ('{"a":"\N{SNOWMAN}"}'.encode(), "\N{SNOWMAN}"),
    ],
)
def test_half_characters_are_mended(body: bytes, its: str) -> None:
    assert json.loads(mended(body))["a"] == its


@given(ANY_TEXT)
def test_any_text_is_well_formed_afterwards(text: str) -> None:
    # Two halves that stand side by side are one whole in JSON.
    expected = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    found = json.loads(mended(json.dumps({"a": text}).encode()))["a"]
    assert found == well_formed(found)
    assert found.replace("\N{REPLACEMENT CHARACTER}", "") == expected.replace("\N{REPLACEMENT CHARACTER}", "")


@pytest.mark.parametrize("body", [b"", b"\xff\xfe", b"<Error><Message>\\ud83d</Message></Error>", b"[1]"])
def test_what_is_no_json_is_left_alone_save_for_its_coding(body: bytes) -> None:
    assert mended(body) == body.decode(errors="replace").encode()


def test_every_client_mends_what_it_is_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "a")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "b")
    body = b'{"__type":"ClientException","message":"no \\ud83d \xff \\u0000"}'
    client = Sessions("test", "test").client(Access("111122223333", "eu-west-1"), "ecs")
    client.meta.events.register("before-send", lambda **_: AWSResponse("", 400, {}, SimpleNamespace(stream=lambda: iter([body]))))

    with pytest.raises(ClientError) as raised:
        client.list_tasks(cluster="c")

    assert raised.value.response["Error"]["Message"] == "no \N{REPLACEMENT CHARACTER} \N{REPLACEMENT CHARACTER} \0"
