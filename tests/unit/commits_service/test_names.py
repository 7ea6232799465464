"""What may be a hash, a branch, a URL; and who may name which repository."""

from __future__ import annotations

import itertools
import re
import string
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecs_release.commits_service.bindings import Location, UrlError, bound, matches, parse_url
from ecs_release.commits_service.config import Binding
from ecs_release.commits_service.names import branch_ref, is_abbreviated_hash, is_branch, is_full_hash
from tests.git_host.repositories import git_program

FULL = "0123456789abcdef0123456789abcdef01234567"


@pytest.mark.parametrize(
    ("text", "full", "abbreviated"),
    [
        (FULL, True, True),
        (FULL[:39], False, True),
        (FULL[:7], False, True),
        (FULL[:6], False, False),
        (FULL + "0", False, False),
        (FULL.upper(), False, False),
        (f"{FULL}\n", False, False),
        (f"-{FULL[1:]}", False, False),
        (FULL.replace("0", "٠"), False, False),
        ("", False, False),
    ],
)
def test_hashes(text: str, full: bool, abbreviated: bool) -> None:
    assert (is_full_hash(text), is_abbreviated_hash(text)) == (full, abbreviated)


@given(st.text(st.sampled_from(string.ascii_letters + string.digits + "-./@{}~^:?*[\\ \t\x7fü;$'\"(&|"), max_size=12))
def test_what_is_taken_as_a_branch_git_takes_too(text: str) -> None:
    """And never what git would read as something else."""
    if is_branch(text):
        done = subprocess.run([git_program(), "check-ref-format", f"refs/heads/{text}"], check=False, capture_output=True)
        assert done.returncode == 0
        assert not text.startswith("-")


@pytest.mark.parametrize("text", ["main", "a/b", "release-1.2", "ünïcode", "dependabot/npm/x-1.0", "a'b", "$(x)", "HEAD", "x" * 244])
def test_branches(text: str) -> None:
    assert is_branch(text)


@pytest.mark.parametrize(
    "text",
    ["", "-x", "--upload-pack=x", "a..b", "a b", "a\nb", "a~1", "a^", "a:b", "a*", "@", "a@{1}", "/a", "a/", "a//b", ".a", "a/.b", "a.lock",
     "a.lock/b", "a.", "a\\b", "a\x00", "a\ud800", "x" * 245, "ü" * 123],
)  # fmt: skip
def test_no_branches(text: str) -> None:
    assert not is_branch(text)


@given(st.lists(st.text(max_size=8), min_size=2, max_size=2, unique=True))
def test_no_two_branches_share_a_ref(names: list[str]) -> None:
    one, other = (branch_ref(name.encode(errors="replace").decode()) for name in names)
    assert (one == other) == (names[0].encode(errors="replace") == names[1].encode(errors="replace"))


@pytest.mark.parametrize(
    ("url", "location"),
    [
        ("https://git.example.com/shop/web", Location("git.example.com", "shop/web")),
        ("https://git.example.com/shop/web.git", Location("git.example.com", "shop/web.git")),
        ("HTTPS://Git.Example.com:443/shop/web.git/", Location("git.example.com", "shop/web.git")),
        ("https://git.example.com:8443/Shop/Web", Location("git.example.com:8443", "Shop/Web")),
        ("https://127.0.0.1:8443/x", Location("127.0.0.1:8443", "x")),
        ("https://git.example.com/~ana/x", Location("git.example.com", "~ana/x")),
    ],
)
def test_urls(url: str, location: Location) -> None:
    assert parse_url(url) == location
    assert parse_url(location.url) == location


@given(st.text(st.sampled_from("htps:/@.-_~%?#\\ab1[] \n"), max_size=30).map("https://git.example.com/".__add__))
def test_a_url_that_is_taken_stays_on_its_host(url: str) -> None:
    try:
        location = parse_url(url)
    except UrlError:
        return
    assert location.host == "git.example.com"
    assert not {"", ".", ".."} & set(location.path.split("/"))
    assert not any(part.startswith(("-", ".")) for part in location.path.split("/"))


def a_binding(**fields: object) -> Binding:
    return Binding.model_validate({"hosts": ["git.example.com"], "repositories": ["shop/*"], "namespaces": ["shop"], **fields})


@pytest.mark.parametrize(
    ("namespace", "url", "number"),
    [
        ("shop", "https://git.example.com/shop/web", 0),
        ("shop", "https://git.example.com/shop/web.git", 0),
        ("shop", "https://git.example.com/shop/web/more", None),
        ("shop", "https://git.example.com/shopping/web", None),
        ("shop", "https://git.example.com/Shop/web", None),
        ("shop", "https://git.example.com:8443/shop/web", None),
        ("shop", "https://other.example.com/shop/web", None),
        ("shop-2", "https://git.example.com/shop/web", None),
        ("bank", "https://git.example.com/shop/web", 1),
        ("bank-blue", "https://git.example.com/shop/web", 1),
        ("bank", "https://git.example.com/bank/web", None),
    ],
)
def test_the_first_binding_that_fits_counts(namespace: str, url: str, number: int | None) -> None:
    bindings = [a_binding(), a_binding(namespaces=["bank", "bank-*", "shop"])]
    assert bound(bindings, namespace, parse_url(url)) == number


@pytest.mark.parametrize(
    ("pattern", "text", "fits"),
    [("a*", "abc", True), ("a*", "a", True), ("a*c", "abc", True), ("a*", "a/b", False), ("a.c", "abc", False), ("*", "x", True), ("a", "ab", False),
     ("*/b", "a/b", True), ("a", "a\n", False)],
)  # fmt: skip
def test_patterns(pattern: str, text: str, fits: bool) -> None:
    assert matches(pattern, text) is fits


def test_patterns_find_what_trying_every_place_finds() -> None:
    for pattern in _texts("ab/*", 5):
        tried = re.compile(pattern.replace("*", "[^/]*"))
        for text in _texts("ab/", 5):
            assert matches(pattern, text) is bool(tried.fullmatch(text)), (pattern, text)


def _texts(letters: str, longest: int) -> list[str]:
    return ["".join(text) for length in range(1, longest + 1) for text in itertools.product(letters, repeat=length)]
