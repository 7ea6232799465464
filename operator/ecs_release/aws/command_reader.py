"""Reads for commands of the kubectl plugin: a few sequential calls, with the user's own credentials or an Environment's role.

No call changes anything. Calls of the operator go through `caller` and its pacing instead.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any

import botocore.session
from botocore.exceptions import NoCredentialsError, NoRegionError, ProfileNotFound

from ecs_release.api.conditions import Reason
from ecs_release.aws.clients import task_definitions
from ecs_release.aws.registry import image_lookup
from ecs_release.aws.sessions.error_codes import problem_of
from ecs_release.aws.sessions.sdk_models import read_time
from ecs_release.aws.sessions.sessions import Sessions
from ecs_release.domain.ecs.service import Access, RegistryImage, TaskDefinition
from ecs_release.domain.model.errors import Blocked, Denied, Problem

_PAGE, _PAGES = 1000, 50


class CommandReader:
    """Reads AWS with the user's permissions. Every method raises Problem, with a message for people."""

    def __init__(self, user_agent: str, session_name: str) -> None:
        """`session_name` is what CloudTrail shows if a role is assumed."""
        self._user_agent, self._session_name = user_agent, session_name
        self._sessions: Sessions | None = None

    def client(self, access: Access, service: str) -> Any:
        """Return a client of boto3."""
        with translated_errors(f"{service} in {access.region}"):
            # A missing profile raises here.
            self._sessions = self._sessions or Sessions(self._user_agent, self._session_name, threads=4)
            return self._sessions.client(access, service)

    def image(
        self, access: Access, registry_id: str, repository: str, *, tags: Sequence[str] = (), digest: str = ""
    ) -> RegistryImage | None:
        """Find an image by digest, or by the first of the tags that exists; None if there is none that can be pulled."""
        client = self.client(access, "ecr")
        for wanted in [{"imageDigest": digest}] if digest else [{"imageTag": tag} for tag in tags]:
            parameters = {"registryId": registry_id, "repositoryName": repository, "imageIds": [wanted]}
            found = self._call(image_lookup.describe, client, parameters, f"ecr:DescribeImages on {repository} in registry {registry_id}")
            for detail in found or ():
                if not image_lookup.is_archived(detail):
                    return image_lookup.of_detail(detail, self._platforms(client, registry_id, repository, detail))
        return None

    def tags(self, access: Access, registry_id: str, repository: str) -> frozenset[str]:
        """List all tags of a repository's images. `registry_id` is empty for the account's own. Raises Blocked beyond 50,000 images."""
        client, found = self.client(access, "ecr"), set[str]()
        parameters: dict[str, Any] = {"repositoryName": repository, "filter": {"tagStatus": "TAGGED"}, "maxResults": _PAGE}
        parameters |= {"registryId": registry_id} if registry_id else {}
        for _ in range(_PAGES):
            page, token = self._call(image_lookup.described_page, client, parameters, f"ecr:DescribeImages on {repository}")
            found |= {tag for detail in page for tag in detail["imageTags"]}
            if not token:
                return frozenset(found)
            parameters["nextToken"] = token
        raise Blocked(Reason.INVALID_SPEC, f"{repository} has more than {_PAGE * _PAGES} tagged images: write the release hash in full")

    def task_definition(self, access: Access, arn: str) -> TaskDefinition:
        """Describe a revision with its tags."""
        parameters = {"taskDefinition": arn, "include": ["TAGS"]}
        found: TaskDefinition = self._call(
            task_definitions.describe, self.client(access, "ecs"), parameters, f"ecs:DescribeTaskDefinition on {arn.rpartition('/')[2]}"
        )
        return found

    def service_events(self, access: Access, cluster: str, service_arn: str, limit: int) -> list[tuple[datetime, str]]:
        """Return the newest service events of ECS, oldest first: time and message."""
        parameters = {"cluster": cluster, "services": [service_arn]}
        answer = self._call(_services, self.client(access, "ecs"), parameters, f"ecs:DescribeServices on {service_arn.rpartition('/')[2]}")
        events = [event for service in answer.get("services") or () for event in service.get("events") or ()]
        # Events are not parsed (aws.sessions.sdk_models).
        return [(read_time(event["createdAt"]), str(event.get("message", ""))) for event in reversed(events[:limit])]

    def _platforms(self, client: Any, registry_id: str, repository: str, detail: Mapping[str, Any]) -> tuple[str, ...]:
        """Read the entries of a manifest list: tasks may show either its digest or a platform's."""
        if detail.get("imageManifestMediaType") not in image_lookup.LISTS:
            return ()
        parameters = {
            "registryId": registry_id,
            "repositoryName": repository,
            "imageIds": [{"imageDigest": detail["imageDigest"]}],
            "acceptedMediaTypes": sorted(image_lookup.LISTS),
        }
        found = self._call(image_lookup.read_manifest_lists, client, parameters, f"ecr:BatchGetImage on {repository}")
        listed: tuple[str, ...] | Problem = next(iter(found.values()), ())
        if isinstance(listed, Problem):
            raise listed
        return listed

    def _call(self, read: Callable[[Any, Mapping[str, Any]], Any], client: Any, parameters: Mapping[str, Any], action: str) -> Any:
        with translated_errors(action):
            return read(client, parameters)


def check_credentials(action: str) -> None:
    """Check that there are credentials. Raises Denied."""
    with translated_errors(action):
        if botocore.session.Session().get_credentials() is None:
            raise NoCredentialsError


@contextmanager
def translated_errors(action: str) -> Iterator[None]:
    """Translate errors of boto3 into Problems. `action` names the call and its object."""
    try:
        yield
    except (NoCredentialsError, ProfileNotFound, NoRegionError) as error:
        raise Denied(f"{action}: there are no AWS credentials to use ({error}): set AWS_PROFILE, or log in to AWS first") from error
    except Problem:
        raise
    except Exception as error:
        raise problem_of(error, action, mutating=False) from error


def _services(client: Any, parameters: Mapping[str, Any]) -> Any:
    return client.describe_services(**parameters)
