"""GitHub's own OpenAPI description of its API, from the npm package that its Octokit team publishes: fetched once, never committed.

Requests are checked against it, and so are the fake's own answers. Without npm nothing is checked, and the tests of the check are skipped.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import shutil
import subprocess
import tarfile
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import jsonschema

from tests.control_plane.cache import built

PACKAGE = "@octokit/openapi@23.0.2"
SHA512 = "pV8M7L9GY23AybNvTmo2nyjmpmnt6+2sRE/tqr0ZLQcPS4lnw7u5eZGNmwRNkBC3D7gZXbFx5AHzLUVRBXGDhg=="
_FILE = "package/generated/api.github.com.json"
_USED = (
    "/app",
    "/app/installations/{installation_id}/access_tokens",
    "/user",
    "/repos/{owner}/{repo}/commits/{ref}",
    "/repos/{owner}/{repo}/commits/{commit_sha}/pulls",
    "/repos/{owner}/{repo}/deployments",
    "/repos/{owner}/{repo}/deployments/{deployment_id}",
    "/repos/{owner}/{repo}/deployments/{deployment_id}/statuses",
    "/repos/{owner}/{repo}/issues/{issue_number}/comments",
    "/repos/{owner}/{repo}/issues/comments/{comment_id}",
    "/repos/{owner}/{repo}/issues/{issue_number}/labels",
)


def is_available() -> bool:
    """Return whether the description can be had."""
    return shutil.which("npm") is not None


@cache
def description() -> Mapping[str, Any] | None:
    """Return the part of the description that is used: its paths, and its components by reference."""
    if not is_available():
        return None
    return json.loads((built("github-description", f"{SHA512[:8]}-3", _fetch, "GitHub's description") / "used.json").read_text())


def _fetch(folder: Path) -> None:
    subprocess.run(
        ["npm", "pack", PACKAGE, "--ignore-scripts", "--pack-destination", str(folder)],
        check=True, capture_output=True, timeout=300, cwd=folder,
    )  # fmt: skip
    (archive,) = folder.glob("*.tgz")
    found = base64.b64encode(hashlib.sha512(archive.read_bytes()).digest()).decode()
    assert found == SHA512, f"{PACKAGE} is another one: {found}"
    with tarfile.open(archive) as tar:
        file = tar.extractfile(_FILE)
        assert file is not None
        whole = json.load(file)
    archive.unlink()
    (folder / "used.json").write_text(json.dumps(_part(whole)))


def _part(whole: dict[str, Any]) -> dict[str, Any]:
    paths = {path: whole["paths"][path] for path in _USED}
    found: dict[str, dict[str, Any]] = {}
    todo = list(_references(paths))
    while todo:
        group, name = todo.pop()
        if name not in found.setdefault(group, {}):
            found[group][name] = whole["components"][group][name]
            todo += _references(found[group][name])
    return _plain({"paths": paths, "components": found})


def _references(value: Any) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        if isinstance(target := value.get("$ref"), str):
            _, _, group, name = target.split("/")
            yield group, name
        for inner in value.values():
            yield from _references(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _references(inner)


def _plain(value: Any) -> Any:
    """Turn OpenAPI 3.0's nullable into JSON schema, and leave examples out."""
    if isinstance(value, list):
        return [_plain(inner) for inner in value]
    if not isinstance(value, dict):
        return value
    # Fields may have these names, too.
    noise = [k for k in ("example", "nullable", "description") if k in value and not isinstance(value[k], dict)]
    plain = {k: _plain(v) for k, v in value.items() if k not in noise}
    return {"anyOf": [plain, {"type": "null"}]} if value.get("nullable") is True else plain


def faults_of_request(method: str, path: str, query: str, body: bytes) -> list[str]:
    """List what is wrong with a request, by the description."""
    operation = _operation(method, path)
    if operation is None:
        return [f"{method} {path}: no such operation"] if description() is not None else []
    parameters = [_resolved(p) for p in operation.get("parameters", ())]
    known = {p["name"] for p in parameters if p["in"] == "query"}
    faults = [f"{method} {path}: unknown parameter {name}" for name, _ in parse_qsl(query) if name not in known]
    schema = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema")
    if schema is None:
        return faults + ([f"{method} {path}: it takes no body"] if body else [])
    if not body:
        return faults + ([f"{method} {path}: it needs a body"] if operation["requestBody"].get("required") else [])
    sent = json.loads(body)
    properties = schema.get("properties")
    if properties is not None and isinstance(sent, dict):
        faults += [f"{method} {path}: unknown field {name}" for name in sent if name not in properties]
    return faults + [f"{method} {path}: {error.message}" for error in _validator(schema).iter_errors(sent)]


def faults_of_answer(method: str, path: str, status: int, body: Any) -> list[str]:
    """List what is wrong with an answer of the fake, by the description."""
    operation = _operation(method, path)
    if operation is None or status >= 400 or "/commits/" in path:
        return []  # Of commits and their pull requests the fake has a few fields only.
    answer = operation["responses"].get(str(status))
    if answer is None:
        return [f"{method} {path}: it never answers {status}"]
    schema = _resolved(answer).get("content", {}).get("application/json", {}).get("schema")
    return [f"{method} {path} {status}: {error.message[:200]}" for error in _validator(schema).iter_errors(body)] if schema else []


def _operation(method: str, path: str) -> Mapping[str, Any] | None:
    for template, operations in ((description() or {}).get("paths") or {}).items():
        if re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", template), path) and method.lower() in operations:
            return operations[method.lower()]  # type: ignore[no-any-return]
    return None


def _resolved(value: Mapping[str, Any]) -> Mapping[str, Any]:
    if "$ref" not in value:
        return value
    _, _, group, name = str(value["$ref"]).split("/")
    found = description()
    assert found is not None
    return found["components"][group][name]  # type: ignore[no-any-return]


def _validator(schema: Mapping[str, Any]) -> jsonschema.Draft202012Validator:
    found = description()
    assert found is not None
    return jsonschema.Draft202012Validator({**schema, "components": found["components"]})
