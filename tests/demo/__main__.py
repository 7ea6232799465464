"""The demo: four steps, each of which must show what it says, else the exit code is 1."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Any

import yaml

from tests.aws_simulator.client import image_name
from tests.control_plane.build import BuildError
from tests.demo.bed import BAD, EXAMPLES, FIX, GOOD, LOG_ROUTER, PRODUCTION, STAGING, DemoBed, demo_bed

_STEP_DEADLINE_S = 40
_PAUSE_S = 0.3


class NotShown(Exception):
    """A step did not show what it should."""


class Demo:
    """Runs the steps and prints the table of Releases whenever it changes."""

    def __init__(self, bed: DemoBed) -> None:
        """The bed is ready, and nothing of the examples is applied."""
        self._bed = bed
        self._kubectl: Callable[..., str] = bed.cluster.kubectl
        self._shown = ""

    def run(self) -> None:
        """Run all steps. Raises NotShown."""
        self._adopt()
        self._release()
        self._roll_back()
        self._drift()
        self._fix()
        print("\n$ kubectl get environments")
        print(self._kubectl("get", "environments"))

    def _adopt(self) -> None:
        step(1, "Two accounts, three services. What runs already is adopted, nothing is deployed.")
        for name in ("environments", "project", "releases"):
            print(f"$ kubectl apply -f examples/shop/{name}.yaml")
            self._bed.cluster.apply(EXAMPLES / f"{name}.yaml")
        releases = ("web-staging", "checkout-staging", "search-staging", "web-production", "checkout-production")
        self._watch(lambda: all(self._ready(r) == ("True", "Succeeded") for r in releases), "all Releases to be Ready")
        self._check(not self._updates(), "nothing to be deployed")

    def _release(self) -> None:
        step(2, f"A release: web goes to {GOOD} in production. The log router beside its two containers is left alone.")
        self._apply("web-production", GOOD, "faster pages")
        self._watch(lambda: self._runs("web-production", GOOD), "web-production to run it")
        task = self._tasks("production-web", PRODUCTION)[0]
        self._check({c["name"] for c in task} == {"app", "proxy", "log-router"}, "three containers")
        self._check(next(c for c in task if c["name"] == "log-router")["image"] == LOG_ROUTER, "the log router's image to be as before")

    def _roll_back(self) -> None:
        step(3, f"A bad image: checkout {BAD} crashes. ECS rolls it back; the operator says so, and holds.")
        before = len(self._updates())
        self._apply("checkout-production", BAD, "new payment provider")
        self._watch(lambda: self._ready("checkout-production") == ("False", "RolledBack"), "checkout-production to be RolledBack")
        status = self._release_of("checkout-production")["status"]
        evidence = status["rollout"]["evidence"][0]
        print(f"\n  why:      {evidence['reason']} (container {evidence['container']}, exit code {evidence['exitCode']})")
        print(f"  log:      {evidence['logGroup']} {evidence['logStream']}")
        print(
            f"  history:  {status['history'][0]['hash']} {status['history'][0]['outcome']}, asked for by {status['history'][0]['requestedBy']}"
        )
        self._watch(lambda: False, "", seconds=4)
        self._check(self._ready("checkout-production") == ("False", "RolledBack"), "the failure to be held")
        self._check(len(self._updates()) == before + 1, "one deployment, not retried")

    def _drift(self) -> None:
        step(4, "Somebody deploys by hand: `aws ecs update-service` puts staging's search on another image. The table tells.")
        print("$ aws ecs update-service --cluster staging --service staging-search --task-definition staging-search:2")
        image = image_name("shop/search", f"ref.{GOOD}", account=STAGING)
        self._bed.aws.deploy("staging-search", {"app": image, "log-router": LOG_ROUTER}, cluster="staging", account=STAGING)
        self._watch(lambda: self._ready("search-staging") == ("False", "Drifted"), "search-staging to be Drifted")
        print(f"\n  {condition(self._release_of('search-staging'), 'Ready')['message']}")

    def _fix(self) -> None:
        step(5, f"The fix: checkout goes to {FIX}; and search is released as what was deployed by hand.")
        self._apply("checkout-production", FIX, "payment provider, mended")
        self._apply("search-staging", GOOD, "keep what was deployed by hand")
        done = lambda: self._runs("checkout-production", FIX) and self._runs("search-staging", GOOD)  # noqa: E731
        self._watch(done, "both to be Ready")
        history = self._release_of("checkout-production")["status"]["history"]
        self._check([h.get("outcome") for h in history] == ["Succeeded", "RolledBack", "Succeeded"], f"the whole history, not {history}")
        self._check(self._release_of("search-staging")["status"]["history"][0]["cause"] == "Adopted", "search to be adopted, not deployed")

    # What is used above.

    def _apply(self, name: str, release_hash: str, why: str) -> None:
        """Apply a Release as its example says, with another hash and reason."""
        documents = {d["metadata"]["name"]: d for d in yaml.safe_load_all((EXAMPLES / "releases.yaml").read_text())}
        release = documents[name]
        release["spec"] |= {"source": {"releaseHash": release_hash}, "change": {"description": why, "requestedBy": "ben"}}
        print(f"$ kubectl apply -f {name}.yaml   # source.releaseHash: {release_hash}")
        self._bed.cluster.apply(release)

    def _watch(self, done: Callable[[], bool], what: str, seconds: float = _STEP_DEADLINE_S) -> None:
        """Print the table whenever it changes, until something is so. Raises NotShown where it does not become so in time."""
        end = time.monotonic() + seconds
        while not done():
            self._show()
            if time.monotonic() > end:
                if not what:
                    return
                raise NotShown(
                    f"waited {seconds:.0f} s for {what}\n{self._kubectl('get', 'releases', '-A', '-o', 'wide')}\n{self._bed.operator.tail()}"
                )
            time.sleep(_PAUSE_S)
        self._show()

    def _show(self) -> None:
        table = self._kubectl("get", "releases", "-A")
        # AGE alone is no news.
        key = "\n".join(" ".join(line.split()[:-1]) for line in table.splitlines())
        if key != self._shown:
            self._shown = key
            print("\n$ kubectl get releases -A\n" + table.rstrip(), flush=True)

    @staticmethod
    def _check(holds: bool, what: str) -> None:
        if not holds:
            raise NotShown(f"expected {what}")

    def _release_of(self, name: str) -> dict[str, Any]:
        return dict(self._bed.cluster.get("release", name, "-n", "shop"))

    def _ready(self, name: str) -> tuple[str, str]:
        release = self._release_of(name)
        ready = condition(release, "Ready")
        if release.get("status", {}).get("observedGeneration") != release["metadata"]["generation"]:
            return "", ""
        return ready.get("status", ""), ready.get("reason", "")

    def _runs(self, name: str, release_hash: str) -> bool:
        return self._ready(name)[0] == "True" and self._release_of(name)["status"]["running"]["hash"] == release_hash

    def _updates(self) -> list[dict[str, Any]]:
        return [c for c in self._bed.aws.calls(action="UpdateService") if not c["error"]]

    def _tasks(self, service: str, account: str) -> list[list[dict[str, Any]]]:
        ecs = self._bed.aws.client("ecs", account)
        arns = ecs.list_tasks(cluster="production", serviceName=service)["taskArns"]
        return [t["containers"] for t in ecs.describe_tasks(cluster="production", tasks=arns)["tasks"]]


def condition(release: dict[str, Any], kind: str) -> dict[str, Any]:
    """Return a condition; an empty one where there is none."""
    return next((dict(c) for c in release.get("status", {}).get("conditions") or () if c["type"] == kind), {})


def step(number: int, text: str) -> None:
    """Announce a step."""
    print(f"\n── {number}. {text}\n", flush=True)


def main() -> int:
    """Run the demo."""
    begun = time.monotonic()
    try:
        print("Starting a Kubernetes API server, a simulated AWS with two accounts, and the operator ...", flush=True)
        with demo_bed() as bed:
            Demo(bed).run()
    except NotShown as error:
        print(f"\ndemo: FAILED: {error}", file=sys.stderr)
        return 1
    except BuildError as error:
        print(f"demo: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    print(f"demo: every step showed what it should; all stopped again, after {time.monotonic() - begun:.0f} s.")
    print("Next: `make playground` leaves the same running for you; docs/ says how to use it with AWS.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
