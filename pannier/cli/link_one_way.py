"""What `pannier link` says of links without a way back: `--oneway`."""

from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import click

from pannier.cli.session import opener
from pannier.errors import UsageError
from pannier.link_config import LinkConfig, UdpLink

_Command = TypeVar("_Command", bound=Callable[..., object])
_FOREVER = "forever"


def one_way_options(command: _Command) -> _Command:
    """Give a command the options of links without a way back."""
    for option in (
        click.option(
            "--rounds",
            default=_FOREVER,
            show_default=True,
            metavar="COUNT",
            help="--oneway: how often each bundle goes, each time as other symbols.",
        ),
        click.option(
            "--overhead",
            default="10%",
            show_default=True,
            metavar="PERCENT",
            help="--oneway: so many symbols more than a bundle has go in each round.",
        ),
        click.option(
            "--oneway", is_flag=True, help="Nobody can answer: send over and over, or only listen."
        ),
    ):
        command = option(command)
    return command


def run_oneway(
    config: LinkConfig,
    peers: Sequence[str],
    options: tuple[str, str],
    *,
    capture: str | None,
    home: str | None,
) -> None:
    """Run a link without a way back until somebody stops it, or all rounds are over.

    Args:
        config: Its settings.
        peers: Whom to send to; none: listen.
        options: What --overhead and --rounds say.
        capture: Where to write down what passes.
        home: Of the node.

    Raises:
        UsageError: the settings cannot work.
    """
    # Whom it is for does not matter to the line.
    problem = replace(config, peer="anybody").problem()
    if problem:
        raise UsageError(problem)
    overhead, rounds = options
    # These bring half the program with them.
    from pannier.cli.link import stopped_by_signals  # noqa: PLC0415
    from pannier.cli.link_screen import Screen  # noqa: PLC0415
    from pannier.links.carousel import FOREVER  # noqa: PLC0415
    from pannier.links.one_way import DEFAULT_RATE, OneWayRun, run_one_way  # noqa: PLC0415
    from transports.carriers.bell import Bell  # noqa: PLC0415

    if isinstance(config, UdpLink) and not config.rate:
        config = replace(config, rate=DEFAULT_RATE)
    screen = Screen()
    run = OneWayRun(
        config=config,
        peers=tuple(peers),
        overhead_percent=_whole(overhead.removesuffix("%"), "--overhead", 1000),
        rounds=FOREVER if rounds == _FOREVER else _whole(rounds, "--rounds", FOREVER),
        open_node=opener(home),
        telling=screen.telling,
        capture=Path(capture) if capture else None,
    )
    with closing(Bell()) as bell, stopped_by_signals(bell):
        what = f"to {', '.join(peers)}" if peers else "whoever it is from"
        screen.say(f"{config.kind} {config.place}, one way, {what}. Stop with Ctrl-C.")
        run_one_way(run, bell)
        was_stopped = bell.is_stopped
    screen.clear()
    click.echo("Stopped." if was_stopped else "All rounds are over.")


def one_way_places(places: Sequence[str], listen: str | None) -> tuple[str, Sequence[str]]:
    """Return the address to send to, and to whom; both empty on the side that listens.

    Raises:
        UsageError: it is neither.
    """
    if listen is not None and not places:
        return "", ()
    if listen is None and len(places) > 1:
        return places[0], places[1:]
    raise UsageError("one way, say HOST:PORT PEER..., or --listen [HOST:]PORT")


def _whole(text: str, option: str, most: int) -> int:
    digits = text.strip()
    if not (digits.isascii() and digits.isdecimal() and len(digits) < 12) or int(digits) > most:
        raise UsageError(f"{option} {text!r} is no number of 0 to {most}")
    return int(digits)
