"""The page of a service in an environment as HTML."""

from __future__ import annotations

from urllib.parse import urlencode

from ecs_release.pages.addresses import STREAM, service_address, set_address
from ecs_release.pages.board_page import Age, Frame
from ecs_release.pages.rendering import templates
from ecs_release.pages.service.details import ServiceDetails


def render(frame: Frame, shown: ServiceDetails, age: Age, position: str) -> str:
    """Return the page. `position` is what changes are sent to it after."""
    entry = shown.entry
    address = service_address(entry.namespace, entry.project, entry.service, entry.environment)
    query = urlencode({"project": entry.project.encode(errors="replace")})
    return templates().get_template("service.html").render(
        assets=frame.assets, open=not frame.viewer, shown=shown, entry=entry, cell=entry.cell, column=shown.column, age=age,
        position=position, stream=address + STREAM, matrix=f"/?{query}", set_page=set_address(entry.namespace, shown.release_set),
        numbered=any(one.number is not None for one in shown.history),
    )  # fmt: skip
