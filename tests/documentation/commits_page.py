"""`python -m tests.documentation.commits_page` writes the table of the commits service's configuration into its page."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from ecs_release.commits_service.config import ServiceConfig

PAGE = Path(__file__).resolve().parents[2] / "docs" / "reference" / "commits-service.md"
_BEGIN, _END = "<!-- configuration: python -m tests.documentation.commits_page -->\n", "<!-- end of configuration -->\n"


def page() -> str:
    """Return the page as it should be."""
    before, _, rest = PAGE.read_text().partition(_BEGIN)
    after = rest.partition(_END)[2]
    table = "".join(f"| {name} | {default} | {text} |\n" for name, default, text in rows(ServiceConfig, ""))
    return f"{before}{_BEGIN}| field | default | |\n| --- | --- | --- |\n{table}{_END}{after}"


def rows(model: type[BaseModel], prefix: str) -> Iterator[tuple[str, str, str]]:
    """Yield each field with its default and description; a required one is in bold."""
    for name, field in model.model_fields.items():
        path = f"`{prefix}{field.alias or name}`"
        yield f"**{path}**" if field.is_required() else path, _default(field), field.description or ""
        for its in _models(field.annotation):
            of_list = "[]" if "list" in str(field.annotation) else ""
            yield from rows(its, f"{prefix}{field.alias or name}{of_list}.")


def _default(field: FieldInfo) -> str:
    value = field.default
    if field.is_required() or isinstance(value, BaseModel):
        return ""
    return "none" if value is None else f"`{value}`"


def _models(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [its for part in get_args(annotation) for its in _models(part)]


if __name__ == "__main__":
    PAGE.write_text(page())
