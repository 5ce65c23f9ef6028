"""``pannier exchange``, ``pack``, ``unpack`` and ``run``: what moves between nodes."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import click

from bundler.geometry import MIN_MTU_BYTES
from pannier import unreadable
from pannier.cli.reports import (
    all_lines,
    exchange_json,
    forged_line,
    import_news,
    news_lines,
    others_line,
    quarantine_line,
    report_json,
    report_lines,
)
from pannier.cli.session import (
    home_option,
    json_option,
    open_node,
    opener,
    plural,
    print_json,
    say,
)
from pannier.errors import PartlyDoneError, UsageError
from pannier.exchange import exchange_medium
from pannier.import_report import left_undone
from pannier.sending import MAX_MTU


@click.command()
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@click.option("--for", "only", multiple=True, metavar="PEER", help="Write for these peers alone.")
@click.option("--label", metavar="NAME", help="What a new medium is called, like BLUE-2.")
@json_option
@home_option
def exchange(
    folder: Path, only: Sequence[str], label: str | None, as_json: bool, home: str | None
) -> None:
    """Take from a stick or drop folder what is ours, and leave on it what others lack.

    \b
    Examples:  pannier exchange /media/stick
               pannier exchange /media/stick --label BLUE-2 --for home
    """
    with open_node(home) as node:
        peers = [node.peer_named(name) for name in only] if only else None
        done = exchange_medium(node, folder, peers=peers, label=label)
        done.problems += unreadable.problems(node)
        if as_json:
            print_json(exchange_json(node, done))
        else:
            for line in all_lines(node, done):
                say(line)
    problems = list(done.problems)
    if label is not None and done.label != label:
        problems.append(f"the medium keeps the name it has, {done.label or done.medium_id}")
    if problems:
        raise PartlyDoneError("; ".join(problems))


@click.command()
@click.argument("peer")
@click.option(
    "--into",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path(),
    help="The folder for the fragments.  [default: this one]",
)
@click.option(
    "--mtu",
    type=click.IntRange(MIN_MTU_BYTES, MAX_MTU),
    help="Most bytes of a file.  [default: the peer's mtu in config.toml]",
)
@click.option(
    "--repair",
    metavar="PERCENT",
    help="How many of the files of a bundle may get lost.  [default: the peer's repair, 0]",
)
@home_option
def pack(peer: str, into: Path, mtu: int | None, repair: str | None, home: str | None) -> None:
    """Write what PEER lacks as fragments, one file each, for any way there is to carry files.

    \b
    Example:  pannier pack home --into /srv/radio --mtu 222 --repair 10%
    """
    from pannier.clear import refusal, refusing  # noqa: PLC0415 -- an exchange needs it not
    from pannier.oneway import pack as pack_files  # noqa: PLC0415

    percent = None if repair is None else _percent(repair)
    with open_node(home) as node:
        one = node.peer_named(peer)
        packed = pack_files(node, one, into, mtu=mtu, repair_percent=percent)
        problems = [refusal(store, one) for store in refusing(node, one)]
        problems += unreadable.problems(node)
    if packed.is_cut:
        problems.append(f"more files wait for {peer} than go at once: pack the rest after these")
    if packed.bundles:
        say(
            f"{plural(packed.bundles, 'bundle')} for {peer} in {plural(packed.files, 'file')}, "
            f"{packed.size_bytes:,} bytes, in {into}"
        )
    else:
        say(f"{peer} lacks nothing that it may have; nothing to pack.")
    if problems:
        raise PartlyDoneError("; ".join(problems))


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
    from pannier.oneway import unpack as unpack_files  # noqa: PLC0415 -- an exchange needs it not

    with open_node(home) as node:
        report, left = unpack_files(node, paths)
        unread = unreadable.problems(node)
        lines = report_lines(report)
        if left["forged"]:
            lines.append(forged_line(left["forged"]))
        if left["others"]:
            lines.append(others_line(left["others"]))
        if not lines:
            lines.append(_nothing_line(left))
    if as_json:
        print_json({**report_json(report), "left": left})
    else:
        for line in lines:
            say(line)
    problems = [*([quarantine_line(report)] if report.reasons else []), *left_undone(report)]
    problems += unread
    if left["damaged"]:
        problems.append(f"{plural(left['damaged'], 'file')} could not be read")
    if left["newer"]:
        count = plural(left["newer"], "file")
        problems.append(f"{count} of a later version: update pannier to read them")
    if left["refused"]:
        problems.append(f"{plural(left['refused'], 'bundle')} found no room: see peer_bytes")
    if problems:
        raise PartlyDoneError("; ".join(problems))


@click.command()
@click.option("--once", is_flag=True, help="Exchange with what is there now, then stop.")
@home_option
def run(once: bool, home: str | None) -> None:
    """Serve all configured folders and mount points, until stopped.

    \b
    Example:  pannier run
    A medium that appears under a configured mount point is exchanged by itself, then
    reported safe to remove. See docs/operations.md for the configuration.
    """
    from pannier.daemon import Daemon, Telling, stopped_by_signals  # noqa: PLC0415 -- watchdog

    telling = Telling(
        say=say,
        folder=all_lines if once else news_lines,
        medium=all_lines,
        imported=report_lines if once else import_news,
    )
    daemon = Daemon(opener(home), telling)
    if not once:
        with stopped_by_signals(daemon):
            daemon.serve()
        say("Stopped.")
        return
    if not daemon.look_everywhere() + daemon.link_once():
        say("No medium is there; nothing to do.")
    if any(daemon.problems.values()):
        raise PartlyDoneError("not everything could be done: see the lines above")


def _nothing_line(left: Mapping[str, int]) -> str:
    if left["seen"]:
        return f"Nothing new: {plural(left['seen'], 'file')} of bundles that were taken in before."
    return f"Nothing to take in: none of {plural(left['foreign'], 'file')} is a fragment."


def _percent(text: str) -> int:
    digits = text.strip().removesuffix("%").strip()
    if not digits.isdecimal() or len(digits) > 4 or int(digits) > 1000:
        raise UsageError(f"{text!r} is no percentage of 0 to 1000: write --repair 10%")
    return int(digits)
