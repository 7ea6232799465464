"""Metrics of the commits service, which is a process of its own."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.process_collector import ProcessCollector

CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4

_ANSWER_BUCKETS = (0.001, 0.002, 0.005, 0.01, 0.05, 0.25, 1, 5, 15, 60)
_FETCH_BUCKETS = (0.1, 0.5, 1, 5, 15, 60, 300, 900)


class CommitsMetrics:
    """Counters of answers and fetches, and gauges of the cache. Labels are bounded: questions, and reasons of Unknown."""

    def __init__(self, version: str, git_version: str) -> None:
        """Both versions are shown."""
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self._registry = registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        info = Gauge("ecs_release_commits_build_info", "1, with the service's version and git's.", ["version", "git"], registry=registry)
        info.labels(version, git_version).set(1)
        self._answers = Counter(
            "ecs_release_commits_answers",
            "Answers, by result: docs/reference/commits-service.md.",
            ["question", "result"],
            registry=registry,
        )
        self._answer_s = Histogram(
            "ecs_release_commits_answer_duration_seconds", "Duration of answers, waiting for fetches included.", ["question"],
            registry=registry, buckets=_ANSWER_BUCKETS,
        )  # fmt: skip
        self._fetches = Counter("ecs_release_commits_fetches", "Fetches: ok, or why not.", ["result"], registry=registry)
        self._fetch_s = Histogram(
            "ecs_release_commits_fetch_duration_seconds", "Duration of fetches.", registry=registry, buckets=_FETCH_BUCKETS
        )
        self._clones = Gauge("ecs_release_commits_clones", "Repositories in the cache.", registry=registry)
        self._bytes = Gauge("ecs_release_commits_cache_bytes", "Size of all clones.", registry=registry)
        self._pairs = Gauge("ecs_release_commits_pairs", "Answers about pairs of commits that are kept.", registry=registry)

    def answered(self, question: str, result: str, seconds: float) -> None:
        """Count an answer."""
        self._answers.labels(question, result).inc()
        self._answer_s.labels(question).observe(seconds)

    def fetched(self, result: str, seconds: float) -> None:
        """Count a fetch."""
        self._fetches.labels(result).inc()
        self._fetch_s.observe(seconds)

    def render(self, clones: int, size: int, pairs: int) -> bytes:
        """Render all metrics in Prometheus's text format."""
        self._clones.set(clones)
        self._bytes.set(size)
        self._pairs.set(pairs)
        return generate_latest(self._registry)
