"""``pannier put``, ``get``, ``log``, ``things``, ``delete`` and ``verify``: what a ledger says."""

import sys
from contextlib import nullcontext
from pathlib import Path
from typing import IO

import click

from ledger import views
from ledger.append import Draft, deletion
from ledger.data import parse_json, payload_from_value, value_from_payload
from ledger.errors import LedgerError
from ledger.log import LogStatus
from ledger.store import Store
from ledger.verify import LogReport, verify_file
from ledger.verify import verify as verify_logs
from pannier import ledgers
from pannier.cli.session import (
    choose_ledger,
    data_text,
    home_option,
    json_option,
    ledger_option,
    open_node,
    plural,
    print_json,
    progress,
)
from pannier.errors import PannierError, UsageError
from pannier.node import Node
from pannier.times import parse_time, time_text


@click.command()
@click.argument("thing", required=False)
@click.argument("data", required=False, metavar="JSON")
@click.option("--ndjson", "ndjson", metavar="FILE", help="Many at once; - for standard input.")
@click.option("--from-line", default=1, metavar="N", help="With --ndjson: the first line to put.")
@click.option("--bytes", "as_bytes", is_flag=True, help="The data is bytes and not JSON.")
@click.option("--kind", default="", help="Your word for what sort of entry it is.")
@click.option("--time", "when", metavar="TIME", help="When it was; otherwise now.")
@ledger_option
@home_option
def put(
    thing: str | None,
    data: str | None,
    ndjson: str | None,
    from_line: int,
    as_bytes: bool,
    kind: str,
    when: str | None,
    ledger: str | None,
    home: str | None,
) -> None:
    """Say something about a THING: append an entry. JSON may be - (standard input) or @FILE.

    \b
    Examples:  pannier put field/3 '{"moisture": 0.31}'
               pannier put --ndjson weather.ndjson
    Each line of the file is {"thing": NAME, "data": VALUE}, and may have
    "time" (microseconds since 1970 UTC) and "kind".
    """
    if (ndjson is None) == (thing is None):
        raise UsageError("say THING and JSON, or --ndjson FILE; see `pannier put --help`")
    with open_node(home) as node:
        if ndjson is not None:
            _put_many(node, ledger, ndjson, from_line)
            return
        if thing is None or data is None:
            raise UsageError(f"what about {thing}? give JSON, - or @FILE")
        now = node.clock() if when is None else parse_time(when)
        draft = Draft(thing=thing, payload=_payload(data, as_bytes), time_us=now, kind=kind)
        store = _ledger_to_write(node, ledger)
        ledgers.put(node, store, [draft])
        click.echo(f"{thing} is in {store.genesis.name}.")


@click.command()
@click.argument("thing")
@click.option("--at", metavar="TIME", help="As it was then, by the times of the entries.")
@ledger_option
@json_option
@home_option
def get(thing: str, at: str | None, ledger: str | None, as_json: bool, home: str | None) -> None:
    """Show what a THING is now; all of it, where several wrote without knowing of each other.

    \b
    Example:  pannier get field/3
    """
    with open_node(home) as node:
        store = choose_ledger(node, ledger)
        until = None if at is None else parse_time(at)
        heads = views.heads(store, thing, until_us=until)
        missing = views.missing(store, thing)
        shown = [_placed_json(node, one) for one in heads]
    if as_json:
        print_json({"thing": thing, "heads": shown, "missing": len(missing)})
    if not heads or all(one.deleted for one in heads):
        raise PannierError(f"{thing} was deleted" if heads else f"nothing is known of {thing}")
    if as_json:
        return
    if len(shown) > 1:
        click.echo(f"{thing} has {len(shown)} versions in conflict; your next put settles it:")
    for one in shown:
        what = "deleted" if one["deleted"] else data_text(one["data"])
        click.echo(f"{one['time_text']}  {one['by']}: {what}" if len(shown) > 1 else what)
    if missing:
        click.echo(f"({plural(len(missing), 'entry')} it builds on has not arrived)", err=True)


@click.command()
@click.argument("thing", required=False)
@click.option("--since", metavar="TIME", help="Only entries from then on.")
@click.option("--until", metavar="TIME", help="Only entries up to then.")
@click.option("--limit", default=1000, show_default=True, help="At most so many.")
@ledger_option
@json_option
@home_option
def log(
    thing: str | None,
    since: str | None,
    until: str | None,
    limit: int,
    ledger: str | None,
    as_json: bool,
    home: str | None,
) -> None:
    """Show the history of a THING, or of everything by time; the newest LIMIT entries of it.

    \b
    Examples:  pannier log field/3
               pannier log --since 2026-03-01 --until 2026-03-02
    """
    low = -(2**63) if since is None else parse_time(since)
    high = 2**63 - 1 if until is None else parse_time(until)
    with open_node(home) as node:
        store = choose_ledger(node, ledger)
        if thing is None:
            found = views.between(store, low, high, limit=limit)
        else:
            history = views.history(store, thing)
            found = [one for one in history if low <= one.entry.time_us <= high][-limit:]
        shown = [_placed_json(node, one) for one in found]
    if as_json:
        print_json(shown)
        return
    if not shown:
        click.echo(f"nothing is known of {thing}" if thing else "nothing", err=True)
    for one in shown:
        what = "deleted" if one["deleted"] else data_text(one["data"])
        name = "" if thing else f"{one['thing']}  "
        click.echo(f"{one['time_text']}  {one['by']}: {name}{what}")


@click.command()
@click.argument("prefix", default="")
@ledger_option
@json_option
@home_option
def things(prefix: str, ledger: str | None, as_json: bool, home: str | None) -> None:
    """List all things, or those that begin with PREFIX.

    \b
    Example:  pannier things field/
    """
    with open_node(home) as node:
        names = list(views.things(choose_ledger(node, ledger), prefix))
    if as_json:
        print_json(names)
        return
    for name in names:
        click.echo(name)
    if not names:
        click.echo("no things" + (f" begin with {prefix}" if prefix else " yet"), err=True)


@click.command()
@click.argument("thing")
@ledger_option
@home_option
def delete(thing: str, ledger: str | None, home: str | None) -> None:
    """Say that a THING is no more. What it was stays in its history.

    \b
    Example:  pannier delete field/3
    """
    with open_node(home) as node:
        store = choose_ledger(node, ledger)
        heads = views.heads(store, thing)
        if not heads or all(one.deleted for one in heads):
            click.echo(f"{thing} is not there; nothing to do.")
            return
        ledgers.put(node, store, [deletion(thing, node.clock())])
    click.echo(f"{thing} is deleted; `pannier log {thing}` still shows what it was.")


@click.command()
@ledger_option
@json_option
@home_option
def verify(ledger: str | None, as_json: bool, home: str | None) -> None:
    """Recompute everything: every hash, tree, checkpoint, signature and right to write.

    \b
    Example:  pannier verify
    """
    with open_node(home) as node:
        chosen = [choose_ledger(node, ledger)] if ledger else list(node.ledgers())
        if not chosen:
            click.echo("There is no ledger yet; nothing to verify.")
            return
        results = [_verify(node, store) for store in chosen]
    if as_json:
        print_json([result for result, _ in results])
    faults = [line for _, lines in results for line in lines]
    if faults:
        raise PannierError("; ".join(faults))


def _verify(node: Node, store: Store) -> tuple[dict[str, object], list[str]]:
    name = store.genesis.name
    reports = list(progress(verify_logs(store), f"Verifying {name}", len(store.logs())))
    faults = [str(fault) for report in reports for fault in report.faults]
    faults += [str(fault) for fault in verify_file(store)]
    as_json = click.get_current_context().params["as_json"]
    for report in reports if not as_json else ():
        click.echo(_report_line(node, name, report))
    result = {
        "ledger": name,
        "ok": not faults,
        "faults": faults,
        "entries": sum(report.entries for report in reports),
        "checkpoints": sum(report.checkpoints for report in reports),
        "logs": [_report_json(node, report) for report in reports],
    }
    return result, [f"{name}: {fault}" for fault in faults]


def _report_line(node: Node, name: str, report: LogReport) -> str:
    state = report.state
    root = state.frontier.root().hex()[:16]
    verdict = "BAD" if report.faults else "good"
    status = "" if state.status is LogStatus.OPEN else f", {state.status.name.lower()}"
    return (
        f"{verdict}: {name}, {plural(report.entries, 'entry')} by {node.who(state.name.author)} "
        f"({state.name.incarnation.hex()[:8]}{status}), root {root}, "
        f"{plural(report.checkpoints, 'signature')}"
    )


def _report_json(node: Node, report: LogReport) -> dict[str, object]:
    state = report.state
    return {
        "author": state.name.author.hex(),
        "by": node.who(state.name.author),
        "incarnation": state.name.incarnation.hex(),
        "status": state.status.name.lower(),
        "size": state.size,
        "root": state.frontier.root().hex(),
        "checkpoints": report.checkpoints,
        "faults": [str(fault) for fault in report.faults],
    }


def _put_many(node: Node, ledger: str | None, source: str, from_line: int) -> None:
    with _open_text(source) as file:
        store = _ledger_to_write(node, ledger)
        before = _size(store)
        drafts = ledgers.drafts_from_ndjson(file, now_us=node.clock(), first_line=from_line)
        try:
            count = ledgers.put(node, store, progress(drafts, "Putting", None))
        except (UsageError, LedgerError, UnicodeDecodeError) as error:
            written = _size(store) - before
            kept = (
                f"the {plural(written, 'entry')} before it stay" if written else "nothing was put"
            )
            raise PannierError(f"{source}: {error} ({kept})") from error
    click.echo(f"{plural(count, 'entry')} put into {store.genesis.name}.")


def _size(store: Store) -> int:
    return sum(state.size for state in store.logs())


def _open_text(source: str) -> IO[str] | nullcontext[IO[str]]:
    if source == "-":
        return nullcontext(sys.stdin)
    try:
        return Path(source).open(encoding="utf-8", newline="\n")
    except OSError as error:
        raise UsageError(f"cannot read {source}: {error.strerror}") from error


def _ledger_to_write(node: Node, name: str | None) -> Store:
    """Return the ledger for a put; the first put of a node makes its first ledger."""
    if name is None and not any(True for _ in node.ledgers()):
        store = ledgers.new_ledger(node, node.card.name)
        click.echo(f"Made the ledger {store.genesis.name}.")
        return store
    return choose_ledger(node, name)


def _payload(data: str, as_bytes: bool) -> bytes:
    if data == "-":
        content = sys.stdin.buffer.read((8 << 20) + 1)
    elif data.startswith("@"):
        try:
            with Path(data[1:]).open("rb") as file:
                content = file.read((8 << 20) + 1)
        except OSError as error:
            raise UsageError(f"cannot read {data[1:]}: {error.strerror}") from error
    else:
        content = data.encode("utf-8", "surrogateescape")
    if as_bytes:
        return payload_from_value(content)
    try:
        return payload_from_value(parse_json(content.decode()))
    except UnicodeDecodeError as error:
        raise UsageError("the JSON is not UTF-8; for bytes say --bytes") from error


def _placed_json(node: Node, one: views.Placed) -> dict[str, object]:
    payload = one.entry.payload
    return {
        "thing": one.entry.thing,
        "kind": one.entry.kind,
        "data": None if payload is None else value_from_payload(payload),
        "deleted": one.deleted,
        "time": one.entry.time_us,
        "time_text": time_text(one.entry.time_us),
        "by": node.who(one.log.author),
        "author": one.log.author.hex(),
        "incarnation": one.log.incarnation.hex(),
        "number": one.number,
    }
