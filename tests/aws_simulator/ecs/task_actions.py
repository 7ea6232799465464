"""Operations on tasks, of services alone: nothing here runs a task by itself."""

from __future__ import annotations

from moto.core.responses import ActionResult

from tests.aws_simulator.clock import as_time
from tests.aws_simulator.ecs import errors, views
from tests.aws_simulator.ecs.actions import Actions
from tests.aws_simulator.world import WORLD

_DESCRIBED_AT_ONCE, _PROTECTED_AT_ONCE = 100, 10
_PROTECTION_MINUTES, _PROTECTION_MOST_MINUTES = 120, 2880


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
            for s, t in tasks
            if t.desired == status
            and started in (None, views.started_by(s, t))
            and family in (None, t.task_definition.rpartition("/")[2].partition(":")[0])
        ]
        return self._paged("taskArns", arns)

    def describe_tasks(self) -> ActionResult:
        wanted = self._batch("tasks", _DESCRIBED_AT_ONCE)
        cluster = self.sim.sim_cluster(self._asked("cluster"))
        tasks, failures = [], []
        for name in wanted:
            found = self.sim.sim_task(cluster.name, name)
            if found is None:
                arn = name if name.startswith("arn:") else f"{cluster.arn.replace(':cluster/', ':task/')}/{name}"
                failures.append({"arn": arn, "reason": "MISSING"})
            else:
                tasks.append(views.task_view(*found))
        return ActionResult({"tasks": tasks, "failures": failures})

    def stop_task(self) -> ActionResult:
        found = self.sim.sim_task(self._asked("cluster"), self._asked("task"))
        if found is None:
            raise errors.invalid("The referenced task was not found.")
        service, task = found
        service.stop_task(task, self._asked("reason") or "Task stopped by user", "UserInitiated", WORLD.clock.now())
        self.sim.sim_touch(service)
        return ActionResult({"task": views.task_view(service, task)})

    # Protection from scale-in and from rollouts (ECS developer guide, "Protect your Amazon ECS tasks from being terminated").

    def get_task_protection(self) -> ActionResult:
        cluster = self._asked("cluster")
        return self._protection(self._asked("tasks") or [t.arn for _, t in self.sim.sim_tasks(cluster) if t.alive])

    def update_task_protection(self) -> ActionResult:
        names = self._batch("tasks", _PROTECTED_AT_ONCE)
        asked = self._asked("expiresInMinutes")
        minutes = _PROTECTION_MINUTES if asked is None else int(asked)
        if not 1 <= minutes <= _PROTECTION_MOST_MINUTES:
            raise errors.invalid(f"expiresInMinutes must be between 1 and {_PROTECTION_MOST_MINUTES}.")
        until = WORLD.clock.now() + WORLD.clock.seconds(60.0 * minutes) if self._asked("protectionEnabled") else 0.0
        for name in names:
            found = self.sim.sim_task(self._asked("cluster"), name)
            if found is not None:
                found[1].protected_until = until
                self.sim.sim_touch(found[0])
        return self._protection(names)

    def _protection(self, names: list[str]) -> ActionResult:
        now, shown, failures = WORLD.clock.now(), [], []
        for name in names:
            found = self.sim.sim_task(self._asked("cluster"), name)
            if found is None or not found[1].alive:
                failures.append({"arn": found[1].arn if found else name, "reason": "TASK_NOT_VALID"})
                continue
            task = found[1]
            protected = task.protected_until > now
            expires = {"expirationDate": as_time(task.protected_until)} if protected else {}
            shown.append({"taskArn": task.arn, "protectionEnabled": protected, **expires})
        return ActionResult({"protectedTasks": shown, "failures": failures})
