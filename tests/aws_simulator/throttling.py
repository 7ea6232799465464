"""AWS's token buckets, per account, region and row of its tables; off unless switched on.

Amazon ECS API reference, "Request throttling for the Amazon ECS API"; Amazon ECR user guide, "Amazon ECR service quotas".
"""

from __future__ import annotations

ROWS = {
    "service-read": (100, 20, ("DescribeServices", "ListServices")),
    "service-modify": (50, 5, ("CreateService", "UpdateService", "DeleteService")),
    "task-definition-modify": (20, 1, ("RegisterTaskDefinition", "DeregisterTaskDefinition")),
    "task-definition-read": (50, 20, ("DescribeTaskDefinition", "ListTaskDefinitions", "ListTaskDefinitionFamilies")),
    "task-definition-deletion": (5, 1, ("DeleteTaskDefinitions",)),
    "service-deployment-read": (50, 20, ("ListServiceDeployments", "DescribeServiceDeployments")),
    "service-revision-read": (50, 20, ("DescribeServiceRevisions",)),
    "cluster-resource-read": (100, 20, ("DescribeTasks", "ListTasks", "GetTaskProtection")),
    "cluster-resource-modify": (100, 40, ("RunTask", "StopTask", "UpdateTaskProtection")),
    "cluster-read": (50, 20, ("DescribeClusters", "ListClusters")),
    "image-put": (10, 10, ("PutImage",)),
    "image-read": (2000, 2000, ("BatchGetImage",)),
}
"""Burst, tokens a second, actions. Tag actions are left out: ECS and ECR have them under the same names."""
_ROW_OF = {action: row for row, (_, _, actions) in ROWS.items() for action in actions}


class Throttling:
    """Token buckets, in real time whatever the scale."""

    def __init__(self) -> None:
        """Nothing is throttled before `enabled` is set."""
        self.enabled = False
        self._buckets: dict[tuple[str, str, str], tuple[float, float]] = {}

    def admits(self, account: str, region: str, action: str, now: float) -> bool:
        """Take a token. False where there is none."""
        row = _ROW_OF.get(action)
        if not self.enabled or row is None:
            return True
        burst, per_s, _ = ROWS[row]
        tokens, at = self._buckets.get((account, region, row), (float(burst), now))
        tokens = min(burst, tokens + (now - at) * per_s)
        admitted = tokens >= 1
        self._buckets[account, region, row] = (tokens - admitted, now)
        return admitted
