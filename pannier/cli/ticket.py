"""``pannier ticket``: what a one-way link did not bring, asked for and answered by voice."""

from collections.abc import Callable, Sequence
from pathlib import Path

import click

from bundler.geometry import MIN_MTU_BYTES
from pannier.cli.session import (
    home_option,
    json_option,
    open_node,
    plural,
    print_json,
    say,
)
from pannier.errors import UsageError
from pannier.node import Node
from pannier.sending import MAX_MTU
from pannier.ticket import Lacking, Redeemed, lacking, redeem
from pannier.ticket_words import tickets_in, to_digits, to_text, to_words

_REDEEM = "redeem"


@click.command()
@click.argument("words_", metavar="[BUNDLE | redeem TICKET...]", nargs=-1)
@click.option("--words", "form", flag_value="words", help="As words to read aloud.")
@click.option("--digits", "form", flag_value="digits", help="As groups of digits to read aloud.")
@click.option(
    "--into",
    type=click.Path(path_type=Path, file_okay=False),
    help="redeem: write fragments into this folder.  [default: onto the next one-way round]",
)
@click.option(
    "--mtu",
    type=click.IntRange(MIN_MTU_BYTES, MAX_MTU),
    help="--into: most bytes of a file.  [default: the peer's mtu in config.toml]",
)
@json_option
@home_option
def ticket(
    words_: Sequence[str],
    form: str | None,
    into: Path | None,
    mtu: int | None,
    as_json: bool,
    home: str | None,
) -> None:
    """Ask for what did not arrive whole where nobody can answer; or give what a ticket asks for.

    \b
    Without "redeem" it prints a ticket for each bundle of which something is missing, at most
    100 bytes, to be passed on by any way at all, and be it a voice. With it, where the bundle
    came from, just that much more of it is sent, in whatever form the ticket is typed: it is
    good for nobody else, and nothing that was sent before goes again.
    Example:  pannier ticket --words
              pannier ticket redeem AGQ3F-Q6UAA-ADTII-YHEJQ --into /media/stick/new
    """
    is_redeemed = words_[:1] == (_REDEEM,)
    if is_redeemed and len(words_) == 1:
        raise UsageError("which ticket? type it after `pannier ticket redeem`")
    if not is_redeemed and (into is not None or len(words_) > 1):
        raise UsageError("to answer a ticket, write `pannier ticket redeem TICKET`")
    with open_node(home) as node:
        if is_redeemed:
            done = redeem(node, tickets_in(words_[1:]), into, mtu=mtu)
            _show_redeemed(node, done, into, as_json=as_json)
        else:
            _show_lacking(node, "".join(words_), form, as_json=as_json)


def _show_lacking(node: Node, start: str, form: str | None, *, as_json: bool) -> None:
    found = list(lacking(node, start))
    if as_json:
        print_json([_lacking_json(node, one) for one in found])
        return
    if not found and start:
        raise UsageError(
            f"no bundle that arrived in part begins with {start}: see `pannier ticket`"
        )
    if not found:
        say("Nothing is missing: all that arrived in part has been made whole.")
    spoken: Callable[[bytes], str] = {"words": to_words, "digits": to_digits}.get(
        form or "", to_text
    )
    for one in found:
        say(
            f"{one.bundle_id}  from {_who(node, one.sender)}, {one.needed:,} of "
            f"{plural(one.symbols, 'symbol')} missing"
        )
        say(f"  {spoken(one.ticket.to_bytes())}")


def _lacking_json(node: Node, one: Lacking) -> dict[str, object]:
    data = one.ticket.to_bytes()
    return {
        "bundle": one.bundle_id,
        "from": _who(node, one.sender),
        "needed": one.needed,
        "symbols": one.symbols,
        "ticket": to_text(data),
        "words": to_words(data),
        "digits": to_digits(data),
    }


def _show_redeemed(
    node: Node, done: Sequence[Redeemed], into: Path | None, *, as_json: bool
) -> None:
    if as_json:
        print_json(
            [
                {
                    "bundle": one.bundle.bundle_id,
                    "for": _who(node, one.bundle.peer),
                    "symbols": one.symbols,
                    "bytes": one.size_bytes,
                }
                for one in done
            ]
        )
        return
    for one in done:
        where = (
            "go first in the next round of `pannier link … --oneway`"
            if into is None
            else f"are in {into}, {one.size_bytes:,} bytes"
        )
        say(
            f"{plural(one.symbols, 'new symbol')} of {one.bundle.bundle_id} for "
            f"{_who(node, one.bundle.peer)} {where}"
        )


def _who(node: Node, sender: str) -> str:
    return node.peers[sender].name if sender in node.peers else "a group"
