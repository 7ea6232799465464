"""Attacks on the commits service: by those who name repositories, by those who write them, and by hosts."""

from __future__ import annotations

import json
import os
import re
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ecs_release.domain.ports.commits import FullHash, Membership, Relation, Unknown, UnknownReason
from tests.git_host.repositories import git
from tests.git_host.server import Behaviour, GitHost, running_host, until
from tests.git_host.service import CommitsService, binding, credential

PASSWORD = "a password that nobody may see"
HASH = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GitHost]:
    with running_host(tmp_path_factory.mktemp("host")) as running:
        yield running


@pytest.fixture(scope="module")
def service(host: GitHost, tmp_path_factory: pytest.TempPathFactory) -> Iterator[CommitsService]:
    """Teams shop and bank each have repositories and a credential of their own."""
    folder = tmp_path_factory.mktemp("service")
    bindings = [
        binding(host, "shop/*", credential=credential(folder, "shop", "shop", PASSWORD)),
        binding(
            host, "bank/*", "shared/*", namespaces=("bank", "bank-*"), credential=credential(folder, "bank", "bank", f"{PASSWORD}, too")
        ),
        binding(host, "shared/*"),
    ]
    with CommitsService(folder, bindings) as running:
        yield running


def reason(answer: object) -> UnknownReason | None:
    return answer.reason if isinstance(answer, Unknown) else None


def alive(service: CommitsService, host: GitHost, path: str) -> None:
    """Others are answered still."""
    hashes = host.repository(path, password=("shop", PASSWORD)).line(2)
    assert service.ask("shop", host.url(path)).relation(hashes[0], hashes[1]) == Relation(0, 1)


@pytest.mark.parametrize(
    "given",
    [
        "--upload-pack=touch pwned",
        "-c",
        f"{HASH[:39]}^",
        f"{HASH} {HASH}",
        "HEAD",
        "main",
        HASH.upper(),
        HASH[:39],
        f"{HASH}\n",
        "",
        None,
        7,
    ],
)
def test_what_is_no_hash_never_reaches_git(service: CommitsService, host: GitHost, given: Any) -> None:
    body = {"namespace": "shop", "url": host.url("shop/options"), "branch": "main"}
    assert service.post("relation", json.dumps({**body, "a": given, "b": HASH}).encode())[0] == 400
    assert service.post("relation", json.dumps({**body, "a": HASH, "b": given}).encode())[0] == 400
    assert service.post("between", json.dumps({**body, "a": HASH, "b": given}).encode())[0] == 400
    assert service.post("membership", json.dumps({**body, "a": given, "maxAgeSeconds": 1}).encode())[0] == 400
    assert service.post("full-hash", json.dumps({**body, "abbreviated": f"{given}!", "maxAgeSeconds": 1}).encode())[0] == 400
    assert host.requests("shop/options") == []


@pytest.mark.parametrize(
    "url",
    [
        "file:///etc/passwd", "file://{host}/shop/urls", "ext::sh -c touch% pwned", "ssh://{host}/shop/urls", "git@{host}:shop/urls.git",
        "http://{host}/shop/urls.git", "https://reader:secret@{host}/shop/urls.git", "https://{host}@169.254.169.254/shop/urls.git",
        "https://{host}/shop/../bank/urls.git", "https://{host}/shop/%2e%2e/bank/urls.git", "https://{host}/shop/./urls.git",
        "https://{host}//shop/urls.git", "https://{host}/shop/urls.git?service=x", "https://{host}/shop/urls.git#x",
        "https://{host}/shop/--upload-pack=x", "https://{host}/shop\\urls.git", "https://{host}/shop/urls.git\n", "--upload-pack=x", "",
        "https://169.254.169.254/shop/urls.git", "https://127.0.0.1/shop/urls.git", "https://{host}.evil.example/shop/urls.git",
        "https://evil.example/{host}/shop/urls.git", "https://[::1]/shop/urls.git", "/srv/git/shop", "shop/urls", "https:///shop/urls",
    ],
)  # fmt: skip
def test_urls_that_lead_elsewhere(service: CommitsService, host: GitHost, url: str) -> None:
    answer = service.ask("shop", url.format(host=host.host)).relation(HASH, HASH[::-1])
    assert reason(answer) is UnknownReason.NOT_ALLOWED
    assert isinstance(answer, Unknown) and "secret" not in answer.message
    assert [r for r in host.requests() if "urls" in r.path] == []


def test_a_repository_that_is_not_bound_to_the_namespace(service: CommitsService, host: GitHost) -> None:
    hashes = host.repository("bank/vault", password=("bank", f"{PASSWORD}, too")).line(2)
    assert service.ask("bank", host.url("bank/vault")).relation(hashes[0], hashes[1]) == Relation(0, 1)
    requests = len(host.requests("bank/vault"))
    for namespace in ("shop", "ban", "banks", "xbank"):
        answer = service.ask(namespace, host.url("bank/vault")).relation(hashes[0], hashes[1])
        assert reason(answer) is UnknownReason.NOT_ALLOWED, "also what is known already"
        assert reason(service.ask(namespace, host.url("bank/vault")).full_hash(hashes[0][:12], 3600)) is UnknownReason.NOT_ALLOWED
    assert len(host.requests("bank/vault")) == requests
    assert isinstance(service.ask("bank-blue", host.url("bank/vault")).membership(hashes[0], 3600), Membership)


def test_a_credential_is_for_those_it_is_bound_to(service: CommitsService, host: GitHost) -> None:
    """Both may name the repository; what bank's credential has read is no answer to shop, whose binding has none."""
    hashes = host.repository("shared/library", password=("bank", f"{PASSWORD}, too")).line(2)
    assert service.ask("bank", host.url("shared/library")).relation(hashes[0], hashes[1]) == Relation(0, 1)
    answer = service.ask("shop", host.url("shared/library")).relation(hashes[0], hashes[1])
    assert reason(answer) is UnknownReason.UNREADABLE
    given = {r.authorization for r in host.requests("shared/library")}
    assert len(given) == 2 and "" in given


def test_no_credential_is_seen_anywhere(service: CommitsService, host: GitHost) -> None:
    """On no command line, in no message, log or file of the cache."""
    path = "shop/secrets"
    host.repository(path, password=("shop", "another one")).line(1)
    host.repository("shop/secrets-hanging", password=("shop", PASSWORD)).line(1)
    host.behave("shop/secrets-hanging", Behaviour(hang=True))
    answer = service.ask("shop", host.url(path)).membership(HASH)
    assert reason(answer) is UnknownReason.UNREADABLE
    seen: list[str] = []
    asking = threading.Thread(target=lambda: seen.append(str(service.ask("shop", host.url("shop/secrets-hanging")).membership(HASH))))
    asking.start()
    lines = until("git to be run", lambda: [line for line in command_lines() if "fetch" in line and str(service.cache) not in line])
    asking.join(60)
    host.behave("shop/secrets-hanging", None)
    texts = [str(answer), service.log.read_text(), *lines, *seen, *(p.read_text(errors="replace") for p in service.cache.rglob("config"))]
    assert not [text for text in texts if PASSWORD in text or "Authorization" in text or "Basic" in text]


def command_lines() -> list[str]:
    """Return the command lines of all processes of ours."""
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                found.append((folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace"))
            except OSError:
                continue
    return found


@pytest.mark.parametrize("target", ["http://{}", "https://{}", "file://"])
def test_redirects_are_not_followed(service: CommitsService, host: GitHost, target: str) -> None:
    """Nobody connects to where they lead: with https also where its certificate would end that."""
    with socket.create_server(("127.0.0.1", 0)) as elsewhere:
        path = f"shop/redirect-{len(target)}"
        host.repository(path, password=("shop", PASSWORD)).line(1)
        host.behave(path, Behaviour(redirect=target.format(f"127.0.0.1:{elsewhere.getsockname()[1]}")))
        answer = service.ask("shop", host.url(path)).membership(HASH)
        assert reason(answer) is UnknownReason.UNREADABLE
        assert host.requests(path) != []
        elsewhere.settimeout(1)
        with pytest.raises(TimeoutError):
            elsewhere.accept()


def test_a_redirect_within_the_host_is_not_followed(service: CommitsService, host: GitHost) -> None:
    """To a repository of somebody else's, with this one's credential."""
    host.repository("shop/inside", password=("shop", PASSWORD)).line(1)
    host.behave("shop/inside", Behaviour(redirect=f"https://{host.host}/bank"))
    assert reason(service.ask("shop", host.url("shop/inside")).membership(HASH)) is UnknownReason.UNREADABLE
    assert host.requests("bank/shop") == []


def test_a_bomb_ends_at_its_bound(host: GitHost, tmp_path: Path) -> None:
    """A host without filters sends all files of a repository; the service keeps on answering, and gives the space back."""
    bomb = host.repository("bomb/large", filters=False)
    blob = git(bomb.folder, "hash-object", "-w", "--stdin", stdin=os.urandom(12 * 2**20))
    tree = git(bomb.folder, "mktree", stdin=f"100644 blob {blob}\tx\n")
    commit = git(bomb.folder, "commit-tree", tree, stdin="large")
    bomb.point("main", commit)
    hashes = host.repository("bomb/small", filters=False).line(2)
    with CommitsService(tmp_path / "own", [binding(host, "bomb/*")], cache={"maxRepositoryBytes": 4 * 2**20}) as own:
        answer = own.ask("shop", host.url("bomb/large")).membership(commit)
        assert reason(answer) is UnknownReason.TOO_LARGE
        requests = len(host.requests("bomb/large"))
        assert reason(own.ask("shop", host.url("bomb/large")).membership(commit)) is UnknownReason.TOO_LARGE
        assert len(host.requests("bomb/large")) == requests, "not fetched again and again"
        assert own.ask("shop", host.url("bomb/small")).relation(hashes[0], hashes[1]) == Relation(0, 1)
        assert sum(p.stat().st_size for p in own.cache.rglob("*") if p.is_file()) < 4 * 2**20


def test_a_bomb_of_memory_ends_at_its_bound(host: GitHost, tmp_path: Path) -> None:
    """A commit whose message is all one letter is a hundred times smaller on the wire."""
    repository = host.repository("bomb/message")
    tree = git(repository.folder, "mktree", stdin=b"")
    head = f"tree {tree}\nauthor A <a@b.c> 1 +0000\ncommitter A <a@b.c> 1 +0000\n\n".encode()
    commit = git(repository.folder, "hash-object", "-t", "commit", "-w", "--stdin", stdin=head + b"x" * (200 * 2**20))
    repository.point("main", commit)
    hashes = host.repository("bomb/quiet").line(2)
    # The host is given the time to pack it.
    limits = {"memoryBytes": 160 * 2**20, "lowSpeedSeconds": 120}
    with CommitsService(tmp_path / "own", [binding(host, "bomb/*")], limits=limits) as own:
        assert reason(own.ask("shop", host.url("bomb/message")).membership(HASH)) is UnknownReason.TOO_LARGE
        assert own.ask("shop", host.url("bomb/quiet")).relation(hashes[0], hashes[1]) == Relation(0, 1)


def test_all_clones_together_stay_below_their_bound(host: GitHost, tmp_path: Path) -> None:
    """Whoever names many repositories loses their own, not another's."""
    kept = host.repository("bank/kept").line(2)
    made = {f"many/{n}": host.repository(f"many/{n}").line(2) for n in range(8)}
    bindings = [binding(host, "bank/*", namespaces=("bank",)), binding(host, "many/*")]
    with CommitsService(tmp_path / "own", bindings, cache={"maxRepositories": 4}) as own:
        assert own.ask("bank", host.url("bank/kept")).relation(*kept) == Relation(0, 1)
        for path, hashes in made.items():
            assert own.ask("shop", host.url(path)).relation(*hashes) == Relation(0, 1)
        until("clones to be deleted", lambda: len(list(own.cache.iterdir())) <= 4)
        requests = len(host.requests("bank/kept"))
        assert isinstance(own.ask("bank", host.url("bank/kept")).membership(kept[0], 3600), Membership)
        assert len(host.requests("bank/kept")) == requests, "its clone is there still"


def test_all_clones_together_stay_below_their_bound_in_bytes(host: GitHost, tmp_path: Path) -> None:
    bound, made = 2**20, {}
    for path in ("bank/large", *(f"heavy/{n}" for n in range(5))):
        repository = host.repository(path, filters=False)
        blob = git(repository.folder, "hash-object", "-w", "--stdin", stdin=os.urandom(300 * 1024))
        tree = git(repository.folder, "mktree", stdin=f"100644 blob {blob}\tx\n")
        made[path] = git(repository.folder, "commit-tree", tree, stdin="large")
        repository.point("main", made[path])
    bindings = [binding(host, "bank/*", namespaces=("bank",)), binding(host, "heavy/*")]
    with CommitsService(tmp_path / "own", bindings, cache={"maxBytes": bound}) as own:
        for path, commit in made.items():
            assert isinstance(own.ask(path.partition("/")[0].replace("heavy", "shop"), host.url(path)).membership(commit), Membership), path
        until("clones to be deleted", lambda: sum(p.stat().st_size for p in own.cache.rglob("*") if p.is_file()) <= bound)
        requests = len(host.requests("bank/large"))
        assert isinstance(own.ask("bank", host.url("bank/large")).membership(made["bank/large"], 3600), Membership)
        assert len(host.requests("bank/large")) == requests, "whoever names many loses their own"
        assert isinstance(own.ask("shop", host.url("heavy/0")).membership(made["heavy/0"]), Membership), "fetched anew"


@pytest.mark.parametrize("behaviour", [Behaviour(hang=True), Behaviour(drip=True)], ids=["never answers", "a byte now and then"])
def test_a_host_that_is_slow_holds_up_nobody_else(host: GitHost, tmp_path: Path, behaviour: Behaviour) -> None:
    """More of them hang than there are slots for first fetches; those that are known already go on."""
    known = host.repository("slow/known")
    hashes = known.line(2)
    limits = {"answerSeconds": 2, "fetchesPerHost": 2, "lowSpeedSeconds": 3600, "fetchSeconds": 3600, "cloneSeconds": 3600}
    with CommitsService(tmp_path / "own", [binding(host, "slow/*")], limits=limits) as own:
        until("the clone", lambda: own.ask("shop", host.url("slow/known")).relation(*hashes) == Relation(0, 1))
        hanging = [f"slow/{n}-{behaviour.drip}" for n in range(4)]
        for path in hanging:
            host.repository(path)
            host.behave(path, behaviour)
            assert reason(own.ask("shop", host.url(path)).membership(HASH)) is UnknownReason.PENDING
        newer = known.commit(hashes[1], branch="main")
        found = until("a fetch", lambda: membership_of(own, host, newer))
        assert found.tip == newer
        assert all(reason(own.ask("shop", host.url(path)).membership(HASH)) is UnknownReason.PENDING for path in hanging)


def membership_of(own: CommitsService, host: GitHost, commit: str) -> Membership | None:
    found = own.ask("shop", host.url("slow/known")).membership(commit)
    return found if isinstance(found, Membership) and found.on_branch else None


@pytest.mark.parametrize("behaviour", [Behaviour(hang=True), Behaviour(drip=True)], ids=["never answers", "a byte now and then"])
def test_a_slow_transfer_is_given_up(host: GitHost, tmp_path: Path, behaviour: Behaviour) -> None:
    path = f"given-up/slow-{behaviour.drip}"
    hashes = host.repository(path).line(2)
    host.behave(path, behaviour)
    with CommitsService(tmp_path / "own", [binding(host, "given-up/*")], limits={"lowSpeedSeconds": 2}) as own:
        answer = own.ask("shop", host.url(path)).membership(hashes[0])
        assert reason(answer) is UnknownReason.UNREADABLE
        host.behave(path, None)
        until("it to be tried again", lambda: isinstance(own.ask("shop", host.url(path)).membership(hashes[0]), Membership))


def test_a_fetch_leaves_no_process_behind(host: GitHost, tmp_path: Path) -> None:
    host.repository("left/hanging").line(1)
    host.behave("left/hanging", Behaviour(hang=True))
    with CommitsService(tmp_path / "own", [binding(host, "left/*")], limits={"cloneSeconds": 2, "lowSpeedSeconds": 3600}) as own:
        answer = own.ask("shop", host.url("left/hanging")).membership(HASH)
        assert reason(answer) is UnknownReason.UNREADABLE and "2 s" in str(answer)
        until("git to end", lambda: not [line for line in command_lines() if host.url("left/hanging") in line])


def test_a_branch_that_is_pushed_by_force_takes_nothing_back(service: CommitsService, host: GitHost) -> None:
    """Between a decision and its act: what the graph has said of two commits stays true, and what is on the branch is asked again."""
    repository = host.repository("shop/forced", password=("shop", PASSWORD))
    hashes = repository.history([[], [0], [0]], {"main": 1})
    asked = service.ask("shop", host.url("shop/forced"))
    first = asked.membership(hashes[1])
    assert isinstance(first, Membership) and first.on_branch
    repository.point("main", hashes[2])
    second = asked.membership(hashes[1])
    assert isinstance(second, Membership) and not second.on_branch and second.as_of >= first.as_of
    assert asked.relation(hashes[0], hashes[1]) == Relation(0, 1)


def test_odd_refs_of_a_host_are_left_alone(service: CommitsService, host: GitHost) -> None:
    """Whoever may push to a repository names its refs; thousands of them are no reason to fetch more than the one branch."""
    repository = host.repository("shop/odd-refs", password=("shop", PASSWORD))
    hashes = repository.history([[], [0], [0]], {"main": 1})
    names = ["heads/-x", "heads/--upload-pack=x", "heads/$(touch_x)", "heads/a'b", "heads/\u202elive", "heads/a/b.c", "x/y"]
    for name in names:
        git(repository.folder, "update-ref", f"refs/{name}", hashes[2])
    many = "".join(f"{hashes[2]} refs/heads/n{n:05}\n" for n in range(5000))
    git(repository.folder, "pack-refs", "--all")
    packed = repository.folder / "packed-refs"
    head, *lines = packed.read_text().splitlines()
    packed.write_text("\n".join([head.replace(" sorted", ""), *lines]) + f"\n{many}")
    asked = service.ask("shop", host.url("shop/odd-refs"))
    found = asked.membership(hashes[1])
    assert isinstance(found, Membership) and found.on_branch
    others = asked.membership(hashes[2])
    assert isinstance(others, Membership) and not others.on_branch
    assert_own_refs(service)


def test_replacements_in_a_repository_count_for_nothing(service: CommitsService, host: GitHost) -> None:
    repository = host.repository("shop/replaced", password=("shop", PASSWORD))
    hashes = repository.line(3)
    git(repository.folder, "replace", "--graft", hashes[2])
    assert git(repository.folder, "rev-list", "--count", "main") == "1", "so git itself takes it"
    (repository.folder / "info").mkdir(exist_ok=True)
    (repository.folder / "info" / "attributes").write_text("* filter=x\n")
    git(repository.folder, "config", "filter.x.smudge", "touch pwned")
    assert service.ask("shop", host.url("shop/replaced")).relation(hashes[0], hashes[2]) == Relation(0, 2)
    assert_own_refs(service)


def assert_own_refs(service: CommitsService) -> None:
    """The clones have what the service has named, and neither hooks nor attributes."""
    clones = [folder for folder in service.cache.iterdir() if (folder / "HEAD").exists()]
    assert clones
    for clone in clones:
        refs = git(clone, "for-each-ref", "--format=%(refname)").splitlines()
        assert all(re.fullmatch(r"refs/(branches|commits)/[0-9a-f]{40}", ref) for ref in refs)
        assert not [path for path in (clone / "hooks", clone / "info" / "attributes") if path.exists()]


def test_faults_of_old_clients_are_let_pass(service: CommitsService, host: GitHost) -> None:
    repository = host.repository("shop/old", password=("shop", PASSWORD))
    tree = git(repository.folder, "mktree", stdin=b"")
    text = f"tree {tree}\nauthor A <a@b.c> 1 bad\ncommitter A <a@b.c> 1 bad\n\nold\n"
    commit = git(repository.folder, "hash-object", "-t", "commit", "-w", "--literally", "--stdin", stdin=text)
    repository.point("main", commit)
    found = service.ask("shop", host.url("shop/old")).membership(commit)
    assert isinstance(found, Membership) and found.on_branch


def test_objects_that_are_broken_are_refused(service: CommitsService, host: GitHost) -> None:
    repository = host.repository("shop/broken", password=("shop", PASSWORD))
    tree = git(repository.folder, "mktree", stdin=b"")
    text = f"tree {tree}\ncommitter A <a@b.c> 1 +0000\n\nby nobody\n"
    commit = git(repository.folder, "hash-object", "-t", "commit", "-w", "--literally", "--stdin", stdin=text)
    repository.point("main", commit)
    assert reason(service.ask("shop", host.url("shop/broken")).membership(commit)) is UnknownReason.UNREADABLE
    alive(service, host, "shop/after-broken")


def test_names_of_trees_and_files_are_no_commits(service: CommitsService, host: GitHost) -> None:
    repository = host.repository("shop/objects", password=("shop", PASSWORD))
    hashes = repository.line(2)
    tree = git(repository.folder, "rev-parse", f"{hashes[0]}^{{tree}}")
    asked = service.ask("shop", host.url("shop/objects"))
    assert isinstance(asked.relation(hashes[0], tree), Unknown)
    found = asked.membership(tree)
    assert isinstance(found, Membership) and not found.on_branch
    assert not isinstance(asked.full_hash(tree), FullHash)
    assert asked.relation(hashes[0], hashes[1]) == Relation(0, 1)


def test_a_malformed_hash_in_a_refused_request_is_not_logged(service: CommitsService, host: GitHost) -> None:
    """Nothing that a caller sends goes into the log as it is."""
    service.post(
        "relation", json.dumps({"namespace": "shop", "url": "x\n2026 ERROR forged", "branch": "main", "a": HASH, "b": HASH}).encode()
    )
    assert "forged" not in service.log.read_text()
