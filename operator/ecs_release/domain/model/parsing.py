"""Reads objects as the API server, or an older version of it, keeps them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import ValidationError

from ecs_release.api.conditions import Reason
from ecs_release.api.meta import Model
from ecs_release.domain.model.errors import Blocked

M = TypeVar("M", bound=Model)


def read_object(model: type[M], body: Mapping[str, Any]) -> M:
    """Parse an object of our kinds. Raises Blocked(InvalidSpec), which names the object and the field that this version cannot read."""
    try:
        return model.model_validate(body)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        meta: Mapping[str, Any] = body.get("metadata") or {}
        name = "/".join(str(meta[part]) for part in ("namespace", "name") if meta.get(part))
        message = f"{model.__name__} {name} cannot be read by this version: {first['msg']} at {where}"
        raise Blocked(Reason.INVALID_SPEC, message) from error
