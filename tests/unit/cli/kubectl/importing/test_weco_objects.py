"""`.wellcome_project` manifests: every form that occurs, strings stay strings, and whatever comes out is valid."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ecs_release.api.environment import Environment
from ecs_release.api.project import Project
from ecs_release.cli.kubectl.importing.names import Taken, container_name, object_name, service_name
from ecs_release.cli.kubectl.importing.weco_manifest import Notes, Unreadable, read
from ecs_release.cli.kubectl.importing.weco_objects import Wishes, convert
from ecs_release.cli.kubectl.manifests.yaml_text import dump_documents, load_documents

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


def converted(text: str, **wishes: Any) -> tuple[list[dict[str, Any]], list[str]]:
    notes, taken = Notes(), Taken()
    found = [d for p in read(text, notes) for d in convert(p, Wishes(**wishes), notes, taken)]
    return found, notes.lines


def of_kind(found: list[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    return [d for d in found if d["kind"] == kind]


def services(found: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {s["name"]: s for p in of_kind(found, "Project") for g in p["spec"]["serviceSets"] for s in g["services"]}


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


@pytest.mark.parametrize(
    "text",
    [
        "shelf: {environments: [{id: stage}], image_repositories: [{id: web, services: [{id: web}]}]}",
        "- {id: shelf, environments: [{id: stage}], image_repositories: [{id: web, services: [web]}]}",
        '[{"id": "shelf", "environments": [{"id": "stage"}], "image_repositories": [{"id": "web", "services": ["web"]}]}]',
        '{"id": "shelf", "environments": [{"id": "stage"}], "image_repositories": [{"id": "web", "services": [{"id": "web"}]}]}',
        '{\n\t"shelf": {"environments": ["stage"], "image_repositories": [{"id": "web", "services": "web"}]}}',
        "shelf: {environments: {stage: {name: null}}, image_repositories: {web: {services: [web]}}}",
    ],
    ids=["by id", "list", "JSON list", "JSON object", "JSON by id", "maps"],
)
def test_forms_that_mean_the_same(text: str) -> None:
    found, _ = converted(text, account_id="111122223333")
    assert [(d["kind"], d["metadata"]["name"]) for d in found] == [("Project", "shelf"), ("Environment", "shelf-stage")]
    assert list(services(found)) == ["web"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no project"),
        ("just words", "no project"),
        ("a: {b: [", "neither YAML nor JSON"),
        ("a: 1", "is no object"),
        ("- {name: x}", "has no id"),
        ("[{id: a}, {id: a}]", "there twice"),
        ("a: {name: x, name: y}", "comes twice"),
        ("a: {}\na: {}", "comes twice"),
        ("!!python/object/apply:os.system ['true']", "neither YAML nor JSON"),
    ],
)
def test_what_is_no_manifest_is_refused(text: str, message: str) -> None:
    with pytest.raises(Unreadable, match=message):
        read(text, Notes())


def test_numbers_of_json_are_as_they_are_written() -> None:
    """An environment named 1.0 is not named 1, and an account is no number."""
    text = '{"shelf": {"account_id": 111122223333, "environments": [{"id": 1.0}, {"id": 7}], "image_repositories": [{"id": "ab", "services": ["ab"]}]}}'
    environments = of_kind(converted(text)[0], "Environment")
    named = [(e["spec"]["displayName"], e["spec"]["aws"]["accountID"]) for e in environments]
    assert named == [("1.0", "111122223333"), ("7", "111122223333")]


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


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("storage", "storage"),
        ("Bag_Register", "bag-register"),
        ("2022-10-03", "2022-10-03"),
        ("-x-", "x"),
        ("a" * 80, None),
        ("日本", None),
    ],
)
def test_object_names(text: str, expected: str | None) -> None:
    name = object_name(text)
    assert re.fullmatch(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?", name) and len(name) <= 63
    assert expected is None or name == expected


def test_names_are_given_once() -> None:
    taken = Taken()
    first, second, again = taken.give("a", "A"), taken.give("a", "a"), taken.give("a", "A")
    assert first == "a" == again and second != "a" and taken.give("a", "a") == second


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


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(manifest=MANIFEST, account=st.sampled_from(["", "999988887777"]), template=TEMPLATES, cluster=TEMPLATES, tags=st.booleans())
def test_any_manifest_gives_valid_objects(manifest: Any, account: str, template: str, cluster: str, tags: bool) -> None:
    for text in (json.dumps(manifest), yaml.safe_dump(manifest)):
        try:
            found, _ = converted(text, account_id=account, service_name=template, cluster=cluster, environment_tags=tags)
        except Unreadable:
            continue
        check(found)


def check(found: list[dict[str, Any]]) -> None:
    """Check documents as the API server would: models, and the CRDs' rules across fields."""
    names = [(d["kind"], d["metadata"]["name"]) for d in found]
    environments = [name for kind, name in names if kind == "Environment"]
    assert len(environments) == len(set(environments))
    allowed = {
        (e["metadata"]["name"], c, s)
        for e in of_kind(found, "Environment")
        for rule in e["spec"]["target"].get("allowed", ())
        for c in rule["clusters"]
        for s in rule["serviceNames"]
    }
    for document in found:
        assert re.fullmatch(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?", document["metadata"]["name"])
        if document["kind"] == "Environment":
            spec = Environment.model_validate(document).spec
            rest = re.sub(r"\{(project|serviceSet|service|environment|namespace)\}", "", spec.target.service_name)
            assert re.fullmatch(r"[a-zA-Z0-9_-]*", rest) and "{service}" in spec.target.service_name
        else:
            sets = Project.model_validate(document).spec.service_sets
            listed = [s.name for g in sets for s in g.services]
            assert len(listed) == len(set(listed)) and len({g.name for g in sets}) == len(sets)
            for service in (s for g in sets for s in g.services):
                containers = [c.name for c in service.containers]
                assert len(containers) == len(set(containers))
                assert service.name == service_name(service.name) and containers == [container_name(c) for c in containers]
                assert {(t.environment, t.cluster, t.service_name) for t in service.targets or ()} <= allowed
    assert list(yaml.safe_load_all(dump_documents(found))) == found or not found
