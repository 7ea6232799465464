"""ECS's errors, as it words them."""

from __future__ import annotations

from moto.core.exceptions import ServiceException


class EcsError(ServiceException):
    """An error of ECS: a code and a message."""

    def __init__(self, code: str, message: str) -> None:
        """Both go to the caller."""
        super().__init__(code, message)


def invalid(message: str) -> EcsError:
    """A parameter is wrong."""
    return EcsError("InvalidParameterException", message)


def client(message: str) -> EcsError:
    """The request is."""
    return EcsError("ClientException", message)


def no_cluster() -> EcsError:
    """There is no such cluster."""
    return EcsError("ClusterNotFoundException", "Cluster not found.")


def no_service() -> EcsError:
    """There is no such service."""
    return EcsError("ServiceNotFoundException", "Service not found.")


def inactive_service() -> EcsError:
    """It was deleted."""
    return EcsError("ServiceNotActiveException", "Service was not ACTIVE.")
