"""The four CustomResourceDefinitions, made from the models."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ecs_release.api.environment import Environment, EnvironmentSpec, EnvironmentStatus
from ecs_release.api.meta import Model
from ecs_release.api.names import CLUSTER_SCOPED, GROUP, PLURALS, VERSION
from ecs_release.api.project import Project, ProjectSpec, ProjectStatus
from ecs_release.api.release import Release, ReleaseSpec
from ecs_release.api.release_status import ReleaseStatus
from ecs_release.api.releaseset import ReleaseSet, ReleaseSetSpec
from ecs_release.api.releaseset_status import ReleaseSetStatus
from ecs_release.api.schema import VALIDATIONS, structural_schema

NAME_RULE = {
    "rule": "size(self.metadata.name) <= 63",
    "message": "metadata.name must be at most 63 characters: it becomes a label",
}
_READY = '.status.conditions[?(@.type=="Ready")]'


@dataclass(frozen=True, slots=True)
class Column:
    """A column of kubectl get; wide ones are shown with -o wide."""

    name: str
    path: str
    type: str = "string"
    wide: bool = False

    def to_kubernetes(self) -> dict[str, Any]:
        """Return it as the API server expects it."""
        return {"name": self.name, "type": self.type, "jsonPath": self.path, "priority": int(self.wide)}


@dataclass(frozen=True, slots=True)
class Kind:
    """What a CRD is made of."""

    model: type[Model]
    spec: type[Model]
    status: type[Model]
    short: str
    columns: tuple[Column, ...]
    selectable: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The kind's name."""
        return self.model.__name__


_AGE = Column("Age", ".metadata.creationTimestamp", "date")
_RELEASE_COLUMNS = (
    Column("Service", ".spec.service"),
    Column("Environment", ".spec.environmentRef.name"),
    Column("Hash", ".status.summary.hash"),
    Column("Running", ".status.summary.runningHash"),
    Column("Phase", ".status.phase"),
    Column("Ready", f"{_READY}.status"),
    Column("Tasks", ".status.summary.tasks"),
    _AGE,
    Column("Digest", ".status.summary.digest", wide=True),
    Column("Task Definition", ".status.summary.taskDefinition", wide=True),
    Column("Since", ".status.summary.since", "date", wide=True),
    Column("By", ".status.summary.requestedBy", wide=True),
    Column("Applied By", ".status.summary.appliedBy", wide=True),
    Column("Why", ".status.summary.description", wide=True),
    Column("Message", ".status.summary.message", wide=True),
)
_SET_COLUMNS = (
    Column("Service Set", ".spec.serviceSet"),
    Column("Environment", ".spec.environmentRef.name"),
    Column("Hash", ".status.summary.hash"),
    Column("Phase", ".status.phase"),
    Column("Ready", f"{_READY}.status"),
    Column("Services", ".status.summary.progress"),
    _AGE,
    Column("Running", ".status.summary.runningHash", wide=True),
    Column("By", ".status.summary.requestedBy", wide=True),
    Column("Applied By", ".status.summary.appliedBy", wide=True),
    Column("Why", ".status.summary.description", wide=True),
    Column("Message", ".status.summary.message", wide=True),
)
_PROJECT_COLUMNS = (
    Column("Services", ".status.services", "integer"),
    Column("Releases", ".status.releases", "integer"),
    Column("Ready", f"{_READY}.status"),
    _AGE,
    Column("Repository", ".spec.repository", wide=True),
    Column("Message", f"{_READY}.message", wide=True),
)
_ENVIRONMENT_COLUMNS = (
    Column("Account", ".spec.aws.accountID"),
    Column("Region", ".spec.aws.region"),
    Column("Mode", ".spec.mode"),
    Column("Ready", f"{_READY}.status"),
    Column("Releases", ".status.releases.total", "integer"),
    Column("Failed", ".status.releases.failed", "integer"),
    Column("Drifted", ".status.releases.drifted", "integer"),
    Column("Observed", ".status.lastSweepTime", "date"),
    Column("Closed", ".status.closedWindow.name"),
    _AGE,
    Column("Overdue", ".status.promotion.overdue", "integer", wide=True),
    Column("Cluster", ".spec.target.cluster", wide=True),
    Column("Caller", ".status.caller", wide=True),
    Column("Message", f"{_READY}.message", wide=True),
)
_SELECTABLE = (
    ".spec.environmentRef.name",
    ".spec.projectRef.name",
    ".status.phase",
    ".status.summary.hash",
    ".status.summary.runningHash",
)

KINDS = (
    Kind(Release, ReleaseSpec, ReleaseStatus, "ecsrel", _RELEASE_COLUMNS, (*_SELECTABLE, ".spec.service")),
    Kind(ReleaseSet, ReleaseSetSpec, ReleaseSetStatus, "ecsrs", _SET_COLUMNS, (*_SELECTABLE, ".spec.serviceSet")),
    Kind(Project, ProjectSpec, ProjectStatus, "ecsproj", _PROJECT_COLUMNS),
    Kind(Environment, EnvironmentSpec, EnvironmentStatus, "ecsenv", _ENVIRONMENT_COLUMNS),
)


def definition(kind: Kind) -> dict[str, Any]:
    """Return a kind's CustomResourceDefinition."""
    plural = PLURALS[kind.name]
    version: dict[str, Any] = {
        "name": VERSION,
        "served": True,
        "storage": True,
        "schema": {"openAPIV3Schema": _schema(kind)},
        "subresources": {"status": {}},
        "additionalPrinterColumns": [column.to_kubernetes() for column in kind.columns],
    }
    if kind.selectable:
        version["selectableFields"] = [{"jsonPath": path} for path in kind.selectable]
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{GROUP}"},
        "spec": {
            "group": GROUP,
            "scope": "Cluster" if kind.name in CLUSTER_SCOPED else "Namespaced",
            "names": {
                "kind": kind.name,
                "listKind": f"{kind.name}List",
                "plural": plural,
                "singular": kind.name.lower(),
                "shortNames": [kind.short],
                "categories": ["ecs-release"],
            },
            "versions": [version],
        },
    }


def _schema(kind: Kind) -> dict[str, Any]:
    status = structural_schema(kind.status)
    # kstatus takes a status without observedGeneration for done; with this default an object is in progress from its creation on.
    status["default"] = {"observedGeneration": -1}
    return {
        "type": "object",
        "description": kind.model.__doc__ or "",
        "required": ["spec"],
        "properties": {
            "apiVersion": {"type": "string", "description": "Version of the API."},
            "kind": {"type": "string", "description": "Kind of the object."},
            "metadata": {"type": "object"},
            "spec": structural_schema(kind.spec),
            "status": status,
        },
        VALIDATIONS: [NAME_RULE],
    }
