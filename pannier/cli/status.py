"""``pannier status``: what waits, for whom, since when, and on which medium it travels."""

import time

import click

from pannier.cli.session import home_option, json_option, open_node, plural, print_json
from pannier.node import Node
from pannier.overview import Overview, PeerOverview, overview
from pannier.times import time_text


@click.command()
@click.option("--watch", is_flag=True, help="Show it again every two seconds, until stopped.")
@json_option
@home_option
def status(watch: bool, as_json: bool, home: str | None) -> None:
    """Show what waits, for whom, since when, and on which medium it travels.

    \b
    Example:  pannier status
    """
    with open_node(home) as node:
        while True:
            seen = overview(node)
            if as_json:
                print_json(seen.to_json())
            else:
                _show(node, seen)
            if not watch:
                return
            time.sleep(2)
            if not as_json:
                click.clear()


def _show(node: Node, seen: Overview) -> None:
    click.echo(f"{node.card.name}, node {node.card.node_id}, in {node.home.path}")
    for one in seen.ledgers:
        conflicts = f", {plural(one.conflicts, 'conflict')}" if one.conflicts else ""
        click.echo(f"  ledger {one.name}: {plural(one.entries, 'entry')}{conflicts}")
        for fork in one.forks:
            click.echo(f"    FORK: {fork} signed two histories; waiting for its author")
    for peer in seen.peers:
        click.echo(f"  peer {peer.name}: {_peer_line(peer)}")
        if peer.since_us is not None:
            click.echo(f"    waiting since {time_text(peer.since_us)}")
        for label, when in peer.media:
            click.echo(f"    on {label} since {time_text(when)}")
        for reason in peer.refused:
            click.echo(f"    refused: {reason}")
    for label, count in (
        ("incomplete here", seen.incomplete),
        ("held here", seen.held),
        ("carried for others", seen.carried),
        ("in quarantine", seen.quarantined),
    ):
        if count:
            click.echo(f"  {label}: {count}")


def _peer_line(peer: PeerOverview) -> str:
    if peer.bundles:
        return (
            f"{plural(peer.bundles, 'bundle')}, {peer.size_bytes:,} bytes, kept until its receipt"
        )
    if peer.has_notice:
        return "nothing waits for it but a note of what we hold"
    return "nothing waits for it"
