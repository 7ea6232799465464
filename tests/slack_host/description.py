"""What Slack says of its methods: their arguments as its SDK declares them, blocks as its models check them, and limits of its pages.

The SDK is installed with what tests need. Pages of docs.slack.dev: "chat.postMessage", "Message metadata", "Block Kit", "Rate limits".
"""

from __future__ import annotations

import inspect
import json
import types
import typing
import uuid
from collections.abc import Mapping
from typing import Any

from slack_sdk.errors import SlackObjectFormationError
from slack_sdk.models.blocks import Block
from slack_sdk.web.async_client import AsyncWebClient

POST, GET = "POST", "GET"
VERBS = {
    "auth.test": POST,
    "chat.postMessage": POST,
    "chat.update": POST,
    "chat.delete": POST,
    "conversations.history": GET,
    "conversations.replies": GET,
}
MOST_BLOCKS, MOST_TEXT, MOST_BYTES = 50, 40_000, 13_000
"""Blocks of a message, characters of `text`, and JSON of all blocks: above about 13,200 it answers msg_blocks_too_long (bolt-js#2509)."""
MOST_LISTED = 999
_SENT_BESIDE = {"client_msg_id"}
"""Arguments that Slack's own clients send, and its description leaves out."""


def problems(method: str, verb: str, arguments: Mapping[str, Any]) -> list[str]:
    """List what is wrong with a request, by Slack's description of the method."""
    if method not in VERBS:
        return [f"nothing here knows {method}"]
    found = [] if verb == VERBS[method] else [f"{method} by {verb}"]
    declared = inspect.signature(getattr(AsyncWebClient, method.replace(".", "_")), eval_str=True).parameters
    known = {name: p for name, p in declared.items() if p.kind is inspect.Parameter.KEYWORD_ONLY}
    needed = {name for name, p in known.items() if p.default is inspect.Parameter.empty}
    found += [f"{method} lacks {name}" for name in sorted(needed - arguments.keys())]
    found += [f"{method} has no argument {name}" for name in sorted(arguments.keys() - known.keys() - _SENT_BESIDE)]
    if verb == POST:
        found += [
            f"{method}: {name} is {value!r}, not {known[name].annotation}"
            for name, value in arguments.items()
            if name in known and not _is_of(value, known[name].annotation)
        ]
    if "client_msg_id" in arguments:
        found += _no_uuid(arguments["client_msg_id"])
    return found + _of_message(arguments)


def _is_of(value: Any, annotation: Any) -> bool:
    """Return whether a value of JSON is of a declared type; what is no type of JSON's is not looked at."""
    kinds = _kinds(annotation)
    return any(isinstance(value, kind) and (kind is bool or not isinstance(value, bool)) for kind in kinds)


def _kinds(annotation: Any) -> set[type]:
    origin = typing.get_origin(annotation)
    if origin in (typing.Union, types.UnionType):
        return {kind for one in typing.get_args(annotation) for kind in _kinds(one)}
    known: dict[Any, type] = {str: str, bool: bool, int: int, dict: dict, list: list}
    if origin is not None and issubclass(origin, typing.Sequence):
        return {list}
    return {known.get(origin or annotation, type(None))}


def _no_uuid(value: Any) -> list[str]:
    try:
        uuid.UUID(value)
    except (ValueError, AttributeError):
        return [f"client_msg_id {value!r} is no UUID"]
    return []


def _of_message(arguments: Mapping[str, Any]) -> list[str]:
    found = []
    blocks = arguments.get("blocks", [])
    if len(blocks) > MOST_BLOCKS:
        found.append(f"{len(blocks)} blocks")
    if len(arguments.get("text", "")) > MOST_TEXT:
        found.append("text is too long")
    if len(json.dumps(blocks, ensure_ascii=False).encode(errors="replace")) > MOST_BYTES:
        found.append("msg_blocks_too_long")
    for block in blocks:
        try:
            parsed = Block.parse(block)
            if parsed is None or type(parsed) is Block:
                found.append(f"a block of type {block.get('type')!r}")
                continue
            parsed.validate_json()
        except SlackObjectFormationError as error:
            found.append(f"{block.get('type')}: {error}")
        found += [f"{block.get('type')} has an empty text" for text in texts(block) if not text]
    metadata = arguments.get("metadata")
    if metadata is not None:
        if set(metadata) != {"event_type", "event_payload"} or not all(c.isalnum() or c in "_." for c in metadata["event_type"]):
            found.append("invalid_metadata_format")
        elif any(not isinstance(v, str | int | bool) for v in metadata["event_payload"].values()):
            found.append("invalid_metadata_schema")
    return found


def texts(of: Any) -> list[str]:
    """List the texts that a message, a block or an element shows."""
    if isinstance(of, list):
        return [text for one in of for text in texts(one)]
    if not isinstance(of, Mapping):
        return []
    own = [of["text"]] if isinstance(of.get("text"), str) else []
    return own + [text for name, value in of.items() if name != "text" or not isinstance(value, str) for text in texts(value)]


def marked_up(of: Any) -> list[str]:
    """List the texts in which Slack looks for markup, mentions and links, and the elements that are mentions."""
    if isinstance(of, list):
        return [text for one in of for text in marked_up(one)]
    if not isinstance(of, Mapping):
        return []
    if of.get("type") == "mrkdwn":
        return [of["text"]]
    if of.get("type") in ("user", "usergroup", "broadcast", "channel", "emoji", "team"):
        return [str(dict(of))]
    if of.get("type") == "plain_text":
        return [of["text"]] if of.get("emoji", True) else []
    return [text for value in of.values() for text in marked_up(value)]
