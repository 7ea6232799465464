"""Operations on tasks, of services alone: nothing here runs a task by itself."""

from __future__ import annotations

from moto.core.responses import ActionResult

from tests.aws_simulator.clock import as_time
from tests.aws_simulator.ecs import errors, views
from tests.aws_simulator.ecs.actions import Actions
from tests.aws_simulator.ecs.service import Service
from tests.aws_simulator.ecs.states import Task
from tests.aws_simulator.world import WORLD

_DESCRIBED_AT_ONCE, _PROTECTED_AT_ONCE = 100, 10
_PROTECTION_MINUTES = 120


class TaskActions(Actions):
    """DescribeTasks takes 100 and reports MISSING; ListTasks filters."""

    def list_tasks(self) -> ActionResult:
        cluster, service = self._asked("cluster"), self._asked("serviceName")
        family, started = self._asked("family"), self._asked("startedBy")
        status = self._asked("desiredStatus") or "RUNNING"
        if service:
            found = self.sim.sim_service(cluster, service)
            tasks = [(found, t) for t in found.tasks]
        else:
            tasks = self.sim.sim_tasks(cluster)
        arns = [
            t.arn
            for _, t in tasks
            if t.desired == status
            and started in (None, t.deployment)
            and family in (None, t.task_definition.rpartition("/")[2].partition(":")[0])
        ]
        return self._paged("taskArns", arns)

    def describe_tasks(self) -> ActionResult:
        wanted = self._batch("tasks", _DESCRIBED_AT_ONCE)
        cluster = self.sim.sim_cluster(self._asked("cluster"))
        known = self._known(cluster.name)
        tasks, failures = [], []
        for name in wanted:
            found = known.get(name.rpartition("/")[2])
            if found is None:
                arn = name if name.startswith("arn:") else f"{cluster.arn.replace(':cluster/', ':task/')}/{name}"
                failures.append({"arn": arn, "reason": "MISSING"})
            else:
                tasks.append(views.task_view(*found))
        return ActionResult({"tasks": tasks, "failures": failures})

    def _known(self, cluster: str | None) -> dict[str, tuple[Service, Task]]:
        return {t.id: (s, t) for s, t in self.sim.sim_tasks(cluster)}

    def stop_task(self) -> ActionResult:
        found = self._known(self._asked("cluster")).get(self._asked("task").rpartition("/")[2])
        if found is None:
            raise errors.invalid("The referenced task was not found.")
        service, task = found
        service.stop_task(task, self._asked("reason") or "Task stopped by user", "UserInitiated", WORLD.clock.now())
        self.sim.sim_touch(service)
        return ActionResult({"task": views.task_view(service, task)})

    # Protection from scale-in and from rollouts (ECS developer guide, "Protect your Amazon ECS tasks from being terminated").

    def get_task_protection(self) -> ActionResult:
        wanted = self._asked("tasks")
        known = self._known(self._asked("cluster"))
        ids = [name.rpartition("/")[2] for name in wanted] if wanted else list(known)
        return self._protection(ids, known)

    def update_task_protection(self) -> ActionResult:
        ids = [name.rpartition("/")[2] for name in self._batch("tasks", _PROTECTED_AT_ONCE)]
        known = self._known(self._asked("cluster"))
        minutes = int(self._asked("expiresInMinutes") or _PROTECTION_MINUTES)
        until = WORLD.clock.now() + WORLD.clock.seconds(60.0 * minutes) if self._asked("protectionEnabled") else 0.0
        for service, task in (known[i] for i in ids if i in known):
            task.protected_until = until
            self.sim.sim_touch(service)
        return self._protection(ids, known)

    def _protection(self, ids: list[str], known: dict[str, tuple[Service, Task]]) -> ActionResult:
        now, shown, failures = WORLD.clock.now(), [], []
        for task_id in ids:
            found = known.get(task_id)
            if found is None or not found[1].alive:
                failures.append({"arn": found[1].arn if found else task_id, "reason": "TASK_NOT_VALID"})
                continue
            task = found[1]
            protected = task.protected_until > now
            expires = {"expirationDate": as_time(task.protected_until)} if protected else {}
            shown.append({"taskArn": task.arn, "protectionEnabled": protected, **expires})
        return ActionResult({"protectedTasks": shown, "failures": failures})
