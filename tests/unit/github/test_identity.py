"""Whose credentials these are, when a token is replaced while the process runs."""

from __future__ import annotations

from typing import Any

from ecs_release.github.identity import Identity


class Client:
    """What is asked with a token in a file."""

    def __init__(self) -> None:
        self.current, self.asked = "first", 0

    async def token(self) -> str:
        return self.current

    async def get(self, path: str) -> Any:
        assert path == "/user"
        self.asked += 1
        return {"id": 1 if self.current == "first" else 2}


async def test_a_token_of_another_user_is_another_identity() -> None:
    client = Client()
    identity = Identity(client, None)  # type: ignore[arg-type]
    one, two = {"creator": {"id": 1}}, {"user": {"id": 2}}
    for _ in range(2):
        assert await identity.made(one) and not await identity.made(two)
    assert client.asked == 1
    client.current = "second"
    assert not await identity.made(one) and await identity.made(two)
    assert not await identity.made({"creator": None}) and client.asked == 2
