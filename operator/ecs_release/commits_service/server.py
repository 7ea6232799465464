"""The HTTP server: JSON in, JSON out, for whoever has the token."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable, Mapping
from typing import Any

from aiohttp import web

from ecs_release.commits_service.bearer_token import Token
from ecs_release.commits_service.config import ServiceConfig
from ecs_release.commits_service.questions import Questions, RequestError

log = logging.getLogger(__name__)

_BODY_BYTES = 16 * 1024
OnAnswer = Callable[[str, str, float], None]
"""Is told the question, the result and how many seconds it took."""


def application(config: ServiceConfig, token: Token, questions: Questions, on_answer: OnAnswer) -> web.Application:
    """Make the application: POST /v1/QUESTION, and GET /healthz."""
    under_way = 0

    def refusal(request: web.Request) -> web.Response | None:
        if not token.fits(request.headers.get("Authorization", "")):
            return _error(401, "the token is missing or wrong")
        if request.match_info["question"] not in questions.names:
            return _error(404, f"no such question: there are {', '.join(questions.names)}")
        return _error(503, "too many requests at once: ask again") if under_way >= config.limits.requests else None

    async def answer(request: web.Request) -> web.Response:
        nonlocal under_way
        if (refused := refusal(request)) is not None:
            return refused
        under_way += 1
        name = request.match_info["question"]
        loop, result = asyncio.get_running_loop(), "Refused"
        begun = loop.time()
        try:
            body = await questions.answer(name, _parsed(await request.read()))
            result = str(body["unknown"]["reason"]) if "unknown" in body else "Known"
            return web.json_response(body)
        except RequestError as error:
            return _error(400, str(error))
        except web.HTTPRequestEntityTooLarge:
            return _error(413, f"the body is larger than {_BODY_BYTES} bytes")
        except Exception:
            result = "Error"
            log.exception("the question %s could not be answered", name)
            return _error(500, "the question could not be answered: see the log of the commits service")
        finally:
            under_way -= 1
            on_answer(name, result, loop.time() - begun)

    async def healthz(_: web.Request) -> web.Response:
        return web.Response(text="ok\n")

    made = web.Application(client_max_size=_BODY_BYTES)
    made.add_routes([web.post("/v1/{question}", answer), web.get("/healthz", healthz)])
    return made


def metrics_application(render: Callable[[], bytes], content_type: str) -> web.Application:
    """Make the application of GET /metrics."""

    async def metrics(_: web.Request) -> web.Response:
        return web.Response(body=render(), headers={"Content-Type": content_type})

    made = web.Application()
    made.add_routes([web.get("/metrics", metrics)])
    return made


def _parsed(body: bytes) -> Mapping[str, Any]:
    try:
        parsed = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise RequestError("the body is no JSON") from error
    if not isinstance(parsed, dict):
        raise RequestError("the body is no JSON object")
    return parsed


def _error(status: int, message: str) -> web.Response:
    return web.json_response({"error": message}, status=status)
