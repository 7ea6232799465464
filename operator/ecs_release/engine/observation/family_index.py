"""The services that run a revision of a task definition family, by the family: an event names that alone."""

from __future__ import annotations

from ecs_release.domain.ecs.service import Service, ServiceKey


class FamilyIndex:
    """Families by service and services by family, as they were seen last."""

    def __init__(self) -> None:
        """Start empty."""
        self._family_of: dict[ServiceKey, str] = {}
        self._services: dict[str, set[ServiceKey]] = {}

    def put(self, key: ServiceKey, service: Service | None) -> None:
        """Take in what was seen of a service; None if there is none, or it is not observed any more."""
        family = service.task_definition.rpartition("/")[2].partition(":")[0] if service is not None else ""
        before = self._family_of.get(key, "")
        if before == family:
            return
        if before:
            del self._family_of[key]
            self._services[before].discard(key)
            if not self._services[before]:
                del self._services[before]
        if family:
            self._family_of[key] = family
            self._services.setdefault(family, set()).add(key)

    def services(self, family: str) -> list[ServiceKey]:
        """List the services that run a revision of a family."""
        return list(self._services.get(family, ()))
