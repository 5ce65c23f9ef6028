"""``pannier exchange``, ``pack``, ``unpack`` and ``run``: what moves between nodes."""

from collections.abc import Sequence
from pathlib import Path

import click

from pannier.cli.session import home_option, json_option, open_node, plural, print_json
from pannier.errors import PartlyDoneError, UsageError
from pannier.exchange import Exchanged, exchange_medium
from pannier.home import Peer
from pannier.importing import Outcome, Report
from pannier.node import Node
from pannier.oneway import pack as pack_files
from pannier.oneway import unpack as unpack_files


@click.command()
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@click.option("--for", "only", multiple=True, metavar="PEER", help="Write for these alone.")
@click.option("--label", metavar="NAME", help="What a new medium is called, like BLUE-2.")
@json_option
@home_option
def exchange(
    folder: Path, only: Sequence[str], label: str | None, as_json: bool, home: str | None
) -> None:
    """Take from a stick or drop folder what is ours, and leave on it what others lack.

    \b
    Example:  pannier exchange /media/stick
    """
    with open_node(home) as node:
        peers = [node.peer_named(name) for name in only] if only else None
        done = exchange_medium(node, folder, peers=peers, label=label)
        if as_json:
            print_json(exchange_json(node, done))
        else:
            for line in exchange_lines(node, done):
                click.echo(line)
    if done.problems:
        raise PartlyDoneError("; ".join(done.problems))


@click.command()
@click.argument("peer")
@click.option(
    "--into",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path(),
    help="The folder for the fragments.  [default: this one]",
)
@click.option("--mtu", type=click.IntRange(48, 65_564), help="Most bytes of a fragment.")
@click.option("--repair", default="0%", show_default=True, metavar="PERCENT", help="May get lost.")
@home_option
def pack(peer: str, into: Path, mtu: int | None, repair: str, home: str | None) -> None:
    """Write what PEER lacks as fragments, one file each, for any way there is to carry files.

    \b
    Example:  pannier pack home --into /srv/radio --mtu 222 --repair 10%
    """
    percent = _percent(repair)
    with open_node(home) as node:
        packed = pack_files(node, node.peer_named(peer), into, mtu=mtu, repair_percent=percent)
    if not packed.bundles:
        click.echo(f"{peer} lacks nothing that it may have; nothing to pack.")
        return
    click.echo(
        f"{plural(packed.bundles, 'bundle')} for {peer} in {plural(packed.files, 'file')}, "
        f"{packed.size_bytes:,} bytes, in {into}"
    )


@click.command()
@click.argument(
    "paths", metavar="PATH...", nargs=-1, required=True, type=click.Path(path_type=Path)
)
@json_option
@home_option
def unpack(paths: Sequence[Path], as_json: bool, home: str | None) -> None:
    """Take in fragments from files and folders; the files stay as they are.

    \b
    Example:  pannier unpack /srv/radio
    """
    with open_node(home) as node:
        report, left = unpack_files(node, paths)
        lines = report_lines(report)
        if left["others"]:
            lines.append(_others_line(left["others"]))
    if as_json:
        print_json({**report_json(report), "left": left})
    else:
        for line in lines or ["Nothing new."]:
            click.echo(line)
    if report.reasons:
        raise PartlyDoneError(_quarantined(report))


@click.command()
@click.option("--once", is_flag=True, help="Exchange with what is there now, then stop.")
@home_option
def run(once: bool, home: str | None) -> None:
    """Serve all configured folders and mount points, until stopped.

    \b
    Example:  pannier run
    A medium that appears under a configured mount point is exchanged by itself,
    then reported safe to remove. See docs/operations.md for the configuration.
    """
    from pannier.daemon import Daemon, stopped_by_signals  # noqa: PLC0415 -- brings in watchdog

    with open_node(home) as node:
        told = (lambda done: exchange_lines(node, done), report_lines)
        daemon = Daemon(node, click.echo, told=told)
        if once:
            daemon.look_everywhere()
            return
        with stopped_by_signals(daemon):
            daemon.serve()
    click.echo("Stopped.")


def exchange_lines(node: Node, done: Exchanged) -> list[str]:
    """Return what an exchange did, for people."""
    lines = report_lines(done.report)
    if done.collected.others:
        lines.append(_others_line(done.collected.others))
    if done.collected.carried:
        lines.append(f"Carrying {plural(done.collected.carried, 'file')} on for others.")
    for peer_id, count in done.written.items():
        lines.append(f"Wrote {plural(count, 'bundle')} for {_name(node, peer_id)}.")
    if done.carried_written:
        lines.append(f"Left {plural(done.carried_written, 'file')} that we carry for others.")
    for peer_id, count in done.waiting.items():
        lines.append(f"{plural(count, 'bundle')} for {_name(node, peer_id)} lay there already.")
    if done.removed:
        lines.append(f"Removed {plural(done.removed, 'file')} that did their work.")
    if not lines:
        lines.append("Nothing to take and nothing to leave.")
    if not done.is_gone:
        lines.append(f"{done.label or done.medium_id} is safe to remove.")
    return lines


def report_lines(report: Report) -> list[str]:
    """Return what an import did, for people."""
    lines = [
        f"Took in {plural(count, 'entry')} by {author} into {ledger}."
        for (ledger, author), count in report.entries.items()
    ]
    merged = report.count(Outcome.MERGED)
    if merged and not report.entries:
        lines.append(f"Took in {plural(merged, 'bundle')}; no entry in it was new.")
    lines += [note[0].upper() + note[1:] + "." for note in report.notes]
    for outcome, text in (
        (Outcome.HELD, "waiting for an earlier part, or for the right to write"),
        (Outcome.INCOMPLETE, "not whole yet: more fragments must come"),
    ):
        count = report.count(outcome)
        if count:
            lines.append(f"{plural(count, 'bundle')} {text}.")
    return lines


def report_json(report: Report) -> dict[str, object]:
    """Return what an import did, for programs."""
    return {
        "bundles": {number: outcome.value for number, outcome in report.outcomes.items()},
        "entries": [
            {"ledger": ledger, "by": author, "count": count}
            for (ledger, author), count in report.entries.items()
        ],
        "notes": report.notes,
        "refused": report.reasons,
    }


def exchange_json(node: Node, done: Exchanged) -> dict[str, object]:
    """Return what an exchange did, for programs."""
    return {
        **report_json(done.report),
        "medium": done.medium_id,
        "label": done.label,
        "written": {_name(node, peer): count for peer, count in done.written.items()},
        "already_there": {_name(node, peer): count for peer, count in done.waiting.items()},
        "for_others": done.collected.others,
        "carried": done.collected.carried,
        "removed": done.removed,
        "problems": done.problems,
        "safe_to_remove": not done.is_gone,
    }


def _name(node: Node, peer_id: str) -> str:
    peer: Peer | None = node.peers.get(peer_id)
    return peer.name if peer else peer_id


def _others_line(count: int) -> str:
    verb = "is" if count == 1 else "are"
    return f"{count} {verb} for others or from someone whose card you lack; left alone."


def _quarantined(report: Report) -> str:
    reasons = "; ".join(sorted(set(report.reasons.values())))
    return f"{plural(len(report.reasons), 'bundle')} went to quarantine: {reasons}"


def _percent(text: str) -> int:
    digits = text.strip().removesuffix("%").strip()
    if not digits.isdigit() or not 0 <= int(digits) <= 1000:
        raise UsageError(f"{text!r} is no percentage: write --repair 10%")
    return int(digits)
