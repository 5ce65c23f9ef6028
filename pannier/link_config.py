"""What ``[transport.NAME]`` and the options of ``pannier link`` say about a link; both the same.

Each kind has settings of its own, and each value that cannot work is said in a line. Nothing here
opens or imports what carries a link: many a command reads the configuration and needs none.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

from ledger.lazy_dataclass import dataclass

PARITIES = ("none", "even", "odd", "mark", "space")
FRAMINGS = ("cobs", "cobs-xonxoff", "kiss")
LEAST_MTU_BYTES, LARGEST_MTU_BYTES = 64, 65_000
"""Of frames; as `transports.link.settings` has it, which is not imported here."""

OVERHEAD_PERCENT = 10
"""So many symbols more than a bundle has go in each round, where nothing else is said."""

ONE_WAY_RATE = 100_000
"""Bytes a second over a network without a way back, where nothing else is said: nobody says that
it is too fast."""

_USB = re.compile("[0-9a-fA-F]{4}:[0-9a-fA-F]{4}(:.+)?")


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkConfig:
    """What all links have.

    Attributes:
        peer: Its name here; may be left out where a TCP link listens: any peer then.
        mtu: Longest frame, in bytes.
        rate: Bytes a second at most; 0: as many as there is room for.
        duty: Percent of any hour in which this side may send; 0: no limit.
        half_duplex: Who sends hears nothing: the sides take turns.
        oneway: Nobody can answer: this side only sends, or only listens.
        peers: oneway: for whom it sends.
        overhead: oneway: percent of symbols more than a bundle has, in each round.
        rounds: oneway: how often each bundle goes; 0: for ever.
    """

    kind: ClassVar[str] = ""

    peer: str = ""
    mtu: int = 2048
    rate: int = 0
    duty: float = 0.0
    half_duplex: bool = False
    oneway: bool = False
    peers: tuple[str, ...] = ()
    overhead: int = OVERHEAD_PERCENT
    rounds: int = 0

    @property
    def place(self) -> str:
        """What people call its other end."""
        return ""

    @property
    def audience(self) -> tuple[str, ...]:
        """Names of those to whom it sends without an answer; empty where it listens."""
        return self.peers or ((self.peer,) if self.peer else ())

    @property
    def listens(self) -> bool:
        """Whether it waits for others, whom it cannot call."""
        return self.oneway and not self.audience

    @property
    def bytes_per_second(self) -> int:
        """What is known of how much the line carries; 0 if nothing is."""
        return self.rate

    def problem(self) -> str | None:
        """Return what is wrong with it, in a line that says what to write; None if nothing is."""
        sizes = f"mtu must be {LEAST_MTU_BYTES} to {LARGEST_MTU_BYTES} bytes"
        return _first(
            (not LEAST_MTU_BYTES <= self.mtu <= LARGEST_MTU_BYTES, sizes),
            (not 0 <= self.rate <= 1 << 40, "rate must be bytes a second, or 0 for no limit"),
            (not 0 <= self.duty <= 100, "duty must be 0 to 100 percent of an hour, like 2.8"),
            (
                self.duty > 0 and not self.bytes_per_second,
                "duty needs rate: how many bytes a second go while it sends",
            ),
            (
                self.half_duplex and not self.bytes_per_second,
                "half_duplex needs rate: how many bytes a second the line carries",
            ),
            *self._one_way_checks(),
        )

    def _one_way_checks(self) -> tuple[tuple[bool, str], ...]:
        is_other = (self.overhead, self.rounds) != (OVERHEAD_PERCENT, 0)
        return (
            (
                not self.oneway and (bool(self.peers) or is_other),
                "peers, overhead and rounds are for links with oneway = true",
            ),
            (
                self.oneway and self.half_duplex,
                "oneway or half_duplex, not both: where nobody answers, nobody takes turns",
            ),
            (bool(self.peer and self.peers), "say peer, or peers, not both"),
            (not 0 <= self.overhead <= 1000, "overhead must be 0 to 1000 percent"),
            (not 0 <= self.rounds <= 1_000_000, "rounds must be 1 to 1000000, or 0 for ever"),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class SerialLink(LinkConfig):
    """A serial line.

    Attributes:
        path: The device; or else
        usb: VENDOR:PRODUCT or VENDOR:PRODUCT:SERIAL of what is plugged into USB.
        baud: Bits a second.
        parity: One of `PARITIES`.
        stop_bits: 1 or 2.
        rtscts: The wires RTS and CTS say who may send.
        xonxoff: The characters XON and XOFF do.
        framing: One of `FRAMINGS`; empty: COBS, safe for XON and XOFF if they are used.
    """

    kind: ClassVar[str] = "serial"

    path: str = ""
    usb: str = ""
    baud: int = 115_200
    parity: str = "none"
    stop_bits: int = 1
    rtscts: bool = False
    xonxoff: bool = False
    framing: str = ""

    @property
    def place(self) -> str:
        """See `LinkConfig`."""
        return self.usb or self.path

    @property
    def line_bytes_per_second(self) -> int:
        """What the line can carry: a byte is eight bits, and those around them."""
        return int(self.baud / (9 + self.stop_bits + (self.parity != "none")))

    @property
    def bytes_per_second(self) -> int:
        """See `LinkConfig`."""
        line = self.line_bytes_per_second
        return min(self.rate, line) if self.rate else line

    @property
    def framing_name(self) -> str:
        """Which framing it comes to."""
        return self.framing or ("cobs-xonxoff" if self.xonxoff else "cobs")

    def problem(self) -> str | None:
        """See `LinkConfig`."""
        is_safe = self.framing_name == "cobs-xonxoff"
        wrong = _first(
            (
                bool(self.path) == bool(self.usb),
                "say either path, like /dev/ttyUSB0, or usb, like 0403:6001",
            ),
            (
                bool(self.path) and not Path(self.path).is_absolute(),
                "path must be a whole path, like /dev/ttyUSB0",
            ),
            (
                bool(self.usb) and not _USB.fullmatch(self.usb),
                "usb must be VENDOR:PRODUCT or VENDOR:PRODUCT:SERIAL, like 0403:6001:A50285BI",
            ),
            (not 50 <= self.baud <= 20_000_000, "baud must be 50 to 20000000 bits a second"),
            (self.parity not in PARITIES, f"parity must be one of {', '.join(PARITIES)}"),
            (self.stop_bits not in (1, 2), "stop_bits must be 1 or 2"),
            (
                self.framing_name not in FRAMINGS,
                f"framing must be one of {', '.join(FRAMINGS)}",
            ),
            (
                self.xonxoff and not is_safe,
                "xonxoff needs the framing cobs-xonxoff, which leaves XON and XOFF alone",
            ),
        )
        return wrong or LinkConfig.problem(self) or _no_peer(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkLink(LinkConfig):
    """A link over a network: one side has an address to send to, the other one listens.

    Attributes:
        address: HOST:PORT of the other side; or else
        listen: [HOST:]PORT where this side waits for it.
    """

    address: str = ""
    listen: str = ""

    @property
    def place(self) -> str:
        """See `LinkConfig`."""
        return self.address or f"listening at {self.listen}"

    @property
    def listens(self) -> bool:
        """See `LinkConfig`."""
        return bool(self.listen)

    def problem(self) -> str | None:
        """See `LinkConfig`."""
        if bool(self.address) == bool(self.listen):
            return "say either address, like home.example:4000, or listen, like 4000"
        try:
            parse_address(self.address or self.listen, is_ours=not self.address)
        except ValueError as error:
            return str(error)
        return LinkConfig.problem(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class TcpLink(NetworkLink):
    """A link over TCP.

    Attributes:
        tls: Inside TLS, pinned by the peers' keys; both sides must say so.
        certificate: PEM file of the other side's certificate, in place of its peer key.
        own_certificate: PEM file of a certificate and its key to show, in place of one made here.
    """

    kind: ClassVar[str] = "tcp"

    tls: bool = False
    certificate: str = ""
    own_certificate: str = ""

    def problem(self) -> str | None:
        """See `LinkConfig`."""
        for name in ("certificate", "own_certificate"):
            path = getattr(self, name)
            if path and not self.tls:
                return f"{name} needs tls = true"
            if path and not Path(path).is_absolute():
                return f"{name} must be a whole path"
        if self.half_duplex:
            return "half_duplex is for serial and udp: TCP sends when it wants"
        if self.oneway:
            return "oneway is for serial and udp: TCP needs answers"
        return NetworkLink.problem(self) or (None if self.listen else _no_peer(self))


@dataclass(frozen=True, slots=True, kw_only=True)
class UdpLink(NetworkLink):
    """A link over UDP, with one peer."""

    kind: ClassVar[str] = "udp"

    mtu: int = 1400

    @property
    def bytes_per_second(self) -> int:
        """See `LinkConfig`."""
        return self.rate or (ONE_WAY_RATE if self.oneway else 0)

    def problem(self) -> str | None:
        """See `LinkConfig`."""
        return (
            NetworkLink.problem(self)
            or _first(
                (
                    self.oneway and bool(self.address) != bool(self.audience),
                    "one way, say address and peers, or listen and no peer",
                )
            )
            or _no_peer(self)
        )


KINDS: Mapping[str, LinkConfig] = {one.kind: one for one in (SerialLink(), TcpLink(), UdpLink())}
"""The defaults of each kind."""


def parse_address(text: str, *, is_ours: bool = False) -> tuple[str, int]:
    """Return host ("" for any) and port of HOST:PORT or [IPV6]:PORT; if *is_ours* also of PORT.

    Raises:
        ValueError: it is no such thing.
    """
    host, colon, port = text.rpartition(":")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    elif ":" in host:
        raise ValueError(f"{text!r}: an IPv6 address goes into brackets, like [2001:db8::1]:4000")
    if not host and (colon or not is_ours):
        raise ValueError(f"{text!r} is no HOST:PORT, like home.example:4000")
    if not (port.isascii() and port.isdecimal() and len(port) < 6 and 0 < int(port) < 65_536):
        raise ValueError(f"{text!r}: a port is a number of 1 to 65535")
    return host, int(port)


def _no_peer(link: LinkConfig) -> str | None:
    return (
        None if link.peer or link.oneway else "peer must be the name of whoever is at the other end"
    )


def _first(*checks: tuple[bool, str]) -> str | None:
    """Return what is said of the first check that found something."""
    return next((text for is_wrong, text in checks if is_wrong), None)
