"""``pannier link``: one link in the foreground, over a serial line, TCP or UDP."""

from importlib import import_module
from pathlib import Path
from typing import Unpack

import click

from pannier.cli.link_foreground import run_in_foreground
from pannier.cli.link_one_way import one_way_places
from pannier.cli.link_options import (
    RadioSaid,
    SharedSaid,
    listen_option,
    mtu_option,
    radio_options,
    shared_options,
    with_radio,
    with_shared,
)
from pannier.errors import UsageError
from pannier.link_config import FRAMINGS, PARITIES, SerialLink, TcpLink, UdpLink


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


class _SerialSaid(RadioSaid):
    baud: int
    parity: str
    stop_bits: int
    rtscts: bool
    xonxoff: bool
    framing: str | None
    listen: bool


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
@mtu_option(SerialLink().mtu)
@radio_options
@click.option("--listen", is_flag=True, help="--oneway: only listen, to whomever.")
@shared_options
def serial(device: str, peers: tuple[str, ...], **said: Unpack[_SerialSaid]) -> None:
    """Link with PEER over the serial line DEVICE.

    \b
    DEVICE is a path, or VENDOR:PRODUCT or VENDOR:PRODUCT:SERIAL of something plugged into USB,
    which is found wherever it turns up, and again after it was unplugged.
    Example:  pannier link serial /dev/ttyUSB0 home --baud 57600
              pannier link serial /dev/ttyUSB0 home --oneway    the other: ... --oneway --listen
    """
    if said["listen"] != (said["oneway"] and not peers) or (len(peers) > 1 and not said["oneway"]):
        raise UsageError("say DEVICE PEER; or --oneway and DEVICE PEER..., or DEVICE --listen")
    is_path = "/" in device
    if not is_path and ":" not in device:
        raise UsageError(f"{device!r} is no device: write a path, like /dev/{device}")
    config = SerialLink(
        peer=peers[0] if peers and not said["oneway"] else "",
        path=str(Path(device).absolute()) if is_path else "",
        usb="" if is_path else device,
        baud=said["baud"],
        parity=said["parity"],
        stop_bits=said["stop_bits"],
        rtscts=said["rtscts"],
        xonxoff=said["xonxoff"],
        framing=said["framing"] or "",
    )
    run_in_foreground(with_radio(config, said, peers), said)


class _TcpSaid(SharedSaid):
    listen: str | None
    tls: bool
    certificate: str | None
    own_certificate: str | None


@link.command()
@click.argument("places", nargs=-1, metavar="HOST:PORT PEER | --listen [HOST:]PORT [PEER]")
@listen_option
@click.option("--tls", is_flag=True, help="Inside TLS, pinned by the peers' keys; on both sides.")
@click.option("--certificate", metavar="FILE", help="Accept this certificate (PEM) instead.")
@click.option("--own-certificate", metavar="FILE", help="Show this one; its key is in FILE too.")
@mtu_option(TcpLink().mtu)
@shared_options
def tcp(places: tuple[str, ...], **said: Unpack[_TcpSaid]) -> None:
    """Link with PEER over TCP: call it, or wait for it to call.

    \b
    Example:  pannier link tcp home.example:4000 home
              pannier link tcp --listen 4000           any peer may call
    """
    address, peer = _places(places, said["listen"], peer_needed=False)
    certificate, own_certificate = said["certificate"], said["own_certificate"]
    config = TcpLink(
        peer=peer,
        address=address,
        listen=said["listen"] or "",
        tls=said["tls"] or bool(certificate or own_certificate),
        certificate=str(Path(certificate).absolute()) if certificate else "",
        own_certificate=str(Path(own_certificate).absolute()) if own_certificate else "",
    )
    run_in_foreground(with_shared(config, said), said)


class _UdpSaid(RadioSaid):
    listen: str | None


@link.command()
@click.argument("places", nargs=-1, metavar="HOST:PORT PEER | --listen [HOST:]PORT PEER")
@listen_option
@mtu_option(UdpLink().mtu)
@radio_options
@shared_options
def udp(places: tuple[str, ...], **said: Unpack[_UdpSaid]) -> None:
    """Link with PEER over UDP, a frame a datagram: send to it, or wait for it.

    \b
    Example:  pannier link udp home.example:4000 home --mtu 1400
              pannier link udp --listen 4000 farm
    Without a way back, to one or, by a multicast address, to many:
              pannier link udp 239.1.2.3:4000 home ranch --oneway --rate 20000
              pannier link udp --listen 239.1.2.3:4000 --oneway
    """
    listen = said["listen"]
    peer, peers = "", tuple[str, ...]()
    if said["oneway"]:
        address, peers = one_way_places(places, listen)
    else:
        address, peer = _places(places, listen, peer_needed=True)
    config = UdpLink(peer=peer, address=address, listen=listen or "")
    run_in_foreground(with_radio(config, said, peers), said)


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
