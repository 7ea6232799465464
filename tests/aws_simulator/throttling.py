"""AWS's token buckets (Amazon ECS API reference, "Request throttling"), per account, region and row; off unless switched on."""

from __future__ import annotations

ROWS = {
    "service-read": (100, 20, ("DescribeServices", "ListServices")),
    "service-modify": (50, 5, ("CreateService", "UpdateService", "DeleteService")),
    "task-definition-modify": (20, 1, ("RegisterTaskDefinition", "DeregisterTaskDefinition")),
    "task-definition-read": (50, 20, ("DescribeTaskDefinition", "ListTaskDefinitions", "ListTaskDefinitionFamilies")),
    "service-deployment-read": (50, 20, ("ListServiceDeployments", "DescribeServiceDeployments")),
    "service-revision-read": (50, 20, ("DescribeServiceRevisions",)),
    "cluster-resource-read": (100, 20, ("DescribeTasks", "ListTasks")),
    "cluster-read": (50, 20, ("DescribeClusters", "ListClusters")),
}
_ROW_OF = {action: row for row, (_, _, actions) in ROWS.items() for action in actions}


class Throttling:
    """Token buckets."""

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
