"""Say where the driver would connect to, by its parameters and its environment. No connection here."""

from __future__ import annotations

import getpass
import os
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import Final

_ENVIRONMENT: Final = {
    "host": "PGHOST", "hostaddr": "PGHOSTADDR", "port": "PGPORT", "user": "PGUSER", "dbname": "PGDATABASE",
    "sslmode": "PGSSLMODE", "sslrootcert": "PGSSLROOTCERT", "service": "PGSERVICE", "password": "PGPASSWORD",
}  # fmt: skip
_FOLDERS: Final = ("/var/run/postgresql", "/tmp")  # noqa: S108  (where the driver looks, by who built it)
_PORT: Final = "5432"


@dataclass(frozen=True)
class Place:
    """An address, its port (0 for the path of a socket), and the name that its certificate should have."""

    address: str
    port: int
    name: str

    def __str__(self) -> str:
        """As an operator says it."""
        return f"{self.name}:{self.port}" if self.port else self.address


def completed(conninfo: Mapping[str, str]) -> dict[str, str]:
    """Return *conninfo* with what the environment says where it says nothing, and with a user."""
    said = {name: os.environ[spoken] for name, spoken in _ENVIRONMENT.items() if os.environ.get(spoken)}
    given = {**said, **{name: value for name, value in conninfo.items() if value}}
    return {"user": getpass.getuser(), **given} if "user" not in given else given


def places(conninfo: Mapping[str, str]) -> tuple[Place, ...]:
    """Return every address that *conninfo* names, in its order; none where a file of services says them."""
    if "service" in conninfo:
        return ()
    hosts = _parts(conninfo, "host")
    addresses = _parts(conninfo, "hostaddr")
    ports = _parts(conninfo, "port") or [_PORT]
    named = list(zip_longest(hosts, addresses, fillvalue="")) or [("", "")]
    spread = ports * len(named) if len(ports) == 1 else ports
    return tuple(
        _place(host, address, port or _PORT) for (host, address), port in zip(named, spread, strict=False)
    )


def _parts(conninfo: Mapping[str, str], name: str) -> list[str]:
    return [part.strip() for part in conninfo[name].split(",")] if conninfo.get(name) else []


def _place(host: str, address: str, port: str) -> Place:
    if address or (host and not host.startswith(("/", "@"))):
        return Place(address or host, int(port), host or address)
    folders = (host,) if host else _FOLDERS
    paths = [f"{folder}/.s.PGSQL.{port}" for folder in folders]
    found = next((path for path in paths if Path(path).exists()), paths[0])
    # An abstract socket is written with @, and is meant with a zero byte.
    return Place(found.replace("@", "\0", 1) if host.startswith("@") else found, 0, found)
