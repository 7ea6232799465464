"""The demo: eight steps, each of which must show what it says, else the exit code is 1."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from typing import Any

import yaml

from tests.aws_simulator.client import image_name
from tests.board_process import BoardProcess
from tests.control_plane.build import BuildError
from tests.demo.bed import BAD, EXAMPLES, FIX, GOOD, LOG_ROUTER, STAGING, DemoBed, demo_bed
from tests.demo.commits import PULLS, DemoCommits, demo_commits

_STEP_DEADLINE_S = 40
_PAUSE_S = 0.3
STAGING_SET, PRODUCTION_SET = "storefront-staging", "storefront-production"


class NotShown(Exception):
    """A step did not show what it should."""


class Demo:
    """Runs the steps and prints sets and Releases whenever they change."""

    def __init__(self, bed: DemoBed, commits: DemoCommits | None) -> None:
        """The bed is ready, and nothing of the examples is applied. Without commits the last step is left out."""
        self._bed = bed
        self._commits = commits
        self._kubectl: Callable[..., str] = bed.cluster.kubectl
        self._shown: dict[str, list[str]] = {}
        self._comments: dict[int, str] = {}

    def run(self) -> None:
        """Run all steps. Raises NotShown."""
        self.run_until_halted()
        self._roll_back()
        self._drift()
        self._fix()
        if self._commits is not None:
            self._race(self._commits)
        else:
            print("\n── 8. Left out: the race of builds needs git 2.39 or newer, with git-http-backend.")
        print("\n$ kubectl get environments")
        print(self._kubectl("get", "environments"))

    def run_until_halted(self) -> None:
        """Run the first four steps: after them something is as it should be, and something is not. Raises NotShown."""
        self._adopt()
        self._release()
        self._promote()
        self._halt()

    def _adopt(self) -> None:
        step(1, "Two accounts, four services in each. What runs already is adopted, nothing is deployed.")
        for name in ("environments", "project", "releasesets", "releases"):
            print(f"$ kubectl apply -f examples/shop/{name}.yaml")
            self._bed.cluster.apply(EXAMPLES / f"{name}.yaml")
        print("$ kubectl get releasesets,releases -A --watch")
        self._watch(lambda: all(self._is_ready("releaseset", s) for s in (STAGING_SET, PRODUCTION_SET)), "both sets to be Ready")
        self._watch(lambda: all(self._is_ready("release", f"reports-{e}") for e in ("staging", "production")), "reports to be Ready")
        self._check(not self._updates(), "nothing to be deployed")

    def _release(self) -> None:
        step(2, f"A set goes out: {GOOD} in staging, in three waves. The log router beside web's two containers is left alone.")
        self._apply(STAGING_SET, {"releaseHash": GOOD}, "faster pages")
        self._watch(lambda: self._is_ready("releaseset", STAGING_SET), "the set to be Ready")
        order = [c["parameters"]["service"] for c in self._updates()]
        self._check(order == ["staging-search", "staging-checkout", "staging-web"], f"the order of the waves, not {order}")
        task = self._tasks("staging-web", STAGING)[0]
        self._check({c["name"] for c in task} == {"app", "proxy", "log-router"}, "three containers")
        self._check(next(c for c in task if c["name"] == "log-router")["image"] == LOG_ROUTER, "the log router's image to be as before")

    def _promote(self) -> None:
        step(3, "Promotion: production gets, by digest, what is proven to run in staging.")
        self._apply(PRODUCTION_SET, {"environmentRef": {"name": "staging"}}, "faster pages")
        self._watch(lambda: self._is_ready("releaseset", PRODUCTION_SET), "the set to be Ready")
        self._check(self._hashes("production") == {GOOD}, "production to run it")

    def _halt(self) -> None:
        step(4, f"A halt: checkout {BAD} crashes in staging. ECS rolls it back; the set starts nothing further, and says why.")
        self._apply(STAGING_SET, {"releaseHash": BAD}, "new payment provider")
        self._watch(lambda: self._ready("releaseset", STAGING_SET)[1] == "RolledBack", "the set to halt")
        self._watch(lambda: self._outcome(STAGING_SET) == "Failed", "its outcome")
        self._check(self._hash_of("web", "staging") == GOOD, "web not to have started")
        evidence = self._child("checkout", "staging")["status"]["rollout"]["evidence"][0]
        print(f"\n  summary:  {self._set(STAGING_SET)['status']['summary']['progress']}")
        print(f"  why:      {evidence['reason']} (container {evidence['container']}, exit code {evidence['exitCode']})")
        print(f"  log:      {evidence['logGroup']} {evidence['logStream']}")
        self._watch(lambda: False, "", seconds=3)
        self._check(self._ready("releaseset", STAGING_SET)[1] == "RolledBack", "the failure to be held")

    def _roll_back(self) -> None:
        step(5, f"A rollback: the same {BAD} in production, where onFailure is RollBack. What moved goes back, last wave first.")
        self._apply(PRODUCTION_SET, {"releaseHash": BAD}, "new payment provider")
        self._watch(lambda: self._outcome(PRODUCTION_SET) == "RolledBack", "the set to be rolled back")
        self._watch(lambda: self._hashes("production") == {GOOD}, "everything to run what ran before")
        for entry in self._set(PRODUCTION_SET)["status"]["history"][:2]:
            print(f"  history:  {entry['hash']} {entry['cause']}: {entry['outcome']}, {entry['message'][:100]}")

    def _drift(self) -> None:
        step(6, "Somebody deploys by hand: `aws ecs update-service` puts staging's reports on another image. The table tells.")
        print("$ aws ecs update-service --cluster staging --service staging-reports --task-definition staging-reports:2")
        image = image_name("shop/reports", f"ref.{GOOD}", account=STAGING)
        self._bed.aws.deploy("staging-reports", {"app": image, "log-router": LOG_ROUTER}, cluster="staging", account=STAGING)
        self._watch(lambda: self._ready("release", "reports-staging") == ("False", "Drifted"), "reports-staging to be Drifted")
        print(f"\n  {condition(self._get('release', 'reports-staging'), 'Ready')['message']}")

    def _fix(self) -> None:
        step(7, f"The fix: {FIX} goes to staging, and from there to production.")
        self._apply(STAGING_SET, {"releaseHash": FIX}, "payment provider, mended")
        self._watch(lambda: self._is_ready("releaseset", STAGING_SET), "staging to be Ready")
        if self._commits is not None:
            # What the race begins from: meanwhile it goes out.
            self._release_reports(self._commits.line[0], "build-0")
        self._apply(PRODUCTION_SET, {"environmentRef": {"name": "staging"}}, "payment provider, mended")
        self._watch(lambda: self._is_ready("releaseset", PRODUCTION_SET), "production to be Ready")
        self._check(self._hashes("staging") == self._hashes("production") == {FIX}, "both to run the fix")
        outcomes = [(h["cause"], h["outcome"]) for h in self._set(PRODUCTION_SET)["status"]["history"]]
        wanted = [("Requested", "Succeeded"), ("Rollback", "RolledBack"), ("Requested", "Failed"), *[("Requested", "Succeeded")] * 2]
        self._check(outcomes == wanted, f"the whole history, not {outcomes}")

    def _race(self, commits: DemoCommits) -> None:
        zero, one, two = commits.line
        step(8, f"The race of builds: commit {one} is older than {two}, and its build ends last. Production stays on {two}.")
        self._watch(lambda: self._get("release", "reports-production")["status"]["running"]["hash"] == zero, f"{zero} to run before")
        self._patch("project", "shop", {"git": {"url": commits.url, "branch": "main"}})
        shown = {"credentials": "shop", "repositories": [{"namespaces": ["shop"], "repositories": ["shop/*"]}]}
        shown["pullRequests"] = {"label": "live: {environment}"}
        self._patch("environment", "production", {"commits": {"backwards": "Hold"}, "notify": {"github": shown}})
        self._watch(lambda: "githubSinceTime" in self._get("environment", "production")["status"], "pull requests to be told")
        self._release_reports(two, "build-2", "slow")
        self._watch(lambda: self._ready("release", "reports-production")[1] == "RollingOut", f"{two} to roll out")
        self._release_reports(one, "build-1")
        self._watch(lambda: self._ready("release", "reports-production")[1] == "GoesBackwards", f"{one} to wait")
        print(f"\n  {condition(self._get('release', 'reports-production'), 'Ready')['message']}")
        self._watch(
            lambda: condition(self._get("release", "reports-production"), "Stalled").get("status") == "True", f"{two} to be through"
        )
        found = self._get("release", "reports-production")
        print(f"\n  {condition(found, 'Ready')['message']}")
        self._check(found["status"]["running"]["hash"] == two, f"production to run {two}")
        self._check(f"is 1 commit behind {two}" in condition(found, "Ready")["message"], f"to be told why {one} waits")
        latest = found["status"]["history"][0]
        self._check((latest["hash"], latest["outcome"]) == (two, "Succeeded"), f"{two} to have gone out, and nothing since")
        told = ("**Live** in `production`", "Label: live: production")
        self._watch(
            lambda: [n for n, text in commits.comments().items() if all(t in text for t in told)] == list(PULLS),
            f"both pull requests that {two} brings to be told",
        )

    # What is used above.

    def _release_reports(self, commit: str, build: str, *tags: str) -> None:
        """Push an image, and ask production for it."""
        self._bed.aws.push_image("shop/reports", [*tags, f"ref.{commit}"], account=STAGING)
        self._patch("release", "reports-production", {"source": {"releaseHash": commit}}, manager=build)

    def _patch(self, kind: str, name: str, spec: dict[str, Any], manager: str = "") -> None:
        """Change fields of an object's spec, as a build does by a field manager of its own."""
        flags = [f"--field-manager={manager}"] if manager else []
        patch = json.dumps({"spec": spec})
        print(f"$ kubectl patch {kind} {name} --namespace shop --type=merge --patch '{patch}' {' '.join(flags)}".rstrip())
        self._kubectl("patch", kind, name, "--namespace", "shop", "--type=merge", "--patch", patch, *flags)

    def _apply(self, name: str, source: dict[str, Any], why: str) -> None:
        """Apply a ReleaseSet as its example says, with another source and reason."""
        documents = {d["metadata"]["name"]: d for d in yaml.safe_load_all((EXAMPLES / "releasesets.yaml").read_text())}
        release_set = documents[name]
        release_set["spec"] |= {"source": source, "change": {"description": why, "requestedBy": "ben"}}
        release_set["spec"].pop("overrides", None)
        print(f"$ kubectl apply -f {name}.yaml   # source: {json.dumps(source)}")
        self._bed.cluster.apply(release_set)

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
        """Print the rows that are new or changed, as `kubectl get --watch` does."""
        for kind in ("releasesets", "releases"):
            header, *rows = self._kubectl("get", kind, "-A").rstrip().splitlines()
            news = []
            for row in rows:
                # AGE alone is no news.
                *cells, _ = row.split()
                if self._shown.get(cells[1]) != cells:
                    self._shown[cells[1]] = cells
                    news.append(row)
            if news:
                print("\n" + "\n".join([header, *news]), flush=True)
        for number, text in (self._commits.comments() if self._commits is not None else {}).items():
            if self._comments.get(number) != text:
                self._comments[number] = text
                print(f"\nThe comment on pull request #{number}:\n" + "\n".join(f"  {line}" for line in text.splitlines()), flush=True)

    @staticmethod
    def _check(holds: bool, what: str) -> None:
        if not holds:
            raise NotShown(f"expected {what}")

    def _get(self, kind: str, name: str) -> dict[str, Any]:
        return dict(self._bed.cluster.get(kind, name, "-n", "shop"))

    def _set(self, name: str) -> dict[str, Any]:
        return self._get("releaseset", name)

    def _child(self, service: str, environment: str) -> dict[str, Any]:
        labels = f"ecs-release.dev/service={service},ecs-release.dev/environment={environment}"
        return dict(self._bed.cluster.get("releases", "-n", "shop", "-l", labels)["items"][0])

    def _ready(self, kind: str, name: str) -> tuple[str, str]:
        found = self._get(kind, name)
        ready = condition(found, "Ready")
        if found.get("status", {}).get("observedGeneration") != found["metadata"]["generation"]:
            return "", ""
        return ready.get("status", ""), ready.get("reason", "")

    def _is_ready(self, kind: str, name: str) -> bool:
        return self._ready(kind, name) == ("True", "Succeeded")

    def _outcome(self, name: str) -> str:
        return str((self._set(name)["status"].get("history") or [{}])[0].get("outcome", ""))

    def _hash_of(self, service: str, environment: str) -> str:
        return str(self._child(service, environment)["status"]["running"]["hash"])

    def _hashes(self, environment: str) -> set[str]:
        return {self._hash_of(s, environment) for s in ("web", "checkout", "search")}

    def _updates(self) -> list[dict[str, Any]]:
        return [c for c in self._bed.aws.calls(action="UpdateService") if not c["error"]]

    def _tasks(self, service: str, account: str) -> list[list[dict[str, Any]]]:
        ecs = self._bed.aws.client("ecs", account)
        arns = ecs.list_tasks(cluster="staging", serviceName=service)["taskArns"]
        return [t["containers"] for t in ecs.describe_tasks(cluster="staging", tasks=arns)["tasks"]]


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
        print("Starting a Kubernetes API server, a simulated AWS with two accounts, the operator, and the board ...", flush=True)
        with (
            demo_commits() as commits,
            demo_bed(settings=commits.settings if commits is not None else None) as bed,
            BoardProcess(bed.cluster.kubeconfig) as board,
        ):
            print(f"The board shows all that follows, until the demo has ended: {board.address}", flush=True)
            Demo(bed, commits).run()
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
