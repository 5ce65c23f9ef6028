"""The options that several kinds of links have, each declared once, and the settings they make."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TypedDict, TypeVar

import click

from pannier.cli.link_one_way import OneWaySaid, one_way_options, one_way_settings
from pannier.cli.percent import percent_of
from pannier.cli.session import home_option
from pannier.link_config import LinkConfig

_Command = TypeVar("_Command", bound=Callable[..., object])
_Config = TypeVar("_Config", bound=LinkConfig)

_CAPTURE = "Write what passes to FILE.sent and FILE.received, for `pannier link decode`."
_DUTY = "Send in at most this share of any hour; needs --rate where the line says none."


class RunSaid(TypedDict):
    """How a link is run in the foreground: `--once`, `--capture`, `--home`."""

    once: bool
    capture: str | None
    home: str | None


class SharedSaid(RunSaid):
    """What is said of every link: how it is run, and how much it may send."""

    mtu: int
    rate: int
    duty: str | None


class RadioSaid(SharedSaid, OneWaySaid):
    """What is said besides of links that a radio may carry."""

    half_duplex: bool


listen_option = click.option(
    "--listen", metavar="[HOST:]PORT", help="Wait here for the other side."
)
"""Where a network link waits."""


def shared_options(command: _Command) -> _Command:
    """Give a command the options that come last in the help of all links."""
    return _with(
        command,
        click.option("--rate", default=0, metavar="BYTES", help="Send at most so many a second."),
        click.option("--duty", metavar="PERCENT", help=_DUTY),
        click.option("--once", is_flag=True, help="End when both sides have nothing left."),
        click.option("--capture", metavar="FILE", help=_CAPTURE),
        home_option,
    )


def radio_options(command: _Command) -> _Command:
    """Give a command the options of links that a radio may carry."""
    half_duplex = "Take turns: who sends hears nothing."
    return _with(
        command,
        click.option("--half-duplex", is_flag=True, help=half_duplex),
        one_way_options,
    )


def mtu_option(default: int) -> Callable[[_Command], _Command]:
    """Return what gives a command ``--mtu``."""
    return click.option(
        "--mtu", default=default, show_default=True, metavar="BYTES", help="Longest frame."
    )


def with_shared(config: _Config, said: SharedSaid) -> _Config:
    """Return *config* with what is said of every link.

    Raises:
        UsageError: the share is none.
    """
    duty = 0.0 if said["duty"] is None else float(percent_of(said["duty"], "--duty"))
    return replace(config, mtu=said["mtu"], rate=said["rate"], duty=duty)


def with_radio(config: _Config, said: RadioSaid, peers: Sequence[str]) -> _Config:
    """Return *config* with what is said of links that a radio may carry, and of all.

    Args:
        config: The settings so far.
        said: The options.
        peers: To whom it sends, if nobody can answer.

    Raises:
        UsageError: they mean nothing, or nothing without --oneway.
    """
    way = one_way_settings(peers, said)
    shared = with_shared(config, said)
    return replace(
        shared,
        half_duplex=said["half_duplex"],
        oneway=way.oneway,
        peers=way.peers,
        overhead=way.overhead,
        rounds=way.rounds,
    )


def _with(command: _Command, *options: Callable[[_Command], _Command]) -> _Command:
    """Give a command some options, in the order of its help."""
    for option in reversed(options):
        command = option(command)
    return command
