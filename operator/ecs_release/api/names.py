"""Names that are part of the API: kinds, annotations, labels, and the tags on task definitions. Renaming one breaks users."""

from __future__ import annotations

GROUP = "ecs-release.dev"
VERSION = "v1alpha1"
API_VERSION = f"{GROUP}/{VERSION}"

RELEASE = "Release"
RELEASE_SET = "ReleaseSet"
PROJECT = "Project"
ENVIRONMENT = "Environment"

PLURALS = {RELEASE: "releases", RELEASE_SET: "releasesets", PROJECT: "projects", ENVIRONMENT: "environments"}
CLUSTER_SCOPED = frozenset({ENVIRONMENT})

RETRY_ANNOTATION = f"{GROUP}/retry"
REFRESH_ANNOTATION = f"{GROUP}/refresh"
ABORT_ANNOTATION = f"{GROUP}/abort"
OVERRIDE_ANNOTATION = f"{GROUP}/override-window"
OVERRIDE_COMMITS_ANNOTATION = f"{GROUP}/override-commits"
CONTINUE_ANNOTATION = f"{GROUP}/continue"
APPLIED_BY_ANNOTATION = f"{GROUP}/applied-by"
"""The user that the API server authenticated when spec or a request last changed: stamped by an admission policy."""
REQUEST_ANNOTATIONS = (
    RETRY_ANNOTATION, REFRESH_ANNOTATION, ABORT_ANNOTATION, OVERRIDE_ANNOTATION, OVERRIDE_COMMITS_ANNOTATION, CONTINUE_ANNOTATION
)  # fmt: skip

APPLIED_BY_POLICIES = (
    ("mutatingadmissionpolicies", "ecs-release-applied-by"),
    ("mutatingadmissionpolicybindings", "ecs-release-applied-by"),
    ("validatingadmissionpolicies", "ecs-release-applied-by-is-true"),
    ("validatingadmissionpolicybindings", "ecs-release-applied-by-is-true"),
)
"""What enforces that annotation: resources of admissionregistration.k8s.io/v1, and their names in examples/policies."""

LABEL_PROJECT = f"{GROUP}/project"
LABEL_SERVICE_SET = f"{GROUP}/service-set"
LABEL_SERVICE = f"{GROUP}/service"
LABEL_ENVIRONMENT = f"{GROUP}/environment"
LABEL_RELEASE_SET = f"{GROUP}/release-set"
OUR_LABELS = (LABEL_PROJECT, LABEL_SERVICE_SET, LABEL_SERVICE, LABEL_ENVIRONMENT, LABEL_RELEASE_SET)
"""Labels of a ReleaseSet's children."""

TAG_PREFIX = f"{GROUP}/"
TAG_INSTALLATION = f"{GROUP}/installation"
TAG_RELEASE = f"{GROUP}/release"
TAG_SOURCE = f"{GROUP}/source"
TAG_ATTEMPT = f"{GROUP}/attempt"
TAG_BASE = f"{GROUP}/base"
"""Number of the foreign revision that one of ours was built on."""
TAG_CONTENT = f"{GROUP}/content"
"""Hash of what was registered: on a copy that somebody changed it does not fit, and none of these tags counts."""

FIELD_MANAGER = f"{GROUP}/operator"
"""Owner of the status fields in server-side apply, and reportingController of Events."""
