"""What comes of a `.wellcome_project` manifest: valid objects, whatever it holds, and no name twice."""

from __future__ import annotations

import json
from typing import Any

import yaml
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from ecs_release.cli.kubectl.importing.weco_manifest import Unreadable
from ecs_release.cli.kubectl.manifests.yaml_text import dump_documents, load_documents
from tests.unit.cli.kubectl.importing.conversion import check, converted, of_kind, services

SHELF = """
# A comment.
shelf:
  name: Shelf
  role_arn: arn:aws:iam::012345678901:role/shelf-ci
  account_id: 012345678901
  aws_region_name: eu-west-2
  github_repository: example/shelf
  tf_stack_root: terraform/stack
  environments:
    - id: stage
      name: Staging
    - id: 2022-10-03
      name: Third of October
    - id: v1RC
  image_repositories:
    - id: lender
      services:
        - id: lender-in
        - id: lender-out
    - id: desk_api
      services: [desk]
    - id: desk_proxy
      services:
        - desk
    - id: catalogue
      service:
        - id: catalogue
    - id: unused
"""


def test_services_have_all_images_that_feed_them() -> None:
    found, notes = converted(SHELF)
    assert {n: [(c["name"], c["repository"]) for c in s["containers"]] for n, s in services(found).items()} == {
        "lender-in": [("lender", "uk.ac.wellcome/lender")],
        "lender-out": [("lender", "uk.ac.wellcome/lender")],
        "desk": [("desk_api", "uk.ac.wellcome/desk_api"), ("desk_proxy", "uk.ac.wellcome/desk_proxy")],
        "catalogue": [("catalogue", "uk.ac.wellcome/catalogue")],
    }
    assert any("unused feeds no service" in n for n in notes)
    assert any("`service:`" in n for n in notes)
    assert any("tf_stack_root has no counterpart" in n for n in notes)


def test_strings_stay_strings() -> None:
    """2022-10-03 is no date, 012345678901 no octal number, v1RC is not cut."""
    found, _ = converted(SHELF)
    environments = of_kind(found, "Environment")
    assert [(e["metadata"]["name"], e["spec"]["displayName"], e["spec"]["target"]["cluster"]) for e in environments] == [
        ("shelf-stage", "Staging", "stage"),
        ("shelf-2022-10-03", "Third of October", "2022-10-03"),
        ("shelf-v1rc", "v1RC", "v1RC"),
    ]
    assert {e["spec"]["aws"]["accountID"] for e in environments} == {"012345678901"}
    assert {e["spec"]["aws"]["region"] for e in environments} == {"eu-west-2"}
    assert {e["spec"]["mode"] for e in environments} == {"Observe"}
    assert [tuple(e["spec"]["artifacts"]["tagFormats"]) for e in environments] == [("ref.{releaseHash}", "{releaseHash}")] * 3
    assert load_documents(dump_documents(found)) == found
    # A reader that knows dates and numbers must not see any, either.
    assert list(yaml.safe_load_all(dump_documents(found))) == found


def test_environments_may_be_absent() -> None:
    found, notes = converted("shelf: {image_repositories: [{id: web, services: [web]}]}", account_id="111122223333")
    assert [d["kind"] for d in found] == ["Project"] and any("has no environments" in n for n in notes)


def test_without_an_account_no_environment_is_made() -> None:
    found, notes = converted("shelf: {environments: [stage], image_repositories: [{id: web, services: [web]}]}")
    assert [d["kind"] for d in found] == ["Project"] and any("--account-id" in n for n in notes)


def test_many_environments_by_date_are_all_there() -> None:
    dates = "\n".join(f"    - id: 2022-{m:02d}-{d:02d}" for m in range(1, 3) for d in range(1, 30))
    text = f"pipe:\n  role_arn: arn:aws:iam::111122223333:role/ci\n  environments:\n{dates}\n"
    found, _ = converted(text + "  image_repositories: [{id: web, services: [web]}]")
    names = [e["metadata"]["name"] for e in of_kind(found, "Environment")]
    assert len(names) == 58 == len(set(names)) and "pipe-2022-02-29" in names


def test_environments_that_would_share_a_name_do_not() -> None:
    found, _ = converted(
        "shelf: {account_id: '111122223333', environments: [v1RC, v1rc, v1_rc], image_repositories: [{id: a, services: [a]}]}"
    )
    names = [e["metadata"]["name"] for e in of_kind(found, "Environment")]
    assert len(set(names)) == 3 and names[0] == "shelf-v1rc"


def test_services_with_roles_of_their_own_get_environments_for_them() -> None:
    text = """
shelf:
  role_arn: arn:aws:iam::111122223333:role/ci
  environments: [stage]
  image_repositories:
    - id: a
      services: [{id: a}, {id: b, role_arn: "arn:aws:iam::444455556666:role/other"}]
"""
    found, notes = converted(text)
    project = of_kind(found, "Project")[0]
    assert [(s["name"], [m["name"] for m in s["services"]]) for s in project["spec"]["serviceSets"]] == [
        ("shelf", ["a"]),
        ("shelf-444455556666", ["b"]),
    ]
    assert [(e["metadata"]["name"], e["spec"]["aws"]["accountID"]) for e in of_kind(found, "Environment")] == [
        ("shelf-stage", "111122223333"),
        ("shelf-stage-444455556666", "444455556666"),
    ]
    assert any("roles of their own" in n for n in notes)


def test_roles_of_one_account_get_environments_of_their_own() -> None:
    """Two Environments of one name are one: the later would be applied over the earlier, with its role and what it allows."""
    role = "arn:aws:iam::444455556666:role"
    fed = [
        {"id": "a"},
        {"id": "b", "role_arn": f"{role}/x"},
        {"id": "c", "role_arn": f"{role}/y"},
        {"id": "d", "role_arn": f"{role}/path/y"},
    ]
    text = json.dumps({"shelf": {"environments": ["stage"], "image_repositories": [{"id": "im", "services": fed}]}})
    targets = {(service, "stage"): ("", f"{service}-service") for service in "bcd"}
    found, _ = converted(text, account_id="111122223333", targets=targets)
    check(found)
    environments = {e["spec"]["aws"].get("roleARN"): e for e in of_kind(found, "Environment")}
    names = {role: e["metadata"]["name"] for role, e in environments.items()}
    assert [names[None], names[f"{role}/x"], names[f"{role}/y"]] == [
        "shelf-stage",
        "shelf-stage-444455556666",
        "shelf-stage-444455556666-y",
    ]
    assert len(set(names.values())) == 4
    assert environments[f"{role}/x"]["spec"]["target"]["allowed"] == [
        {"namespaces": ["shelf"], "clusters": ["stage"], "serviceNames": ["b-service"]}
    ]


def test_things_that_would_share_a_name_do_not() -> None:
    """Of two projects in one namespace, and of two environments whose names are put together to the same text."""
    images = [{"id": "im", "services": ["a"]}]
    text = json.dumps(
        {
            "a-x": {"environments": ["b"], "image_repositories": images},
            "a": {"environments": ["x-b"], "image_repositories": images},
            "A": {"environments": ["c"], "image_repositories": images},
        }
    )
    found, _ = converted(text, account_id="111122223333", namespace="shop")
    check(found)
    assert len(of_kind(found, "Project")) == len(of_kind(found, "Environment")) == 3


def test_environments_are_named_as_asked_for() -> None:
    """Teams whose manifests have the same ids share a cluster: the account tells their Environments apart."""
    text = "shelf: {environments: [stage], image_repositories: [{id: im, services: [a]}]}"
    names = [
        of_kind(converted(text, account_id=a, environment="{project}-{environment}-{account}")[0], "Environment")[0]["metadata"]["name"]
        for a in ("111122223333", "444455556666")
    ]
    assert names == ["shelf-stage-111122223333", "shelf-stage-444455556666"]


def test_a_project_names_no_target_that_an_environment_cannot_allow() -> None:
    services = [f"s{n}" for n in range(60)]
    text = json.dumps({"big": {"environments": ["x"], "image_repositories": [{"id": "im", "services": services}]}})
    targets = {(s, "x"): (f"cluster-{s}", s) for s in services}
    found, notes = converted(text, account_id="111122223333", targets=targets)
    check(found)
    assert len(of_kind(found, "Environment")[0]["spec"]["target"]["allowed"]) == 50
    assert sum("cannot allow as many" in n for n in notes) == 10


def test_services_that_are_left_out_are_not_allowed() -> None:
    services = [f"s{n:03}" for n in range(510)]
    text = json.dumps({"big": {"environments": ["x"], "image_repositories": [{"id": "im", "services": services}]}})
    found, notes = converted(text, account_id="111122223333", targets={(s, "x"): ("", f"{s}-service") for s in services})
    check(found)
    assert any("the others are left out" in n for n in notes)


def test_several_projects_of_several_accounts() -> None:
    text = """
first: {account_id: '111122223333', environments: [stage], image_repositories: [{id: a, services: [a]}]}
second: {account_id: '444455556666', environments: [stage], image_repositories: [{id: b, services: [b]}]}
"""
    found, _ = converted(text)
    assert {e["metadata"]["name"]: e["spec"]["aws"]["accountID"] for e in of_kind(found, "Environment")} == {
        "first-stage": "111122223333",
        "second-stage": "444455556666",
    }


def test_clusters_and_services_that_are_named_otherwise() -> None:
    text = "storage: {account_id: '111122223333', environments: [stage, prod], image_repositories: [{id: bag_register, services: [bag-register]}]}"
    found, _ = converted(
        text,
        cluster="storage-{environment}",
        clusters={"stage": "storage-staging"},
        service_name="{project}-{environment}-{service}",
        targets={("bag-register", "prod"): ("", "storage-prod-bag_register")},
    )
    stage, prod = of_kind(found, "Environment")
    assert stage["spec"]["target"] == {"cluster": "storage-staging", "serviceName": "storage-stage-{service}"}
    assert prod["spec"]["target"] == {
        "cluster": "storage-prod",
        "serviceName": "storage-prod-{service}",
        "allowed": [{"namespaces": ["storage"], "clusters": ["storage-prod"], "serviceNames": ["storage-prod-bag_register"]}],
    }
    target = {"environment": "storage-prod", "cluster": "storage-prod", "serviceName": "storage-prod-bag_register"}
    assert services(found)["bag-register"]["targets"] == [target]


def test_environment_tags_are_those_of_the_manifest() -> None:
    found, _ = converted(SHELF, environment_tags=True)
    environments = of_kind(found, "Environment")
    assert [e["spec"]["artifacts"]["environmentTag"] for e in environments] == ["env.stage", "env.2022-10-03", "env.v1RC"]
    assert {e["spec"]["rollout"]["method"] for e in environments} == {"EnvironmentTag"}


def test_what_is_too_much_is_split_or_said() -> None:
    images = [{"id": f"i{n}", "services": [f"s{n}", "crowded"]} for n in range(120)]
    found, notes = converted(json.dumps({"big": {"account_id": "111122223333", "environments": ["x"], "image_repositories": images}}))
    sets = of_kind(found, "Project")[0]["spec"]["serviceSets"]
    assert [(s["name"], len(s["services"])) for s in sets] == [("big", 50), ("big-2", 50), ("big-3", 20)]
    assert any("crowded has more than 10 images" in n for n in notes)
    check(found)


# Anything goes in, valid objects come out.

WORDS = st.one_of(
    st.sampled_from(
        ["stage", "2022-10-03", "v1RC", "a_b", "a-b", "A.B", "", " ", "-", "x" * 80, "null", "0123", "日本", "a/b", "{service}"]
    ),
    st.text(max_size=20),
)
SERVICE = st.one_of(WORDS, st.fixed_dictionaries({"id": WORDS}, optional={"role_arn": st.sampled_from(
    ["arn:aws:iam::111122223333:role/a", "arn:aws:iam::444455556666:role/b", "arn:aws:iam::444455556666:role/c", "nonsense"])}))  # fmt: skip
IMAGE = st.fixed_dictionaries({"id": WORDS}, optional={"services": st.lists(SERVICE, max_size=5), "service": st.lists(SERVICE, max_size=2)})
PROJECT = st.fixed_dictionaries(
    {},
    optional={
        "id": WORDS,
        "name": WORDS,
        "role_arn": st.one_of(WORDS, st.just("arn:aws:iam::111122223333:role/ci")),
        "account_id": st.one_of(WORDS, st.just("111122223333")),
        "region_name": st.one_of(WORDS, st.just("us-gov-west-1")),
        "namespace": WORDS,
        "github_repository": WORDS,
        "environments": st.one_of(st.none(), st.lists(st.one_of(WORDS, st.fixed_dictionaries({"id": WORDS, "name": WORDS})), max_size=5)),
        "image_repositories": st.one_of(st.none(), st.lists(IMAGE, max_size=6)),
        "profile": WORDS,
    },
)
MANIFEST = st.one_of(st.dictionaries(WORDS, PROJECT, max_size=3), st.lists(PROJECT, max_size=3), PROJECT)
TEMPLATES = st.sampled_from(
    ["{service}", "{project}-{environment}-{service}", "{environment}-{service}", "x-{service}", "nothing", "{other}"]
)


ROLES_OF_ONE_ACCOUNT = {
    "stage": {
        "environments": ["stage"],
        "image_repositories": [
            {"id": "stage", "services": ["v1RC"]},
            {
                "id": "stage",
                "services": [
                    {"id": "stage", "role_arn": "arn:aws:iam::444455556666:role/c"},
                    {"id": "2022.10.03", "role_arn": "arn:aws:iam::444455556666:role/b"},
                ],
            },
        ],
    }
}


@example(manifest=ROLES_OF_ONE_ACCOUNT, account="999988887777", template="{service}", cluster="{service}", tags=False)
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(manifest=MANIFEST, account=st.sampled_from(["", "999988887777"]), template=TEMPLATES, cluster=TEMPLATES, tags=st.booleans())
def test_any_manifest_gives_valid_objects(manifest: Any, account: str, template: str, cluster: str, tags: bool) -> None:
    for text in (json.dumps(manifest), yaml.safe_dump(manifest)):
        try:
            found, _ = converted(text, account_id=account, service_name=template, cluster=cluster, environment_tags=tags)
        except Unreadable:
            continue
        check(found)
