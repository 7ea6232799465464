"""The page of a set as HTML, with its waves drawn as SVG."""

from __future__ import annotations

from urllib.parse import urlencode

from ecs_release.pages.addresses import STREAM, service_address, set_address
from ecs_release.pages.board_page import Age, Frame
from ecs_release.pages.rendering import templates
from ecs_release.pages.sets import timeline
from ecs_release.pages.sets.details import ServiceLine, SetDetails


def render(frame: Frame, shown: SetDetails, age: Age, position: str) -> str:
    """Return the page. `position` is what changes are sent to it after."""

    def page_of(line: ServiceLine) -> str:
        return service_address(shown.namespace, shown.project, line.name, shown.environment) if line.has_page else ""

    query = urlencode({"project": shown.project.encode(errors="replace"), "set": shown.service_set.encode(errors="replace")})
    return templates().get_template("set.html").render(
        assets=frame.assets, open=not frame.viewer, shown=shown, state=shown.readiness, age=age, position=position,
        stream=set_address(shown.namespace, shown.name) + STREAM, matrix=f"/?{query}", page_of=page_of, drawing=timeline.draw(shown),
        width=timeline.WIDTH, states=timeline.STATES, top=timeline.TOP,
    )  # fmt: skip
