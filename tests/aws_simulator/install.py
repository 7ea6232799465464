"""Puts the simulated services in the place of moto's, for a server as for `mock_aws` in a process."""

from __future__ import annotations


def install() -> None:
    """Have moto use our ECS, ECR, STS, tables of DynamoDB and queues of SQS from now on. In a process: before `mock_aws` begins."""
    from moto.ecr import models as ecr_models
    from moto.ecr import urls as ecr_urls
    from moto.ecs import models as ecs_models
    from moto.ecs import urls as ecs_urls
    from moto.sts import models as sts_models

    from tests.aws_simulator import dynamodb, sqs
    from tests.aws_simulator.ecr import urls as our_ecr_urls
    from tests.aws_simulator.ecr.models import SimulatedEcrBackend
    from tests.aws_simulator.ecs import urls as our_ecs_urls
    from tests.aws_simulator.ecs.models import SimulatedEcsBackend
    from tests.aws_simulator.sts.models import SimulatedStsBackend

    dynamodb.install()
    sqs.install()
    ecs_models.ecs_backends.backend = SimulatedEcsBackend
    ecr_models.ecr_backends.backend = SimulatedEcrBackend
    sts_models.sts_backends.backend = SimulatedStsBackend
    ecs_urls.url_paths.update(our_ecs_urls.url_paths)
    ecr_urls.url_paths.update(our_ecr_urls.url_paths)
