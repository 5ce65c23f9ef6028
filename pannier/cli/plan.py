"""``pannier plan``: what fits this hour of a link, and when the rest lands."""

from collections.abc import Iterator
from fractions import Fraction

import click

from pannier import unreadable
from pannier.cli.percent import percent_of
from pannier.cli.session import (
    home_option,
    json_option,
    open_node,
    plural,
    print_json,
    say,
)
from pannier.errors import PartlyDoneError, UsageError
from pannier.home import Peer
from pannier.link_config import LinkConfig
from pannier.links.planning import ESTIMATED, LinkTerms, Plan
from pannier.links.planning import plan as plan_for
from pannier.links.progress import amount, duration
from pannier.node import Node

_DEFAULT_FRAME_BYTES = 1400


@click.command()
@click.argument("name", metavar="[LINK|PEER]", required=False)
@click.option("--rate", type=click.IntRange(1), help="Bytes a second.  [default: the link's]")
@click.option("--duty", metavar="PERCENT", help="Of any hour, to send in.  [default: the link's]")
@json_option
@home_option
def plan(
    name: str | None, rate: int | None, duty: str | None, as_json: bool, home: str | None
) -> None:
    """Show what of that which waits fits this hour of a link, and when the rest lands.

    \b
    Nothing is sent. LINK is a [transport.LINK] of config.toml; airtime that it spent counts.
    Example:  pannier plan radio
              pannier plan home --rate 4000 --duty 2.8
    """
    percent = None if duty is None else percent_of(duty, "--duty")
    with open_node(home) as node:
        plans = [
            plan_for(node, peer, _terms(label, link, rate, percent))
            for label, link, peer in _chosen(node, name)
        ]
        problems = unreadable.problems(node)
    if as_json:
        print_json([one.to_json() for one in plans])
    else:
        for one in plans:
            _show(one)
    if problems:
        raise PartlyDoneError("; ".join(problems))


def _chosen(node: Node, name: str | None) -> Iterator[tuple[str, LinkConfig, Peer]]:
    """Yield the links that *name* means, each with its peer.

    Raises:
        UsageError: nothing is called so, or nothing is configured.
    """
    links = node.config.links
    if name in links:
        found = {str(name): links[str(name)]}
    else:
        found = {one: link for one, link in links.items() if name in (None, *link.audience)}
    found = {one: link for one, link in found.items() if link.audience}
    for one, link in found.items():
        for peer in link.audience:
            if name in (None, one, peer):
                yield one, link, node.peer_named(peer)
    if not found and name is None:
        raise UsageError("no link to a peer is configured: say for which PEER, and --rate")
    if not found and name is not None:
        yield "", LinkConfig(mtu=_DEFAULT_FRAME_BYTES), node.peer_named(name)


def _terms(label: str, link: LinkConfig, rate: int | None, percent: Fraction | None) -> LinkTerms:
    bytes_per_second = rate or link.bytes_per_second
    if link.oneway:
        bytes_per_second = bytes_per_second * 100 // (100 + link.overhead)
    if not bytes_per_second:
        raise UsageError("nothing says how fast that link is: say --rate BYTES_A_SECOND")
    return LinkTerms(
        link=label,
        airtime=f"{link.kind} {link.place}",
        rate=bytes_per_second,
        duty_percent=Fraction(str(link.duty)) if percent is None else percent,
        frame_bytes=link.mtu,
    )


def _show(one: Plan) -> None:
    by = f" by {one.link}" if one.link else ""
    if not one.items:
        say(f"{one.peer}{by}: nothing waits")
        return
    hour = (
        "all of it within this hour"
        if one.hour_bytes == one.bytes
        else (f"{amount(one.hour_bytes)} this hour, all of it in {duration(one.lands_seconds)}")
    )
    say(f"{one.peer}{by}: {amount(one.bytes)} in {plural(len(one.items), 'part')}; {hour}")
    if one.spent_percent is not None:
        say(f"  {one.spent_percent:.2f} % of the last hour was spent on the air")
    for item in one.items:
        about = "about " if item.size == ESTIMATED else ""
        named = f"  {item.bundle}" if item.bundle else ""
        say(
            f"  {item.what:7}  {about}{amount(item.bytes)}, there in "
            f"{duration(item.lands_seconds)}{named}"
        )
    if any(item.size == ESTIMATED for item in one.items):
        say("  (files: as they lie here, compressed; all else is sealed already)")
