"""Argo CD's way with Lua, without Argo CD: the same Lua, with what it opens and no more, and what it makes of the answers.

After argo-cd's util/lua/lua.go and server/application/application.go: base, package and table are open; `os` is to be required, and has
time and date only; a health is refused unless it is one of six; an action's object is sent as a merge patch of what it changes.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from lupa import lua51

EXAMPLES = Path(__file__).parents[1] / "examples" / "argo-cd"
STATUSES = frozenset({"Healthy", "Suspended", "Progressing", "Missing", "Degraded", "Unknown"})
ACTIONS = ("suspend", "resume", "retry", "refresh", "abort", "continue")

# `os` before it is hidden: what is left of it is made here.
_RESTRICT = """
local time, date = os.time, os.date
getmetatable("").__index = nil
for _, name in ipairs({ "string", "math", "io", "os", "debug", "coroutine", "python" }) do
  _G[name], package.loaded[name] = nil, nil
end
package.loaders = { package.loaders[1] }
package.preload.os = function() return { time = time, date = date } end
"""


def run(script: str, body: dict[str, Any]) -> Any:
    """Run a script over an object, and return what it returns. Raises lua51.LuaError where it fails."""
    lua = lua51.LuaRuntime(register_eval=False, unpack_returned_tuples=True)
    lua.execute(_RESTRICT)
    lua.globals().obj = lua.table_from(body, recursive=True)
    return _plain(lua.execute(script))


def health(body: dict[str, Any], script: str | None = None) -> tuple[str, str]:
    """Return health and message of an object, as Argo CD would show it."""
    answer = run(script or (EXAMPLES / "health" / "health.lua").read_text(), body)
    assert set(answer) == {"status", "message"} and answer["status"] in STATUSES, answer
    return answer["status"], answer["message"]


def buttons(body: dict[str, Any]) -> dict[str, bool]:
    """Return which actions an object has, and whether each can be pressed."""
    answer = run((EXAMPLES / "actions" / "discovery.lua").read_text(), body)
    return {name: not action["disabled"] for name, action in answer.items()}


def press(action: str, body: dict[str, Any]) -> dict[str, Any]:
    """Return the merge patch that an action sends."""
    changed = run((EXAMPLES / "actions" / action / "action.lua").read_text(), body)
    return merge_patch(body, _cleaned(changed, body))


def merge_patch(before: dict[str, Any], after: dict[str, Any]) -> dict[str, Any]:
    """Return the JSON merge patch from one object to another (RFC 7386)."""
    patch: dict[str, Any] = dict.fromkeys(before.keys() - after.keys())
    for key, value in after.items():
        was = before.get(key)
        if value == was:
            continue
        patch[key] = merge_patch(was, value) if isinstance(was, dict) and isinstance(value, dict) else value
    return patch


def _cleaned(value: Any, was: Any) -> Any:
    """Lua has one empty table for lists and maps, and no null in one: what was such before, Argo CD leaves as it was."""
    if value in ([], {}) and was in ([], {}):
        return was
    if isinstance(value, dict) and isinstance(was, dict):
        return {k: _cleaned(v, was.get(k)) for k, v in value.items()}
    if isinstance(value, list) and isinstance(was, list) and len(value) == len(was):
        return [_cleaned(v, w) for v, w in zip(value, was, strict=True)]
    return value


def _plain(value: Any) -> Any:
    if lua51.lua_type(value) != "table":
        return value
    pairs = dict(value.items())
    if pairs and set(pairs) == set(range(1, len(pairs) + 1)):
        return [_plain(pairs[n]) for n in range(1, len(pairs) + 1)]
    return {k: _plain(v) for k, v in pairs.items()}
