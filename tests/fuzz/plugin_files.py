"""Files that the kubectl plugin reads: kubeconfigs, and manifests that it changes. It ends with an exit code and one line, whatever is in them."""

from __future__ import annotations

import io
import os
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unittest.mock import patch

import yaml
from hypothesis import strategies as st

from ecs_release.cli.kubectl.main import run
from ecs_release.cli.kubectl.manifests.yaml_edit import edit
from ecs_release.cli.kubectl.manifests.yaml_text import load_documents
from tests.builders.changed_values import changed

_LONGEST = 16_384
"""Of a message with what cannot be seen written out, which is longer than what it stands for."""
_ODD: tuple[Any, ...] = (None, "", "x", 7, -1, 1.5, True, [], {}, [None], ["x"], {"a": "b"}, "\u202e\x1b]0;x\a", "x" * 5000, [[]])
KUBECONFIG = {
    "apiVersion": "v1", "kind": "Config", "current-context": "c",
    "clusters": [{"name": "k", "cluster": {"server": "http://127.0.0.1:1", "certificate-authority-data": "eA==", "tls-server-name": "k"}}],
    "users": [
        {"name": "u", "user": {
            "token": "t", "as": "ana", "as-groups": ["team"], "as-uid": "7", "as-user-extra": {"why": ["audit"]},
            "auth-provider": {"name": "oidc", "config": {"id-token": "a.b.c"}},
        }},
        {"name": "e", "user": {"exec": {"apiVersion": "client.authentication.k8s.io/v1", "command": "/nowhere/aws", "args": ["x"], "env": None}}},
    ],
    "contexts": [{"name": "c", "context": {"cluster": "k", "user": "u", "namespace": "shop"}}],
}  # fmt: skip
MANIFEST = [
    {"kind": "Other", "metadata": {"name": "x"}},
    {
        "apiVersion": "ecs-release.dev/v1alpha1", "kind": "ReleaseSet", "metadata": {"name": "shop", "namespace": "shop"},
        "spec": {"projectRef": {"name": "shop"}, "source": {"releaseHash": "1a2b3c4"}, "overrides": [{"service": "web"}], "suspend": False},
    },
]  # fmt: skip


def _changed(whole: Any) -> st.SearchStrategy[Any]:
    """Change one or two values of a document to odd ones."""
    return st.one_of(changed(whole, _ODD), changed(whole, _ODD).flatmap(lambda once: changed(once, _ODD)))


def _texts(whole: Any, dump: Callable[[Any], str]) -> st.SearchStrategy[bytes]:
    """Draw the bytes of a file: a changed document, one whose text was damaged, or anything."""
    text = dump(whole).encode()
    damaged = st.builds(lambda at, by: text[:at] + by + text[at + len(by) :], st.integers(0, len(text)), st.binary(min_size=1, max_size=4))
    return st.one_of(_changed(whole).map(lambda value: dump(value).encode()), damaged, st.binary(max_size=200))


KUBECONFIGS = st.tuples(_texts(KUBECONFIG, yaml.safe_dump), st.sampled_from(((), ("--user", "e"), ("--context", "x"), ("--as", "ben"))))
MANIFESTS = _texts(MANIFEST, lambda documents: yaml.safe_dump_all(documents if isinstance(documents, list) else [documents]))


def check_kubeconfig(example: tuple[bytes, tuple[str, ...]]) -> None:
    """Run the plugin with a kubeconfig. Raises AssertionError for anything but an answer for people."""
    content, flags = example
    said = io.StringIO()
    with TemporaryDirectory() as folder:
        file = Path(folder) / "config"
        file.write_bytes(content)
        with patch.dict(os.environ, {"KUBECONFIG": str(file), "HOME": folder}), redirect_stdout(io.StringIO()), redirect_stderr(said):
            code = run(["status", "release/web", "--request-timeout", "1s", *flags])
    message = said.getvalue()
    assert code == 1, (code, message)
    assert "defect of the plugin" not in message, message
    assert len(message) <= _LONGEST, len(message)
    assert "\x1b" not in message and "\u202e" not in message, message


def check_manifest(content: bytes) -> None:
    """Change a manifest as `promote` does. Raises AssertionError if the text that comes of it is not what was meant."""
    try:
        text = content.decode()
        documents = load_documents(text)
    except ValueError:
        return
    fitting = [n for n, d in enumerate(documents) if isinstance(d, dict) and isinstance(d.get("spec"), dict)]
    if not fitting:
        return
    edited = load_documents(edit(text, fitting[0], {"source": {"tag": "v2"}, "overrides": None}).text)
    meant = list(documents)
    spec = {k: v for k, v in (meant[fitting[0]]["spec"] | {"source": {"tag": "v2"}, "overrides": None}).items() if v is not None}
    meant[fitting[0]] = {**meant[fitting[0]], "spec": spec}
    assert [d for d in edited if d is not None] == [d for d in meant if d is not None]
