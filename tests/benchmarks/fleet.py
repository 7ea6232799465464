"""What it costs to watch 500 and 5,000 services truthfully: calls, memory, time to start, time to see."""

from __future__ import annotations

import json
import math
import os
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

from ecs_release.aws.sessions.pacing import CLUSTER_RESOURCE_READ, RATES, REGISTRY_READ, SERVICE_READ, TASK_DEFINITION_READ
from tests.aws_simulator.churn import churn
from tests.aws_simulator.client import image_name
from tests.benchmarks.decisions import decisions, decisions_alone
from tests.benchmarks.fleet_bed import ENVIRONMENTS, EVENTS, INTERVAL_S, NAMESPACE, REGISTRY, Fleet, fleet, until
from tests.benchmarks.results import Result
from tests.benchmarks.watched import Watched, watched
from tests.e2e.bed import GROUP, VERSION, condition

SIZES = (500, 5000)
STEADY_S = float(os.environ.get("BENCH_STEADY_SECONDS", "600"))
CHURN_S = 180.0
_SHARE = 0.5
_THREADS = 24
_SAMPLE = 20
"""A twentieth of the reads is made by themselves, and the time taken times so much: all would double the benchmark's time."""
_LINEAR = 1.05
"""What counts as linear: the costs are measured to a few per cent."""
_TICKS = os.sysconf("SC_CLK_TCK")


def measure() -> list[Result]:
    """Measure both sizes; the larger one against bounds, and how each cost grows."""
    found = {size: _measure(size) for size in SIZES}
    small, large = found[SIZES[0]], found[SIZES[-1]]
    times = SIZES[-1] / SIZES[0]
    costs = [name for name in large if name in small and small[name].value > 0 and name in _COSTS]
    growth = [
        Result(f"growth from {SIZES[0]} to {SIZES[-1]} Releases: {name}", large[name].value / small[name].value, "times", times, _LINEAR)
        for name in costs
    ]
    return [*small.values(), *large.values(), *growth]


READS, CPU, RSS, START, ADOPT = "service reads an interval", "steady CPU", "steady RSS", "restart until all are in the store", "cold start"
_COSTS = (READS, CPU, RSS, START, ADOPT)


def _measure(releases: int) -> dict[str, Result]:
    steady_s = STEADY_S if releases == SIZES[-1] else min(STEADY_S, 3 * INTERVAL_S)
    with fleet(releases) as bed:
        print(f"  {releases} Releases are there; the operator starts", flush=True)
        found = _cold_start(bed) | _steady(bed, steady_s) | _restart(bed)
        found |= decisions(bed, found) | _drift(bed) | _churn(bed)
    return {short: _named(result, releases) for short, result in found.items()}


def _named(result: Result, releases: int) -> Result:
    return Result(f"{releases} Releases: {result.name}", result.value, result.unit, result.floor, result.bound, result.n)


# Starting.


def _cold_start(bed: Fleet) -> dict[str, Result]:
    """Start with Releases that have no status: each is resolved, its service's past is looked at, and it is adopted."""
    alone_s = _reads_alone(bed)
    mark, begun = bed.aws.mark(), time.monotonic()
    bed.operator.start()
    until(lambda: _ready(bed) == bed.releases, "all to be adopted", 900, 1.0)
    taken = time.monotonic() - begun
    calls = {a: bed.aws.control("count-calls", action=a, since=mark)["count"] for a in ("DescribeServices", "ListTasks", "DescribeTasks")}
    pacing_s = _pacing_s(bed)
    print(f"  adopted after {taken:.1f} s; reads alone {alone_s:.1f} s, pacing {pacing_s:.1f} s; {calls}", flush=True)
    floor, bound = max(alone_s, pacing_s), 1.3 if bed.releases == SIZES[-1] else None
    return {
        ADOPT: Result("cold start until all are adopted, against the reads alone or what the pacing asks for", taken, "s", floor, bound)
    }


def _ready(bed: Fleet) -> int:
    """Count by the log: a scrape of all conditions once a second would be measured, too."""
    return bed.operator.log.read_text(errors="replace").count(" Succeeded: ")


def _reads_needed(bed: Fleet) -> dict[str, int]:
    """Count what an account's part of a cold start cannot do without, by row of the table."""
    services = bed.releases // ENVIRONMENTS
    pages = math.ceil(2 * services / 100)
    return {
        SERVICE_READ: math.ceil(services / 10),
        CLUSTER_RESOURCE_READ: 2 * pages,
        # What runs, and whether it was tried before.
        TASK_DEFINITION_READ: 2 * services,
        REGISTRY_READ: services,
    }


def _pacing_s(bed: Fleet) -> float:
    """Return the seconds that half of AWS's rates allow no less than: each Environment has an account of its own."""
    needed = _reads_needed(bed)
    return max(max(0.0, n - RATES[row].burst * _SHARE) / (RATES[row].per_s * _SHARE) for row, n in needed.items())


def _reads_alone(bed: Fleet) -> float:
    """Make a part of the same reads, as fast as they can be made, and return how long all would take."""
    names, registry = bed.names(), bed.aws.client("ecr", bed.account(0))
    clients = {n: bed.aws.client("ecs", bed.account(n)) for n in range(ENVIRONMENTS)}

    def about(at: tuple[int, str]) -> None:
        environment, name = at
        revision = f"main-{name}"
        registry.describe_images(registryId=REGISTRY, repositoryName=f"fleet/{name}", imageIds=[{"imageTag": "ref.v1"}])
        clients[environment].describe_task_definition(taskDefinition=revision, include=["TAGS"])
        clients[environment].list_task_definitions(familyPrefix=revision, sort="DESC", maxResults=10)

    def sweep(environment: int, first: int) -> None:
        clients[environment].describe_services(cluster="main", services=names[first : first + 10])

    each = [(e, n) for e in range(ENVIRONMENTS) for n in names][::_SAMPLE]
    batches = [(e, first) for e in range(ENVIRONMENTS) for first in range(0, len(names), 10)][::_SAMPLE]
    begun = time.monotonic()
    with ThreadPoolExecutor(_THREADS) as pool:
        list(pool.map(about, each))
        list(pool.map(lambda at: sweep(*at), batches))
    return (time.monotonic() - begun) * _SAMPLE


def _restart(bed: Fleet) -> dict[str, Result]:
    bed.operator.stop()
    alone = decisions_alone(bed)
    before = bed.statuses()
    bed.operator.log.write_text("")
    begun = time.monotonic()
    bed.operator.start()
    until(lambda: "watching " in bed.operator.tail(100_000), "the store to be full", 120, 0.02)
    taken = time.monotonic() - begun
    # Until every Release has had its first pass.
    until(lambda: bed.operator.metric("ecs_release_reconcile_duration_seconds_count", kind="Release") >= bed.releases, "passes", 600, 5.0)
    after = bed.statuses()
    written = sum(after[name]["version"] != before[name]["version"] for name in before)
    return alone | {
        START: Result("restart until all are in the store", taken, "s", bound=5),
        "restart writes": Result("status writes to Releases after a restart", written, "writes", bound=0),
    }


# At rest.


def _steady(bed: Fleet, seconds: float) -> dict[str, Result]:
    """Let nothing happen for a while."""
    time.sleep(INTERVAL_S)
    with ExitStack() as stack:
        releases = stack.enter_context(watched(bed.api, "releases", NAMESPACE))
        environments = stack.enter_context(watched(bed.api, "environments"))
        mark, cpu, begun = bed.aws.mark(), _cpu_s(bed), time.monotonic()
        time.sleep(seconds)
        taken = time.monotonic() - begun
        share = 100 * (_cpu_s(bed) - cpu) / taken
        reads = bed.aws.control("count-calls", action="DescribeServices", since=mark)["count"] * INTERVAL_S / taken
        others = {
            a: bed.aws.control("count-calls", action=a, since=mark)["count"]
            for a in ("ListTasks", "DescribeTasks", "ListTaskDefinitions", "DescribeTaskDefinition", "DescribeImages")
        }
        writes = sum(releases.writes.values())
        beats = max(environments.writes.values(), default=0) * 60 / taken
    print(
        f"  {taken:.0f} s at rest: {reads:.1f} service reads an interval, CPU {share:.1f} %, RSS {bed.operator.memory_mb():.0f} MB, {others}",
        flush=True,
    )
    least = ENVIRONMENTS * math.ceil(bed.releases / ENVIRONMENTS / 10)
    large = bed.releases == SIZES[-1]
    return {
        READS: Result(f"service reads in an interval of {INTERVAL_S} s", reads, "calls", least, 1.05),
        CPU: Result(f"steady CPU, {EVENTS} events a service", share, "% of a core", bound=15 if large else None),
        RSS: Result("RSS", bed.operator.memory_mb(), "MB", bound=160 if large else None),
        "writes": Result(f"status writes to Releases in {taken / 60:.0f} steady minutes", writes, "writes", bound=0),
        "beats": Result("status writes to an Environment, at most", beats, "a minute", bound=1.1),
    }


def _cpu_s(bed: Fleet) -> float:
    with open(f"/proc/{bed.operator.pid}/stat") as file:
        fields = file.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


# When something happens.


def _drift(bed: Fleet) -> dict[str, Result]:
    """Deploy by hand, with polling alone, then with an event queue."""
    large = bed.releases == SIZES[-1]
    with watched(bed.api, "releases", NAMESPACE) as seen:
        by_poll = max(_deploy(bed, seen, n, bed.names()[n]) for n in (1, 2, 3))
        _listen(bed, 0)
        time.sleep(INTERVAL_S / 10)
        by_event = max(_deploy(bed, seen, 0, name) for name in bed.names()[:3])
    return {
        "poll": Result("from a change by hand to Drifted, by polling", by_poll, "s", bound=INTERVAL_S if large else None, n=3),
        "event": Result("the same, by an event", by_event, "s", bound=2 if large else None, n=3),
    }


def _deploy(bed: Fleet, seen: Watched, environment: int, service: str) -> float:
    image = image_name(f"fleet/{service}", "ref.v2", account=REGISTRY)
    bed.aws.deploy(service, {"app": image}, cluster="main", account=bed.account(environment))
    begun = time.monotonic()
    name = f"e{environment}-{service}"
    return seen.until(name, lambda found: condition(found["status"], "Ready").get("reason") == "Drifted", 3 * INTERVAL_S) - begun


def _listen(bed: Fleet, environment: int) -> None:
    sqs, bridge = bed.aws.client("sqs", bed.account(environment)), bed.aws.client("events", bed.account(environment))
    url = sqs.create_queue(QueueName="events")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    bridge.put_rule(Name="events", EventPattern=json.dumps({"source": ["aws.ecs"]}))
    bridge.put_targets(Rule="events", Targets=[{"Id": "queue", "Arn": arn}])
    body = {"spec": {"observation": {"eventQueueURL": url}}}
    bed.api.patch_cluster_custom_object(GROUP, VERSION, "environments", f"e{environment}", body)


def _churn(bed: Fleet) -> dict[str, Result]:
    """Scale some services up and down, and lose tasks of theirs, all the time."""
    names = bed.names()[5:10]
    with ExitStack() as stack:
        for number, name in enumerate(names):
            stack.enter_context(churn(bed.aws, name, desired=(2, 3, 4), every_s=7, seed=number, cluster="main", account=bed.account(4)))
        seen = stack.enter_context(watched(bed.api, "releases", NAMESPACE))
        time.sleep(CHURN_S)
        most = max((seen.writes[f"e4-{name}"] for name in names), default=0) * 60 / CHURN_S
        churned = [found for name, (_, found) in seen.latest.items() if name in {f"e4-{n}" for n in names}]
        flaps = sum(condition(found["status"], "Ready")["status"] != "True" for found in churned)
    print(f"  under churn: {dict(seen.writes)}, not Ready {flaps}", flush=True)
    return {
        "churn": Result("status writes under autoscaling churn and Spot losses, at most, a minute and Release", most, "writes", bound=1.0)
    }
