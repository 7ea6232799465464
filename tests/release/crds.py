"""What a new version of a CRD refuses, or forgets, that the former admitted and kept."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

Schema = Mapping[str, Any]

# Where more is admitted, nothing breaks: bounds of above may grow, those of below may shrink, and either may go.
_UPPER = ("maximum", "maxLength", "maxItems", "maxProperties")
_LOWER = ("minimum", "minLength", "minItems", "minProperties")
# A default that changes, changes what objects say that are there already.
_SAME = ("type", "pattern", "format", "default", "x-kubernetes-list-type", "x-kubernetes-list-map-keys", "x-kubernetes-map-type")
_LOOSER = ("pattern", "format")
_NAMES = ("kind", "plural", "singular", "listKind")


def narrowed(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """List what has become narrower between two CRDs of one kind, each as `path: what`; empty where every old object stays good."""
    was, now = old["spec"], new["spec"]
    kind = was["names"]["kind"]
    said = [f"{kind}: {key} was {was[key]}" for key in ("group", "scope") if now[key] != was[key]]
    said += [f"{kind}: names.{key} was {was['names'][key]}" for key in _NAMES if now["names"].get(key) != was["names"].get(key)]
    gone = set(was["names"].get("shortNames", ())) - set(now["names"].get("shortNames", ()))
    said += [f"{kind}: short name {name} is gone" for name in sorted(gone)]
    versions = {version["name"]: version for version in now["versions"]}
    for version in was["versions"]:
        name = version["name"]
        if not version["served"]:
            continue
        if not versions.get(name, {}).get("served"):
            said.append(f"{kind}: version {name} is not served any more")
            continue
        said += [f"{kind}: {what}" for what in _version(version, versions[name])]
    return said


def _version(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[str]:
    if "status" in old.get("subresources", {}) and "status" not in new.get("subresources", {}):
        yield "the status subresource is gone"
    fields = [{f["jsonPath"] for f in version.get("selectableFields", ())} for version in (old, new)]
    yield from (f"field selector {path} is gone" for path in sorted(fields[0] - fields[1]))
    yield from _schema(old["schema"]["openAPIV3Schema"], new["schema"]["openAPIV3Schema"], "")


def _schema(old: Schema, new: Schema, path: str) -> Iterator[str]:
    where = path or "."
    yield from _limits(old, new, where)
    yield from _values(old, new, where)
    yield from _rules(old, new, where)
    was, now = old.get("properties", {}), new.get("properties", {})
    open_ended = new.get("x-kubernetes-preserve-unknown-fields") or "additionalProperties" in new
    for name, schema in was.items():
        if name in now:
            yield from _schema(schema, now[name], f"{path}.{name}")
        elif not open_ended:
            yield f"{path}.{name}: the field is gone, and what objects say there is dropped"
    if old.get("x-kubernetes-preserve-unknown-fields") and not open_ended:
        yield f"{where}: fields that are not named are dropped"
    for key, name in (("items", "[]"), ("additionalProperties", "{}")):
        if isinstance(old.get(key), dict):
            if isinstance(new.get(key), dict):
                yield from _schema(old[key], new[key], f"{path}{name}")
            else:
                yield f"{where}: {key} is gone"


def _limits(old: Schema, new: Schema, where: str) -> Iterator[str]:
    for key in _UPPER:
        if key in new and (key not in old or new[key] < old[key]):
            yield f"{where}: {key} is {new[key]}, was {old.get(key, 'none')}"
    for key in _LOWER:
        # Nothing is shorter or fewer than none; a number may be below any.
        before = old.get(key, None if key == "minimum" else 0)
        if key in new and (before is None or new[key] > before):
            yield f"{where}: {key} is {new[key]}, was {old.get(key, 'none')}"


def _values(old: Schema, new: Schema, where: str) -> Iterator[str]:
    for key in _SAME:
        if new.get(key) != old.get(key) and not (key in _LOOSER and key not in new):
            # A default where there was none gives old objects what new ones get.
            if key == "default" and key not in old:
                continue
            yield f"{where}: {key} is {new.get(key, 'none')!r}, was {old.get(key, 'none')!r}"
    if "enum" in new:
        gone = [value for value in old.get("enum", ()) if value not in new["enum"]]
        if gone or "enum" not in old:
            yield f"{where}: values are refused: {', '.join(map(str, gone)) or 'all but ' + ', '.join(map(str, new['enum']))}"
    if old.get("nullable") and not new.get("nullable"):
        yield f"{where}: null is refused"
    for name in sorted(set(new.get("required", ())) - set(old.get("required", ()))):
        if "default" not in new.get("properties", {}).get(name, {}):
            yield f"{where}: {name} is required"


def _rules(old: Schema, new: Schema, where: str) -> Iterator[str]:
    """A new rule may refuse what was good: whether it does, only a person can tell."""
    was = {rule["rule"] for rule in old.get("x-kubernetes-validations", ())}
    yield from (f"{where}: rule {rule['rule']}" for rule in new.get("x-kubernetes-validations", ()) if rule["rule"] not in was)
