"""Find the addresses that names stand for, by a moment: the system's resolver knows no end of its own."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Mapping
from typing import Any, Final

from spotify_ai_agent_migrations.versions.health_check.places import Place, completed, places

_LEAST_S: Final = 0.01


def resolved(conninfo: Mapping[str, str], until: float) -> dict[str, str]:
    """Return *conninfo* with an address beside each name, so that the driver asks nobody for one.

    A name with several addresses is there as often. As it is where there is no name, or one has no address.

    Raises:
        TimeoutError: a resolver did not answer before *until*, a time of the monotonic clock.
    """
    found = completed(conninfo)
    named = "hostaddr" not in found and any(place.port for place in places(found))
    if not named:
        return dict(conninfo)
    try:
        each = [entry for place in places(found) for entry in _entries(place, until)]
    except TimeoutError:
        raise
    except OSError:
        # The driver says so, as it always does.
        return dict(conninfo)
    hosts, addresses_, ports = (",".join(column) for column in zip(*each, strict=True))
    return {**conninfo, "host": hosts, "hostaddr": addresses_, "port": ports}


def _entries(place: Place, until: float) -> list[tuple[str, str, str]]:
    if not place.port:
        folder, _, port = place.name.rpartition("/.s.PGSQL.")
        return [(folder, "", port)]
    return [(place.name, str(address[0]), str(place.port)) for _, address in addresses(place, until)]


def addresses(place: Place, until: float) -> list[tuple[socket.AddressFamily, Any]]:
    """Return the addresses of *place*; a resolver that does not answer is left behind at *until*.

    Raises:
        TimeoutError: it did not.
        OSError: there is none.
    """
    if not place.port:
        return [(socket.AF_UNIX, place.address)]
    found: list[Any] = []
    # Nothing bounds the system's resolver, and nothing ends a thread that is in it.
    asking = threading.Thread(target=_resolve, args=(place, found), name="resolver", daemon=True)
    asking.start()
    asking.join(max(_LEAST_S, until - time.monotonic()))
    if not found:
        raise TimeoutError
    if isinstance(found[0], OSError):
        raise found[0]
    return [(family, address) for family, _, _, _, address in found[0]]


def _resolve(place: Place, found: list[Any]) -> None:
    try:
        found.append(socket.getaddrinfo(place.address, place.port, type=socket.SOCK_STREAM))
    except OSError as error:
        found.append(error)
