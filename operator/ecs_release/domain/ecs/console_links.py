"""Links to AWS's console."""

from __future__ import annotations

from urllib.parse import quote

from ecs_release.domain.ecs.service import ServiceKey


def _console(region: str) -> str:
    """Return the console's address in the partition of a region."""
    if region.startswith("cn-"):
        return f"https://{region}.console.amazonaws.cn"
    if region.startswith("us-gov-"):
        return f"https://{region}.console.amazonaws-us-gov.com"
    return f"https://{region}.console.aws.amazon.com"


def _service(key: ServiceKey) -> str:
    return f"{_console(key.region)}/ecs/v2/clusters/{quote(key.cluster)}/services/{quote(key.service)}"


def service_links(key: ServiceKey) -> dict[str, str]:
    """Return the pages of a service: its deployments and its events."""
    region = f"?region={key.region}"
    return {"service": f"{_service(key)}/deployments{region}", "events": f"{_service(key)}/events{region}"}


def task_link(key: ServiceKey, task_arn: str) -> str:
    """Return the page of a task."""
    task = task_arn.rpartition("/")[2]
    return f"{_console(key.region)}/ecs/v2/clusters/{quote(key.cluster)}/tasks/{task}?region={key.region}"


def log_stream_link(region: str, group: str, stream: str) -> str:
    """Return the page of a log stream. CloudWatch's console writes a slash as $252F."""

    def escape(text: str) -> str:
        return quote(quote(text, safe=""), safe="").replace("%", "$")

    return f"{_console(region)}/cloudwatch/home?region={region}#logsV2:log-groups/log-group/{escape(group)}/log-events/{escape(stream)}"
