"""``pannier status``: what waits, for whom, since when, and on which medium it travels."""

import time

import click

from ledger.errors import LedgerError
from ledger.keys import NodeKeys
from pannier.cli.passphrase import unlock
from pannier.cli.session import (
    home_of,
    home_option,
    json_option,
    open_node_with,
    plural,
    print_json,
    say,
)
from pannier.errors import PannierError, PartlyDoneError
from pannier.home import Home
from pannier.link_counters import link_text
from pannier.node import Node
from pannier.overview import LedgerOverview, Overview, PeerOverview, overview
from pannier.times import time_text
from spool.errors import SpoolError


@click.command()
@click.option("--watch", is_flag=True, help="Show it again every two seconds, until stopped.")
@json_option
@home_option
def status(watch: bool, as_json: bool, home: str | None) -> None:
    """Show what waits, for whom, since when, and on which medium it travels.

    \b
    Example:  pannier status
    """
    where = home_of(home)
    keys = unlock(where).keys
    seen = _look(where, keys, as_json=as_json)
    while watch:
        time.sleep(2)
        if not as_json:
            click.clear()
        try:
            seen = _look(where, keys, as_json=as_json)
        except (PannierError, LedgerError, SpoolError) as error:
            # Somebody may be writing a file just now, hold a ledger, or put another in its place.
            say(str(error), err=True)
    if seen.unreadable:
        raise PartlyDoneError("; ".join(seen.unreadable))


def _look(where: Home, keys: NodeKeys, *, as_json: bool) -> Overview:
    """Show what there is now, of peers and settings, too, and return it."""
    with open_node_with(where, keys) as node:
        seen = overview(node)
        if as_json:
            print_json(seen.to_json())
        else:
            _show(node, seen)
    return seen


def _show(node: Node, seen: Overview) -> None:
    say(f"{node.card.name}, node {node.card.node_id}, in {node.home.path}")
    if not seen.ledgers and not seen.unreadable:
        say("  no ledger yet: `pannier put` makes one, or a peer shares one")
    for one in seen.ledgers:
        _show_ledger(one)
    for said in seen.unreadable:
        say(f"  CANNOT BE READ: {said}")
    if not seen.peers:
        say("  no peer yet: `pannier peer add NAME CARD`")
    for peer in seen.peers:
        _show_peer(peer)
    for name in seen.strangers:
        say(f"  config.toml has settings for {name}, but no peer is called so")
    for count, text in (
        (seen.incomplete, "not whole yet: more fragments must come"),
        (seen.held, "waiting for an earlier part, or for the right to write"),
        (seen.review, "waiting for your review: see `pannier review list`"),
        (seen.quarantined, f"in quarantine: see {node.home.spool / 'bad'}"),
    ):
        if count:
            say(f"  arrived: {plural(count, 'bundle')} {text}")
    if seen.forged:
        say(f"  thrown away: {plural(seen.forged, 'fragment')} damaged or forged on the way")
    if seen.carried:
        say(f"  carried for others: {plural(seen.carried, 'file')}")
    for counters in seen.links:
        say(f"  link {link_text(counters, node.clock())}")


def _show_ledger(one: LedgerOverview) -> None:
    conflicts = f", {plural(one.conflicts, 'conflict')}" if one.conflicts else ""
    files = f", {plural(one.files, 'file')}" if one.files else ""
    say(f"  ledger {one.name}: {plural(one.entries, 'entry')}{files}{conflicts}")
    if one.lacking_versions:
        say(
            f"    {plural(one.lacking_versions, 'version')} of files not whole yet: "
            f"{plural(one.lacking_chunks, 'chunk')} of up to 1 MiB must come"
        )
    for fork in one.forks:
        say(f"    FORK: {fork} signed two histories; waiting for its author")


def _show_peer(peer: PeerOverview) -> None:
    waiting = []
    unpacked = [plural(peer.unpacked, "entry")] if peer.unpacked else []
    if peer.unpacked_bytes:
        unpacked.append(f"{peer.unpacked_bytes:,} bytes of files")
    if unpacked:
        waiting.append(f"{' and '.join(unpacked)} to go at the next exchange")
    if peer.bundles:
        until = f"to go out {peer.repeat} times" if peer.repeat else "kept until its receipt"
        waiting.append(f"{plural(peer.bundles, 'bundle')}, {peer.size_bytes:,} bytes, {until}")
    if not waiting:
        notice = " but a note of what we hold" if peer.has_notice else ""
        waiting.append(f"nothing waits for it{notice}")
    say(f"  peer {peer.name}: {'; '.join(waiting)}")
    if not peer.by_media:
        say("    no stick or folder serves it: see its `transports` in config.toml")
    if peer.since_us is not None:
        say(f"    waiting since {time_text(peer.since_us)}")
    for label, when in peer.media:
        say(f"    on {label} since {time_text(when)}")
    for reason in peer.refused:
        say(f"    refused: {reason}")
