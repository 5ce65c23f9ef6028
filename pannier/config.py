"""The settings in ``config.toml``; every one has a default, so that an empty file works.

ledger = "weather"              # which ledger when none is named

[peer.home]                     # as `pannier peer list` calls it
mtu = 1400                      # bytes: the smallest frame on any way to that peer
oneway = false                  # true: it can never answer
repeat = 3                      # oneway: onto how many media or links each bundle goes
transports = []                 # kinds that serve it, "directory" is sticks and folders; empty: all
priority = 4                    # 0 (first) to 7
expiry_days = 366

[transport.dropbox]
kind = "directory"              # a drop folder, exchanged whenever something changes
path = "/srv/drop"

[transport.sticks]
kind = "mounts"                 # a folder under which media appear
path = "/media/me"

[spool]
carry_bytes = 67108864          # room for what is carried for others
peer_bytes = 1073741824         # room for what one peer may leave unfinished here
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, TypeVar

from pannier.errors import PannierError, UsageError

_T = TypeVar("_T", "PeerConfig", "TransportConfig", "SpoolConfig")
TRANSPORT_KINDS = ("directory", "mounts")


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerConfig:
    """How to serve one peer; see the module's docstring for the meaning of each."""

    mtu: int = 1400
    oneway: bool = False
    repeat: int = 3
    transports: tuple[str, ...] = ()
    priority: int = 4
    expiry_days: int = 366


@dataclass(frozen=True, slots=True, kw_only=True)
class TransportConfig:
    """One configured transport."""

    kind: str = "directory"
    path: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SpoolConfig:
    """Bounds of the spool, in bytes."""

    carry_bytes: int = 64 << 20
    peer_bytes: int = 1 << 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """All settings of a node."""

    ledger: str | None = None
    peers: Mapping[str, PeerConfig] = field(default_factory=dict)
    transports: Mapping[str, TransportConfig] = field(default_factory=dict)
    spool: SpoolConfig = SpoolConfig()

    def peer(self, name: str) -> PeerConfig:
        """Return the settings for the peer called *name*."""
        return self.peers.get(name, PeerConfig())


def read_config(path: Path) -> Config:
    """Return the settings in *path*; the defaults if there is no such file.

    Raises:
        UsageError: the file is not TOML, or has a key or value that means nothing.
        PannierError: it cannot be read.
    """
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return Config()
    except OSError as error:
        raise PannierError(f"cannot read {path}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise UsageError(f"{path} is not valid TOML: {error}") from error
    where = str(path)
    unknown = set(data) - {"ledger", "peer", "transport", "spool"}
    if unknown:
        raise UsageError(f"{where}: unknown setting {min(unknown)!r}")
    ledger = data.get("ledger")
    if ledger is not None and not isinstance(ledger, str):
        raise UsageError(f"{where}: ledger is the name of a ledger, in quotes")
    config = Config(
        ledger=ledger,
        peers={
            name: _section(PeerConfig(), table, f"{where}: [peer.{name}]")
            for name, table in _tables(data, "peer", where).items()
        },
        transports={
            name: _section(TransportConfig(), table, f"{where}: [transport.{name}]")
            for name, table in _tables(data, "transport", where).items()
        },
        spool=_section(SpoolConfig(), data.get("spool", {}), f"{where}: [spool]"),
    )
    _check(config, where)
    return config


def _check(config: Config, where: str) -> None:
    for name, peer in config.peers.items():
        for key, least, most in (
            ("mtu", 48, 65_564),
            ("repeat", 1, 1000),
            ("priority", 0, 7),
            ("expiry_days", 1, 36_500),
        ):
            if not least <= getattr(peer, key) <= most:
                raise UsageError(f"{where}: [peer.{name}]: {key} must be {least} to {most}")
    for name, transport in config.transports.items():
        if transport.kind not in TRANSPORT_KINDS:
            raise UsageError(
                f"{where}: [transport.{name}]: kind must be one of {', '.join(TRANSPORT_KINDS)}"
            )
        if not Path(transport.path).expanduser().is_absolute():
            raise UsageError(
                f"{where}: [transport.{name}]: path must be a whole path, like /media/me or ~/drop"
            )
    for key in ("carry_bytes", "peer_bytes"):
        if getattr(config.spool, key) < 0:
            raise UsageError(f"{where}: [spool]: {key} must not be negative")


def _tables(data: Mapping[str, Any], key: str, where: str) -> Mapping[str, Any]:
    tables = data.get(key, {})
    if not isinstance(tables, dict):
        raise UsageError(f"{where}: {key} needs sections: [{key}.NAME]")
    return tables


def _section(default: _T, table: object, where: str) -> _T:
    if not isinstance(table, dict):
        raise UsageError(f"{where} is not a section")
    known = {one.name: getattr(default, one.name) for one in fields(default)}
    values = {}
    for key, value in table.items():
        if key not in known:
            raise UsageError(f"{where}: unknown setting {key!r}")
        values[key] = _like(known[key], value, f"{where}: {key}")
    return type(default)(**{**known, **values})


def _like(default: object, value: object, where: str) -> object:
    if isinstance(default, tuple):
        if isinstance(value, list) and all(isinstance(item, str) for item in value):
            return tuple(value)
        raise UsageError(f"{where} is a list of names")
    if type(value) is not type(default):
        raise UsageError(f"{where} is {type(default).__name__}, like {default!r}")
    return value
