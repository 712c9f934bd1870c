"""A component's endpoints: what kind each is, and opening a transport to one."""

from typing import Literal, Protocol, runtime_checkable

from pytest_spiral.model.target import Component
from pytest_spiral.transports import open_transport
from pytest_spiral.transports.base import Transport

Kind = Literal["rest", "grpc"]


@runtime_checkable
class Opens(Protocol):
    """A component that opens transports to itself, with its credential and watched."""

    def open(self, endpoint: str) -> Transport:
        """A transport to one of its endpoints."""
        ...


def open_endpoint(component: Component, endpoint: str) -> Transport:
    """A transport to a component's endpoint of that name; KeyError where it has none."""
    if isinstance(component, Opens):
        return component.open(endpoint)
    return open_transport(kind_of(endpoint), component.endpoints[endpoint])


def kind_of(endpoint: str) -> Kind:
    """`rest` or `grpc`: how an endpoint of that name is spoken to."""
    return "rest" if endpoint.rpartition(".")[2] == "rest" else "grpc"


def service_of(endpoint: str) -> str:
    """Which of a component's services an endpoint of that name leads to; empty for the component itself."""
    return endpoint.rpartition(".")[0]


def endpoint_of(service: str, kind: str) -> str:
    """The name of an endpoint: `rest`, or `operator_api.rest`."""
    return f"{service}.{kind}" if service else kind
