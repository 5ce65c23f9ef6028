"""``pannier peer show --trust``: the evidence about a peer, in lines."""

from collections.abc import Iterator

from pannier.cli.session import plural
from pannier.times import time_text
from pannier.trust import LedgerTrust, LogTrust, Trust, WitnessTrust

_VERDICTS = {
    True: "the same as here",
    False: "and NOT what is here",
    None: "more than is here to compare",
}


def trust_lines(trust: Trust) -> Iterator[str]:
    """Yield what is known of a peer, for people."""
    heard = trust.last_heard_us
    yield f"Last heard: {'never' if heard is None else f'{time_text(heard)} UTC, by its own clock'}"
    yield f"Refused here: {plural(trust.refused_here, 'bundle')}"
    for reason in trust.refused_there:
        yield f"It refused one of ours: {reason}"
    if not trust.ledgers:
        yield "It is in none of the ledgers that are here."
    for ledger in trust.ledgers:
        yield from _ledger_lines(ledger)


def _ledger_lines(ledger: LedgerTrust) -> Iterator[str]:
    role = ledger.role or "no member any more"
    yield f"In {ledger.ledger}: {role}{'' if ledger.logs else ', wrote nothing'}"
    for log in ledger.logs:
        yield from _log_lines(log)


def _log_lines(log: LogTrust) -> Iterator[str]:
    held = f"{log.size:,} of {log.signed:,} signed entries here"
    yield f"  log {log.incarnation[:8]}: {held}, {log.status}"
    if log.two_histories:
        yield "    TWO HISTORIES: it signed both, and the proof is kept"
    for witness in log.witnesses:
        yield f"    {_witness_text(witness)}"
    if not log.witnesses:
        yield "    nobody else said what it holds of it"


def _witness_text(witness: WitnessTrust) -> str:
    when = time_text(witness.time_seconds * 1_000_000)
    return f"{witness.who} holds {witness.size:,}, {_VERDICTS[witness.is_same]} ({when} UTC)"
