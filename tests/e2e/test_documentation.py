"""The tutorial's and how-tos' commands run as they stand there, in order, on the playground's services."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.demo.bed import EXAMPLES, seed
from tests.documentation import picture
from tests.documentation.blocks import commands
from tests.documentation.runs import FRESH, ON_THE_SHOP, TUTORIAL
from tests.documentation.shell import Shell
from tests.e2e.bed import Bed
from tests.kind.steps import INSTALLED
from tests.playground.__main__ import variables

pytestmark = pytest.mark.skipif(INSTALLED in os.environ, reason="the pages speak of a playground")


@pytest.fixture(scope="module")
def shop(bed: Bed, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shell]:
    """A clone, and the services of the playground, with nothing applied. KUBECONFIG is a copy: `kubectl config` changes it."""
    bed.cluster.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}})
    seed(bed.aws)
    folder = tmp_path_factory.mktemp("clone")
    kubeconfig = Path(shutil.copy(bed.cluster.kubeconfig, tmp_path_factory.mktemp("kube") / "config"))
    yield Shell(folder, variables(str(kubeconfig), bed.aws.endpoint))
    bed.cluster.kubectl("delete", "releasesets,releases,projects", "--all", "--namespace=shop", "--ignore-not-found")
    bed.cluster.kubectl("delete", "environments", "staging", "production", "--ignore-not-found")
    # Of how-to/install.md.
    bed.cluster.kubectl("delete", "clusterrolebindings", "release-managers", "platform", "--ignore-not-found")
    bed.cluster.kubectl("delete", "rolebindings", "on-call", "--namespace=shop", "--ignore-not-found")


def follow(shell: Shell, page: str) -> None:
    """Run a page from top to bottom."""
    for block in commands(page):
        if not block.no_run:
            shell.run(block)


def test_the_tutorial(shop: Shell) -> None:
    follow(shop, TUTORIAL)


@pytest.mark.parametrize("page", ON_THE_SHOP)
def test_a_how_to(shop: Shell, page: str) -> None:
    """Each begins where the one before ended."""
    code, printed = shop.script(_AS_IT_WAS)
    assert code == 0, printed
    follow(shop, page)


@pytest.mark.parametrize("page", FRESH)
def test_a_how_to_that_begins_with_nothing(shop: Shell, page: str) -> None:
    code, printed = shop.script(_GONE + _AS_IT_WAS)
    assert code == 0, printed
    follow(shop, page)


def test_the_picture_shows_what_is_printed(shop: Shell) -> None:
    """The set of staging at bad0bad. Comes last: a Release that is made anew would recover what happened here, and hold it."""
    code, printed = shop.script(_BAD)
    assert code == 0, printed
    made = picture.words(picture.svg(picture.printed(shop.environment())))
    drawn = picture.words(picture.PICTURE.read_text())
    assert len(drawn) > 20
    # What the pages before have done shows here and there: in the ages of what ran, in who did it.
    gone, new = drawn - made, made - drawn
    assert len(gone | new) <= len(drawn) // 5, f"make it anew (python -m tests.documentation.picture): gone {gone}, new {new}"
    assert "http" not in re.sub(r'xmlns(:\w+)?="[^"]*"', "", picture.PICTURE.read_text()).replace("http://www.w3.org", "")


_SET = "kubectl patch releaseset storefront-staging --type=merge --patch"
_BAD = f"""
kubectl apply -f {EXAMPLES}/releasesets.yaml
kubectl wait releaseset/storefront-staging --for=condition=Ready --timeout=60s
{_SET} '{{"spec": {{"source": {{"releaseHash": "bad0bad"}}, "overrides": null, "change": {{"description": "new payment provider", "requestedBy": "ben"}}}}}}'
! kubectl ecs-release status releaseset/storefront-staging --watch --timeout 2m
"""
_GONE = """
. build/playground/env
kubectl delete releasesets --all --cascade=foreground --namespace=shop --timeout=60s
kubectl delete releases --all --namespace=shop --timeout=60s
"""
_AS_IT_WAS = f"""
. build/playground/env
kubectl config set-context --current --namespace=shop
kubectl apply --force-conflicts --server-side -f {EXAMPLES}/environments.yaml -f {EXAMPLES}/project.yaml
"""
