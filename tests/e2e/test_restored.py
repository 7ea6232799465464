"""A cluster that lost everything and gets all manifests again causes no deployment (law 7)."""

from __future__ import annotations

import time

from tests.e2e.bed import ADMIN, ROOT, Place, running_bed


def test_a_restored_cluster_deploys_nothing() -> None:
    # Its service account is lost with all the rest.
    with running_bed(prepare=ADMIN) as bed:
        place = Place(bed)
        for service in ("hashed", "moving", "broken", "drifted"):
            place.service("v1", service)
        place.push("latest", service="moving", content="one")
        place.push("v2", service="hashed")
        place.push("crash.v2", "v2", service="broken")
        place.push("v2", service="drifted")
        place.push("v3", service="drifted")
        _apply_all(place)
        place.wait("Succeeded", "hashed")
        place.wait("Succeeded", "moving")
        place.wait("RolledBack", "broken")
        place.wait("Succeeded", "drifted")
        place.deploy("v3", "drifted")
        place.wait("Drifted", "drifted")
        for service in ("hashed", "moving", "broken", "drifted"):
            place.aws.wait_steady(service, cluster=place.name)
        place.push("latest", service="moving", content="two")
        deployed = len(place.updates())

        bed.cluster.wipe()
        bed.cluster.install_crds(ROOT / "crds")
        bed.cluster.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": place.name}})
        _apply_all(place)

        place.wait("Succeeded", "hashed")
        place.wait("ReappearedOlder", "moving")
        place.wait("RolledBack", "broken")
        place.wait("Superseded", "drifted")
        time.sleep(6)
        assert len(place.updates()) == deployed
        assert place.status("hashed")["history"][0]["cause"] == "Adopted"


def _apply_all(place: Place) -> None:
    place.environment()
    place.project("hashed", "moving", "broken", "drifted")
    place.release("v2", "hashed")
    place.release({"tag": "latest"}, "moving")
    place.release("v2", "broken")
    place.release("v2", "drifted")
