"""What Slack shows of a deployment set: one line if it went well, who and why, and nobody's text as anything but text."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ecs_release.api.release_status import Evidence
from ecs_release.api.releaseset_status import SetWave
from ecs_release.domain.ports.views import Part
from ecs_release.domain.views.services import IDLE, ShownService
from ecs_release.domain.views.shown import Shown
from ecs_release.domain.views.slack import ALERT, DETAILS, MESSAGE, MOST_BLOCKS, document
from tests.builders.ecs import NOW
from tests.slack_host.description import marked_up, problems, texts

CONSOLE = "https://eu-west-1.console.aws.amazon.com/ecs/v2/clusters/main/services/{}"
SERVICES = tuple(ShownService(name, "Pending", links={"service": CONSOLE.format(name)}) for name in ("search", "checkout", "web"))
WAVES = (SetWave(name="1", services=["search"], state="Open"), SetWave(name="2", services=["checkout", "web"], state="Pending"))
BEGUN = NOW - timedelta(minutes=4)
SET = Shown(
    id="d1", kind="ReleaseSet", namespace="shop", name="storefront-production", uid="u1", project="shop", service_set="storefront",
    environment="production", installation="default", is_latest=True, is_replaced=False, start_time=BEGUN, hash="5d6e7f8", cause="Requested",
    requested_by="ben", applied_by="system:serviceaccount:argocd:argocd", description="faster pages", url="https://github.com/acme/shop/pull/7",
    waves=WAVES, services=SERVICES,
)  # fmt: skip
RELEASE = replace(SET, kind="Release", name="web-production", id="a1", waves=(), services=(ShownService("web", "Progressing"),))
EVIDENCE = Evidence(
    container="app", exit_code=1, reason="Essential container in task exited", log_group="/ecs/app", log_stream="app/app/7e"
)


def ended(outcome: str, message: str = "", **more: Any) -> Shown:
    ready = tuple(replace(s, state="Ready") for s in SERVICES)
    return replace(SET, **{"outcome": outcome, "message": message, "completion_time": NOW, "services": ready, **more})


def parts(one: Shown) -> dict[str, Part]:
    return {part.name: part for part in document(one)}


def lines(part: Part) -> list[str]:
    return [line for text in texts(part.content["blocks"]) for line in text.splitlines()]


FAILED = ended(
    "Failed", "1 of 3 services failed: checkout",
    services=(
        ShownService("search", "Ready"), ShownService("checkout", "RolledBack", "ECS rolled it back", evidence=(EVIDENCE,)),
        ShownService("web", "Pending"),
    ),
)  # fmt: skip
DRIFTED = ended(
    "Succeeded",
    services=(
        ShownService(
            "web", "Ready", drift="app runs 1a2b3c4 instead of 5d6e7f8", drift_began=NOW, drift_said="app runs 1a2b3c4 instead of 5d6e7f8"
        ),
    ),
)


@pytest.mark.parametrize(
    ("one", "said"),
    [
        (SET, ["● shop: storefront 5d6e7f8 goes to production: wave 1 of 2, 0 of 3 ready · ben: faster pages"]),
        (
            replace(SET, waiting_for="window office-hours opens at 08:00"),
            ["○ shop: storefront 5d6e7f8 waits for production: wave 1 of 2, 0 of 3 ready · ben: faster pages", "window office-hours opens at 08:00"],
        ),
        (ended("Succeeded"), ["✔ shop: storefront 5d6e7f8 runs in production (4 min) · ben: faster pages"]),
        (ended("Succeeded", cause="Retry", requested_by="", description=""), ["✔ shop: storefront 5d6e7f8 runs in production (4 min, Retry) · system:serviceaccount:argocd:argocd"]),
        (FAILED, ["✖ shop: storefront 5d6e7f8 in production: Failed (4 min) · ben: faster pages", "1 of 3 services failed: checkout"]),
        (ended("RolledBack", cause="Rollback"), ["✔ shop: storefront in production was taken back (4 min) · ben: faster pages"]),
        (ended("Succeeded", idle=("web",)), ["✔ shop: storefront 5d6e7f8 runs in production, nothing runs of web (4 min) · ben: faster pages"]),
        (ended("Succeeded", idle=("web",), is_idle=True), ["– shop: storefront 5d6e7f8 is set in production, nothing runs of web (4 min) · ben: faster pages"]),
        (ended("RolledBack", cause="Rollback", idle=("web",), is_idle=True), ["– shop: storefront in production was taken back, nothing runs of web (4 min) · ben: faster pages"]),
        (replace(RELEASE, outcome="NothingRunning", message="desiredCount is 0", completion_time=NOW), ["– shop: web-production 5d6e7f8 is set in production, nothing runs (4 min) · ben: faster pages"]),
        (replace(SET, services=(ShownService("web", "Ready"), ShownService("batch", IDLE), ShownService("old", "Left"))), ["● shop: storefront 5d6e7f8 goes to production: wave 1 of 2, 2 of 2 ready · ben: faster pages"]),
        (ended("Superseded"), ["– shop: storefront 5d6e7f8 in production: Superseded (4 min) · ben: faster pages"]),
        (replace(SET, is_latest=False, services=()), ["– shop: storefront 5d6e7f8 in production: another one took its place · ben: faster pages"]),
        (DRIFTED, ["≠ shop: storefront 5d6e7f8 in production: web runs something else · ben: faster pages", "web: app runs 1a2b3c4 instead of 5d6e7f8"]),
        (RELEASE, ["● shop: web-production 5d6e7f8 goes to production · ben: faster pages"]),
        (replace(RELEASE, outcome="RolledBack", message="ECS took it back", completion_time=BEGUN + timedelta(seconds=50)),
         ["✖ shop: web-production 5d6e7f8 in production: RolledBack (50 s) · ben: faster pages", "ECS took it back"]),
    ],
)  # fmt: skip
def test_the_message_says_how_it_stands(one: Shown, said: list[str]) -> None:
    assert lines(parts(one)[MESSAGE]) == said


def test_what_went_well_is_one_line_and_no_alert() -> None:
    assert set(parts(ended("Succeeded"))) == {MESSAGE, DETAILS}
    assert [block["type"] for block in parts(ended("Succeeded"))[MESSAGE].content["blocks"]] == ["section"]


def test_a_failure_is_shown_in_the_channel_with_evidence() -> None:
    alert = parts(FAILED)[ALERT]
    assert alert.content["broadcast"] and alert.below == MESSAGE
    assert lines(alert) == [
        "✖ shop: storefront 5d6e7f8 in production: Failed (4 min)", "1 of 3 services failed: checkout", "checkout: ECS rolled it back",
        "container app, exit code 1; Essential container in task exited; log stream app/app/7e of /ecs/app",
    ]  # fmt: skip
    assert not parts(FAILED)[DETAILS].content["broadcast"]


@pytest.mark.parametrize("outcome", ["Superseded", "Aborted", "Abandoned", "TargetChanged", "ReappearedOlder", "OfAnotherVersion"])
def test_what_somebody_has_ended_is_no_alert(outcome: str) -> None:
    assert ALERT not in parts(ended(outcome))


def test_what_runs_nothing_has_neither_mark_nor_alert() -> None:
    found = parts(ended("Succeeded", idle=("web",), waves=(), services=(ShownService("search", "Ready"), ShownService("web", IDLE))))
    assert ALERT not in found and "search ✔, web –" in lines(found[DETAILS])


def test_each_drift_is_an_alert_of_its_own_that_ends() -> None:
    first = parts(DRIFTED)[ALERT]
    assert lines(first) == ["≠ shop: web in production runs something else than was released", "app runs 1a2b3c4 instead of 5d6e7f8"]
    over = replace(DRIFTED, services=(replace(DRIFTED.services[0], drift="", drift_ended=NOW + timedelta(minutes=3)),))
    same = parts(over)[ALERT]
    assert (same.key, lines(same)[0]) == (first.key, "✔ shop: web in production drifted; that is over after 3 min")
    assert lines(parts(over)[MESSAGE])[0].startswith("✔")
    again = replace(DRIFTED, services=(replace(DRIFTED.services[0], drift_began=NOW + timedelta(hours=1)),))
    assert parts(again)[ALERT].key != first.key
    earlier = replace(over, start_time=NOW + timedelta(minutes=1))
    assert ALERT not in parts(earlier), "it was another deployment set's"


def test_details_are_in_the_thread() -> None:
    details = parts(FAILED)[DETAILS]
    assert details.below == MESSAGE
    assert lines(details)[:6] == [
        "ReleaseSet shop/storefront-production, d1", "asked for by ben, applied by system:serviceaccount:argocd:argocd", "faster pages",
        "wave 1: search ✔", "wave 2: checkout ✖, web ○", "checkout: ECS rolled it back",
    ]  # fmt: skip
    links = [e for b in details.content["blocks"] if b["type"] == "rich_text" for e in b["elements"][0]["elements"] if e["type"] == "link"]
    assert links == [{"type": "link", "url": SET.url, "text": SET.url}]
    linked = parts(SET)[DETAILS].content["blocks"][-1]["elements"][0]["elements"]
    assert {"type": "link", "url": CONSOLE.format("web"), "text": "web in the console"} in linked


def test_pull_requests_are_links_in_the_thread() -> None:
    addresses = [f"https://github.com/acme/store/pull/{number}" for number in range(1, 21)]
    message, details = document(ended("Succeeded"), None, addresses)
    assert message == parts(ended("Succeeded"))[MESSAGE], "it stays one line"
    linked = next(b for b in details.content["blocks"] if b["type"] == "rich_text")["elements"][0]["elements"]
    assert [(e["url"], e["text"]) for e in linked if e["type"] == "link"] == [(a, f"#{n}") for n, a in enumerate(addresses, 1)]
    assert problems("chat.postMessage", "POST", {"channel": "C1", "text": "x", "blocks": details.content["blocks"]}) == []


def test_of_what_was_replaced_only_the_message_changes() -> None:
    assert set(parts(replace(ended("Succeeded"), is_latest=False))) == {MESSAGE}


def test_keys_are_those_of_the_deployment_set() -> None:
    assert {n: p.key for n, p in parts(SET).items()}.items() <= {n: p.key for n, p in parts(FAILED).items()}.items()
    others = [document(replace(SET, **change))[0].key for change in ({"id": "d2"}, {"uid": "u2"}, {"installation": "other"})]
    assert len({document(SET)[0].key, *others}) == 4 and SET.hash not in document(SET)[0].key


@pytest.mark.parametrize(
    "url",
    [
        "javascript:alert(1)",
        "https://a b",
        "https://user@example.com",
        "https://",
        "http://[::1",
        "https://example.com/" + "x" * 600,
        "slack://x",
        "<!channel>",
    ],
)
def test_what_is_no_page_of_the_web_is_no_link(url: str) -> None:
    blocks = parts(replace(RELEASE, url=url))[DETAILS].content["blocks"]
    assert [b["type"] for b in blocks if b["type"] == "rich_text"] == []


def test_a_link_of_people_hides_nothing() -> None:
    one = replace(RELEASE, url="https://evil.example.com/login")
    (block,) = (b for b in parts(one)[DETAILS].content["blocks"] if b["type"] == "rich_text")
    assert block["elements"][0]["elements"] == [{"type": "link", "url": one.url, "text": one.url}]


HOSTILE = [
    "<!channel> <!here> <!everyone>", "<@U123> @here @channel", "<https://evil|click>", "*bold* `x` ```y``` :fire:", "# h\n> quote\n- list",
    "\u202egnp.exe", "x" * 65536, "🚀" * 65536, "\n" * 1000, '"}]}', "&lt;!channel&gt;", "", " ",
]  # fmt: skip
_text = st.sampled_from(HOSTILE) | st.text(max_size=80)
_evidence = st.builds(Evidence, container=_text, reason=_text, log_stream=_text, log_group=_text, link=_text)
_services = st.builds(
    ShownService, name=st.from_regex(r"\A[a-z][a-z0-9-]{0,30}\Z"), message=_text, drift=_text, drift_said=_text, hash=_text,
    state=st.sampled_from(["Ready", "Failed", "RolledBack", "Waiting", "Unheard"]), evidence=st.lists(_evidence, max_size=1).map(tuple),
    drift_began=st.none() | st.just(NOW), drift_ended=st.none() | st.just(NOW), links=st.none() | st.just({"service": CONSOLE.format("x")}),
)  # fmt: skip
_shown = st.builds(
    Shown, id=st.just("d1"), kind=st.sampled_from(["Release", "ReleaseSet"]), namespace=st.just("shop"), name=st.just("web-production"),
    uid=st.just("u"), project=st.just("shop"), service_set=st.just("storefront"), environment=st.just("production"), installation=st.just("i"),
    is_latest=st.booleans(), is_replaced=st.booleans(), start_time=st.just(BEGUN), hash=st.sampled_from(["", "5d6e7f8"]), cause=st.sampled_from(["Requested", "Rollback"]),
    outcome=st.sampled_from(["", "Succeeded", "Failed", "RolledBack", "Superseded"]), message=_text, requested_by=_text, applied_by=_text,
    description=_text, reason=_text, url=_text, completion_time=st.none() | st.just(NOW), waiting_for=_text,
    services=st.lists(_services, max_size=8).map(tuple), waves=st.just(WAVES) | st.just(()),
)  # fmt: skip


def test_the_largest_fits() -> None:
    wide = "🚀" * 1024
    evidence = tuple(
        Evidence(container=wide, reason=wide, log_group=wide, log_stream=wide, link=f"https://x/{'y' * 490}") for _ in range(3)
    )
    services = [
        ShownService(f"service-{i:02}" + "s" * 50, "Failed", wide, evidence=evidence, drift=wide, drift_began=NOW, drift_said=wide)
        for i in range(50)
    ]
    waves = [SetWave(name=str(i), services=[s.name for s in services], state="Open") for i in range(21)]
    texts = dict.fromkeys(("message", "requested_by", "applied_by", "description", "reason", "waiting_for"), wide)
    for outcome in ("", "Failed", "Succeeded"):
        for part in document(replace(SET, **texts, outcome=outcome, completion_time=NOW, services=tuple(services), waves=tuple(waves))):
            sent = {"channel": "C1", "text": part.content["text"], "blocks": part.content["blocks"]}
            assert problems("chat.postMessage", "POST", sent) == []


@settings(max_examples=60)
@given(one=_shown)
def test_whatever_people_write_mentions_nobody_and_fits(one: Shown) -> None:
    for part in document(one):
        content = json.loads(json.dumps(part.content))
        assert part.hash == Part(part.name, part.key, content).hash
        sent = {k: content[k] for k in ("text", "blocks")} | {
            "channel": "C1",
            "metadata": {"event_type": "e", "event_payload": {"key": part.key}},
        }
        assert problems("chat.postMessage", "POST", sent) == []
        assert marked_up(content["blocks"]) == [] and len(content["blocks"]) <= MOST_BLOCKS + 1
        for said in (one.description, one.message, one.requested_by, one.waiting_for):
            assert len(said.strip()) < 12 or said not in content["text"], "what is read as markup has no text of people"
        assert not any(mark in content["text"] for mark in "<>")


def test_the_check_finds_what_is_wrong() -> None:
    """The check of mentions and limits is no good if it finds nothing."""
    good = {"type": "section", "text": {"type": "plain_text", "text": "<!channel>", "emoji": False}}
    assert marked_up(good) == [] and problems("chat.postMessage", "POST", {"channel": "C1", "text": "x", "blocks": [good]}) == []
    for wrong in (
        {"type": "section", "text": {"type": "mrkdwn", "text": "<!channel>"}},
        {"type": "section", "text": {"type": "plain_text", "text": ":fire:"}},
        {"type": "rich_text", "elements": [{"type": "rich_text_section", "elements": [{"type": "broadcast", "range": "channel"}]}]},
    ):
        assert marked_up([wrong])
    long = {"type": "section", "text": {"type": "plain_text", "text": "x" * 3001}}
    for arguments in (
        {"blocks": [long]},
        {"blocks": [good] * 51},
        {"unfurl_links": "false"},
        {"nonsense": 1},
        {"client_msg_id": "1"},
        {"blocks": [{"type": "none"}]},
    ):
        assert problems("chat.postMessage", "POST", {"channel": "C1", "text": "x", **arguments})
    assert problems("chat.postMessage", "POST", {"text": "x"}) and problems("chat.postMessage", "GET", {"channel": "C1"})
