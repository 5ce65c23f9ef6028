"""``pannier link``: one link in the foreground, over a serial line, TCP or UDP."""

import signal
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click

from pannier.cli.link_one_way import one_way_options, one_way_places, one_way_settings
from pannier.cli.percent import percent_of
from pannier.cli.session import home_of, home_option, opener
from pannier.errors import PannierError, PartlyDoneError, UsageError
from pannier.link_config import (
    FRAMINGS,
    PARITIES,
    LinkConfig,
    SerialLink,
    TcpLink,
    UdpLink,
)

if TYPE_CHECKING:
    from pannier.links.connections import Served
    from transports.carriers.bell import Bell

_Command = TypeVar("_Command", bound=Callable[..., object])
_CAPTURE = "Write what passes to FILE.sent and FILE.received, for `pannier link decode`."
_DUTY = "Send in at most this share of any hour; needs --rate where the line says none."


class LinkGroup(click.Group):
    """The commands of this module, and one that is imported only when it is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of all."""
        return [*super().list_commands(ctx), "decode"]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return one command."""
        if cmd_name != "decode":
            return super().get_command(ctx, cmd_name)
        command = import_module("pannier.cli.link_decode").decode_command
        if not isinstance(command, click.Command):
            raise TypeError("decode is not a command")
        return command


@click.group(cls=LinkGroup)
def link() -> None:
    """Link this node with another one: over a serial line, a radio, or a network.

    \b
    Example: both sides run it until stopped, and what either puts meanwhile goes across.
      pannier link serial /dev/ttyUSB0 home      the other side: ... farm
      pannier link tcp --listen 4000             the other side: pannier link tcp HOST:4000 home
    What was under way when a link broke goes on where it was. docs/operations.md says how
    `pannier run` keeps such links by itself.
    """


def _shared(command: _Command) -> _Command:
    """Give a command the options that all links have."""
    for option in (
        home_option,
        click.option("--capture", metavar="FILE", help=_CAPTURE),
        click.option("--once", is_flag=True, help="End when both sides have nothing left."),
        click.option("--duty", metavar="PERCENT", help=_DUTY),
        click.option("--rate", default=0, metavar="BYTES", help="Send at most so many a second."),
    ):
        command = option(command)
    return command


def _half_duplex(command: _Command) -> _Command:
    return click.option("--half-duplex", is_flag=True, help="Take turns: who sends hears nothing.")(
        command
    )


def _mtu(default: int) -> Callable[[_Command], _Command]:
    return click.option(
        "--mtu", default=default, show_default=True, metavar="BYTES", help="Longest frame."
    )


@link.command()
@click.argument("device")
@click.argument("peers", metavar="PEER", nargs=-1)
@click.option("--baud", default=115_200, show_default=True, help="Bits a second.")
@click.option("--parity", type=click.Choice(PARITIES), default="none", show_default=True)
@click.option("--stop-bits", type=click.IntRange(1, 2), default=1, show_default=True)
@click.option("--rtscts", is_flag=True, help="The wires RTS and CTS say who may send.")
@click.option("--xonxoff", is_flag=True, help="The characters XON and XOFF do.")
@click.option(
    "--framing", type=click.Choice(FRAMINGS), default=None, help="kiss: for radio modems (TNCs)."
)
@_mtu(SerialLink().mtu)
@_half_duplex
@one_way_options
@click.option("--listen", is_flag=True, help="--oneway: only listen, to whomever.")
@_shared
def serial(
    device: str,
    peers: tuple[str, ...],
    baud: int,
    parity: str,
    stop_bits: int,
    rtscts: bool,
    xonxoff: bool,
    framing: str | None,
    mtu: int,
    half_duplex: bool,
    oneway: bool,
    overhead: str | None,
    rounds: str | None,
    listen: bool,
    rate: int,
    duty: str | None,
    once: bool,
    capture: str | None,
    home: str | None,
) -> None:
    """Link with PEER over the serial line DEVICE.

    \b
    DEVICE is a path, or VENDOR:PRODUCT or VENDOR:PRODUCT:SERIAL of something plugged into USB,
    which is found wherever it turns up, and again after it was unplugged.
    Example:  pannier link serial /dev/ttyUSB0 home --baud 57600
              pannier link serial /dev/ttyUSB0 home --oneway    the other: ... --oneway --listen
    """
    if listen != (oneway and not peers) or (len(peers) > 1 and not oneway):
        raise UsageError("say DEVICE PEER; or --oneway and DEVICE PEER..., or DEVICE --listen")
    is_path = "/" in device
    if not is_path and ":" not in device:
        raise UsageError(f"{device!r} is no device: write a path, like /dev/{device}")
    way = one_way_settings(peers, overhead, rounds, oneway=oneway)
    config = SerialLink(
        peer=peers[0] if peers and not oneway else "",
        path=str(Path(device).absolute()) if is_path else "",
        usb="" if is_path else device,
        baud=baud,
        parity=parity,
        stop_bits=stop_bits,
        rtscts=rtscts,
        xonxoff=xonxoff,
        framing=framing or "",
        mtu=mtu,
        half_duplex=half_duplex,
        rate=rate,
        duty=_duty(duty),
        oneway=way.oneway,
        peers=way.peers,
        overhead=way.overhead,
        rounds=way.rounds,
    )
    run_in_foreground(config, once=once, capture=capture, home=home)


@link.command()
@click.argument("places", nargs=-1, metavar="HOST:PORT PEER | --listen [HOST:]PORT [PEER]")
@click.option("--listen", metavar="[HOST:]PORT", help="Wait here for the other side.")
@click.option("--tls", is_flag=True, help="Inside TLS, pinned by the peers' keys; on both sides.")
@click.option("--certificate", metavar="FILE", help="Accept this certificate (PEM) instead.")
@click.option("--own-certificate", metavar="FILE", help="Show this one; its key is in FILE too.")
@_mtu(TcpLink().mtu)
@_shared
def tcp(
    places: tuple[str, ...],
    listen: str | None,
    tls: bool,
    certificate: str | None,
    own_certificate: str | None,
    mtu: int,
    rate: int,
    duty: str | None,
    once: bool,
    capture: str | None,
    home: str | None,
) -> None:
    """Link with PEER over TCP: call it, or wait for it to call.

    \b
    Example:  pannier link tcp home.example:4000 home
              pannier link tcp --listen 4000           any peer may call
    """
    address, peer = _places(places, listen, peer_needed=False)
    config = TcpLink(
        peer=peer,
        address=address,
        listen=listen or "",
        tls=tls or bool(certificate or own_certificate),
        certificate=str(Path(certificate).absolute()) if certificate else "",
        own_certificate=str(Path(own_certificate).absolute()) if own_certificate else "",
        mtu=mtu,
        rate=rate,
        duty=_duty(duty),
    )
    run_in_foreground(config, once=once, capture=capture, home=home)


@link.command()
@click.argument("places", nargs=-1, metavar="HOST:PORT PEER | --listen [HOST:]PORT PEER")
@click.option("--listen", metavar="[HOST:]PORT", help="Wait here for the other side.")
@_mtu(UdpLink().mtu)
@_half_duplex
@one_way_options
@_shared
def udp(
    places: tuple[str, ...],
    listen: str | None,
    mtu: int,
    half_duplex: bool,
    oneway: bool,
    overhead: str | None,
    rounds: str | None,
    rate: int,
    duty: str | None,
    once: bool,
    capture: str | None,
    home: str | None,
) -> None:
    """Link with PEER over UDP, a frame a datagram: send to it, or wait for it.

    \b
    Example:  pannier link udp home.example:4000 home --mtu 1400
              pannier link udp --listen 4000 farm
    Without a way back, to one or, by a multicast address, to many:
              pannier link udp 239.1.2.3:4000 home ranch --oneway --rate 20000
              pannier link udp --listen 239.1.2.3:4000 --oneway
    """
    if oneway:
        address, peers = one_way_places(places, listen)
        peer = ""
    else:
        address, peer = _places(places, listen, peer_needed=True)
        peers = ()
    way = one_way_settings(peers, overhead, rounds, oneway=oneway)
    config = UdpLink(
        peer=peer,
        address=address,
        listen=listen or "",
        mtu=mtu,
        half_duplex=half_duplex,
        rate=rate,
        duty=_duty(duty),
        oneway=way.oneway,
        peers=way.peers,
        overhead=way.overhead,
        rounds=way.rounds,
    )
    run_in_foreground(config, once=once, capture=capture, home=home)


def run_in_foreground(
    config: LinkConfig, *, once: bool, capture: str | None, home: str | None
) -> None:
    """Run a link until it is through, or until somebody stops it.

    Raises:
        UsageError: its settings cannot work.
        PannierError: nobody was at the other end.
        PartlyDoneError: something was left, or refused.
    """
    problem = config.problem()
    if problem:
        raise UsageError(problem)
    # These bring half the program with them.
    from pannier.cli.link_screen import Screen  # noqa: PLC0415
    from pannier.link_counters import write_counters  # noqa: PLC0415
    from pannier.links.run_link import run_link  # noqa: PLC0415
    from pannier.links.side import LinkRun  # noqa: PLC0415
    from transports.carriers.bell import Bell  # noqa: PLC0415

    screen = Screen()
    name = f"{config.kind} {config.place}"
    run = LinkRun(
        name=name,
        config=config,
        open_node=opener(home),
        telling=screen.telling,
        count=partial(write_counters, home_of(home).path),
        once=once or bool(config.rounds),
        capture=Path(capture) if capture else None,
        ready=lambda: screen.say(f"{name}{_to_whom(config)}. Stop with Ctrl-C."),
    )
    with closing(Bell()) as bell, stopped_by_signals(bell) as stopped:
        served = run_link(run, bell)
    screen.clear()
    if served.reasons:
        reasons = "; ".join(sorted(set(served.reasons)))
        raise PartlyDoneError(f"what was refused went to quarantine: {reasons}")
    if stopped or not run.once:
        click.echo("Stopped.")
    elif config.oneway:
        click.echo("All rounds are over.")
    else:
        _conclude(served)


def _to_whom(config: LinkConfig) -> str:
    if not config.oneway:
        return ""
    return f", one way, {'to ' + ', '.join(config.audience) if config.audience else 'from anybody'}"


def _conclude(served: "Served") -> None:
    """Say what came of a link that ended by itself.

    Raises:
        PannierError: nobody was at the other end.
        PartlyDoneError: something was left.
    """
    if not served.had_session:
        raise PannierError(served.problem or "nobody whom this node knows was at the other end")
    if not served.is_idle:
        raise PartlyDoneError("the other side went away before everything had passed; run it again")
    click.echo("Both sides have everything.")


@contextmanager
def stopped_by_signals(bell: "Bell") -> Iterator[list[int]]:
    """Let SIGTERM and SIGINT end a link between two steps; yield those that came."""
    came: list[int] = []

    def stop(number: int, _: object) -> None:
        came.append(number)
        bell.stop()

    kept = {number: signal.signal(number, stop) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield came
    finally:
        for number, handler in kept.items():
            signal.signal(number, handler)


def _duty(text: str | None) -> float:
    return 0.0 if text is None else float(percent_of(text, "--duty"))


def _places(places: tuple[str, ...], listen: str | None, *, peer_needed: bool) -> tuple[str, str]:
    """Return address and peer of what was said; one is empty where it need not be said."""
    if listen is None and len(places) == 2:
        return places[0], places[1]
    if listen is not None and len(places) == 1:
        return "", places[0]
    if listen is not None and not places and not peer_needed:
        return "", ""
    waits = "--listen [HOST:]PORT PEER" if peer_needed else "--listen [HOST:]PORT [PEER]"
    raise UsageError(f"say HOST:PORT PEER, or {waits}")
