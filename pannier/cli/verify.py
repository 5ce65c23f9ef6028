"""``pannier verify``: whether every ledger still is what was signed."""

from collections.abc import Iterator
from contextlib import suppress

import click

from ledger.errors import DamagedError, LedgerError, RefusedError
from ledger.genesis import Term
from ledger.log import LogStatus
from ledger.storage_errors import MEND
from ledger.store import Store
from ledger.verify import LogReport, verify_file
from ledger.verify import verify as verify_logs
from ledger.views import count_files
from pannier.cli.repair import ask_each_anew, is_short, repair_each, repair_json, repair_lines
from pannier.cli.session import (
    choose_ledger,
    home_option,
    json_option,
    ledger_option,
    open_node,
    plural,
    print_json,
    progress,
    say,
)
from pannier.errors import BusyError, PannierError, PartlyDoneError, UsageError
from pannier.file_check import check_contents
from pannier.held_check import misheld, misheld_lines, peer_name
from pannier.node import Node
from pannier.nodedb_file import MEND_NODE_DB
from pannier.repairing import Repaired, node_db_faults

_MAX_FAULTS = 8
DISTRIBUTED, CENTRALIZED = "distributed", "centralized"
_MEANINGS = {
    DISTRIBUTED: "each entry is proven to be by the one under whose name it stands.",
    CENTRALIZED: "each entry is proven to be by the admin who signed it; which device said it is "
    "the admin's word.",
}


@click.command()
@click.option("--repair", "is_repair", is_flag=True, help="Mend damaged files, as far as it goes.")
@ledger_option
@json_option
@home_option
def verify(is_repair: bool, ledger: str | None, as_json: bool, home: str | None) -> None:
    """Recompute everything: every hash, tree, checkpoint, signature and right to write.

    \b
    Example:  pannier verify
    In a distributed ledger this shows of each entry who signed it. In a centralized one it
    shows which admin did; for which device the admin spoke is the admin's word.

    With --repair what a damaged file still proves goes into a new one. It says what is lost;
    peers who have it send it with the next exchange. The damaged file stays, by another name.
    """
    with open_node(home) as node:
        if is_repair and ledger:
            raise UsageError("--repair looks at all files of the node: leave out --ledger")
        repaired = list(_repair(node, as_json=as_json)) if is_repair else []
        results = list(_verify_all(node, ledger, as_json=as_json))
        if as_json:
            found = [result for result, _ in results]
            told = [repair_json(node, one) for one in repaired]
            print_json({"repaired": told, "ledgers": found} if is_repair else found)
    if not results and not as_json:
        say("There is no ledger yet; nothing to verify.")
    faults = [line for _, lines in results for line in lines]
    if faults:
        raise PannierError("; ".join(faults))
    if any(is_short(one) for one in repaired):
        raise PartlyDoneError("not all could be saved; exchange with peers, who send the rest")


def _repair(node: Node, *, as_json: bool) -> Iterator[Repaired]:
    """Mend all files, and say so of each at once: whatever comes next, what is lost was told."""
    told = []
    try:
        for one in repair_each(node):
            told.append(one)
            if not as_json:
                for line in repair_lines(node, one):
                    say(line)
            yield one
        for peer in ask_each_anew(node):
            if not as_json:
                say(f"asked anew: {peer_name(node, peer)}, what it holds")
    except (PannierError, LedgerError):
        if as_json:
            print_json({"repaired": [repair_json(node, one) for one in told], "ledgers": []})
        raise


def _verify_all(
    node: Node, ledger: str | None, *, as_json: bool
) -> Iterator[tuple[dict[str, object], list[str]]]:
    """Yield what is to be said of each ledger, and what is wrong with it."""
    if ledger:
        yield _verify(node, choose_ledger(node, ledger), as_json=as_json)
        return
    yield from _verify_node_db(node, as_json=as_json)
    for ledger_id in node.ledger_ids():
        try:
            store = node.ledger(ledger_id)
            if store is not None:
                yield _verify(node, store, as_json=as_json)
        except (DamagedError, RefusedError) as error:
            path = str(node.ledger_path(ledger_id))
            mend = MEND if isinstance(error, DamagedError) else ""
            said = str(error) if path in str(error) else f"{path}: {error}{mend}"
            if not as_json:
                say(f"BAD: {path}")
            yield {"ledger": ledger_id.hex(), "ok": False, "faults": [said]}, [said]


def _verify_node_db(node: Node, *, as_json: bool) -> Iterator[tuple[dict[str, object], list[str]]]:
    """Yield what is wrong with ``node.db``; nothing if all is well."""
    try:
        faults = [_with_mend(fault) for fault in node_db_faults(node)]
        faults = faults or list(misheld_lines(node, misheld(node)))
    except BusyError:
        raise
    except PannierError as error:
        faults = [str(error)]
    if faults:
        path = str(node.home.node_db)
        if not as_json:
            say(f"BAD: {path}")
        yield {"file": path, "ok": False, "faults": faults}, faults


def _with_mend(fault: str) -> str:
    return fault if MEND_NODE_DB in fault else f"{fault}{MEND_NODE_DB}"


def _verify(node: Node, store: Store, *, as_json: bool) -> tuple[dict[str, object], list[str]]:
    name = store.genesis.name
    mode = CENTRALIZED if Term.CENTRALIZED in store.genesis.terms else DISTRIBUTED
    reports = list(progress(verify_logs(store), f"Verifying {name}", len(store.logs())))
    faults = [str(fault) for report in reports for fault in report.faults]
    faults += [str(fault) for fault in verify_file(store)]
    if not faults:
        with suppress(PannierError):  # what is wrong with node.db was said
            node.try_again(store.ledger_id)
    contents = list(_verify_contents(store, faults))
    if not as_json:
        for report in reports:
            say(_report_line(node, name, report) + _word(node, report, mode))
        if not reports:
            say(f"{'BAD' if faults else 'good'}: {name}, no entries yet")
        elif not faults:
            say(f"{name} is {mode}: {_MEANINGS[mode]}")
        for line in contents:
            say(f"{name}, {line}")
    lacking = store.file_entries.lacking()
    result = {
        "ledger": name,
        "mode": mode,
        "ok": not faults,
        "faults": faults,
        "entries": sum(report.entries for report in reports),
        "checkpoints": sum(report.checkpoints for report in reports),
        "logs": [_report_json(node, report, mode) for report in reports],
        "files": count_files(store),
        "lacking_versions": lacking.versions,
        "lacking_chunks": lacking.chunks,
    }
    return result, [f"{name}: {fault}" for fault in faults]


def _verify_contents(store: Store, faults: list[str]) -> Iterator[str]:
    """Read the contents of files, add to *faults*, and yield what to say of it."""
    if not store.file_entries.count():
        return
    chunks = size = bad = 0
    for one in progress(check_contents(store), "Reading files", None):
        chunks += 1
        size += one.place.span.size
        if one.fault is not None:
            bad += 1
            if bad <= _MAX_FAULTS:
                faults.append(one.fault)
    yield (
        f"{plural(count_files(store), 'file')}: {plural(chunks, 'chunk')} of contents are here, "
        f"{size:,} bytes, {'good' if not bad else f'{bad:,} of them BAD'}"
    )
    lacking = store.file_entries.lacking()
    if lacking.versions:
        yield (
            f"{plural(lacking.versions, 'version')} of files not whole: "
            f"{plural(lacking.chunks, 'chunk')} of contents are not here; they come from peers "
            "that have them"
        )


def _word(node: Node, report: LogReport, mode: str) -> str:
    """Return what of a log no signature shows; empty in a distributed ledger."""
    if mode == DISTRIBUTED or not report.on_behalf:
        return ""
    who = node.who(report.state.name.author)
    return f"; {plural(report.on_behalf, 'entry')} for devices, on the word of {who}"


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


def _report_json(node: Node, report: LogReport, mode: str) -> dict[str, object]:
    state = report.state
    return {
        "author": state.name.author.hex(),
        "by": node.who(state.name.author),
        "incarnation": state.name.incarnation.hex(),
        "status": state.status.name.lower(),
        "size": state.size,
        "root": state.frontier.root().hex(),
        "checkpoints": report.checkpoints,
        "on_behalf": report.on_behalf if mode == CENTRALIZED else 0,
        "faults": [str(fault) for fault in report.faults],
    }
