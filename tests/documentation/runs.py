"""Which pages' commands run where. A block of commands runs, or says why it does not (`<!-- no-run: why -->`)."""

from __future__ import annotations

TUTORIAL = "tutorial.md"
ON_THE_SHOP = (
    "how-to/onboard.md",
    "how-to/freeze.md",
    "how-to/break-glass.md",  # Opens the window that freeze.md has closed.
    "how-to/deploy-with-the-operator-down.md",
    "how-to/roll-back.md",
    "how-to/promote.md",
    "how-to/overdue.md",
    "how-to/operate.md",
    "how-to/install.md",
    "how-to/runbook.md",
)
"""How-tos whose blocks run, top to bottom, on the playground's services: tests/e2e/test_documentation.py. In this order."""
FRESH = ("how-to/release-a-set.md", "how-to/restore-a-cluster.md")
"""The same, but each begins with nothing applied but Environments and the Project: what runs is adopted."""

NOT_RUN = {
    "the names of groups are your identity provider's": 1,
    "needs a Slack app of yours": 1,
    "needs an App of your own": 1,
    "needs an application at your identity provider": 2,
    "it runs until it is stopped": 1,
    "NAME is yours": 1,
    "it would end a playground of yours": 1,
    "needs Argo CD; tests/unit/test_argo_cd.py runs what it holds": 1,
    "needs a cluster with nodes: `make test-kind` installs the chart there, tests/chart on the test control plane": 1,
    "needs a git host; tests/e2e/test_commits.py tries the rules of this page with one of its own": 2,
    "needs a clone of yours; tests/e2e/test_where.py runs it, on clusters and clones of its own": 2,
    "needs a service with a pause hook; tests/e2e/test_hooks.py has some": 2,
    "needs an image that was published, and GitHub": 1,
    "needs the AWS CLI and AWS itself": 3,
    "needs the AWS CLI, docker and AWS itself": 1,
    "of a repository of manifests; promote.md runs the same on one file": 1,
    "policies hold for the whole cluster; tests/e2e/test_who.py has a bed of its own where they are in force": 1,
    "storage.yaml is what the import above has written": 1,
    "tests/chart/test_new_user.py runs it, as people with tokens of their own": 6,
    "tests/e2e/test_import.py imports manifests of weco-deploy, on clusters of its own": 1,
    "tests/e2e/test_import.py runs it, on clusters of its own": 2,
    "tests/e2e/test_publish.py runs it, on images and in git repositories of its own": 1,
    "the bed has no Deployment of the operator, which would have to stop for all tests": 2,
    "the test's bed is there already, and playground-down would end one of yours": 1,
}
"""Why blocks are not run, as pages say it, and how many: a new reason is to be thought about."""
