"""Operations on task definitions, and on tags."""

from __future__ import annotations

from moto.core.responses import ActionResult

from tests.aws_simulator.callers import caller_of
from tests.aws_simulator.ecs import errors
from tests.aws_simulator.ecs.actions import Actions
from tests.aws_simulator.world import WORLD

_DELETED_AT_ONCE = 10


class TaskDefinitionActions(Actions):
    """Tags are at the answers' top level, as AWS has them."""

    def register_task_definition(self) -> ActionResult:
        definitions = self.sim.definitions
        revision = definitions.register(dict(self.params), caller_of(str(self.access_key)), WORLD.clock.now())
        return ActionResult({"taskDefinition": revision, "tags": definitions.tags[revision["taskDefinitionArn"]]})

    def describe_task_definition(self) -> ActionResult:
        definitions = self.sim.definitions
        revision = definitions.find(self._asked("taskDefinition"), "Unable to describe task definition.")
        tagged = "TAGS" in (self._asked("include") or [])
        return ActionResult({"taskDefinition": revision} | ({"tags": definitions.tags[revision["taskDefinitionArn"]]} if tagged else {}))

    def deregister_task_definition(self) -> ActionResult:
        return ActionResult({"taskDefinition": self.sim.definitions.deregister(self._asked("taskDefinition"), WORLD.clock.now())})

    def delete_task_definitions(self) -> ActionResult:
        deleted, failures = self.sim.definitions.delete(self._batch("taskDefinitions", _DELETED_AT_ONCE), WORLD.clock.now())
        return ActionResult({"taskDefinitions": deleted, "failures": failures})

    def list_task_definitions(self) -> ActionResult:
        status, newest_first = self._asked("status") or "ACTIVE", self._asked("sort") == "DESC"
        return self._paged("taskDefinitionArns", self.sim.definitions.arns(self._asked("familyPrefix"), status, newest_first=newest_first))

    def list_task_definition_families(self) -> ActionResult:
        found = self.sim.definitions.families(self._asked("familyPrefix") or "", self._asked("status") or "ALL")
        return self._paged("families", found)

    # Tags of task definitions and services; moto has those of clusters.

    def _tags_of(self, arn: str) -> list[dict[str, str]] | None:
        if ":task-definition/" in arn:
            return self.sim.definitions.tags[self.sim.definitions.find(arn)["taskDefinitionArn"]]
        if ":service/" in arn:
            if arn.count("/") != 2:
                raise errors.invalid("Long arn format must be used for tagging operations")
            _, cluster, name = arn.split("/")
            return self.sim.sim_service(cluster, name).tags
        return None

    def list_tags_for_resource(self) -> ActionResult:
        tags = self._tags_of(self._asked("resourceArn"))
        return super().list_tags_for_resource() if tags is None else ActionResult({"tags": tags})

    def tag_resource(self) -> ActionResult:
        tags = self._tags_of(self._asked("resourceArn"))
        if tags is None:
            return super().tag_resource()
        merged = {t["key"]: t.get("value", "") for t in (*tags, *self._asked("tags"))}
        tags[:] = [{"key": k, "value": v} for k, v in merged.items()]
        return ActionResult({})

    def untag_resource(self) -> ActionResult:
        tags = self._tags_of(self._asked("resourceArn"))
        if tags is None:
            return super().untag_resource()
        gone = set(self._asked("tagKeys"))
        tags[:] = [t for t in tags if t["key"] not in gone]
        return ActionResult({})
