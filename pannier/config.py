"""The settings in ``config.toml``; every one has a default, so that an empty file works.

ledger = "weather"              # which ledger when none is named: name or id
hide_names = false              # true: ledgers that are new here hide the names of things and kinds
keyring = false                 # true: the passphrase is in the keyring of the operating system

[peer.home]                     # as `pannier peer list` calls it
mtu = 1400                      # bytes: the smallest frame on any way to that peer
oneway = false                  # true: it can never answer
repeat = 3                      # oneway: onto how many media or links each bundle goes
transports = []                 # what serves it: "directory" (sticks, folders), "serial", "tcp",
                                # "udp"; empty: all
priority = 4                    # 0 (first) to 7
expiry_days = 366
import = "direct"               # "review": what it sends changes no ledger before you looked at it
clear = false                   # true: nothing to or from it is encrypted, and only ledgers travel
                                # that were made for that (`ledger new --clear`); both must say so
pad = false                     # true: what is sealed for it has one of few sizes
repair = 0                      # percent of symbols more in what is written for it onto media, and
                                # by `pack`: so much damage costs nothing

[transport.dropbox]
kind = "directory"              # a drop folder, exchanged whenever something changes
path = "/srv/drop"

[transport.sticks]
kind = "mounts"                 # a folder under which media appear
path = "/media/me"

[transport.wire]
kind = "serial"
peer = "home"
path = "/dev/ttyUSB0"           # or usb = "0403:6001" or "0403:6001:SERIAL", wherever it turns up
baud = 115200
parity = "none"                 # "even", "odd", "mark", "space"
stop_bits = 1
rtscts = false                  # true: the wires RTS and CTS say who may send
xonxoff = false                 # true: the characters XON and XOFF do
framing = "cobs"                # "kiss": for radio modems (TNCs)
mtu = 2048                      # longest frame in bytes
rate = 0                        # bytes a second at most; 0: no limit but the line's
duty = 0.0                      # percent of any hour in which this side may send; 0: no limit
half_duplex = false             # true: who sends hears nothing; needs rate where the line has none

[transport.radio]
kind = "tcp"                    # "udp" has the same, without tls
peer = "home"                   # may be left out with listen: any peer
address = "192.0.2.7:4000"      # or listen = "4000", "192.0.2.1:4000", "[2001:db8::1]:4000"
mtu = 2048                      # a cut loses half of one; longer ones take less computing
rate = 4000
duty = 2.8
tls = false                     # true on both sides: inside TLS, pinned by the peers' keys
certificate = ""                # tls: file of the certificate to accept, in place of peers' keys
own_certificate = ""            # tls: file of the one to show, and its key

[transport.diode]
kind = "udp"                    # "serial" has the same
oneway = true                   # nobody can answer: sends to peers, round after round, or listens
peers = ["home", "ranch"]       # who is to take it; none, with listen = "239.1.2.3:4000": listens
address = "239.1.2.3:4000"      # of one computer, or of a multicast group
mtu = 1400
rate = 20000
overhead = 10                   # percent of symbols more than a bundle has, in each round
rounds = 0                      # how often each bundle goes; 0: without end

[medium.BLUE-2]                 # its label or id; "*": all that have no section of their own
import = "review"               # whoever sent what it brings

[spool]
carry_bytes = 67108864          # room for what is carried for others
peer_bytes = 1073741824         # room for what one peer may leave unfinished here
"""

import re
from collections.abc import Mapping
from dataclasses import field, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from ledger.lazy_dataclass import dataclass
from pannier.durable_files import replace_file
from pannier.errors import PannierError, UsageError

if TYPE_CHECKING:
    from pannier.link_config import LinkConfig

_T = TypeVar("_T", "PeerConfig", "MediumConfig", "TransportConfig", "SpoolConfig", "LinkConfig")
_FLAGS = ("hide_names", "keyring")
TRANSPORT_KINDS = ("directory", "mounts")
LINK_KINDS = ("serial", "tcp", "udp")
DIRECT, REVIEW = "direct", "review"
ANY_MEDIUM = "*"
_BARE_KEY = re.compile("[A-Za-z0-9_-]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerConfig:
    """How to serve one peer; see the module's docstring for the meaning of each."""

    mtu: int = 1400
    oneway: bool = False
    repeat: int = 3
    transports: tuple[str, ...] = ()
    priority: int = 4
    expiry_days: int = 366
    import_: str = DIRECT
    clear: bool = False
    pad: bool = False
    repair: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class MediumConfig:
    """What becomes of that which a medium brings."""

    import_: str = DIRECT


@dataclass(frozen=True, slots=True, kw_only=True)
class TransportConfig:
    """One configured transport that is a folder."""

    kind: str = "directory"
    path: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SpoolConfig:
    """Bounds of the spool, in bytes."""

    carry_bytes: int = 64 << 20
    peer_bytes: int = 1 << 30


_UNSAID = PeerConfig()


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """All settings of a node."""

    ledger: str | None = None
    hide_names: bool = False
    keyring: bool = False
    peers: Mapping[str, PeerConfig] = field(default_factory=dict)
    media: Mapping[str, MediumConfig] = field(default_factory=dict)
    transports: Mapping[str, TransportConfig] = field(default_factory=dict)
    links: Mapping[str, "LinkConfig"] = field(default_factory=dict)
    spool: SpoolConfig = SpoolConfig()

    def peer(self, name: str) -> PeerConfig:
        """Return the settings for the peer called *name*."""
        return self.peers.get(name, _UNSAID)


def read_config(path: Path) -> Config:
    """Return the settings in *path*; the defaults if there is no such file.

    Raises:
        UsageError: the file is not TOML, or has a key or value that means nothing.
        PannierError: it cannot be read.
    """
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return Config()
    except OSError as error:
        raise PannierError(f"cannot read {path}: {error.strerror}") from error
    return parse_config(data, str(path))


def parse_config(text: bytes, where: str) -> Config:
    """Return the settings that *text* says; errors call it *where*.

    Raises:
        UsageError: it is not TOML, or has a key or value that means nothing.
    """
    import tomllib  # noqa: PLC0415 -- many a node has no such file

    try:
        data = tomllib.loads(text.decode())
    except (ValueError, RecursionError) as error:  # also of integers beyond all bounds
        raise UsageError(f"{where} is not valid TOML: {error}") from error
    unknown = set(data) - {"ledger", *_FLAGS, "peer", "medium", "transport", "spool"}
    if unknown:
        raise UsageError(f"{where}: unknown setting {min(unknown)!r}")
    ledger = data.get("ledger")
    if ledger is not None and not isinstance(ledger, str):
        raise UsageError(f"{where}: ledger is the name of a ledger, in quotes")
    for flag in _FLAGS:
        _like(False, data.get(flag, False), f"{where}: {flag}")
    transports = _tables(data, "transport", where)
    links = {name: table for name, table in transports.items() if _is_link(table)}
    config = Config(
        ledger=ledger,
        **{flag: data.get(flag, False) for flag in _FLAGS},
        peers={
            name: _section(PeerConfig(), table, f"{where}: [peer.{name}]")
            for name, table in _tables(data, "peer", where).items()
        },
        media={
            name: _section(MediumConfig(), table, f"{where}: [medium.{name}]")
            for name, table in _tables(data, "medium", where).items()
        },
        transports={
            name: _section(TransportConfig(), table, f"{where}: [transport.{name}]")
            for name, table in transports.items()
            if name not in links
        },
        links={name: _link(table, f"{where}: [transport.{name}]") for name, table in links.items()},
        spool=_section(SpoolConfig(), data.get("spool", {}), f"{where}: [spool]"),
    )
    _check(config, where)
    return config


def turn_on(path: Path, flag: str) -> None:
    """Set *flag* in the settings at *path* to true; all else in the file stays as it is.

    Raises:
        OSError: the disk said no; the file is as it was.
    """
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True) if path.exists() else []
    table = next((n for n, line in enumerate(lines) if line.lstrip().startswith("[")), len(lines))
    kept = [line for line in lines[:table] if line.partition("=")[0].strip() != flag]
    replace_file(path, "".join((f"{flag} = true\n", *kept, *lines[table:])).encode())


def turn_on_for_peer(path: Path, peer: str, flag: str) -> None:
    """Set *flag* in the section of *peer* at *path* to true; all else stays as it is.

    Raises:
        UsageError: the file is written in a way that only a person can change.
        PannierError: the disk said no; the file is as it was.
    """
    if getattr(read_config(path).peer(peer), flag):
        return
    header = f"[peer.{peer}]" if _BARE_KEY.fullmatch(peer) else f'[peer."{peer}"]'
    try:
        lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
        if header not in lines:
            lines += ["", header] if lines else [header]
        lines.insert(lines.index(header) + 1, f"{flag} = true")
        text = "\n".join([*lines, ""])
        if not _says(text, peer, flag):
            raise UsageError(f"write `{flag} = true` under {header} in {path}, and try again")
        replace_file(path, text.encode())
    except OSError as error:
        raise PannierError(f"cannot write {path}: {error.strerror}") from error


def _says(text: str, peer: str, flag: str) -> bool:
    try:
        return bool(getattr(parse_config(text.encode(), "").peer(peer), flag))
    except UsageError:
        return False


def _check(config: Config, where: str) -> None:
    for name, peer in config.peers.items():
        for key, least, most in (
            ("mtu", 48, 65_564),
            ("repeat", 1, 1000),
            ("priority", 0, 7),
            ("expiry_days", 1, 36_500),
            ("repair", 0, 1000),
        ):
            if not least <= getattr(peer, key) <= most:
                raise UsageError(f"{where}: [peer.{name}]: {key} must be {least} to {most}")
    for kind, sections in (("peer", config.peers), ("medium", config.media)):
        for name, section in sections.items():
            if section.import_ not in (DIRECT, REVIEW):
                raise UsageError(
                    f"{where}: [{kind}.{name}]: import must be {DIRECT!r} or {REVIEW!r}"
                )
    for name, transport in config.transports.items():
        if transport.kind not in TRANSPORT_KINDS:
            raise UsageError(
                f"{where}: [transport.{name}]: kind must be one of "
                + ", ".join((*TRANSPORT_KINDS, *LINK_KINDS))
            )
        if not _is_whole(transport.path):
            raise UsageError(
                f"{where}: [transport.{name}]: path must be a whole path, like /media/me or ~/drop"
            )
    for key in ("carry_bytes", "peer_bytes"):
        if getattr(config.spool, key) < 0:
            raise UsageError(f"{where}: [spool]: {key} must not be negative")


def _is_link(table: object) -> bool:
    return isinstance(table, dict) and table.get("kind") in LINK_KINDS


def _link(table: Mapping[str, Any], where: str) -> "LinkConfig":
    from pannier.link_config import KINDS  # noqa: PLC0415 -- many a node has none

    settings = {key: value for key, value in table.items() if key != "kind"}
    link = _section(KINDS[table["kind"]], settings, where)
    problem = link.problem()
    if problem:
        raise UsageError(f"{where}: {problem}")
    return link


def _is_whole(path: str) -> bool:
    try:
        return Path(path).expanduser().is_absolute()
    except RuntimeError:  # the home of nobody
        return False


def _tables(data: Mapping[str, Any], key: str, where: str) -> Mapping[str, Any]:
    tables = data.get(key, {})
    if not isinstance(tables, dict):
        raise UsageError(f"{where}: {key} needs sections: [{key}.NAME]")
    return tables


def _section(default: _T, table: object, where: str) -> _T:
    if not isinstance(table, dict):
        raise UsageError(f"{where} is not a section")
    # A word of Python's own is followed by _ where it names a field, and nowhere else.
    names = {one.name.rstrip("_"): one.name for one in fields(default)}
    values: dict[str, Any] = {}
    for key, value in table.items():
        if key not in names:
            raise UsageError(f"{where}: unknown setting {key!r}")
        like = getattr(default, names[key])
        values[names[key]] = _like(like, value, f"{where}: {key}")
    return replace(default, **values)


def _like(default: object, value: object, where: str) -> object:
    if isinstance(default, tuple):
        if isinstance(value, list) and all(isinstance(item, str) for item in value):
            return tuple(value)
        raise UsageError(f"{where} is a list of names")
    if isinstance(default, float) and type(value) is int:
        try:
            return float(value)
        except OverflowError as error:
            raise UsageError(f"{where} is further from 0 than a number can be") from error
    if type(value) is not type(default):
        raise UsageError(f"{where} is {type(default).__name__}, like {default!r}")
    if isinstance(value, str) and "\0" in value:
        # Of a path or an address the calls of the system would say that only when it is used.
        raise UsageError(f"{where} has the character U+0000, which nothing can be called by")
    return value
