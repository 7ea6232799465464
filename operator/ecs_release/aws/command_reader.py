"""Reads for a person at a terminal: a few calls, one after another, with the person's own credentials or through an Environment's role.

None of it changes anything; what the operator does goes through `caller` and its pacing instead.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any

import botocore.session
from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError, NoRegionError, ProfileNotFound

from ecs_release.api.conditions import Reason
from ecs_release.aws.clients import task_definitions as revisions
from ecs_release.aws.registry import image_lookup as images
from ecs_release.aws.sessions.error_codes import problem_of
from ecs_release.aws.sessions.sdk_models import read_time
from ecs_release.aws.sessions.sessions import Sessions
from ecs_release.domain.ecs.service import Access, RegistryImage, TaskDefinition
from ecs_release.domain.model.errors import Blocked, Denied

_PAGE, _PAGES = 1000, 50


class PersonalAws:
    """AWS as its user may see it. Every method raises Problem, with a message for people."""

    def __init__(self, user_agent: str, session_name: str) -> None:
        """`session_name` is what CloudTrail shows where a role is assumed."""
        self._user_agent, self._session_name = user_agent, session_name
        self._sessions: Sessions | None = None

    def client(self, access: Access, service: str) -> Any:
        """Return a client of boto3."""
        with told(f"{service} in {access.region}"):
            # A profile that is not there is known by now.
            self._sessions = self._sessions or Sessions(self._user_agent, self._session_name, threads=4)
            return self._sessions.client(access, service)

    def image(
        self, access: Access, registry_id: str, repository: str, *, tags: Sequence[str] = (), digest: str = ""
    ) -> RegistryImage | None:
        """Find an image by digest, or by the first of its tags that is there; None where there is none that can be pulled."""
        client = self.client(access, "ecr")
        for wanted in [{"imageDigest": digest}] if digest else [{"imageTag": tag} for tag in tags]:
            parameters = {"registryId": registry_id, "repositoryName": repository, "imageIds": [wanted]}
            found = self._call(images.describe, client, parameters, f"ecr:DescribeImages on {repository} in registry {registry_id}")
            for detail in found or ():
                if not images.is_archived(detail):
                    return images.of_detail(detail, self._platforms(client, registry_id, repository, detail))
        return None

    def tags(self, access: Access, registry_id: str, repository: str) -> frozenset[str]:
        """List all tags of a repository's images. `registry_id` is empty for the account's own. Raises Blocked beyond 50,000 images."""
        client, found = self.client(access, "ecr"), set[str]()
        parameters: dict[str, Any] = {"repositoryName": repository, "filter": {"tagStatus": "TAGGED"}, "maxResults": _PAGE}
        parameters |= {"registryId": registry_id} if registry_id else {}
        for _ in range(_PAGES):
            answer = self._call(_described, client, parameters, f"ecr:DescribeImages on {repository}")
            found |= {tag for detail in answer["imageDetails"] for tag in detail.get("imageTags") or ()}
            if not answer.get("nextToken"):
                return frozenset(found)
            parameters["nextToken"] = answer["nextToken"]
        raise Blocked(Reason.INVALID_SPEC, f"{repository} has more than {_PAGE * _PAGES} tagged images: write the release hash in full")

    def task_definition(self, access: Access, arn: str) -> TaskDefinition:
        """Describe a revision with its tags."""
        parameters = {"taskDefinition": arn, "include": ["TAGS"]}
        found: TaskDefinition = self._call(
            revisions.describe, self.client(access, "ecs"), parameters, f"ecs:DescribeTaskDefinition on {arn.rpartition('/')[2]}"
        )
        return found

    def service_events(self, access: Access, cluster: str, service_arn: str, limit: int) -> list[tuple[datetime, str]]:
        """Return ECS's newest events about a service, oldest first: when, and what."""
        parameters = {"cluster": cluster, "services": [service_arn]}
        answer = self._call(_services, self.client(access, "ecs"), parameters, f"ecs:DescribeServices on {service_arn.rpartition('/')[2]}")
        events = [event for service in answer.get("services") or () for event in service.get("events") or ()]
        # Events are handed on as they came (aws.models).
        return [(read_time(event["createdAt"]), str(event.get("message", ""))) for event in reversed(events[:limit])]

    def _platforms(self, client: Any, registry_id: str, repository: str, detail: Mapping[str, Any]) -> tuple[str, ...]:
        """Read the entries of a manifest list: tasks may show either its digest or a platform's."""
        if detail.get("imageManifestMediaType") not in images.LISTS:
            return ()
        parameters = {
            "registryId": registry_id,
            "repositoryName": repository,
            "imageIds": [{"imageDigest": detail["imageDigest"]}],
            "acceptedMediaTypes": sorted(images.LISTS),
        }
        answer = self._call(_manifests, client, parameters, f"ecr:BatchGetImage on {repository}")
        found = answer.get("images") or ()
        return images.entries(found[0]["imageManifest"]) if found else ()

    def _call(self, read: Callable[[Any, Mapping[str, Any]], Any], client: Any, parameters: Mapping[str, Any], action: str) -> Any:
        with told(action):
            return read(client, parameters)


def check_credentials(action: str) -> None:
    """Make sure that there are any. Raises Denied, before a caller's own code asks AWS without."""
    with told(action):
        if botocore.session.Session().get_credentials() is None:
            raise NoCredentialsError


@contextmanager
def told(action: str) -> Iterator[None]:
    """Turn what boto3 raises into a Problem. `action` names the call and its object."""
    try:
        yield
    except (NoCredentialsError, ProfileNotFound, NoRegionError) as error:
        raise Denied(f"{action}: there are no AWS credentials to use ({error}): set AWS_PROFILE, or log in to AWS first") from error
    except (BotoCoreError, ClientError, OSError) as error:
        raise problem_of(error, action, mutating=False) from error


def _described(client: Any, parameters: Mapping[str, Any]) -> Any:
    return client.describe_images(**parameters)


def _services(client: Any, parameters: Mapping[str, Any]) -> Any:
    return client.describe_services(**parameters)


def _manifests(client: Any, parameters: Mapping[str, Any]) -> Any:
    return client.batch_get_image(**parameters)
