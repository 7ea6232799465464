"""Who looks, as a load balancer of AWS signs it: nobody else's word counts."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import AsyncIterator
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from pydantic import ValidationError

from ecs_release.board.config import BoardSettings
from ecs_release.board.load_balancer import HEADER, LoadBalancerLogin
from ecs_release.board.viewer import LoginUnavailableError, UnknownViewerError, Viewer
from tests.builders.load_balancer import ARN, CLIENT, LoadBalancer

Settings = dict[str, Any]
GIVEN: Settings = {"login": "load-balancer", "host": "0.0.0.0", "load_balancer_arns": [ARN], "load_balancer_client_id": CLIENT}
OTHERS = ARN.replace("/board/", "/other/")


class Desk:
    """A load balancer, and the login behind it."""

    def __init__(self, balancer: LoadBalancer, **settings: Any) -> None:
        self.balancer = balancer
        self.login = LoadBalancerLogin(BoardSettings(**GIVEN, load_balancer_keys_address=balancer.address, **settings), "test/1")

    async def viewer(self, *tokens: str) -> Viewer:
        return await self.login.viewer(lambda name: tokens if name == HEADER else ["mallory"])


@pytest.fixture
async def balancer() -> AsyncIterator[LoadBalancer]:
    made = LoadBalancer()
    async with made.serving_keys():
        yield made


@pytest.fixture
async def desk(balancer: LoadBalancer) -> AsyncIterator[Desk]:
    made = Desk(balancer)
    yield made
    await made.login.close()


async def test_user_and_groups_are_the_claims_that_it_signs(desk: Desk) -> None:
    found = await desk.viewer(desk.balancer.token({"sub": "ben", "groups": ["ops", "system:masters", 7, " "], "email": "x@example.com"}))
    assert found == Viewer("ben", ("ops", "system:authenticated"))
    assert await desk.viewer(desk.balancer.token({"sub": "ada", "groups": "ops"})) == Viewer("ada", ("ops", "system:authenticated"))
    assert desk.balancer.asked == {desk.balancer.key_id: 1}


async def test_claims_and_prefixes_are_those_of_the_settings(balancer: LoadBalancer) -> None:
    desk = Desk(balancer, user_claim="email", groups_claim="cognito:groups", user_prefix="oidc:", groups_prefix="oidc:")
    claims = {"sub": "1", "email": "ben@example.com", "email_verified": "true", "cognito:groups": ["ops"]}
    assert await desk.viewer(balancer.token(claims)) == Viewer("oidc:ben@example.com", ("oidc:ops", "system:authenticated"))
    for unverified in (False, "false", None):
        with pytest.raises(UnknownViewerError, match="has not verified your email"):
            await desk.viewer(balancer.token({**claims, "email_verified": unverified}))
    await desk.login.close()


@pytest.mark.parametrize(
    ("header", "message"),
    [
        ({"signer": OTHERS}, "not one of this board"),
        ({"signer": None}, "not one of this board"),
        ({"signer": [ARN]}, "not one of this board"),
        ({"client": "wiki"}, "another application"),
        ({"client": None}, "another application"),
        ({"exp": int(time.time()) - 3600}, "no longer valid"),
        ({"exp": None}, "no end"),
        ({"exp": "soon"}, "no end"),
        ({"exp": "nan"}, "no longer valid"),
        ({"kid": "../../secrets"}, "names no key"),
        ({"kid": None}, "names no key"),
        ({"kid": str(uuid.uuid4())}, "does not have"),
        ({"alg": "none"}, "not what a load balancer signs"),
        ({"alg": "HS256"}, "not what a load balancer signs"),
        ({"crit": ["b64"], "b64": False}, "not what a load balancer signs"),
    ],
)
async def test_what_is_not_for_this_board_is_refused(desk: Desk, header: dict[str, Any], message: str) -> None:
    with pytest.raises(UnknownViewerError, match=message):
        await desk.viewer(desk.balancer.token(**header))


async def test_what_another_key_signs_is_refused(desk: Desk) -> None:
    with pytest.raises(UnknownViewerError, match="not what a load balancer signs"):
        await desk.viewer(desk.balancer.token(key=ec.generate_private_key(ec.SECP256R1())))


async def test_no_part_can_be_changed(desk: Desk) -> None:
    header, claims, signature = desk.balancer.token({"sub": "ben"}).split(".")
    _, others, _ = desk.balancer.token({"sub": "ada"}).split(".")
    for changed in (f"{header}.{others}.{signature}", f"{header}.{claims}.", f"{header}.{claims}", f"{header}.{claims}.{signature[:-8]}"):
        with pytest.raises(UnknownViewerError, match="not what a load balancer signs"):
            await desk.viewer(changed)


@pytest.mark.parametrize("tokens", [(), ("",), ("ben",), ("a.b.c",), ("[" * 9000,), ("\x00",), ("é.é.é",)])
async def test_without_a_token_nobody_looks(desk: Desk, tokens: tuple[str, ...]) -> None:
    with pytest.raises(UnknownViewerError):
        await desk.viewer(*tokens)


async def test_two_tokens_are_none(desk: Desk) -> None:
    with pytest.raises(UnknownViewerError, match="or several"):
        await desk.viewer(desk.balancer.token(), desk.balancer.token())


@pytest.mark.parametrize("claims", [["ben"], "ben", {"name": "ben"}, {"sub": 7}, {"sub": ""}, {"sub": "system:admin"}, {"sub": "x" * 257}])
async def test_claims_without_a_name_are_nobodys(desk: Desk, claims: Any) -> None:
    with pytest.raises(UnknownViewerError):
        await desk.viewer(desk.balancer.token(claims))


async def test_clocks_may_differ_by_a_minute(desk: Desk) -> None:
    assert (await desk.viewer(desk.balancer.token(exp=time.time() - 30))).user == "ben"


async def test_a_key_is_fetched_once_for_all_who_wait_for_it(desk: Desk) -> None:
    token = desk.balancer.token()
    assert {v.user for v in await asyncio.gather(*(desk.viewer(token) for _ in range(50)))} == {"ben"}
    assert desk.balancer.asked == {desk.balancer.key_id: 1}


async def test_a_key_that_is_not_there_is_not_asked_for_again_and_takes_no_others_place(desk: Desk) -> None:
    await desk.viewer(desk.balancer.token())
    unknown = str(uuid.uuid4())
    for _ in range(3):
        with pytest.raises(UnknownViewerError, match="does not have"):
            await desk.viewer(desk.balancer.token(kid=unknown))
    assert desk.balancer.asked[unknown] == 1
    made_up = [desk.viewer(desk.balancer.token(kid=str(uuid.uuid4()))) for _ in range(100)]
    results = await asyncio.gather(*made_up, desk.viewer(desk.balancer.token()), return_exceptions=True)
    assert isinstance(results[-1], Viewer)
    assert sum(desk.balancer.asked.values()) <= 2 + 4


async def test_without_its_keys_nobody_can_be_told_for_now(desk: Desk) -> None:
    desk.balancer.status = 503
    with pytest.raises(LoginUnavailableError, match="answered 503"):
        await desk.viewer(desk.balancer.token())
    desk.balancer.status = 200
    assert (await desk.viewer(desk.balancer.token())).user == "ben"


@pytest.mark.parametrize(
    ("arn", "address"),
    [
        (ARN, "https://public-keys.auth.elb.eu-west-1.amazonaws.com"),
        (
            ARN.replace("aws:", "aws-us-gov:", 1).replace("eu-west-1", "us-gov-west-1"),
            "https://s3-us-gov-west-1.amazonaws.com/aws-elb-public-keys-prod-us-gov-west-1",
        ),
    ],
)
def test_keys_are_those_of_its_region(arn: str, address: str) -> None:
    assert BoardSettings(**{**GIVEN, "load_balancer_arns": [arn]}).load_balancer_keys_address == address


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"load_balancer_arns": []}, "must be given"),
        ({"load_balancer_client_id": ""}, "must be given"),
        ({"load_balancer_arns": ["arn:aws:elasticloadbalancing:eu-west-1:111122223333:loadbalancer/net/n/0123456789abcdef"]}, "pattern"),
        ({"load_balancer_arns": [ARN, ARN.replace("eu-west-1", "eu-west-2")]}, "of one region"),
        ({"load_balancer_arns": [ARN.replace("aws:", "aws-cn:", 1)]}, "must be given in the partition aws-cn"),
        ({"load_balancer_keys_address": "http://keys.example.com"}, "pattern"),
        ({"load_balancer_keys_address": "https://user@keys.example.com"}, "pattern"),
    ],
)
def test_settings_that_would_let_others_in_are_refused(changed: Settings, message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        BoardSettings(**{**GIVEN, **changed})
