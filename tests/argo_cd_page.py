"""Writes examples/argo-cd/argocd-cm.yaml of the Lua files beside it: `python -m tests.argo_cd_page`."""

from __future__ import annotations

import yaml

from ecs_release.api.names import GROUP, PLURALS, RELEASE, RELEASE_SET
from tests.argo_cd import ACTIONS, EXAMPLES

CONFIG_MAP = EXAMPLES / "argocd-cm.yaml"
_HEAD = """\
# Made of health/ and actions/ by `make generate`: change those. Nothing else of your argocd-cm is in here, so that it can be merged:
#   kubectl patch configmap argocd-cm -n argocd --patch-file examples/argo-cd/argocd-cm.yaml
"""


class _Dumper(yaml.SafeDumper):
    """Writes text of several lines as text of several lines."""


def _text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style="|" if "\n" in value else None)


_Dumper.add_representer(str, _text)


def _dump(value: object) -> str:
    return yaml.dump(value, Dumper=_Dumper, sort_keys=False, width=1000)


def config_map() -> str:
    """Return the part of argocd-cm that is ours."""
    health = (EXAMPLES / "health" / "health.lua").read_text()
    folder = EXAMPLES / "actions"
    actions = {
        "discovery.lua": (folder / "discovery.lua").read_text(),
        "definitions": [{"name": name, "action.lua": (folder / name / "action.lua").read_text()} for name in ACTIONS],
    }
    data = {f"resource.customizations.health.{GROUP}_{kind}": health for kind in PLURALS}
    data |= {f"resource.customizations.actions.{GROUP}_{kind}": _dump(actions) for kind in (RELEASE_SET, RELEASE)}
    return _HEAD + _dump({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "argocd-cm"}, "data": data})


if __name__ == "__main__":
    CONFIG_MAP.write_text(config_map())
