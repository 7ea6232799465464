"""Updates of the informer change the snapshot, and a deletion ends it."""

from __future__ import annotations

import pytest

from ecs_release.cli.kubectl.status import snapshot
from ecs_release.cli.kubectl.status.informer import Update
from ecs_release.cli.kubectl.terminal.errors import NotFound
from tests.unit.cli.kubectl.objects import ROLLING, environment, member, release, release_set


def test_updates_change_the_snapshot() -> None:
    body = release_set(member("web"))
    selections = snapshot.selections(body)
    first = snapshot.Snapshot(body)
    child = release("web", readiness=ROLLING)
    second = snapshot.updated(first, Update(selections[1], {"web-staging": child}))
    third = snapshot.updated(second, Update(selections[2], {"staging": environment()}))
    assert (third.children, third.environment_body, third.body) == ({"web-staging": child}, environment(), body)
    connection_error = snapshot.updated(third, Update(selections[0], {}, connection_error="away"))
    assert (connection_error.connection_error, connection_error.children) == ("away", third.children)
    back = snapshot.updated(connection_error, Update(selections[0], {body["metadata"]["name"]: body}))
    assert back.connection_error == ""
    with pytest.raises(NotFound, match="releaseset/storefront-staging was deleted"):
        snapshot.updated(back, Update(selections[0], {}))
    again = {**body, "metadata": {**body["metadata"], "uid": "another"}}
    with pytest.raises(NotFound, match="created again"):
        snapshot.updated(back, Update(selections[0], {body["metadata"]["name"]: again}))
