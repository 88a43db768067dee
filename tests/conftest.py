"""What every test shares: the network is off, and property tests are repeatable."""

import ipaddress
import socket
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import settings

pytest_plugins = ["backbones"]  # fixtures: `tiny_backbone`, `steady_backbones`, …

# No flaky tests: the same examples in every run, and no deadline that a busy machine could miss.
settings.register_profile("repeatable", derandomize=True, deadline=None)
settings.load_profile("repeatable")


class NetworkBlocked(OSError):
    """An attempt to reach another machine from a test."""


def is_local(host: object) -> bool:
    """Whether a host is this machine.

    host (object): A name or an address as sockets take it; None and "" are wildcards of this machine.
    RETURNS (bool): True for the loopback range and its names.
    """
    if host in (None, "", b"", "localhost", b"localhost"):
        return True
    try:
        return ipaddress.ip_address(host.decode() if isinstance(host, bytes) else str(host)).is_loopback
    except ValueError:
        return False


@pytest.fixture(autouse=True, scope="session")
def blocked_network() -> Iterator[None]:
    """Refuse name look-ups and connections that leave this machine, for the whole session."""
    look_up = socket.getaddrinfo

    def refuse(host: object) -> None:
        raise NetworkBlocked(f"Tests run with the network off; something asked for {host!r}.")

    def guarded(name: str) -> Any:
        original = getattr(socket.socket, name)

        def connect(self: socket.socket, address: Any) -> Any:
            if self.family in (socket.AF_INET, socket.AF_INET6) and not is_local(address[0]):
                refuse(address[0])
            return original(self, address)

        return connect

    def getaddrinfo(host: Any, *args: Any, **kwargs: Any) -> Any:
        if not is_local(host):
            refuse(host)
        return look_up(host, *args, **kwargs)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", guarded("connect"))
        patch.setattr(socket.socket, "connect_ex", guarded("connect_ex"))
        patch.setattr(socket, "getaddrinfo", getaddrinfo)
        yield
