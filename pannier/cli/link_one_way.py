"""What `pannier link` says of links without a way back: `--oneway`."""

from collections.abc import Callable, Sequence
from typing import TypedDict, TypeVar

import click

from ledger.lazy_dataclass import dataclass
from pannier.errors import UsageError
from pannier.link_config import OVERHEAD_PERCENT

_Command = TypeVar("_Command", bound=Callable[..., object])


class OneWaySaid(TypedDict):
    """What is said of the ways of a link; None where it is not."""

    oneway: bool
    overhead: str | None
    rounds: str | None


@dataclass(frozen=True, slots=True)
class OneWayOptions:
    """The settings of a link that these options come to; the defaults where it has a way back.

    Attributes:
        oneway: Whether nobody can answer.
        peers: To whom it sends; none where it listens.
        overhead: In percent.
        rounds: How many; 0: for ever.
    """

    oneway: bool
    peers: tuple[str, ...] = ()
    overhead: int = OVERHEAD_PERCENT
    rounds: int = 0


def one_way_options(command: _Command) -> _Command:
    """Give a command the options of links without a way back."""
    for option in (
        click.option(
            "--rounds",
            metavar="COUNT",
            help="--oneway: how often each bundle goes, each time as other symbols.  "
            "[default: without end]",
        ),
        click.option(
            "--overhead",
            metavar="PERCENT",
            help="--oneway: so many symbols more than a bundle has go in each round.  "
            f"[default: {OVERHEAD_PERCENT}%]",
        ),
        click.option(
            "--oneway", is_flag=True, help="Nobody can answer: send over and over, or only listen."
        ),
    ):
        command = option(command)
    return command


def one_way_settings(peers: Sequence[str], said: OneWaySaid) -> OneWayOptions:
    """Return what the options come to, where it sends to *peers*.

    Raises:
        UsageError: they mean nothing, or nothing without --oneway.
    """
    overhead, rounds = said["overhead"], said["rounds"]
    if not said["oneway"]:
        for option, value in (("--overhead", overhead), ("--rounds", rounds)):
            if value is not None:
                raise UsageError(f"{option} is for links without a way back: add --oneway")
        return OneWayOptions(oneway=False)
    percent = OVERHEAD_PERCENT
    if overhead is not None:
        percent = _whole(overhead.strip().removesuffix("%"), "--overhead", 0, 1000)
    count = 0 if rounds is None else _whole(rounds, "--rounds", 1, 1_000_000)
    return OneWayOptions(True, tuple(peers), percent, count)


def one_way_places(places: tuple[str, ...], listen: str | None) -> tuple[str, tuple[str, ...]]:
    """Return the address to send to, and to whom; both empty on the side that listens.

    Raises:
        UsageError: it is neither.
    """
    if listen is not None and not places:
        return "", ()
    if listen is None and len(places) > 1:
        return places[0], places[1:]
    raise UsageError("one way, say HOST:PORT PEER..., or --listen [HOST:]PORT")


def _whole(text: str, option: str, least: int, most: int) -> int:
    digits = text.strip()
    is_number = digits.isascii() and digits.isdecimal() and len(digits) < 12
    if not is_number or not least <= int(digits) <= most:
        raise UsageError(f"{option} {text!r} is no number of {least} to {most}")
    return int(digits)
